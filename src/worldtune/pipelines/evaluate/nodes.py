"""Nodes of stage evaluate: score the checkpoints on held-out rows, write the report."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldtune.config import ComputeConfig, EvaluateConfig, task_config
from worldtune.domains import get_domain, get_module

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from worldtune.contracts import Domain, Row
    from worldtune.engine.task.evaluate import Scores


def evaluate_models(
    *,
    test_iid_set: "pd.DataFrame",
    test_unseen_set: "pd.DataFrame",
    sft_model: str,
    rlvr_model: str,
    ingest_report: dict[str, Any],
    sft_metrics: dict[str, Any],
    rlvr_metrics: dict[str, Any],
    task: dict[str, Any],
    config: EvaluateConfig,
    compute: ComputeConfig,
    seed: int,
    domain: str,
) -> tuple["pd.DataFrame", dict[str, Any]]:
    """Copy, SFT and RLVR on both test splits: every greedy answer, and evaluation.json."""
    from worldtune import inference  # noqa: PLC0415 - imports torch
    from worldtune.engine.task.evaluate import copy_scores  # noqa: PLC0415

    started = time.perf_counter()
    rules = get_domain(domain, task_config(domain, task))
    tables = {"test_iid": test_iid_set, "test_unseen": test_unseen_set}
    splits = {
        name: inference.held_out_rows(table, max_rows=config.max_rows, seed=seed)
        for name, table in tables.items()
    }
    evaluate = partial(
        inference.evaluate_checkpoint,
        splits=splits,
        domain=domain,
        task=task_config(domain, task),
        config=config,
        compute=compute,
        seed=seed,
    )
    scores = {
        "copy": {name: copy_scores(rules, rows) for name, rows in splits.items()},
        "sft": evaluate(sft_model, label="evaluate sft"),
        "rlvr": evaluate(rlvr_model, label="evaluate rlvr"),
    }
    evaluation = {
        "domain": domain,
        "primary_metric": rules.primary_metric,
        "higher_is_better": rules.higher_is_better,
        "group_name": rules.group_name,
        "uncertain_subset": rules.uncertain_subset,
        "seed": seed,
        "splits": _summarise(rules, splits, scores, resamples=config.resamples, seed=seed),
        "wall_s": {
            "ingest": ingest_report["wall_s"],
            "sft": sft_metrics["stage_s"],
            "rlvr": rlvr_metrics["stage_s"],
            "evaluate": time.perf_counter() - started,
        },
    }
    return inference.prediction_table(splits, scores), evaluation


def _summarise(
    rules: "Domain",
    splits: "Mapping[str, list[Row]]",
    scores: "Mapping[str, Mapping[str, Scores]]",
    *,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """The ``splits`` section of evaluation.json; scores are by model, then by split."""
    from worldtune.engine.task.split_summary import summarise_split  # noqa: PLC0415 - imports torch

    return {
        name: summarise_split(
            rules,
            rows,
            {model: by_split[name] for model, by_split in scores.items()},
            resamples=resamples,
            seed=seed,
        )
        for name, rows in splits.items()
    }


def write_report(
    *,
    evaluation: dict[str, Any],
    predictions: "pd.DataFrame",
    test_iid_set: "pd.DataFrame",
    test_unseen_set: "pd.DataFrame",
    ingest_report: dict[str, Any],
    sft_metrics: dict[str, Any],
    rlvr_metrics: dict[str, Any],
    sft_run: str,
    rlvr_run: str,
    task: dict[str, Any],
    config: EvaluateConfig,
    domain: str,
) -> str:
    """The HTML report: curves, results with intervals, and held-out examples."""
    from worldtune.engine.runtime.tracking import read_curve  # noqa: PLC0415 - keeps the import light
    from worldtune.reporting.report import render_run_report  # noqa: PLC0415

    curves = {
        stage: read_curve(Path(folder))
        for stage, folder in {"sft": sft_run, "rlvr": rlvr_run}.items()
    }
    facts = {
        "data": {
            "rows": ingest_report["counts"]["rows_out"],
            "train_rows": sft_metrics["train_rows"],
        },
        "model": {name: sft_metrics[name] for name in ("parameters", "vocabulary")},
        "sft": {name: sft_metrics[name] for name in ("steps", "tokens", "val/metric", "wall_s")},
        "rlvr": {name: rlvr_metrics[name] for name in ("steps", "tokens", "val/metric", "wall_s")},
    }
    table = {"test_iid": test_iid_set, "test_unseen": test_unseen_set}["test_iid"]
    examples = _render_examples(predictions, table, domain, task, config.report_examples)
    return render_run_report(evaluation, curves=curves, examples=examples, facts=facts)


def _render_examples(
    predictions: "pd.DataFrame",
    table: "pd.DataFrame",
    domain: str,
    task: dict[str, Any],
    count: int,
) -> list[str]:
    """Held-out rows with what each model answered, chosen for what they show."""
    from worldtune.reporting.examples import choose_examples  # noqa: PLC0415

    rules, view = get_domain(domain, task_config(domain, task)), get_module(domain, "view")
    rows = {row["row_id"]: row for row in table.to_dict("records")}
    answers = predictions[predictions["split"] == "test_iid"].pivot(
        index="row_id", columns="model", values=[rules.primary_metric, "completion"]
    )
    order = [row_id for row_id in answers.index if row_id in rows]
    scores = answers[rules.primary_metric].loc[order]
    chosen = choose_examples(
        scores["sft"].astype(float),
        scores["rlvr"].astype(float),
        [rules.uncertain_subset in rules.subsets(rows[row_id]) for row_id in order],
        num_examples=count,
    )
    texts = answers["completion"]
    return [
        view.render_example(
            rules,
            row := rows[order[i]],
            {
                "copy": rules.copy_prediction(row),
                **{m: rules.decode(row, texts.loc[order[i], m]) for m in ("sft", "rlvr")},
            },
        )
        for i in chosen
    ]
