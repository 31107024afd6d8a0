"""What ships: pins without machine paths, DVC stages that match Kedro, telemetry off."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.io import CatalogConfigResolver

import worldtune
from worldtune.domains import DOMAINS
from worldtune.pipeline_registry import register_pipelines
from worldtune.settings import CONFIG_LOADER_ARGS

DVC_STAGES = ("ingest", "sft", "rlvr", "evaluate")
MACHINE_PATH = re.compile(
    r"file://|(?<![\w.])/(home|root|opt|work|tmp|Users)/|--(extra-)?index-url"
)


@pytest.fixture(scope="module")
def dvc_stages(project: Path) -> dict[str, Any]:
    return yaml.safe_load((project / "dvc.yaml").read_text())["stages"]


@pytest.fixture(scope="module")
def catalog(project: Path) -> CatalogConfigResolver:
    environment = os.environ.pop("WORLDTUNE_DATA_ROOT", None)
    loader = OmegaConfigLoader(str(project / "conf"), env="local", **CONFIG_LOADER_ARGS)
    resolver = CatalogConfigResolver(loader["catalog"])
    if environment is not None:
        os.environ["WORLDTUNE_DATA_ROOT"] = environment
    return resolver


@pytest.mark.parametrize(
    "name", ["uv.lock", *(f"requirements/{name}.txt" for name in ("run", "test", "dev", "bench"))]
)
def test_pinned_requirements_name_no_machine_and_no_private_index(project: Path, name: str) -> None:
    assert MACHINE_PATH.search((project / name).read_text()) is None


@pytest.mark.parametrize("name", ["run", "test", "dev", "bench"])
def test_requirements_agree_with_the_lock_and_leave_torch_out(project: Path, name: str) -> None:
    locked: dict[str, set[str]] = {}
    for package in tomllib.loads((project / "uv.lock").read_text())["package"]:
        locked.setdefault(package["name"], set()).add(package.get("version", ""))
    lines = (project / f"requirements/{name}.txt").read_text().splitlines()
    pins = dict(line.split(" ;")[0].strip().split("==") for line in lines)
    assert len(pins) > 100
    assert not {"torch", "triton"} & set(pins)
    assert not any(pin.startswith("nvidia") for pin in pins)
    assert all(version in locked[pin] for pin, version in pins.items())


def test_make_installs_the_torch_of_the_lock(project: Path) -> None:
    packages = tomllib.loads((project / "uv.lock").read_text())["package"]
    version = next(package["version"] for package in packages if package["name"] == "torch")
    assert f"TORCH ?= torch=={version}\n" in (project / "Makefile").read_text()


def test_the_package_is_typed_and_states_its_version_once(project: Path) -> None:
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert metadata["dynamic"] == ["version"]
    assert (project / "src/worldtune/py.typed").is_file()
    assert f"version: {worldtune.__version__}\n" in (project / "CITATION.cff").read_text()
    assert f"## [{worldtune.__version__}]" in (project / "CHANGELOG.md").read_text()


def test_telemetry_is_off_everywhere(project: Path) -> None:
    assert yaml.safe_load((project / ".telemetry").read_text()) == {"consent": False}
    assert "analytics = false" in (project / ".dvc/config").read_text()
    program = "import os, worldtune.settings; print(*map(os.environ.get, os.sys.argv[1:]))"
    names = ["KEDRO_DISABLE_TELEMETRY", "DO_NOT_TRACK", "DVC_NO_ANALYTICS"]
    names += ["GX_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY"]
    clean = {key: value for key, value in os.environ.items() if key not in names}
    result = subprocess.run(
        [sys.executable, "-c", program, *names],
        env=clean,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["1", "1", "1", "false", "1"]


@pytest.mark.parametrize("stage", DVC_STAGES)
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_dvc_stage_covers_what_its_pipeline_reads_and_writes(
    dvc_stages: dict[str, Any], catalog: CatalogConfigResolver, stage: str, domain: str
) -> None:
    declared = dvc_stages[stage]
    pipeline = register_pipelines()[f"rlvr_{domain}"].only_nodes_with_tags(stage)
    reads = _paths(declared["deps"], domain)
    writes = _paths([*declared["outs"], *declared["metrics"]], domain)
    for dataset in pipeline.inputs():
        if not dataset.startswith("params:"):
            path = _file_of(dataset, catalog)
            assert _covers(reads | writes, path), f"{stage} reads {path}"
    for dataset in pipeline.outputs():
        path = _file_of(dataset, catalog)
        assert _covers(writes, path), f"{stage} writes {path}"


@pytest.mark.parametrize("stage", DVC_STAGES)
def test_a_dvc_stage_watches_the_parameters_of_its_pipeline(
    dvc_stages: dict[str, Any], stage: str
) -> None:
    pipeline = register_pipelines()["rlvr_web"].only_nodes_with_tags(stage)
    used = {name.removeprefix("params:") for name in pipeline.inputs() if "params:" in name}
    watched = {
        key.replace("${item.domain}", "web")
        for entry in dvc_stages[stage]["params"]
        for keys in entry.values()
        for key in keys
    }
    assert used == watched


def test_every_domain_is_a_dvc_domain(project: Path) -> None:
    declared = yaml.safe_load((project / "dvc.yaml").read_text())["vars"][0]["domains"]
    assert declared == list(DOMAINS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_has_a_results_page_of_its_own(
    catalog: CatalogConfigResolver, domain: str
) -> None:
    page = f"docs/results/{domain}.md"
    assert _file_of(f"{domain}.comparison_page", catalog) == page


def test_the_results_pages_that_exist_are_in_the_index_and_the_menu(project: Path) -> None:
    pages = [f"results/{path.name}" for path in (project / "docs/results").glob("*.md")]
    assert "results/web.md" in pages
    for place in ("docs/results.md", "mkdocs.yml"):
        listed = (project / place).read_text()
        assert [page for page in pages if page not in listed] == [], place


def _paths(entries: list[Any], domain: str) -> set[str]:
    """The paths of DVC entries, which are strings or one-key mappings to options."""
    names = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    return {name.replace("${item.domain}", domain) for name in names}


def _file_of(dataset: str, catalog: CatalogConfigResolver) -> str:
    return catalog.resolve_pattern(dataset)["filepath"]


def _covers(paths: set[str], path: str) -> bool:
    return any(path == parent or path.startswith(f"{parent}/") for parent in paths)


def test_dvc_plans_every_stage_of_a_fresh_clone(project: Path, tmp_path: Path) -> None:
    for name in ("dvc.yaml", ".dvcignore", ".dvc/config", "conf/base/parameters"):
        source, target = project / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    # Without --force DVC hashes the inputs of later stages, and they do not exist yet.
    command = [sys.executable, "-m", "dvc", "repro", "--dry", "--force"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    planned = [line for line in result.stdout.splitlines() if line.startswith("> ")]
    for domain in DOMAINS:
        assert [line for line in planned if domain in line] == [
            f"> kedro run --pipelines=ingest_{domain}",
            f"> kedro run --pipelines=sft_{domain}",
            f"> kedro run --pipelines=rlvr_{domain} --tags=rlvr",
            f"> kedro run --pipelines=evaluate_{domain}",
        ]
