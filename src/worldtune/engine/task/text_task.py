"""A domain bound to a tokenizer: what trainers and evaluation see of a task over text."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from transformers import PreTrainedTokenizerBase

from worldtune.contracts import Domain, Row, Score
from worldtune.engine.model.huggingface import plain_text
from worldtune.engine.rollout.plan import GenPlan, TokenSpec
from worldtune.errors import UserError


@dataclass(frozen=True)
class Example:
    """One row as token ids; ``number`` is its stable counter in the split (seeds its draws)."""

    number: int
    row: Row
    prompt: tuple[int, ...]
    target: tuple[int, ...]


@dataclass(frozen=True)
class TextTask:
    """Rows to token ids and token ids to scores."""

    domain: Domain
    tokenizer: PreTrainedTokenizerBase

    @property
    def spec(self) -> TokenSpec:
        """The vocabulary."""
        tok = self.tokenizer
        return TokenSpec(len(tok), tok.pad_token_id, tok.eos_token_id, tok.bos_token_id)

    def plan(self, max_new_tokens: int) -> GenPlan:
        """Free text up to an end-of-text token."""
        return GenPlan(max_new_tokens, stop=frozenset({self.tokenizer.eos_token_id}))

    def encode(self, rows: Sequence[Row]) -> list[Example]:
        """Rows to token ids; the target ends with the end-of-text token."""
        prompts = [self._prompt_ids(row) for row in rows]
        texts = [self.domain.completion(row) for row in rows]
        targets = self.tokenizer(texts, add_special_tokens=False).input_ids if texts else []
        end = self.tokenizer.eos_token_id
        return [
            Example(number, row, tuple(prompt), (*target, end))
            for number, (row, prompt, target) in enumerate(zip(rows, prompts, targets, strict=True))
        ]

    def _prompt_ids(self, row: Row) -> list[int]:
        prompt = self.domain.prompt(row)
        if isinstance(prompt, str):
            ids: list[int] = self.tokenizer(prompt, add_special_tokens=False).input_ids
            return ids
        if self.tokenizer.chat_template is None:
            # A base model without a chat template gets the plain text of the turns.
            ids = self.tokenizer(plain_text(prompt)).input_ids
            return ids
        turns = [{"role": m.role, "content": m.content} for m in prompt]
        text = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        ids = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def text(self, ids: Sequence[int]) -> str:
        """The text of a completion without special tokens."""
        tokenizer: Any = self.tokenizer  # typed for batches too, and for lists alone
        text: str = tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def score(self, example: Example, ids: Sequence[int]) -> Score:
        """The reward of a completion."""
        return self.domain.score(example.row, self.text(ids))

    def token_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Character span of each token in ``text(ids)``; special tokens are empty."""
        # Byte-level pieces may split a character: prefixes are decoded, so that spans always add
        # up.
        ends = [len(self.text(ids[: i + 1])) for i in range(len(ids))]
        return list(pairwise([0, *accumulate(ends, max)]))


@dataclass(frozen=True)
class Budget:
    """How many tokens a row may have.

    context: of prompt and completion together. prompt: of the prompt alone, None for no limit of
    its own.
    """

    context: int
    prompt: int | None = None

    def fits(self, example: Example) -> bool:
        """Whether a row with its true completion is within the budget."""
        is_short = self.prompt is None or len(example.prompt) <= self.prompt
        return is_short and len(example.prompt) + len(example.target) <= self.context


def within(examples: Sequence[Example], budget: Budget) -> list[Example]:
    """The examples that fit the budget, in their order."""
    return [example for example in examples if budget.fits(example)]


def check_context(
    examples: Sequence[Example], budget: Budget, *, key: str, section: str = ""
) -> None:
    """Raise UserError if an example does not fit the budget.

    Args:
        examples: rows with their true completions.
        budget: what they have to fit.
        key: the parameter that keeps long rows out.
        section: parameters of the stage that trains on the rows, such as "web.sft", "" for rows
            that nothing is trained on (they have no budget for the prompt).
    """
    long = [example for example in examples if not budget.fits(example)]
    if not long:
        return
    prompt = max(len(example.prompt) for example in long)
    whole = max(len(example.prompt) + len(example.target) for example in long)
    allowed = drop = ""
    if budget.prompt is not None:
        allowed = f" and of {budget.prompt} tokens for the prompt ({section}.max_prompt_tokens)"
    if section:
        drop = f", or set {section}.long_rows to 'drop'"
    raise UserError(
        f"{len(long)} of {len(examples)} rows need up to {whole} tokens ({prompt} of them for the "
        f"prompt), more than the model's context of {budget.context}{allowed}: lower {key}, take "
        f"a model with a longer context{drop}"
    )
