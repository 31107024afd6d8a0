"""One step of TRL's GRPOTrainer, driven by its own loop, with a hook after every optimizer step.

Its settings are those of our step: loss ``dapo``, no reference model, on-policy (one optimizer step
per generation, so that TRL skips the pass for old log-probabilities), no gradient checkpointing,
fused AdamW. TRL always computes the entropy; so does our step.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import trl.trainer.utils
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    PrinterCallback,
    TrainerCallback,
)
from trl import GRPOConfig, GRPOTrainer

from benchmarks.meter import StepTime, Stopwatch
from benchmarks.shapes import EOS, PAD, Shape, reward


def build_tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """One word per token id: TRL takes prompts as text.

    Brackets, because special tokens are looked for inside of words, too.
    """
    words = {f"<{number}>": number for number in range(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=f"<{PAD}>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=f"<{PAD}>", eos_token=f"<{EOS}>"
    )


def as_text(ids: Sequence[int]) -> str:
    """What ``build_tokenizer`` reads back."""
    return " ".join(f"<{number}>" for number in ids)


@dataclass(frozen=True)
class TrlOptions:
    """What may be tuned on TRL's side.

    micro_batch: rows per pass. cache: ``cache_implementation`` of generation, None is dynamic.
    compact_head: score completion positions only, which TRL does on CUDA but not on CPU.
    gradient_checkpointing: TRL's default is True; it is slower and takes less memory.
    """

    micro_batch: int
    cache: str | None = None
    compact_head: bool = False
    gradient_checkpointing: bool = False


class TimedTrainer(GRPOTrainer):
    """GRPOTrainer that keeps the time of generation, and of clipping and optimizer."""

    def __init__(self, **settings: Any) -> None:
        self.generating, self.updating, self.stepping = Stopwatch(), Stopwatch(), Stopwatch()
        self.last_prompts: list[list[int]] = []
        super().__init__(**settings)

    def _generate_single_turn(self, prompt_ids: list[list[int]], *args: Any, **kwargs: Any) -> Any:
        self.last_prompts = prompt_ids[:: self.num_generations]
        with self.generating:
            return super()._generate_single_turn(prompt_ids, *args, **kwargs)

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        self.updating.__enter__()
        return super()._clip_grad_norm(model)


class _Hook(TrainerCallback):
    """Cuts TRL's time into steps, and calls ``after`` outside of it."""

    def __init__(self, after: Callable[[StepTime, list[list[int]]], None]) -> None:
        self.after = after
        self.trainer: TimedTrainer | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.stepping.__enter__()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.updating.__exit__(None, None, None)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        trainer = self._trainer
        trainer.stepping.__exit__(None, None, None)
        whole, generation = trainer.stepping.reset(), trainer.generating.reset()
        update = trainer.updating.reset()
        self.after(StepTime(generation, whole - generation - update, update), trainer.last_prompts)
        trainer.stepping.__enter__()

    @property
    def _trainer(self) -> TimedTrainer:
        assert self.trainer is not None, "the hook is attached before training"
        return self.trainer


def build_trainer(
    model: PreTrainedModel,
    shape: Shape,
    prompts: Sequence[Sequence[int]],
    options: TrlOptions,
    *,
    steps: int,
    after: Callable[[StepTime, list[list[int]]], None],
) -> TimedTrainer:
    """A trainer whose ``train()`` takes ``steps`` steps and calls ``after`` behind each."""
    if shape.rows % options.micro_batch:
        raise ValueError(f"micro batch {options.micro_batch} does not divide {shape.rows} rows")
    trl.trainer.utils._use_triton = lambda device: options.compact_head or device.type == "cuda"
    vocabulary = model.config.vocab_size
    config = GRPOConfig(
        output_dir=tempfile.gettempdir(),
        max_steps=steps,
        per_device_train_batch_size=options.micro_batch,
        gradient_accumulation_steps=shape.rows // options.micro_batch,
        num_generations=shape.group,
        max_completion_length=shape.completion_tokens,
        cache_implementation=options.cache,
        gradient_checkpointing=options.gradient_checkpointing,
        loss_type="dapo",
        beta=0.0,
        epsilon=0.2,
        temperature=1.0,
        learning_rate=1e-6,
        adam_beta2=0.999,
        max_grad_norm=1.0,
        lr_scheduler_type="constant",
        bf16=False,
        use_cpu=True,
        shuffle_dataset=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )

    def score(completion_ids: list[list[int]], **_: Any) -> list[float]:
        return [reward(ids, vocabulary) for ids in completion_ids]

    tokenizer, texts = build_tokenizer(vocabulary), [as_text(prompt) for prompt in prompts]
    if tokenizer(texts)["input_ids"] != [list(prompt) for prompt in prompts]:
        raise RuntimeError("TRL would read other prompts than we do")
    hook = _Hook(after)
    trainer = TimedTrainer(
        model=model,
        reward_funcs=score,
        args=config,
        train_dataset=Dataset.from_dict({"prompt": texts}),
        processing_class=tokenizer,
        callbacks=[hook],
    )
    hook.trainer = trainer
    trainer.remove_callback(PrinterCallback)
    return trainer


def trl_loss(
    trainer: TimedTrainer,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[Sequence[int]]],
    advantages: Sequence[Sequence[float]],
    old_logp: Sequence[Sequence[Sequence[float]]],
) -> Tensor:
    """TRL's own loss of given completions of equal length [prompts][group][tokens], undivided."""
    longest, group = max(map(len, prompts)), len(completions[0])
    padded = [[PAD] * (longest - len(p)) + list(p) for p in prompts]
    mask = [[0] * (longest - len(p)) + [1] * len(p) for p in prompts]
    ids = torch.tensor(completions).flatten(0, 1)
    inputs = {
        "prompt_ids": torch.tensor(padded).repeat_interleave(group, dim=0),
        "prompt_mask": torch.tensor(mask).repeat_interleave(group, dim=0),
        "completion_ids": ids,
        "completion_mask": torch.ones_like(ids),
        "advantages": torch.tensor(advantages).flatten(),
        "old_per_token_logps": torch.tensor(old_logp).flatten(0, 1),
        "num_items_in_batch": torch.tensor(ids.numel()),
    }
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = trainer.args.steps_per_generation
    loss: Tensor = trainer._compute_loss(trainer.model, inputs)
    trainer._metrics["train"].clear()
    return loss
