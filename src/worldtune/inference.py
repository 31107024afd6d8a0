"""Checkpoints put to work on a domain's rows: the composition root of evaluation and comparison."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from worldtune.config import ComputeConfig, Config, EvaluateConfig
from worldtune.domains import get_domain
from worldtune.engine.model import huggingface
from worldtune.engine.model.policy import as_policy
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.runtime.compute import configure
from worldtune.engine.task.evaluate import Scores, evaluate_model
from worldtune.engine.task.text_task import Budget, Example, TextTask, check_context

if TYPE_CHECKING:
    from worldtune.contracts import Row


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint that can answer rows of its domain."""

    task: TextTask
    engine: BuiltinRollouts
    context: int

    def encode(self, rows: "list[Row]", *, key: str) -> list[Example]:
        """Rows as token ids. Raises UserError naming ``key`` where they do not fit the context."""
        examples = self.task.encode(rows)
        check_context(examples, Budget(self.context), key=key)
        return examples


def load(path: str, *, domain: str, task: Config, compute: ComputeConfig) -> LoadedModel:
    """Open a checkpoint folder for answering."""
    device = configure(compute)
    tokenizer = huggingface.load_tokenizer(path)
    loaded: Any = huggingface.load_model(path)  # transformers wraps ``to`` and loses its signature
    model = loaded.to(device).eval()
    bound = TextTask(get_domain(domain, task), tokenizer)
    engine = BuiltinRollouts(as_policy(model), bound.spec)
    return LoadedModel(bound, engine, model.config.max_position_embeddings)


def held_out_rows(table: pd.DataFrame, *, max_rows: int | None, seed: int) -> "list[Row]":
    """The rows of a split in a seeded order, at most ``max_rows``."""
    shuffled = table.sample(frac=1.0, random_state=seed) if len(table) else table
    rows: list[Row] = shuffled.head(max_rows if max_rows else len(table)).to_dict("records")
    return rows


def evaluate_checkpoint(
    path: str,
    splits: "Mapping[str, list[Row]]",
    *,
    domain: str,
    task: Config,
    config: EvaluateConfig,
    compute: ComputeConfig,
    seed: int,
    label: str,
) -> dict[str, Scores]:
    """Scores of a checkpoint on every split."""
    loaded = load(path, domain=domain, task=task, compute=compute)
    return {
        split: evaluate_model(
            loaded.engine,
            loaded.task,
            loaded.encode(rows, key=f"{domain}.ingest.max_tokens"),
            max_new_tokens=config.max_new_tokens,
            samples=config.samples,
            sampled_rows=config.sampled_rows,
            seed=seed,
            label=f"{label} {split}",
        )
        for split, rows in splits.items()
    }


def prediction_table(
    splits: "Mapping[str, list[Row]]", scores: Mapping[str, Mapping[str, Scores]]
) -> pd.DataFrame:
    """One row per (row, model): row_id, split, model, completion and the greedy metrics."""
    parts: list[dict[str, Any]] = [
        {
            "row_id": row["row_id"],
            "split": split,
            "model": model,
            "completion": by_split[split].texts[i],
            **{name: float(column[i]) for name, column in by_split[split].greedy.items()},
        }
        for model, by_split in scores.items()
        for split, rows in splits.items()
        for i, row in enumerate(rows)
    ]
    return pd.DataFrame(parts)
