"""What every game must keep to; a new game is tested as soon as it is in the table."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest

from worldtune.domains.text_game.games import GAMES, get_game, words
from worldtune.domains.text_game.games.dice import Dice, FixedDice
from worldtune.domains.text_game.games.game import SLOT, Game
from worldtune.domains.text_game.games.rollouts import Transition, gold_play, transitions
from worldtune.domains.text_game.games.rows import CHANCE, build_row, undetermined_items
from worldtune.domains.text_game.games.rules_text import rules_text
from worldtune.domains.text_game.games.world import Moment
from worldtune.domains.text_game.state import (
    PLAIN,
    Changes,
    State,
    apply,
    canonical_json,
    diff,
    make_state,
)

SEEDS = range(21)
KEYS = (
    *("source", "game", "seed", "step", "rollout", "task_desc", "rules", "objects"),
    *("action_objects", "next_objects", "score", "next_score", "uuid_base", "action"),
    *("undetermined", "reasoning", "split", "licence"),
)


@dataclass(frozen=True)
class Sample:
    """A game and what was played of it."""

    game: Game
    transitions: list[Transition]
    rows: list[dict[str, Any]]

    @property
    def left_to_chance(self) -> list[Transition]:
        """Some steps in which chance decided."""
        return [one for one in self.transitions if one.played.num_draws][:40]


@pytest.fixture(scope="module", params=GAMES)
def sample(request: pytest.FixtureRequest) -> Sample:
    game = get_game(request.param)
    played = [
        transition
        for seed in SEEDS
        for transition in transitions(game, seed, branches=4, random_steps=8)
    ]
    return Sample(game, played, [build_row(transition, split="train") for transition in played])


def states(row: dict[str, Any]) -> tuple[State, State]:
    before = make_state(row["objects"], row["score"])
    return before, make_state(row["next_objects"], row["next_score"])


def changes(row: dict[str, Any]) -> Changes:
    return diff(*states(row))


def test_gold_play_wins(sample: Sample) -> None:
    game = sample.game
    for seed in SEEDS:
        start = Moment(game.start(Dice("layout", game.name, str(seed))))
        assert not start.world.score["gameOver"], f"seed {seed} is over before it begins"
        last = list(gold_play(game, start, seed=seed))[-1]
        assert last.played.after.world.score["gameWon"], f"seed {seed} is not won"


def test_objects_are_well_formed(sample: Sample) -> None:
    kinds = {kind.name: kind for kind in sample.game.kinds}
    for row in sample.rows:
        assert tuple(row) == KEYS
        for key in ("objects", "action_objects", "next_objects"):
            objects = row[key]
            inner = [child for thing in objects for child in thing["contains"]]
            assert sorted(inner) == sorted(thing["name"] for thing in objects[1:])
            assert len({thing["uuid"] for thing in objects}) == len(objects)
            for thing in objects:
                assert thing["name"].endswith(f" (ID: {thing['uuid']})")
                expected = kinds[thing["type"]].properties if thing["type"] in kinds else {}
                assert list(thing["properties"]) == list(expected), thing
                assert not set(thing["properties"]) & set(PLAIN)
                assert {type(value) for value in thing["properties"].values()} <= {bool, int, str}


def test_properties_never_change_their_type(sample: Sample) -> None:
    types: dict[tuple[str, str], set[type]] = defaultdict(set)
    for row in sample.rows:
        for thing in row["next_objects"]:
            for key, value in thing["properties"].items():
                types[thing["type"], key].add(type(value))
    assert all(len(found) == 1 for found in types.values()), types


def test_no_object_is_lost_and_new_ones_take_the_next_uuids(sample: Sample) -> None:
    for row in sample.rows:
        change = changes(row)
        before = {thing["uuid"] for thing in row["objects"]}
        after = {thing["uuid"] for thing in row["next_objects"]}
        added = {thing["uuid"] for thing in change.added}
        assert after == before - set(change.removed) | added
        assert all(uuid < row["uuid_base"] for uuid in before)
        assert all(uuid >= row["uuid_base"] for uuid in added)


def test_applying_the_difference_gives_the_next_state(sample: Sample) -> None:
    for row in sample.rows:
        before, after = states(row)
        assert diff(apply(before, diff(before, after)), after).is_empty


def test_the_rules_name_every_kind_property_and_verb(sample: Sample) -> None:
    game = sample.game
    rules = json.loads(rules_text(game))
    for kind in game.kinds:
        assert f"Object: {kind.name}\n" in rules["objects"]
        for key in kind.properties:
            assert f"- {key}: " in rules["objects"]
        for tick in kind.ticks:
            assert tick.rule.startswith("Per tick, ")
    for verb in game.verbs:
        for part in SLOT.split(verb.template)[::2]:
            assert part.strip() in rules["actions"]
    names = {kind.name for kind in game.kinds} | {"thing", "held", "portable", "container"}
    slots = {part for verb in game.verbs for slot in verb.slots for part in slot.split("|")}
    assert slots <= names


def test_the_reasoning_tells_of_every_change(sample: Sample) -> None:
    for row in sample.rows:
        change = changes(row)
        if row["reasoning"] == "Nothing changes.":
            assert change.is_empty
        uuids = {uuid for uuid, key, _ in change.modified if key != "contains"}
        uuids |= {thing["uuid"] for thing in change.added} | set(change.removed)
        for uuid in uuids:
            assert f" {uuid} " in row["reasoning"] or f" {uuid}." in row["reasoning"], row
        assert bool(change.score) == (
            "The score" in row["reasoning"] or "game is" in row["reasoning"]
        )


def test_a_determined_outcome_depends_on_the_state_and_the_action_alone(sample: Sample) -> None:
    outcomes: dict[str, set[str]] = defaultdict(set)
    for row in sample.rows:
        shown = canonical_json([row["objects"], row["score"], row["uuid_base"], row["action"]])
        if not row["undetermined"]:
            outcomes[shown].add(canonical_json([row["next_objects"], row["next_score"]]))
        else:
            outcomes[shown].add(CHANCE)
    assert all(len(found) == 1 for found in outcomes.values())


def test_what_other_draws_change_is_undetermined(sample: Sample) -> None:
    for one in sample.left_to_chance:
        before = one.before
        true = diff(before.state, one.played.after.state).items
        listed = set(undetermined_items(one))
        assert listed == {CHANCE} or listed <= true
        sure = true - listed
        for number in range(25):
            other = sample.game.play(before.world, one.action, Dice("other", str(number)))
            assert sure <= diff(before.state, other.after.state).items


def test_the_rules_say_random_where_chance_decides_and_outcomes_differ(sample: Sample) -> None:
    assert bool(sample.left_to_chance) == ("random" in rules_text(sample.game))
    for one in sample.left_to_chance:
        ends = [
            sample.game.play(one.before.world, one.action, FixedDice(outcome)).after.facts
            for outcome in ("first", "last")
        ]
        assert ends[0] != ends[1]


def test_not_too_many_rows_are_unchanged(sample: Sample) -> None:
    unchanged = sum(changes(row).is_empty for row in sample.rows)
    assert unchanged / len(sample.rows) < 0.65


def test_states_are_small(sample: Sample) -> None:
    sizes = sorted(len(row["objects"]) for row in sample.rows)
    assert sizes[0] >= 4
    assert sizes[len(sizes) // 2] <= 8
    assert sizes[-1] <= 16


def test_every_verb_is_played(sample: Sample) -> None:
    templates = {one.action.verb.template for one in sample.transitions}
    assert templates == {verb.template for verb in sample.game.verbs}


def test_names_are_made_of_words_from_the_pools_or_the_rules(sample: Sample) -> None:
    pools = [pool for key, pool in vars(words).items() if key.isupper()]
    known = {word for pool in pools for word in pool}
    known |= set(re.findall(r"\w+", rules_text(sample.game).lower()))
    for row in sample.rows:
        for thing in row["next_objects"]:
            assert set(thing["name"].split(" (ID: ")[0].split()) <= known, thing["name"]


def test_an_unknown_game_is_named_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"unknown game 'chess'; known: .*kettle"):
        get_game("chess")
