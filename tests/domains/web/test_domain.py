import re

import pytest

from worldtune.config import Config, EvaluateConfig, WebTaskConfig
from worldtune.contracts import Message
from worldtune.domains.web.domain import TOKEN_PATTERN, build
from worldtune.domains.web.tree import Changes

PAGE = "[1] RootWebArea 'Shop'\n\t[2] checkbox 'Tea' checked: False"
ROW = {
    "url": "http://shop.test/list.html",
    "objective": "Buy tea",
    "previous_action": "None",
    "observation": PAGE,
    "action": "click [2]",
    "next_id": 3,
    "new_items": ["[3] StaticText 'Saved'"],
    "deleted_items": [],
    "updated_items": [],
    "changed": True,
    "predictable": False,
}
NONE = "New items:\nNone\n\nDeleted items:\nNone\n\nUpdated items:\nNone"


def test_the_layout_decides_how_a_row_is_written() -> None:
    compact, zero_shot = build(WebTaskConfig()), build(WebTaskConfig(layout="zero_shot"))
    assert compact.completion(ROW) == "+ [3] StaticText Saved\n-\n~"
    assert zero_shot.completion(ROW).startswith("New items:\n[3] StaticText 'Saved'\n\nDeleted")
    assert isinstance(compact.prompt(ROW), str)
    assert all(isinstance(message, Message) for message in zero_shot.prompt(ROW))
    for domain in (compact, zero_shot):
        assert domain.decode(ROW, domain.completion(ROW)) == Changes(("[3] StaticText 'Saved'",))


def test_rows_that_the_input_leaves_open_are_in_the_uncertain_subset() -> None:
    domain = build(WebTaskConfig())
    assert domain.uncertain_subset in domain.subsets(ROW)
    assert domain.uncertain_subset not in domain.subsets({**ROW, "predictable": True})


def test_ids_of_the_episode_show_in_the_papers_layout_only() -> None:
    compact, zero_shot = build(WebTaskConfig()), build(WebTaskConfig(layout="zero_shot"))
    later = {**ROW, "observation": PAGE.replace("[2]", "[8]"), "action": "click [8]"}
    later |= {"next_id": 9, "new_items": ["[9] StaticText 'Saved'"]}
    assert compact.prompt(later) == compact.prompt(ROW)
    assert compact.completion(later) == compact.completion(ROW)
    assert zero_shot.completion(later) != zero_shot.completion(ROW)
    for domain in (compact, zero_shot):
        assert domain.score(later, domain.completion(later)).total == 1.0


def test_one_layout_does_not_read_the_other() -> None:
    compact, zero_shot = build(WebTaskConfig()), build(WebTaskConfig(layout="zero_shot"))
    assert compact.decode(ROW, NONE) is None
    assert zero_shot.decode(ROW, "+\n-\n~") is None


def test_the_reference_reward_gives_credit_for_none_and_the_corrected_one_does_not() -> None:
    reference = build(WebTaskConfig(layout="zero_shot", reward="reference_f1"))
    corrected = build(WebTaskConfig(layout="zero_shot"))
    assert reference.score(ROW, NONE).total == pytest.approx(2 / 3)
    assert corrected.score(ROW, NONE).total == 0.0
    assert reference.score(ROW, NONE).parts == corrected.score(ROW, NONE).parts


def test_the_reference_reward_reads_truncated_answers_but_no_oversized_ones() -> None:
    reference = build(WebTaskConfig(layout="zero_shot", reward="reference_f1"))
    truncated = "New items:\n[3] StaticText 'Saved'"
    score = reference.score(ROW, truncated)
    assert (score.total, score.parsed) == (pytest.approx(0.5), False)
    assert reference.score(ROW, truncated + "\n" * 10_000).total == 0.0


def test_the_reference_reward_needs_the_layout_of_the_paper() -> None:
    with pytest.raises(ValueError, match=r"web\.task\.reward is 'reference_f1'.*web\.task\.layout"):
        build(WebTaskConfig(layout="compact", reward="reference_f1"))


@pytest.mark.parametrize("task", [Config(), EvaluateConfig()])
def test_only_web_task_parameters_build_the_domain(task: Config) -> None:
    with pytest.raises(TypeError, match=r"web\.task must be a WebTaskConfig, found"):
        build(task)


def test_pre_tokens_cover_any_text_and_keep_ids_and_keys_whole() -> None:
    text = "\n\t\t [12] checkbox Tea it's 3.50 | checked: True value= cup\n-\n~ [2] \u4f60\0"
    pieces = re.findall(TOKEN_PATTERN, text)
    assert "".join(pieces) == text
    assert {" [12]", " checked:", " value=", "\n\t\t", "\n-", "\n~", " [2]"} <= set(pieces)
