"""Both tables, from the data to comparison.json."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from worldtune import inference
from worldtune.comparison.few import compare_few, few_setting
from worldtune.comparison.methods import METHODS, NOTE
from worldtune.comparison.score import score_seed
from worldtune.comparison.setting import Data, Setting
from worldtune.comparison.summary import summarise
from worldtune.comparison.train import train_seed, wall_times
from worldtune.domains import get_domain

if TYPE_CHECKING:
    import pandas as pd


def compare(
    setting: Setting,
    *,
    train: "pd.DataFrame",
    val: "pd.DataFrame",
    tests: "Mapping[str, pd.DataFrame]",
) -> dict[str, Any]:
    """Train and score every arm for every seed; returns comparison.json.

    Raises ValueError for settings of the second table that do not fit, before any training.
    """
    few, seeds = setting.compare.few, setting.compare.seeds
    second = few_setting(setting, few, num_rows=len(train)) if few else None
    splits = {
        name: inference.held_out_rows(table, max_rows=setting.evaluate.max_rows, seed=0)
        for name, table in tests.items()
    }
    validation = inference.held_out_rows(val, max_rows=None, seed=0)
    trained = [
        train_seed(setting, METHODS.chain, Data(train, train, val), seed=seed) for seed in seeds
    ]
    scored = [
        score_seed(setting, models, splits, validation=validation, seed=seed)
        for seed, models in zip(seeds, trained, strict=True)
    ]
    domain = get_domain(setting.domain, setting.task)
    scores = [one.scores for one in scored]
    result = {
        "domain": setting.domain,
        "primary_metric": domain.primary_metric,
        "higher_is_better": domain.higher_is_better,
        "seeds": list(seeds),
        "n": {name: len(rows) for name, rows in splits.items()},
        "splits": summarise(METHODS, scores, splits, domain, resamples=setting.evaluate.resamples),
        "wall_s": wall_times(trained),
        "threshold": {"per_seed": [one.threshold for one in scored]},
        "note": NOTE,
    }
    if few and second:
        result["few"] = compare_few(
            second, few, train=train, val=val, splits=splits, methods=scored
        )
    return result
