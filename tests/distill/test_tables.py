import pytest

from tests.distill.lessons import DOMAIN, settings, train_table
from worldtune.distill.judging import Verdict
from worldtune.distill.questions import build_questions
from worldtune.distill.replies import Reply
from worldtune.distill.tables import Judged, choose_demonstrations

REPLY = Reply("", "", "stop", 1, 1)


def judged(rewards: list[float | None], completions: list[str]) -> list[Judged]:
    """Answers to one row; None is refused."""
    config = settings("http://127.0.0.1:9/v1", samples=len(rewards))
    questions = build_questions(train_table(1).iloc[0].to_dict(), DOMAIN, config)
    return [
        Judged(
            question,
            REPLY,
            Verdict("unreadable")
            if reward is None
            else Verdict("accepted", "r", "a", completion, reward),
        )
        for question, reward, completion in zip(questions, rewards, completions, strict=True)
    ]


@pytest.mark.parametrize(
    ("keep", "samples"),
    [("all", [1, 2, 3, 4]), ("first", [1]), ("best", [3])],  # 3 is as good as 2, and shorter
)
def test_the_rule_decides_which_good_answers_of_a_row_are_kept(
    keep: str, samples: list[int]
) -> None:
    answers = judged([None, 0.8, 1.0, 1.0, 0.9], ["", "a", "long", "bb", "c"])
    kept = choose_demonstrations(answers, settings("http://127.0.0.1:9/v1", keep=keep))
    assert [one.question.sample for one in kept] == samples
