"""Both tables from training to numbers: every arm, split and decoding, each in its own folder."""

import json
import math

import pandas as pd
import pytest
import torch

from tests.comparison.small import SEEDS, setting
from tests.web_rows import web_table
from worldtune.comparison import compare
from worldtune.comparison.few import FEW
from worldtune.comparison.methods import METHODS
from worldtune.comparison.score import DECODINGS
from worldtune.config import FewConfig, FewStageConfig
from worldtune.errors import UserError

FEW_CONFIG = FewConfig(
    rows=5,
    task={"layout": "zero_shot"},
    sft=FewStageConfig(steps=10, max_new_tokens=6),
    rlvr=FewStageConfig(max_new_tokens=7),
)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    threads = torch.get_num_threads()
    folder = tmp_path_factory.mktemp("compare")
    tests = {"test_iid": web_table(6, 20), "test_unseen": web_table(5, 30)}
    made = setting(folder, few=FEW_CONFIG)
    result = compare(made, train=web_table(12), val=web_table(4, 12), tests=tests)
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


def section(result, table):
    return result if table is METHODS else result["few"]


@pytest.mark.slow
@pytest.mark.parametrize("table", [METHODS, FEW])
def test_every_arm_and_decoding_of_every_split_is_there_with_every_seed(compared, table):
    result, _ = compared
    assert result["seeds"] == [1, 2]
    assert result["n"] == {"test_iid": 6, "test_unseen": 5}
    splits = section(result, table)["splits"]
    assert set(splits) == {"test_iid", "test_unseen"}
    for split in splits.values():
        assert tuple(split["arms"]) == table.arms
        for arm in split["arms"].values():
            assert set(arm) == set(DECODINGS)
            for metrics in arm.values():
                for metric in ("precision", "recall", "f1", "exact", "f1_changed"):
                    estimate = metrics[metric]
                    assert set(estimate) == {"mean", "ci95", "per_seed"}
                    assert len(estimate["per_seed"]) == 2
                    mean = sum(estimate["per_seed"]) / 2
                    assert estimate["mean"] == pytest.approx(mean)
        controls = [arm for arm in table.arms if arm != table.subject]
        assert list(split["gain"]) == [f"{table.subject}_minus_{arm}" for arm in controls]
        for metrics in split["gain"].values():
            assert {"f1", "f1_changed"} <= set(metrics)


@pytest.mark.slow
@pytest.mark.parametrize("table", [METHODS, FEW])
def test_gains_are_the_differences_of_the_arms(compared, table):
    result, _ = compared
    for split in section(result, table)["splits"].values():
        for arm in table.arms:
            if arm != table.subject:
                means = [
                    split["arms"][name]["greedy"]["f1"]["mean"] for name in (table.subject, arm)
                ]
                gain = split["gain"][f"{table.subject}_minus_{arm}"]["f1"]["mean"]
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


@pytest.mark.slow
def test_the_second_table_says_what_it_was_made_from_and_shares_the_sft_arm(compared):
    result, _ = compared
    few = result["few"]
    assert few["settings"] == {
        "rows": 5,
        "train_rows": 12,
        "task": {"layout": "zero_shot"},
        "sft": {"steps": 10, "max_new_tokens": 6},
        "rlvr": {"steps": 2, "max_new_tokens": 7},
    }
    assert set(few["wall_s"]) == {"sft_few", "sft_few_longer", "rlvr_few"}
    assert all(len(seconds) == 2 for seconds in few["wall_s"].values())
    for name, split in few["splits"].items():
        assert split["arms"]["sft"] == result["splits"][name]["arms"]["sft"]


@pytest.mark.slow
def test_demonstrations_are_few_and_drawn_by_each_seed_and_rlvr_asks_all_rows(compared):
    _, folder = compared

    def inputs(seed, name):
        return pd.read_parquet(folder / f"seed-{seed}" / name / "inputs/train.parquet")["row_id"]

    for seed in SEEDS:
        shown = set(inputs(seed, "sft_few"))
        assert len(shown) == 5 and set(inputs(seed, "sft_few_longer")) == shown
        assert set(inputs(seed, "rlvr_few")) == set(inputs(seed, "sft")) and len(shown) < 12
        specs = {
            name: json.loads((folder / f"seed-{seed}" / name / "spec.json").read_text())
            for name in FEW.arms
        }
        assert specs["sft"]["task"]["layout"] == "compact"
        for name in ("sft_few_longer", "rlvr_few"):
            assert specs[name]["task"]["layout"] == "zero_shot"
            assert specs[name]["start"].endswith(f"seed-{seed}/sft_few/model")
    assert set(inputs(1, "sft_few")) != set(inputs(2, "sft_few"))


@pytest.mark.slow
def test_without_few_there_is_one_table_and_it_is_the_same(compared):
    result, folder = compared
    tests = {"test_iid": web_table(6, 20), "test_unseen": web_table(5, 30)}
    threads = torch.get_num_threads()
    # The finished runs of the fixture are reused.
    again = compare(setting(folder), train=web_table(12), val=web_table(4, 12), tests=tests)
    torch.set_num_threads(threads)
    assert again == {key: value for key, value in result.items() if key != "few"}


def test_more_demonstrations_than_rows_stop_the_comparison_before_any_training(tmp_path):
    made = setting(tmp_path, few=FewConfig(rows=13))
    with pytest.raises(
        UserError, match=r"web\.compare\.few\.rows is 13, .* only 12 rows: lower it"
    ):
        compare(made, train=web_table(12), val=web_table(4, 12), tests={})
    assert list(tmp_path.iterdir()) == []
