"""The table of stages and domains: names, tags, wiring, and what listing it must not import."""

import subprocess
import sys
from pathlib import Path

import pytest
from kedro.io import CatalogConfigResolver
from kedro.pipeline import Pipeline
from kedro.validation.parameter_validator import ParameterValidator

from worldtune.config import ComputeConfig, WebConfig
from worldtune.domains import DOMAINS
from worldtune.parameter_loader import ParameterLoader
from worldtune.pipeline_registry import CHAINS, register_pipelines
from worldtune.settings import CONFIG_LOADER_ARGS

HEAVY = ("torch", "transformers", "great_expectations", "playwright", "peft")


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Pipeline]:
    return register_pipelines()


@pytest.fixture(scope="module")
def loader(project: Path) -> ParameterLoader:
    return ParameterLoader(str(project / "conf"), env="local", **CONFIG_LOADER_ARGS)


def test_every_stage_of_every_domain_is_registered(pipelines: dict[str, Pipeline]) -> None:
    expected = {f"{stage}_{domain}" for stage in CHAINS for domain in DOMAINS}
    assert set(pipelines) == expected | {"__default__"}
    assert {"ingest_web", "sft_web", "rlvr_web", "evaluate_web", "compare_web"} <= set(pipelines)


def test_the_chain_and_the_default_need_nothing_before_them(
    pipelines: dict[str, Pipeline],
) -> None:
    for name in ("rlvr_web", "compare_web", "__default__"):
        needed = {
            dataset
            for dataset in pipelines[name].inputs()
            if not dataset.startswith("params:") and not dataset.endswith("_run")
        }
        assert needed == set()
    assert pipelines["__default__"].nodes == pipelines["rlvr_web"].nodes


def test_a_tag_picks_one_stage_of_the_chain(pipelines: dict[str, Pipeline]) -> None:
    chain = pipelines["rlvr_web"]
    assert [node.name for node in chain.only_nodes_with_tags("rlvr").nodes] == ["web.train_rlvr"]
    for stage in ("ingest", "sft", "evaluate"):
        assert chain.only_nodes_with_tags(stage).nodes == pipelines[f"{stage}_web"].nodes
    assert all("web" in node.tags for node in chain.nodes)


def test_the_stages_run_in_the_order_of_the_chain(pipelines: dict[str, Pipeline]) -> None:
    names = [node.name for node in pipelines["rlvr_web"].nodes]
    order = ["web.train_sft", "web.train_rlvr", "web.evaluate_models", "web.write_report"]
    assert [name for name in names if name in order] == order


def test_every_dataset_and_parameter_is_in_the_configuration(
    pipelines: dict[str, Pipeline], loader: ParameterLoader
) -> None:
    resolver = CatalogConfigResolver(loader["catalog"])
    for pipeline in pipelines.values():
        for dataset in pipeline.datasets():
            if dataset.startswith("params:"):
                head, *rest = dataset.removeprefix("params:").split(".")
                value = loader["parameters"][head]
                assert not rest or rest[0] in value, f"{dataset} is not a parameter"
            else:
                assert resolver.match_dataset_pattern(dataset), f"{dataset} is not in the catalog"


def test_nodes_get_parameters_as_objects_with_their_defaults(
    pipelines: dict[str, Pipeline], loader: ParameterLoader
) -> None:
    parameters = ParameterValidator(dict(pipelines)).validate_raw_params(loader["parameters"])
    assert isinstance(parameters["compute"], ComputeConfig)
    for section, field in WebConfig.model_fields.items():
        assert type(parameters["web"][section]) is field.annotation, section
    assert parameters["web"]["rlvr"].loss.clip_low == 0.2


def test_listing_the_pipelines_is_fast_and_imports_nothing_heavy(project: Path) -> None:
    program = (
        "import sys, time; sys.argv = ['kedro', 'registry', 'list']\n"
        "from kedro.framework.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules], time.process_time())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    imported, cpu_s = result.stdout.splitlines()[-1].rsplit(" ", 1)
    assert "- rlvr_web" in result.stdout
    assert imported == "[]"
    assert float(cpu_s) < 2  # processor time, so that a busy machine does not fail the test
