"""RLVR beside its controls, over several training seeds: the evidence of where it pays.

Arms, all from the same SFT checkpoint of their seed:

* ``sft``: that checkpoint.
* ``sft_longer``: SFT continued for as many seconds as RLVR took.
* ``sft_threshold``: the checkpoint's answers without the items it is unsure of, the threshold tuned
  on validation rows.
* ``rlvr``: RLVR.

Each is decoded greedily and by sampling at T = 1. Intervals resample rows, after averaging over
seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from worldtune import inference, launch, worker
from worldtune.config import (
    CompareConfig,
    ComputeConfig,
    Config,
    EvaluateConfig,
    LaunchConfig,
    ModelConfig,
    RlvrConfig,
    SftConfig,
)
from worldtune.domains import get_domain
from worldtune.engine.rollout.sampling import Sampling
from worldtune.engine.task.confidence import ItemisedAnswer, itemise, tune_threshold
from worldtune.engine.task.evaluate import Column, score_samples, score_texts, subset_masks
from worldtune.engine.task.predict import GREEDY, predict
from worldtune.statistics import interval

if TYPE_CHECKING:
    import pandas as pd

    from worldtune.contracts import Row

ARMS = ("sft", "sft_longer", "sft_threshold", "rlvr")
DECODINGS = ("greedy", "sampled")

NOTE = (
    "Intervals resample rows (paired for gains) after averaging over training seeds, so that they "
    "do not contain the spread between seeds, which the per-seed values show. sft_longer is SFT "
    "continued from the same checkpoint for the wall time of RLVR. sft_threshold leaves out "
    "predicted items whose probability is below a threshold tuned on validation rows. Where seeds "
    "start from one pretrained checkpoint, they differ in the order of the data and in the draws."
)


@dataclass(frozen=True)
class Setting:
    """Everything that the arms share."""

    domain: str
    task: Config
    model: ModelConfig
    sft: SftConfig
    rlvr: RlvrConfig
    evaluate: EvaluateConfig
    compare: CompareConfig
    compute: ComputeConfig
    launch: LaunchConfig
    folder: Path


@dataclass(frozen=True)
class Trained:
    """The checkpoints of one seed and the seconds that each took to train."""

    paths: Mapping[str, str]
    wall_s: Mapping[str, float]


def _spec(setting: Setting, stage: str, seed: int, **fields: Any) -> worker.RunSpec:
    return worker.RunSpec.model_validate(
        {
            "stage": stage,
            "domain": setting.domain,
            "task": setting.task,
            "seed": seed,
            "compute": setting.compute,
            "launch": setting.launch,
            **fields,
        }
    )


def longer_config(sft: SftConfig, *, steps: int, rate: float) -> SftConfig:
    """SFT continued for ``steps`` steps at ``rate`` times its peak learning rates."""
    optimizer = sft.optimizer.model_copy(
        update={
            "learning_rate": sft.optimizer.learning_rate * rate,
            "muon_learning_rate": sft.optimizer.muon_learning_rate * rate,
        }
    )
    return sft.model_copy(update={"steps": steps, "optimizer": optimizer})


def train_seed(setting: Setting, tables: "Mapping[str, pd.DataFrame]", *, seed: int) -> Trained:
    """SFT, RLVR from it, and SFT continued from it for RLVR's seconds."""

    def train(name: str, spec: worker.RunSpec) -> dict[str, Any]:
        folder = setting.folder / f"seed-{seed}" / name
        worker.write_spec(
            folder, spec.model_copy(update={"label": f"seed {seed} {name}"}), dict(tables)
        )
        return launch.run(folder)

    sft = train("sft", _spec(setting, "sft", seed, training=setting.sft, model=setting.model))
    start = sft["model"]
    rlvr = train("rlvr", _spec(setting, "rlvr", seed, training=setting.rlvr, start=start))
    seconds_per_step = sft["metrics"]["wall_s"] / sft["metrics"]["steps"]
    steps = max(1, round(rlvr["metrics"]["wall_s"] / seconds_per_step))
    more = longer_config(setting.sft, steps=steps, rate=setting.compare.longer_rate)
    longer = train("sft_longer", _spec(setting, "sft", seed, training=more, start=start))
    results = {"sft": sft, "sft_longer": longer, "rlvr": rlvr}
    return Trained(
        {name: result["model"] for name, result in results.items()},
        {name: result["metrics"]["wall_s"] for name, result in results.items()},
    )


@dataclass(frozen=True)
class _Answers:
    """Itemised answers [rows] (greedy) and [rows][samples] (T = 1) of a checkpoint on one split."""

    greedy: list[ItemisedAnswer]
    sampled: list[list[ItemisedAnswer]]


def _answer(
    loaded: inference.LoadedModel, rows: "list[Row]", setting: Setting, *, seed: int, label: str
) -> _Answers:
    config = setting.evaluate
    examples = loaded.encode(rows, key=f"{setting.domain}.ingest.max_tokens")

    def answers(sampling: Sampling, samples: int, count: int) -> list[list[ItemisedAnswer]]:
        completions = predict(
            loaded.engine,
            loaded.task,
            examples[:count],
            max_new_tokens=config.max_new_tokens,
            sampling=sampling,
            samples=samples,
            label=label,
        )
        return [[itemise(loaded.task, one) for one in group] for group in completions]

    greedy = [group[0] for group in answers(GREEDY, 1, len(examples))]
    return _Answers(greedy, answers(Sampling(seed=seed), config.samples, config.sampled_rows))


def _score(
    loaded: inference.LoadedModel, rows: "list[Row]", answers: _Answers, threshold: float
) -> dict[str, dict[str, Column]]:
    """Decoding -> metric -> [rows], without the items below the threshold."""
    texts = [answer.without_unsure(threshold) for answer in answers.greedy]
    drawn = [[answer.without_unsure(threshold) for answer in group] for group in answers.sampled]
    examples = loaded.task.encode(rows[: len(drawn)])
    return {
        "greedy": score_texts(loaded.task.domain, rows, texts),
        "sampled": score_samples(loaded.task, examples, drawn)[0],
    }


Scores = dict[str, dict[str, dict[str, dict[str, Column]]]]
"""Split -> arm -> decoding -> metric -> [rows]."""


def score_seed(
    setting: Setting,
    trained: Trained,
    splits: "Mapping[str, list[Row]]",
    validation: "list[Row]",
    *,
    seed: int,
) -> tuple[Scores, float]:
    """Scores of all arms of one seed, and the threshold that validation chose."""
    scores: Scores = {split: {} for split in splits}
    threshold = 0.0
    for arm, path in trained.paths.items():
        loaded = inference.load(
            path, domain=setting.domain, task=setting.task, compute=setting.compute
        )
        if arm == "sft":
            threshold = _tune(loaded, validation, setting)
        for split, rows in splits.items():
            label = f"seed {seed} {arm} {split}"
            answers = _answer(loaded, rows, setting, seed=seed, label=label)
            scores[split][arm] = _score(loaded, rows, answers, 0.0)
            if arm == "sft":
                scores[split]["sft_threshold"] = _score(loaded, rows, answers, threshold)
    return scores, threshold


def _tune(loaded: inference.LoadedModel, validation: "list[Row]", setting: Setting) -> float:
    examples = loaded.encode(validation, key=f"{setting.domain}.ingest.max_tokens")
    completions = predict(
        loaded.engine, loaded.task, examples, max_new_tokens=setting.evaluate.max_new_tokens
    )
    answers = [itemise(loaded.task, group[0]) for group in completions]
    return tune_threshold(loaded.task, examples, answers)


def _grouped(
    by_seed: Sequence[dict[str, Column]], masks: Mapping[str, NDArray[np.bool_]]
) -> dict[str, np.ndarray]:
    """Metric with the suffix of its group of rows -> [seeds, rows of the group]."""
    return {
        f"{metric}_{group}" if group else metric: np.stack(
            [columns[metric][mask[: len(columns[metric])]] for columns in by_seed]
        )
        for group, mask in masks.items()
        for metric in by_seed[0]
    }


def summarise(
    setting: Setting,
    scores: Sequence[Scores],
    splits: "Mapping[str, list[Row]]",
    domain: Any,
) -> dict[str, Any]:
    """The ``splits`` section of comparison.json."""
    resamples = setting.evaluate.resamples
    result: dict[str, Any] = {}
    for split, rows in splits.items():
        masks = subset_masks(domain, rows)
        grouped = {
            (arm, decoding): _grouped([seed[split][arm][decoding] for seed in scores], masks)
            for arm in ARMS
            for decoding in DECODINGS
        }
        arms = {
            arm: {
                decoding: {
                    metric: {
                        **interval(values.mean(axis=0), num_resamples=resamples).as_json(),
                        "per_seed": values.mean(axis=1).tolist() if values.size else [],
                    }
                    for metric, values in grouped[arm, decoding].items()
                }
                for decoding in DECODINGS
            }
            for arm in ARMS
        }
        gain = {
            f"rlvr_minus_{arm}": {
                metric: interval(
                    (values - grouped[arm, "greedy"][metric]).mean(axis=0), num_resamples=resamples
                ).as_json()
                for metric, values in grouped["rlvr", "greedy"].items()
            }
            for arm in ARMS
            if arm != "rlvr"
        }
        result[split] = {"arms": arms, "gain": gain}
    return result


def compare(
    setting: Setting,
    *,
    train: "pd.DataFrame",
    val: "pd.DataFrame",
    tests: "Mapping[str, pd.DataFrame]",
) -> dict[str, Any]:
    """Train and score every arm for every seed; returns comparison.json."""
    seeds = setting.compare.seeds
    splits = {
        name: inference.held_out_rows(table, max_rows=setting.evaluate.max_rows, seed=0)
        for name, table in tests.items()
    }
    validation = inference.held_out_rows(val, max_rows=None, seed=0)
    trained = [train_seed(setting, {"train": train, "val": val}, seed=seed) for seed in seeds]
    scored = [
        score_seed(setting, models, splits, validation, seed=seed)
        for seed, models in zip(seeds, trained, strict=True)
    ]
    domain = get_domain(setting.domain, setting.task)
    return {
        "domain": setting.domain,
        "primary_metric": domain.primary_metric,
        "higher_is_better": domain.higher_is_better,
        "seeds": list(seeds),
        "n": {name: len(rows) for name, rows in splits.items()},
        "splits": summarise(setting, [scores for scores, _ in scored], splits, domain),
        "wall_s": {arm: [models.wall_s[arm] for models in trained] for arm in trained[0].wall_s},
        "threshold": {"per_seed": [threshold for _, threshold in scored]},
        "note": NOTE,
    }
