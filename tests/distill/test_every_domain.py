"""Every domain can be distilled: right answers behind reasoning are found in every layout."""

import pytest

from tests.domains import text_game_case, web_case
from tests.domains.case import Case
from worldtune.distill.judging import Form, NoReasoningError, find_form, judge
from worldtune.distill.replies import Reply
from worldtune.domains import DOMAINS

REASONING = "First {this}: then [that].\nNew items: none, or so. The final answer is: easy."


def form_of(case: Case) -> Form | None:
    """How the domain writes reasoning before its answers; None for layouts that do not."""
    try:
        return find_form(case.build(), case.rows[0])
    except NoReasoningError:
        return None


CASES = {
    name: (case, form)
    for name, case in (web_case.CASES | text_game_case.CASES).items()
    if (form := form_of(case))
}


def test_every_domain_has_a_layout_with_reasoning() -> None:
    assert {case.domain for case, _ in CASES.values()} == set(DOMAINS)


@pytest.mark.parametrize("name", CASES)
def test_a_right_answer_is_accepted_wherever_its_reasoning_stands(name: str) -> None:
    case, form = CASES[name]
    domain = case.build()
    for row in case.rows:
        answer = domain.completion({**row, "reasoning": ""})
        for content, sent in (
            (f"{REASONING}\n\n{answer}", ""),
            (f"<think>\n{REASONING}\n</think>\n\n{answer}", ""),
            (answer, REASONING),
        ):
            reply = Reply(content, sent, "stop", 1, 1)
            found = judge(row, reply, domain=domain, form=form, threshold=case.top(row))
            assert (found.outcome, found.reasoning) == ("accepted", REASONING)
            assert found.answer == answer.strip()
            prediction = domain.decode(row, found.completion)
            assert prediction == domain.decode(row, domain.completion({**row, "reasoning": ""}))
