"""Reasoning and answer are told apart, and only what scores well in every form is accepted."""

import pytest

from tests.distill.lessons import DOMAIN, REASONING, WRONG, train_table
from worldtune.config import WebTaskConfig
from worldtune.contracts import Row
from worldtune.distill.judging import Form, NoReasoningError, Verdict, find_form, judge
from worldtune.distill.replies import Reply
from worldtune.domains import get_domain

ROW: Row = train_table(1).iloc[0].to_dict()
RIGHT = DOMAIN.completion(ROW)
FORM = find_form(DOMAIN, ROW)


def verdict(content: str, reasoning: str = "", finish: str = "stop", least: float = 1) -> Verdict:
    reply = Reply(content, reasoning, finish, 1, 1)
    return judge(ROW, reply, domain=DOMAIN, form=FORM, threshold=least)


def test_the_form_is_read_off_the_domain() -> None:
    assert FORM == Form("", "\n\n", "New items:")
    assert FORM.join("Because.", "New items:") == "Because.\n\nNew items:"
    assert FORM.join("", "New items:") == "New items:"


def test_a_layout_without_reasoning_is_refused() -> None:
    with pytest.raises(NoReasoningError, match=r"completions of web hold no reasoning"):
        find_form(get_domain("web", WebTaskConfig()), ROW)


@pytest.mark.parametrize(
    ("content", "sent", "reasoning"),
    [
        (RIGHT, "", ""),
        (RIGHT, REASONING, REASONING),
        (f"{REASONING}\n\n{RIGHT}", "", REASONING),
        (f"<think>\n{REASONING}\n</think>\n\n{RIGHT}", "", REASONING),
        (f"{REASONING}</think>{RIGHT}", "", REASONING),  # servers that eat the opening tag
        (f"<think></think>{RIGHT}\n", "", ""),
        (f"So:\n{RIGHT}", REASONING, f"{REASONING}\n\nSo:"),
        (f"New items: maybe.\n{RIGHT}", "", "New items: maybe."),
        (f"{WRONG}\n\nNo, wait.\n\n{RIGHT}", "", f"{WRONG}\n\nNo, wait."),
    ],
)
def test_reasoning_and_answer_are_told_apart(content: str, sent: str, reasoning: str) -> None:
    found = verdict(content, sent)
    assert (found.outcome, found.answer, found.reasoning) == ("accepted", RIGHT, reasoning)
    assert found.completion == FORM.join(reasoning, RIGHT)
    assert DOMAIN.score(ROW, found.completion).total == found.reward == 1.0


def test_an_item_that_quotes_the_header_does_not_begin_the_answer() -> None:
    row = {**ROW, "new_items": ["[9] heading 'New items: 3'"]}
    answer = DOMAIN.completion(row)
    reply = Reply(f"I see.\n{answer}", "", "stop", 1, 1)
    found = judge(row, reply, domain=DOMAIN, form=FORM, threshold=1.0)
    assert (found.outcome, found.reasoning, found.answer) == ("accepted", "I see.", answer)


@pytest.mark.parametrize(
    ("content", "finish", "outcome"),
    [
        (WRONG, "stop", "below_threshold"),
        ("I do not know.", "stop", "unreadable"),
        ("", "stop", "empty"),
        (" \n", "stop", "empty"),
        ("<think>hm</think>", "stop", "empty"),
        (RIGHT, "length", "truncated"),
        (RIGHT, "content_filter", "filtered"),
    ],
)
def test_other_answers_are_refused_for_a_reason(content: str, finish: str, outcome: str) -> None:
    found = verdict(content, finish=finish)
    assert found.outcome == outcome
    assert not found.is_accepted


def test_an_answer_is_accepted_from_the_threshold_on() -> None:
    half = RIGHT.replace("None", "[999] button 'Wrong'", 1)  # one item right, one invented: F1 2/3
    assert verdict(half, least=0.66).outcome == "accepted"
    assert verdict(half, least=0.66).reward == pytest.approx(2 / 3)
    assert verdict(half, least=0.67).outcome == "below_threshold"
    assert verdict("no sections", least=0.0).outcome == "unreadable"


def test_reasoning_that_spoils_a_right_answer_costs_it() -> None:
    domain = get_domain("web", WebTaskConfig(layout="zero_shot", reward="reference_f1"))
    quoted = f"First I thought\n{WRONG}\nbut no."  # the reference counts its items as well
    reply = Reply(RIGHT, quoted, "stop", 1, 1)
    found = judge(ROW, reply, domain=domain, form=FORM, threshold=1.0)
    assert (found.outcome, found.reward) == ("spoilt_by_reasoning", 1.0)
