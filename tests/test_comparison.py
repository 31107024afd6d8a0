"""RLVR beside its controls: every arm, split and decoding, with finite numbers."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from tests.web_rows import web_table
from worldtune.comparison import ARMS, DECODINGS, Setting, compare, longer_config, summarise
from worldtune.config import (
    CompareConfig,
    ComputeConfig,
    EvaluateConfig,
    LaunchConfig,
    ModelConfig,
    OptimizerConfig,
    RlvrConfig,
    RlvrOptimizerConfig,
    ScratchModelConfig,
    SftConfig,
    WebTaskConfig,
)
from worldtune.domains import get_domain

SEEDS = (1, 2)
ADAMW = OptimizerConfig(learning_rate=0.01)


def setting(folder):
    return Setting(
        domain="web",
        task=WebTaskConfig(),
        model=ModelConfig(
            scratch=ScratchModelConfig(
                hidden_size=32,
                num_layers=2,
                num_heads=2,
                num_kv_heads=2,
                intermediate_size=48,
                vocab_size=400,
                context=256,
                copy_steps=0,
            )
        ),
        sft=SftConfig(
            steps=40, batch_rows=6, validation_rows=2, max_new_tokens=24, optimizer=ADAMW
        ),
        rlvr=RlvrConfig(
            steps=2,
            batch_prompts=2,
            update_prompts=2,
            group_size=3,
            validation_rows=2,
            max_new_tokens=24,
            optimizer=RlvrOptimizerConfig(**ADAMW.model_dump()),
        ),
        evaluate=EvaluateConfig(samples=2, sampled_rows=3, max_new_tokens=24, resamples=50),
        compare=CompareConfig(seeds=SEEDS),
        compute=ComputeConfig(threads=1, device="cpu"),
        launch=LaunchConfig(),
        folder=folder,
    )


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    threads = torch.get_num_threads()
    folder = tmp_path_factory.mktemp("compare")
    tests = {"test_iid": web_table(6, 20), "test_unseen": web_table(5, 30)}
    result = compare(setting(folder), train=web_table(12), val=web_table(4, 12), tests=tests)
    torch.set_num_threads(threads)
    return result, folder


def numbers(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from numbers(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


@pytest.mark.slow
def test_every_arm_and_decoding_of_every_split_is_there_with_every_seed(compared):
    result, _ = compared
    assert result["seeds"] == [1, 2]
    assert result["n"] == {"test_iid": 6, "test_unseen": 5}
    assert set(result["splits"]) == {"test_iid", "test_unseen"}
    for split in result["splits"].values():
        assert set(split["arms"]) == set(ARMS)
        for arm in split["arms"].values():
            assert set(arm) == set(DECODINGS)
            for metrics in arm.values():
                for metric in ("precision", "recall", "f1", "exact", "f1_changed"):
                    estimate = metrics[metric]
                    assert set(estimate) == {"mean", "ci95", "per_seed"}
                    assert len(estimate["per_seed"]) == 2
                    mean = sum(estimate["per_seed"]) / 2
                    assert estimate["mean"] == pytest.approx(mean)
        assert set(split["gain"]) == {f"rlvr_minus_{arm}" for arm in ARMS if arm != "rlvr"}
        for metrics in split["gain"].values():
            assert {"f1", "f1_changed"} <= set(metrics)


@pytest.mark.slow
def test_gains_are_the_differences_of_the_arms(compared):
    result, _ = compared
    for split in result["splits"].values():
        for arm in ("sft", "sft_longer", "sft_threshold"):
            means = [split["arms"][name]["greedy"]["f1"]["mean"] for name in ("rlvr", arm)]
            gain = split["gain"][f"rlvr_minus_{arm}"]["f1"]["mean"]
            assert gain == pytest.approx(means[0] - means[1])


@pytest.mark.slow
def test_the_result_is_valid_json_with_finite_numbers(compared):
    result, _ = compared
    assert all(math.isfinite(number) for number in numbers(result))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["primary_metric"] == "f1" and result["higher_is_better"] is True
    assert set(result["wall_s"]) == {"sft", "sft_longer", "rlvr"}
    assert all(len(seconds) == 2 for seconds in result["wall_s"].values())
    assert all(0 <= value < 1 for value in result["threshold"]["per_seed"])
    assert "threshold" in result["note"]


@pytest.mark.slow
def test_each_seed_trains_each_arm_in_a_folder_of_its_own(compared):
    _, folder = compared
    for seed in SEEDS:
        for name in ("sft", "sft_longer", "rlvr"):
            assert (folder / f"seed-{seed}" / name / "model" / "model.safetensors").is_file()
        longer = json.loads((folder / f"seed-{seed}" / "sft_longer" / "spec.json").read_text())
        assert longer["start"].endswith(f"seed-{seed}/sft/model")
        assert longer["training"]["optimizer"]["learning_rate"] == pytest.approx(0.005)


def test_continued_training_changes_only_steps_and_rates():
    sft = SftConfig(optimizer=OptimizerConfig(learning_rate=0.01, muon_learning_rate=0.04))
    found = longer_config(sft, steps=7, rate=0.25)
    assert (found.steps, found.optimizer.learning_rate) == (7, 0.0025)
    assert found.optimizer.muon_learning_rate == 0.01
    kept = found.model_dump(exclude={"steps", "optimizer"})
    assert kept == sft.model_dump(exclude={"steps", "optimizer"})


def test_intervals_are_over_rows_after_averaging_the_seeds(tmp_path):
    rows = web_table(4).to_dict("records")
    domain = get_domain("web", WebTaskConfig())

    def arm(values):
        columns = {"f1": np.array(values, dtype=float)}
        return {"greedy": columns, "sampled": {"f1": columns["f1"][:2]}}

    flat = [0.5] * 4
    seeds = [
        {"test_iid": {name: arm(flat) for name in ARMS} | {"rlvr": arm([1, 0, 1, 0])}},
        {"test_iid": {name: arm(flat) for name in ARMS} | {"rlvr": arm([0, 1, 0, 1])}},
    ]
    made = dataclasses.replace(setting(tmp_path), compare=CompareConfig(seeds=SEEDS))
    found = summarise(made, seeds, {"test_iid": rows}, domain)["test_iid"]
    rlvr = found["arms"]["rlvr"]["greedy"]["f1"]
    assert rlvr == {"mean": 0.5, "ci95": [0.5, 0.5], "per_seed": [0.5, 0.5]}
    assert found["gain"]["rlvr_minus_sft"]["f1"] == {"mean": 0.0, "ci95": [0.0, 0.0]}
    assert found["arms"]["sft"]["sampled"]["f1_changed"]["mean"] == 0.5
