"""Every environment parses; every mistake is named with its full key and the nearest valid one."""

from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from pydantic import ValidationError

from tests.processes import PROJECT
from worldtune.config import (
    DOMAIN_CONFIGS,
    PRESETS,
    LaunchConfig,
    RlvrConfig,
    WebConfig,
    domain_config,
    few_task,
)
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
    assert (web.rlvr.batch_prompts, web.rlvr.group_size, web.rlvr.kl.coefficient) == (64, 5, 0.001)
    assert web.rlvr.optimizer.learning_rate == 1e-6
    assert web.rlvr.optimizer.schedule == "constant"
    assert (web.sft.lora.rank, web.sft.lora.alpha) == (32, 16)
    assert web.task.reward == "reference_f1"


def test_the_paper_environment_holds_both_rewards_of_its_text_games(project: Path) -> None:
    game = parse_parameters(load(project, "paper")).text_game
    assert (game.rlvr.batch_prompts, game.rlvr.update_prompts, game.rlvr.group_size) == (128, 64, 5)
    assert (game.rlvr.mix.column, game.rlvr.mix.per_100) == ("gold", 40)
    assert (game.rlvr.max_prompt_tokens, game.rlvr.max_new_tokens) == (7192, 4096)
    assert (game.task.reward, game.sft.batch_rows) == ("reference_binary", 16)
    other = {"task": {"reward": "reference_task_specific"}, "rlvr": {"mix": {"per_100": 5}}}
    shaped = parse_parameters(load(project, "paper", {"text_game": other})).text_game
    assert (shaped.task.reward, shaped.rlvr.mix.per_100) == ("reference_task_specific", 5)
    assert (shaped.task.layout, shaped.rlvr.mix.column) == ("reference", "gold")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            {"web": {"rlvr": {"group_sise": 16}}},
            ["web.rlvr.group_sise: unknown key (found 16", "web.rlvr.group_size", "integer"],
        ),
        ({"web": {"group_size": 16}}, ["web.group_size", "web.rlvr.group_size"]),
        ({"wbe": {}}, ["wbe: unknown key", "Nearest valid key: web "]),
        (
            {"quite_unlike": 1},
            ["quite_unlike: unknown key", "Valid keys here: seed, compute, launch, web"],
        ),
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
        (
            {"web": {"compare": {"few": {"task": {"rewrad": "f1"}}}}},
            [
                "web.compare.few.task.rewrad: unknown key",
                "key: web.compare.few.task.reward (one of",
            ],
        ),
        (
            {"web": {"compare": {"few": {"task": {"layout": "long"}}}}},
            ["web.compare.few.task.layout: found 'long' (str), expected one of 'compact', 'zero_"],
        ),
        (
            {"web": {"compare": {"few": {"sft": {"step": 3}}}}},
            ["web.compare.few.sft.step: unknown key", "web.compare.few.sft.steps (an integer"],
        ),
        (
            {
                "web": {
                    "rlvr": {"overlong": {"buffer_tokens": 20}},
                    "compare": {"few": {"rlvr": {"max_new_tokens": 20}}},
                }
            },
            ["web.compare.few.rlvr: overlong.buffer_tokens must be below max_new_tokens"],
        ),
        ({"web": {"model": {"init": "pretrained"}}}, ["web.model: model.init", "path"]),
        ({"seed": "x"}, ["seed: found 'x' (str), expected an integer"]),
    ],
)
def test_a_mistake_is_explained(raw: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_parameters(raw)
    for word in words:
        assert word in str(caught.value)


def test_few_demonstrations_change_a_task_and_a_stage_only_where_they_say_so() -> None:
    stated = {"task": {"layout": "zero_shot"}, "rlvr": {"steps": 7}}
    web = parse_parameters({"web": {"compare": {"few": stated}}}).web
    few = web.compare.few
    changed = few_task("web", web.task, few)
    assert changed == web.task.model_copy(update={"layout": "zero_shot"})
    assert few.rlvr.applied_to(web.rlvr) == web.rlvr.model_copy(update={"steps": 7})
    assert few.sft.applied_to(web.sft) == web.sft
    preset = RlvrConfig.model_validate({"preset": "gspo", "advantage": "rloo"})
    assert few.rlvr.applied_to(preset) == preset.model_copy(update={"steps": 7})
    assert parse_parameters({}).web.compare.few is None


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


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_fills_in_what_is_not_stated(name: str) -> None:
    config = RlvrConfig.model_validate({"preset": name, "loss": {"dual_clip": None}})
    preset = PRESETS[name]
    assert config.advantage == preset["advantage"]
    assert config.loss.kind == preset["loss"]["kind"]
    assert config.loss.clip_high == preset["loss"]["clip_high"]
    assert RlvrConfig.model_validate(config.model_dump(mode="json")) == config


def test_keys_that_are_stated_win_over_the_preset() -> None:
    config = RlvrConfig.model_validate(
        {"preset": "gspo", "advantage": "rloo", "loss": {"clip_low": 0.5}}
    )
    assert config.advantage == "rloo"
    assert (config.loss.kind, config.loss.clip_low, config.loss.clip_high) == ("gspo", 0.5, 4e-4)


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"select": "best", "validate_every": 0}, "validate_every"),
        ({"kl": {"sync_every": 5}, "lora": {"rank": 4}}, "sync_every"),
        ({"loss": {"kind": "cispo", "dual_clip": 3.0}}, "dual_clip"),
        ({"batch_prompts": 12, "update_prompts": 5}, "multiple of update_prompts"),
        ({"overlong": {"buffer_tokens": 96}, "max_new_tokens": 96}, "buffer_tokens"),
        ({"preset": "ppo2"}, "preset"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(stated: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        RlvrConfig.model_validate(stated)


@pytest.mark.parametrize(
    ("stated", "named"),
    [({"nodes": 2}, "launch.rdzv"), ({"fsdp": True}, "more than one process")],
)
def test_launches_that_cannot_work_are_refused(stated: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        LaunchConfig.model_validate(stated)
