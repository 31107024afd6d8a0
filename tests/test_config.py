"""Every environment parses; every mistake is named with its full key and the nearest valid one."""

from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader

from tests.processes import PROJECT
from worldtune.config import DOMAIN_CONFIGS, WebConfig, domain_config
from worldtune.errors import ParameterError
from worldtune.parameters import Parameters, parameter_table, parse_parameters
from worldtune.settings import CONFIG_LOADER_ARGS

ENVIRONMENTS = sorted(path.name for path in (PROJECT / "conf").iterdir() if path.is_dir())


def load(project: Path, env: str, runtime: dict[str, Any] | None = None) -> dict[str, Any]:
    loader = OmegaConfigLoader(
        str(project / "conf"), env=env, runtime_params=runtime, **CONFIG_LOADER_ARGS
    )
    return loader["parameters"]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_environment_is_valid(project: Path, env: str) -> None:
    parameters = parse_parameters(load(project, env))
    assert isinstance(parameters.web, WebConfig)


@pytest.mark.parametrize("env", ["base", "test", "paper"])
def test_every_section_is_stated_so_that_nodes_find_their_input(project: Path, env: str) -> None:
    raw = load(project, env)
    assert set(raw) == set(Parameters.model_fields)
    for name, config in DOMAIN_CONFIGS.items():
        assert set(raw[name]) == set(config.model_fields)


def test_an_environment_changes_what_it_states_and_keeps_the_rest(project: Path) -> None:
    base, tiny = load(project, "base"), load(project, "test")
    assert tiny["web"]["ingest"]["limit"] < 1000
    assert tiny["web"]["ingest"]["source"] == base["web"]["ingest"]["source"]


def test_parameters_of_the_command_line_win(project: Path) -> None:
    raw = load(project, "test", {"web": {"rlvr": {"group_size": 3}}})
    assert parse_parameters(raw).web.rlvr.group_size == 3


def test_the_paper_environment_holds_the_values_of_the_paper(project: Path) -> None:
    web = parse_parameters(load(project, "paper")).web
    assert (web.rlvr.batch_prompts, web.rlvr.group_size, web.rlvr.kl_coefficient) == (64, 5, 0.001)
    assert web.rlvr.optimizer.learning_rate == 1e-6
    assert web.rlvr.optimizer.schedule == "constant"
    assert (web.sft.lora.rank, web.sft.lora.alpha) == (32, 16)
    assert web.task.reward == "reference_f1"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            {"web": {"rlvr": {"group_sise": 16}}},
            ["web.rlvr.group_sise: unknown key (found 16", "web.rlvr.group_size", "integer"],
        ),
        ({"web": {"group_size": 16}}, ["web.group_size", "web.rlvr.group_size"]),
        ({"wbe": {}}, ["wbe: unknown key", "Nearest valid key: web "]),
        ({"quite_unlike": 1}, ["quite_unlike: unknown key", "Valid keys here: seed, compute, web"]),
        (
            {"web": {"rlvr": {"group_size": "many"}}},
            ["web.rlvr.group_size: found 'many' (str)", "an integer at least 2"],
        ),
        ({"web": {"rlvr": {"group_size": 1}}}, ["web.rlvr.group_size: found 1", "at least 2"]),
        ({"web": {"rlvr": {"temperature": 0}}}, ["web.rlvr.temperature", "a number above 0"]),
        ({"web": {"task": {"reward": "f2"}}}, ["web.task.reward", "'f1', 'reference_f1'"]),
        ({"web": {"ingest": {"limit": -1}}}, ["web.ingest.limit", "or null"]),
        ({"web": {"sft": None}}, ["web.sft: found None", "a section of keys"]),
        ({"web": {"compare": {"seeds": ["a"]}}}, ["web.compare.seeds.0", "valid integer"]),
        ({"web": {"model": {"init": "pretrained"}}}, ["web.model: model.init", "path"]),
        ({"seed": "x"}, ["seed: found 'x' (str), expected an integer"]),
    ],
)
def test_a_mistake_is_explained(raw: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_parameters(raw)
    for word in words:
        assert word in str(caught.value)


def test_all_mistakes_are_listed_at_once() -> None:
    with pytest.raises(ParameterError, match="2 invalid parameters") as caught:
        parse_parameters({"seed": "x", "web": {"stf": {}}})
    assert "web.stf" in str(caught.value)
    assert "seed: found" in str(caught.value)


def test_a_found_value_is_cut_to_a_readable_length() -> None:
    with pytest.raises(ParameterError) as caught:
        parse_parameters({"seed": "x" * 5000})
    assert len(str(caught.value)) < 400


def test_parameters_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_parameters({}).seed = 1


def test_the_parameters_of_an_unknown_domain_are_a_key_error() -> None:
    assert domain_config("web") is WebConfig
    with pytest.raises(KeyError):
        domain_config("chess")


def test_the_documentation_lists_every_parameter(project: Path) -> None:
    page = (project / "docs/configuration.md").read_text()
    assert "`web.rlvr.group_size` | an integer at least 2 | `8` |" in parameter_table()
    assert page.endswith(parameter_table()), "run: make docs-parameters"
