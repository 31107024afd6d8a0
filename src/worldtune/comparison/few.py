"""The second table, few demonstrations: the paper's own situation, with its controls.

A teacher writes out the answers of some rows (with its reasoning), and RLVR then trains on the
prompts of all of them. What it brings is measured against more SFT on the same demonstrations, and
against SFT on the true completions of all rows, which is what RLVR has to do without.

* ``sft_few``: SFT on the demonstrations alone, with the task as they change it.
* ``sft_few_longer``: SFT continued from it, on them, for as many seconds as RLVR took.
* ``rlvr_few``: RLVR from it, on all prompts.
* ``sft``: the arm of the first table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from worldtune.comparison.score import Scored, score_seed
from worldtune.comparison.setting import Chain, Data, Setting, Table
from worldtune.comparison.summary import summarise
from worldtune.comparison.train import train_seed, wall_times
from worldtune.config import FewConfig, RunConfig, few_task
from worldtune.domains import get_domain
from worldtune.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from worldtune.contracts import Row

FEW = Table(
    Chain(start="sft_few", longer="sft_few_longer", rlvr="rlvr_few"),
    arms=("sft_few", "sft_few_longer", "rlvr_few", "sft"),
)

NOTE = (
    "Each seed draws demonstrations of its own. All arms but sft, which is that of the first "
    "table, answer the way the demonstrations are written."
)


def few_setting(setting: Setting, few: FewConfig, *, num_rows: int) -> Setting:
    """The setting of the second table, from that of the first.

    Raises:
        UserError: More demonstrations than the ``num_rows`` rows to draw them from.
        ValueError: A task or a stage that is not valid as ``few`` changes it.
    """
    if few.rows > num_rows:
        raise UserError(
            f"{setting.domain}.compare.few.rows is {few.rows}, and the training split has only "
            f"{num_rows} rows: lower it"
        )
    task = few_task(setting.domain, setting.task, few)
    get_domain(setting.domain, task)  # may refuse keys that do not go together
    rlvr = few.rlvr.applied_to(setting.rlvr)
    answers = setting.evaluate.model_copy(update={"max_new_tokens": rlvr.max_new_tokens})
    sft = few.sft.applied_to(setting.sft)
    return replace(setting, task=task, sft=sft, rlvr=rlvr, evaluate=answers)


def compare_few(
    setting: Setting,
    few: FewConfig,
    *,
    train: "pd.DataFrame",
    val: "pd.DataFrame",
    splits: "Mapping[str, list[Row]]",
    methods: Sequence[Scored],
) -> dict[str, Any]:
    """Train and score the arms of the second table; returns the ``few`` section.

    ``setting`` is that of ``few_setting``, ``methods`` the scores of the first table by seed.
    """
    seeds = setting.compare.seeds
    trained = [
        train_seed(
            setting,
            FEW.chain,
            Data(train.sample(n=few.rows, random_state=seed), prompts=train, validation=val),
            seed=seed,
        )
        for seed in seeds
    ]
    scored = [
        score_seed(setting, models, splits, seed=seed)
        for seed, models in zip(seeds, trained, strict=True)
    ]
    scores = [
        {name: {**arms, "sft": first.scores[name]["sft"]} for name, arms in own.scores.items()}
        for own, first in zip(scored, methods, strict=True)
    ]
    domain = get_domain(setting.domain, setting.task)
    return {
        "splits": summarise(FEW, scores, splits, domain, resamples=setting.evaluate.resamples),
        "wall_s": wall_times(trained),
        "settings": {
            "rows": few.rows,
            "train_rows": len(train),
            "task": few.task,
            "sft": _length(setting.sft),
            "rlvr": _length(setting.rlvr),
        },
        "note": NOTE,
    }


def _length(stage: RunConfig) -> dict[str, Any]:
    return stage.model_dump(include={"steps", "max_new_tokens"})
