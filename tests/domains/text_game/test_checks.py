import json
import time
from typing import Any

import pytest

from tests.domains.text_game.raw_rows import AGENT, LAMP, NOT_WON, ROOM, WON, objects, raw
from worldtune.domains.text_game.checks import COLUMNS, complete_row, row_id
from worldtune.domains.text_game.state import canonical_json
from worldtune.ingestion.rows import RowFault


def complete(max_tokens: int = 2048, **changes: Any) -> dict[str, Any]:
    return complete_row(raw(**changes), number=5, max_tokens=max_tokens)


def test_a_good_row_has_every_column_in_order() -> None:
    row = complete()
    state = canonical_json(objects())
    answer = len(canonical_json({"modified": objects(on=True, heat=21.0)[2:], "removed": []})) - 1
    answer += len(',"score":' + canonical_json(WON) + "}")
    assert list(row) == list(COLUMNS)
    assert row == {
        "row_id": row_id(row),
        "source": "games",
        "game": "lamp",
        "seed": 7,
        "step": 3,
        "rollout": "gold",
        "task_desc": "Switch the lamp on.",
        "rules": "",
        "state": state,
        "action_state": canonical_json(objects(on=True)),
        "next_state": canonical_json(objects(on=True, heat=21.0)),
        "score": '{"score":0,"gameOver":false,"gameWon":false}',
        "next_score": '{"score":1,"gameOver":true,"gameWon":true}',
        "uuid_base": 3,
        "action": "switch on lamp (ID: 2)",
        "changed": True,
        "changed_by": "both",
        "score_changed": True,
        "gold": True,
        "num_added": 0,
        "num_removed": 0,
        "num_modified": 1,
        "determined": True,
        "undetermined_items": [],
        "tokens_est": -(-(len(state) + answer) // 4),
        "reasoning": "",
        "split": None,
        "licence": "MIT",
    }


def test_the_id_of_a_row_depends_on_what_identifies_it_and_not_on_its_outcome() -> None:
    row = complete()
    assert len(row["row_id"]) == 16
    assert complete(next_objects=objects(), next_score=NOT_WON)["row_id"] == row["row_id"]
    for changes in (
        {"action": "look"},
        {"seed": 8},
        {"step": 4},
        {"rollout": "branch"},
        {"objects": objects(heat=3)},
        {"score": WON},
        {"game": "bulb"},
    ):
        assert complete(**changes)["row_id"] != row["row_id"], changes


LIT, HOT, BOTH = objects(on=True), objects(heat=21.0), objects(on=True, heat=21.0)
CUP = {"name": "cup (ID: 3)", "uuid": 3, "type": "Cup", "properties": {}, "contains": []}
GIVEN = [ROOM, {**AGENT, "contains": ["lamp (ID: 2)"]}, LAMP]
SAME = [{**ROOM, "contains": ROOM["contains"][::-1]}, AGENT, LAMP]


@pytest.mark.parametrize(
    ("middle", "after", "score", "classes"),
    [
        # changed, changed_by, score_changed, gold, added, removed, modified
        (objects(), objects(), NOT_WON, (False, "none", False, False, 0, 0, 0)),
        (objects(), objects(), WON, (True, "none", True, False, 0, 0, 0)),
        (LIT, LIT, NOT_WON, (True, "action", False, True, 0, 0, 1)),
        (objects(), HOT, NOT_WON, (True, "tick", False, True, 0, 0, 1)),
        (LIT, BOTH, WON, (True, "both", True, True, 0, 0, 1)),
        (None, BOTH, NOT_WON, (True, "unknown", False, True, 0, 0, 1)),
        (None, objects(), WON, (True, "none", True, False, 0, 0, 0)),
        (LIT, objects(), NOT_WON, (False, "both", False, False, 0, 0, 0)),
        (GIVEN, GIVEN, NOT_WON, (True, "action", False, True, 0, 0, 1)),
        (SAME, SAME, NOT_WON, (False, "none", False, False, 0, 0, 0)),
        (objects(), [*objects(), CUP], NOT_WON, (True, "tick", False, False, 1, 0, 0)),
        (objects()[:2], objects()[:2], NOT_WON, (True, "action", False, False, 0, 1, 0)),
        (objects(heat=20.5), objects(on=0), NOT_WON, (True, "tick", False, True, 0, 0, 1)),
        (objects(), [ROOM, AGENT, {**LAMP, "name": "bulb (ID: 2)"}], NOT_WON,
         (True, "tick", False, False, 0, 0, 1)),
        (objects(), objects(new=None), NOT_WON, (True, "tick", False, True, 0, 0, 1)),
    ],
)  # fmt: skip
def test_rows_are_classed_by_what_differs(
    middle: Any, after: Any, score: dict[str, Any], classes: tuple[Any, ...]
) -> None:
    row = complete(action_objects=middle, next_objects=after, next_score=score)
    names = (
        "changed",
        "changed_by",
        "score_changed",
        "gold",
        "num_added",
        "num_removed",
        "num_modified",
    )
    assert tuple(row[name] for name in names) == classes


def test_objects_are_written_with_their_five_keys_in_order_whatever_the_source_has() -> None:
    odd = {"contains": (), "colour": "red", **{key: LAMP[key] for key in reversed(list(LAMP))}}
    row = complete(objects=[ROOM, AGENT, odd], score={"gameWon": False, **WON, "lives": 3})
    assert [list(thing) for thing in json.loads(row["state"])] == [list(ROOM)] * 3
    assert row["score"] == '{"score":1,"gameOver":true,"gameWon":true}'
    assert complete(action_objects=None)["action_state"] == ""


def test_what_a_source_leaves_out_is_filled_in() -> None:
    row = complete(seed=None, step=None, uuid_base=None, undetermined=None, game=None, rules=None)
    assert (row["seed"], row["step"], row["uuid_base"]) == (0, 5, 3)
    assert (row["game"], row["rules"], row["determined"]) == ("", "", True)


def test_undetermined_items_are_kept() -> None:
    row = complete(undetermined=["2.heat = 21"])
    assert (row["determined"], row["undetermined_items"]) == (False, ["2.heat = 21"])


def things(**changes: Any) -> dict[str, Any]:
    """A state whose lamp has these fields; None takes a field away."""
    lamp = {key: value for key, value in {**LAMP, **changes}.items() if value is not None}
    return {"objects": [ROOM, AGENT, lamp]}


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


HUGE = objects(text="x" * 9000)
BAD = [
    ("missing_field", {"action": None}, "action is absent; expected text"),
    ("missing_field", {"action": " "}, "action is empty"),
    ("missing_field", {"game": 3}, "game is of type int; expected text"),
    ("missing_field", {"step": "two"}, "step is 'two'; expected an integer"),
    ("missing_field", {"seed": -1}, "seed is -1; expected 0 or more"),
    ("missing_field", {"uuid_base": 2**31}, "uuid_base is '2147483648'; expected an integer"),
    ("missing_field", {"rollout": "silver"}, "rollout is 'silver'; expected gold, random"),
    ("missing_field", {"undetermined": [3]}, "undetermined is no list of texts"),
    ("not_utf8", {"action": "take \ud800"}, "lone surrogate ('\\ud800')"),
    ("not_utf8", {"task_desc": "a\0"}, "null character"),
    ("not_utf8", things(properties={"a": "\udfff"}), "lone surrogate ('\\udfff')"),
    ("not_utf8", things(properties={"\ud800": 1}), "lone surrogate ('\\ud800')"),
    ("missing_state", {"objects": None}, "objects is absent; expected a list of objects"),
    ("missing_state", {"objects": "[]"}, "objects is of type str; expected a list of objects"),
    ("missing_state", {"next_objects": []}, "next_objects is empty; expected a list of objects"),
    ("missing_state", {"action_objects": 3}, "action_objects is of type int"),
    ("missing_state", {"score": None}, "score is absent; expected a score record"),
    ("missing_state", {"next_score": [1]}, "next_score is of type list"),
    ("missing_state", {"score": {**WON, "score": True}}, "score.score is 'True'"),
    ("missing_state", {"score": {**WON, "gameOver": 1}}, "score.gameOver is '1'"),
    ("missing_state", {"score": {"score": 1, "gameOver": True}}, "score.gameWon is 'None'"),
    ("malformed_object", {"objects": [ROOM, 3]}, "objects[1] is of type int; expected an object"),
    ("malformed_object", things(uuid=None), "objects[2] has uuid 'None'"),
    ("malformed_object", things(uuid="2"), "objects[2] has uuid '2'"),
    ("malformed_object", things(uuid=True), "objects[2] has uuid 'True'"),
    ("malformed_object", things(uuid=2.0), "objects[2] has uuid '2.0'"),
    ("malformed_object", things(uuid=2**40), "objects[2] has uuid '1099511627776'"),
    ("malformed_object", things(name=None), "objects[2] has name 'None'"),
    ("malformed_object", things(name=" "), "objects[2] has name ' '"),
    ("malformed_object", things(type=3), "objects[2] has type '3'"),
    ("malformed_object", things(properties=None), "objects[2] has properties of type NoneType"),
    ("malformed_object", things(properties=[1]), "objects[2] has properties of type list"),
    ("malformed_object", things(properties={3: 1}), "objects[2] has a property called '3'"),
    ("malformed_object", things(properties={"name": 1}), "has a property called 'name'"),
    ("malformed_object", things(properties={"a": nested(40)}), "nested deeper than 16 levels"),
    ("malformed_object", things(properties={"a": {1, 2}}), "set is not JSON serializable"),
    ("malformed_object", things(contains="lamp"), "objects[2] has a content that is no list"),
    ("malformed_object", things(contains=[3]), "objects[2] has a content that is no list"),
    ("duplicate_uuid", {"objects": [ROOM, AGENT, LAMP, LAMP]}, "objects: uuid 2 occurs twice"),
    ("duplicate_uuid", {"next_objects": [ROOM, AGENT, AGENT]}, "next_objects: uuid 0 occurs twice"),
    ("not_finite", {"next_objects": objects(heat=float("nan"))}, "next_objects holds a number"),
    ("not_finite", {"objects": objects(plug=[float("-inf")])}, "objects holds a number"),
    ("not_finite", {"score": {**WON, "score": float("inf")}}, "score holds a number"),
    ("too_long", {"action": "x" * 9000}, "text_game.ingest.max_tokens allows 2,048"),
    ("too_long", {"objects": HUGE}, "text_game.ingest.max_tokens allows 2,048"),
    ("too_long", {"action_objects": HUGE}, "text_game.ingest.max_tokens allows 2,048"),
    ("too_long", {"next_objects": HUGE}, "text_game.ingest.max_tokens allows 2,048"),
]


@pytest.mark.parametrize(("reason", "changes", "words"), BAD)
def test_every_bad_row_has_one_reason_and_says_what_was_found(
    reason: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(RowFault) as caught:
        complete(**changes)
    assert caught.value.reason == reason
    assert words in str(caught.value)


def test_state_and_answer_count_together_and_the_limit_is_inclusive() -> None:
    estimate = complete()["tokens_est"]
    assert complete(max_tokens=estimate)["tokens_est"] == estimate
    with pytest.raises(RowFault, match=f"about {estimate:,} tokens"):
        complete(max_tokens=estimate - 1)


@pytest.mark.parametrize(
    "hostile",
    [
        {"objects": [AGENT] * 200_000},
        {"objects": [{**LAMP, "uuid": i} for i in range(20_000)]},
        {"objects": objects(wide=[[]] * 1_000_000)},
        {"objects": objects(**{f"p{i}": i for i in range(200_000)})},
        {"next_objects": objects(deep=nested(900))},
        {"action": "x" * 10_000_000},
        {"task_desc": "\ud800" * 1_000_000},
    ],
)
def test_hostile_rows_are_answered_within_a_second(hostile: dict[str, Any]) -> None:
    start = time.thread_time()
    try:
        complete(**hostile)
    except RowFault:
        pass
    assert time.thread_time() - start < 1
