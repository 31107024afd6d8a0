"""Rows as token ids, and what fits the context."""

import dataclasses
from itertools import pairwise

import pytest

from tests.engine.tiny import ColourDomain, colour_rows, colour_task, same_words, word_tokenizer
from worldtune.contracts import Message
from worldtune.engine.task.text_task import Budget, TextTask, check_context, within
from worldtune.engine.task.tokenizer import train_tokenizer
from worldtune.errors import UserError


def test_examples_hold_prompt_and_answer_with_its_end():
    task = colour_task()
    first, second = task.encode(colour_rows())[:2]
    assert (first.number, first.prompt, first.target) == (0, (3,), (4, 5, 1))
    assert (second.number, second.prompt, second.target) == (1, (4,), (5, 6, 1))
    assert task.text(first.target) == "green blue"
    assert task.score(first, first.target).total == 1.0
    assert task.encode([]) == []


def test_the_vocabulary_and_the_plan_come_from_the_tokenizer():
    task = colour_task()
    assert (task.spec.vocab_size, task.spec.pad, task.spec.eos) == (11, 0, 1)
    plan = task.plan(7)
    assert (plan.max_new, plan.stop) == (7, frozenset({1}))


@dataclasses.dataclass(frozen=True)
class ChatDomain(ColourDomain):
    def prompt(self, row):
        return (Message("user", row["question"]),)


def test_chats_use_the_template_and_fall_back_to_plain_text():
    tokenizer = word_tokenizer()
    task = TextTask(ChatDomain(same_words), tokenizer)
    rows = colour_rows()[:1]
    assert task.encode(rows)[0].prompt == (3,)
    tokenizer.chat_template = (
        "{% for m in messages %}black {{ m.content }} {% endfor %}"
        "{% if add_generation_prompt %}white{% endif %}"
    )
    assert task.encode(rows)[0].prompt == (6, 3, 7)


def test_token_spans_tile_the_text_and_special_tokens_are_empty():
    tokenizer = train_tokenizer(["caf\u00e9 menu"] * 3, pattern=r" ?\w+|\s", vocab_size=280)
    task = TextTask(ColourDomain(same_words), tokenizer)
    text = "menu \U0001f600 caf\u00e9"
    ids = [*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
    spans = task.token_spans(ids)
    assert len(spans) == len(ids)
    assert spans[0][0] == 0 and spans[-1] == (len(text), len(text))
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert task.token_spans([]) == []


def test_rows_beyond_the_context_are_counted_and_the_key_is_named():
    examples = colour_task().encode(colour_rows())
    check_context(examples, Budget(4), key="web.ingest.max_tokens")
    with pytest.raises(UserError, match=r"8 of 8 rows .* 4 tokens.* 3: lower web\.ingest"):
        check_context(examples, Budget(3), key="web.ingest.max_tokens")


def test_rows_beyond_the_budget_of_prompts_are_an_error_or_left_out():
    examples = colour_task().encode(colour_rows())
    longest = max(len(example.prompt) for example in examples)
    assert within(examples, Budget(4, longest)) == examples
    assert within(examples, Budget(4, longest - 1)) == [
        example for example in examples if len(example.prompt) < longest
    ]
    with pytest.raises(ValueError, match=rf"of {longest - 1} .* \(web\.sft\.max_prompt_tokens\)"):
        check_context(
            examples,
            Budget(4, longest - 1),
            key="web.ingest.max_tokens",
            section="web.sft",
        )
