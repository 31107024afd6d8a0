"""The lines at the end of a run."""

from worldtune.summary import summarise


def estimate(mean: float | None) -> dict[str, object]:
    if mean is None:
        return {"mean": None, "ci95": None}
    return {"mean": mean, "ci95": [mean - 0.01, mean + 0.01]}


def test_every_model_and_split_and_the_gain_are_shown() -> None:
    split = {
        "n": 1000,
        "models": {
            name: {"f1": estimate(mean), "f1_hidden": estimate(0.1)}
            for name, mean in (("copy", 0.2), ("sft", 0.65), ("rlvr", 0.67))
        },
        "gain": {"rlvr_minus_sft": estimate(0.02)},
    }
    other = {**split, "n": 5, "models": {"copy": {"f1": estimate(None)}}, "gain": {}}
    text = summarise(
        {
            "primary_metric": "f1",
            "higher_is_better": True,
            "splits": {"test_iid": split, "test_unseen": other},
        }
    )
    assert text.splitlines() == [
        "f1 on held-out rows, greedy, 95 % intervals (higher is better)",
        "            test_iid (n = 1000)      test_unseen (n = 5)",
        "copy        0.200 [0.190, 0.210]     n/a",
        "sft         0.650 [0.640, 0.660]     n/a",
        "rlvr        0.670 [0.660, 0.680]     n/a",
        "rlvr - sft  +0.020 [+0.010, +0.030]  n/a",
    ]
