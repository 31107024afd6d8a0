"""Supervised fine-tuning beside TRL's SFTTrainer (packed, padded) and the plain HF Trainer.

The same weights, rows and optimizer: rows of log-normal length (mean about 173 tokens, at most
512), twelve to a step, about 2048 tokens; the loss is the mean over all tokens but the first of
each row. All sides run in one process on one thread and take turns, a few steps each; the first
step of a turn is dropped. The figure is tokens (without padding) per CPU second; ratios are medians
over turns.
Before that, loss and gradients of one batch must agree between all sides.

    python -m benchmarks.sft_vs_trl --steps 4 --turns 3
"""

import argparse
import json
import logging
import math
import os
import statistics
import tempfile
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from datasets import Dataset, disable_progress_bars
from torch import Tensor
from transformers import (
    DataCollatorForLanguageModeling,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from trl import SFTConfig, SFTTrainer

from benchmarks.grpo_vs_trl import gradients
from benchmarks.meter import Stopwatch, machine_facts, median_ratio, table
from benchmarks.own_step import OwnStep
from benchmarks.shapes import Width, build_model
from benchmarks.trl_step import build_tokenizer

LONGEST, ROWS, TOKENS = 512, 12, 2048


def draw_rows(count: int, *, vocabulary: int, seed: int = 0) -> list[list[int]]:
    """Random rows; log-normal lengths, clipped to 8 .. 512, mean about 173."""
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.empty(count).log_normal_(math.log(138), 0.75, generator=draw)
    sizes = lengths.round().long().clamp(8, LONGEST).tolist()
    return [torch.randint(2, vocabulary, (n,), generator=draw).tolist() for n in sizes]


class _Counted:
    """A Trainer that counts the tokens that it trains on, padding excluded."""

    tokens = 0

    def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> Tensor:
        mask = inputs.get("attention_mask")
        self.tokens += inputs["input_ids"].numel() if mask is None else int(mask.sum())
        loss: Tensor = super().training_step(model, inputs, *rest, **named)  # type: ignore[misc]
        return loss


class _CountedSft(_Counted, SFTTrainer):
    """TRL's trainer, counted."""


class _CountedPlain(_Counted, Trainer):
    """transformers' trainer, counted."""


class _Steps(TrainerCallback):
    """Tokens and CPU seconds of every optimizer step."""

    def __init__(self) -> None:
        self.trainer: Any = None
        self.watch = Stopwatch()
        self.steps: list[tuple[int, float]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps, self.trainer.tokens = [], 0
        self.watch.__enter__()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.watch.__exit__(None, None, None)
        self.steps.append((self.trainer.tokens, self.watch.reset().cpu))
        self.trainer.tokens = 0
        self.watch.__enter__()


def _arguments(kind: type[TrainingArguments], *, steps: int, rows: int, **more: Any) -> Any:
    return kind(
        output_dir=tempfile.gettempdir(),
        max_steps=steps,
        per_device_train_batch_size=rows,
        gradient_checkpointing=False,
        learning_rate=1e-6,
        adam_beta2=0.999,
        max_grad_norm=1.0,
        lr_scheduler_type="constant",
        bf16=False,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        **more,
    )


def build_trainers(
    rows: Sequence[Sequence[int]], *, width: Width, steps: int, micro_rows: int
) -> dict[str, Any]:
    """The three peers, each with its own copy of the weights. ``micro_rows`` per padded pass."""
    tokenizer = build_tokenizer(width.vocabulary)
    data = Dataset.from_dict({"input_ids": [list(row) for row in rows]})
    padded = {"rows": micro_rows, "gradient_accumulation_steps": ROWS // micro_rows}
    packed = _arguments(
        SFTConfig, steps=steps, rows=1, max_length=TOKENS, packing=True, packing_strategy="bfd"
    )
    single = _arguments(SFTConfig, steps=steps, max_length=LONGEST, **padded)
    plain = _arguments(TrainingArguments, steps=steps, **padded)
    trainers: dict[str, Any] = {}
    for name, arguments in (("TRL packed", packed), ("TRL padded", single)):
        trainers[name] = _CountedSft(
            model=build_model(width), args=arguments, train_dataset=data, processing_class=tokenizer
        )
    trainers["HF Trainer"] = _CountedPlain(
        model=build_model(width),
        args=plain,
        train_dataset=data,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
        processing_class=tokenizer,
    )
    for trainer in trainers.values():
        trainer.remove_callback(PrinterCallback)
        trainer.clock = _Steps()
        trainer.clock.trainer = trainer
        trainer.add_callback(trainer.clock)
    return trainers


def check_same_loss(width: Width) -> float:
    """Loss and gradients of six rows by all sides; the largest relative difference of gradients."""
    rows = draw_rows(6, vocabulary=width.vocabulary, seed=5)
    own = OwnStep(build_model(width))
    expected = own.supervised_loss(rows)
    wanted = gradients(own.policy.model)
    worst = 0.0
    for name, trainer in build_trainers(rows, width=width, steps=1, micro_rows=6).items():
        features = [trainer.train_dataset[i] for i in range(len(trainer.train_dataset))]
        features = [{k: v for k, v in one.items() if k != "attention_mask"} for one in features]
        trainer.model.train()
        loss = trainer.compute_loss(trainer.model, dict(trainer.data_collator(features)))
        loss.backward()
        peer_loss = float(loss.detach())
        difference = float((gradients(trainer.model) - wanted).norm() / wanted.norm())
        if abs(peer_loss - expected) > 1e-5 * expected or difference > 1e-5:
            raise RuntimeError(
                f"{name} computes something else: loss {peer_loss!r} and {expected!r}, "
                f"gradients {difference:.1e} apart"
            )
        worst = max(worst, difference)
    return worst


def measure(*, steps: int, turns: int, micro_rows: int) -> dict[str, list[float]]:
    """Tokens per CPU second of every side and turn."""
    width = Width()
    rows = draw_rows(ROWS * (steps + 1) * 2, vocabulary=width.vocabulary)
    trainers = build_trainers(rows, width=width, steps=steps + 1, micro_rows=micro_rows)
    own = OwnStep(build_model(width))
    batches = [rows[i : i + ROWS] for i in range(0, ROWS * (steps + 1), ROWS)]

    def peer_turn(trainer: Any) -> list[tuple[int, float]]:
        trainer.train()
        kept: list[tuple[int, float]] = trainer.clock.steps
        return kept

    def own_turn() -> list[tuple[int, float]]:
        return [(sum(map(len, rows)), own.supervised(rows).step.cpu) for rows in batches]

    sides: dict[str, Callable[[], list[tuple[int, float]]]] = {"own": own_turn}
    for name, trainer in trainers.items():
        sides[name] = lambda trainer=trainer: peer_turn(trainer)
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, turn in sides.items():
            kept = turn()[1:]
            rates[name].append(sum(n for n, _ in kept) / sum(seconds for _, seconds in kept))
    return rates


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=4, help="kept steps of a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--micro-rows", type=int, default=12, help="rows per padded pass of peers")
    parser.add_argument("--json", help="also write everything measured to this file")
    arguments = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    disable_progress_bars()
    torch.set_num_threads(1)
    difference = check_same_loss(Width(layers=2))
    rates = measure(steps=arguments.steps, turns=arguments.turns, micro_rows=arguments.micro_rows)
    rows = [["", "tokens per CPU s", "own / it"]]
    for name, values in rates.items():
        ratio = median_ratio(rates["own"], values)
        rows.append([name, f"{statistics.median(values):.0f}", f"{ratio:.2f}"])
    print(machine_facts())
    print(f"{arguments.turns} turns of {arguments.steps} steps; gradients {difference:.0e} apart")
    print(table(rows))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine_facts(), "tokens_per_cpu_s": rates}, file, indent=1)


if __name__ == "__main__":
    main()
