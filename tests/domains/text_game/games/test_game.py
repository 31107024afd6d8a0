"""The engine on a toy game whose every step is worked out by hand."""

import json
from dataclasses import replace

import pytest

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Loss, Tick, Verb
from worldtune.domains.text_game.games.rollouts import Transition
from worldtune.domains.text_game.games.rows import CHANCE, build_row, rows
from worldtune.domains.text_game.games.rules_text import rules_text
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, DROP, IDLE, opening, switching
from worldtune.domains.text_game.games.world import Moment, Plan, Thing, World
from worldtune.domains.text_game.state import State, diff, make_state


def heat(step: Step, stove: Thing) -> None:
    if stove["on"]:
        step.change(stove, "is on", temp=stove["temp"] + 10)


def pop(step: Step, corn: Thing) -> None:
    """Random: 0 to 2 flakes; the last flake ends the corn."""
    if step.world.all("Stove")[0]["temp"] < 30:
        return
    for _ in range(step.dice.integer(0, 2)):
        step.create(Plan("Flake", "flake"), step.world.root, cause=corn, because="pops")


def eat(step: Step, food: Thing) -> None:
    step.remove(food, "is eaten")


def layout(dice: Dice) -> World:
    world = World(Plan("Room", "kitchen"))
    world.add(Plan("Stove", "stove", {"on": False, "temp": dice.integer(0, 1) * 10}))
    box = world.add(Plan("Box", "box", {"open": False}))
    world.add(Plan("Corn", "corn"), box)
    return world


def gold(world: World) -> str:
    return "wait" if world.all("Stove")[0]["on"] else "turn on stove (ID: 2)"


GAME = Game(
    name="popcorn",
    task="Heat the stove.",
    kinds=(
        Kind(
            "Stove",
            "Heats.",
            {"on": "whether it heats", "temp": "how hot it is"},
            ticks=(Tick("Per tick, its temp rises by 10 if it is on.", heat),),
        ),
        Kind("Corn", "Pops.", ticks=(Tick("Per tick, it pops at random.", pop),), portable=True),
        Kind("Flake", "Popped corn.", portable=True),
        Kind("Box", "Holds things.", {"open": "whether it is open"}, container=True),
        Kind("Room", "The place of the game."),
    ),
    verbs=(
        Verb("eat {Corn|Flake}", "It is removed.", eat),
        *switching("Stove"),
        *opening("Box"),
        *CARRY,
        DROP,
        *IDLE,
    ),
    goals=(
        Goal("a Stove has temp 40 or more", lambda world: world.all("Stove")[0]["temp"] >= 40),
        Goal("Flake in the world", lambda world: len(world.all("Flake")), enough=2),
    ),
    losses=(Loss("there is no Corn", lambda world: not world.all("Corn")),),
    layout=layout,
    gold=gold,
)


@pytest.fixture
def world() -> World:
    made = World(Plan("Room", "kitchen"))
    made.add(Plan("Stove", "stove", {"on": False, "temp": 0}))
    box = made.add(Plan("Box", "box", {"open": False}))
    made.add(Plan("Corn", "corn"), box)
    made.score = GAME.score(made)
    return made


def play(world: World, *actions: str) -> World:
    for text in actions:
        world = GAME.play(world, GAME.action(world, text), Dice("test")).after.world
    return world


def texts(world: World) -> list[str]:
    return [action.text for action in GAME.actions(world)]


def test_valid_actions_come_verb_by_verb_and_only_with_things_in_reach(world: World) -> None:
    assert texts(world) == [
        "turn on stove (ID: 2)",
        "turn off stove (ID: 2)",
        "open box (ID: 3)",
        "close box (ID: 3)",
        "wait",
        "look around",
        "examine stove (ID: 2)",
        "examine box (ID: 3)",
    ]
    opened = texts(play(world, "open box (ID: 3)"))
    assert "eat corn (ID: 4)" in opened
    assert "take corn (ID: 4)" in opened


def test_what_is_held_can_be_put_and_dropped_but_not_taken(world: World) -> None:
    held = play(world, "open box (ID: 3)", "take corn (ID: 4)")
    assert "take corn (ID: 4)" not in texts(held)
    assert "put corn (ID: 4) in box (ID: 3)" in texts(held)
    assert play(held, "drop corn (ID: 4)").find(4).place.kind == "Room"
    closed = play(held, "close box (ID: 3)", "put corn (ID: 4) in box (ID: 3)")
    assert closed.find(4).place is closed.agent


def test_the_world_ticks_after_the_action(world: World) -> None:
    played = GAME.play(world, GAME.action(world, "turn on stove (ID: 2)"), Dice())
    assert played.action_objects[2]["properties"] == {"on": True, "temp": 0}
    assert played.after.objects[2]["properties"] == {"on": True, "temp": 10}
    assert played.sentences == (
        "The stove 2 is turned on, so its on becomes true.",
        "The stove 2 is on, so its temp goes from 0 to 10.",
    )
    assert world.objects()[2]["properties"] == {"on": False, "temp": 0}


def test_kinds_tick_in_their_order(world: World) -> None:
    world.find(2).properties.update(on=True, temp=20)
    played = GAME.play(world, GAME.action(world, "wait"), Dice())
    assert played.num_draws == 1  # the stove reached 30 first, then the corn saw it


def test_the_score_counts_what_is_so_now_up_to_enough(world: World) -> None:
    world.find(2).properties["temp"] = 50
    assert GAME.score(world) == {"score": 1, "gameOver": False, "gameWon": False}
    for _ in range(3):
        world.add(Plan("Flake", "flake"))
    assert GAME.score(world) == {"score": 3, "gameOver": True, "gameWon": True}


def test_a_loss_ends_the_game_and_is_said(world: World) -> None:
    opened = play(world, "open box (ID: 3)")
    played = GAME.play(opened, GAME.action(opened, "eat corn (ID: 4)"), Dice())
    assert played.after.world.score == {"score": 0, "gameOver": True, "gameWon": False}
    assert played.sentences == ("The corn 4 is eaten, so it disappears.", "The game is lost.")


def test_an_action_that_is_not_valid_is_no_action(world: World) -> None:
    with pytest.raises(KeyError, match="popcorn: 'take corn"):
        GAME.action(world, "take corn (ID: 4)")


def states_of_row(row: dict) -> tuple[State, State]:
    before = make_state(row["objects"], row["score"])
    return before, make_state(row["next_objects"], row["next_score"])


def row_of(world: World, text: str, dice: Dice) -> dict:
    action = GAME.action(world, text)
    played = GAME.play(world, action, dice)
    transition = Transition(GAME, 7, "random", 3, Moment(world), action, played)
    return build_row(transition, split="val")


def test_a_row_says_what_happened(world: World) -> None:
    row = row_of(world, "turn on stove (ID: 2)", Dice())
    assert row["objects"] == world.objects()
    assert (row["game"], row["seed"], row["step"], row["rollout"]) == ("popcorn", 7, 3, "random")
    assert (row["uuid_base"], row["split"], row["undetermined"]) == (5, "val", [])
    assert row["reasoning"].startswith("The stove 2 is turned on")
    assert row_of(world, "wait", Dice())["reasoning"] == "Nothing changes."


def test_items_that_chance_decides_are_undetermined_and_those_beside_them_are_not(
    world: World,
) -> None:
    world.find(2).properties.update(on=True, temp=20)
    dice = next(dice for dice in map(str, range(99)) if Dice(dice).integer(0, 2) == 2)
    row = row_of(world, "wait", Dice(dice))
    start, end = states_of_row(row)
    sure = "2.temp = 30"
    assert set(row["undetermined"]) == diff(start, end).items - {sure}
    assert len(row["undetermined"]) == 4  # the content of the kitchen, two flakes, the score


def test_a_draw_that_brought_nothing_is_marked(world: World) -> None:
    world.find(2).properties.update(on=False, temp=30)
    dice = next(dice for dice in map(str, range(99)) if Dice(dice).integer(0, 2) == 0)
    row = row_of(world, "wait", Dice(dice))
    assert row["undetermined"] == [CHANCE]
    assert row["next_objects"] == row["objects"]


def test_gold_branches_and_random_play_are_all_there_without_repetitions() -> None:
    made = list(rows(GAME, 0, split="train", branches=2, random_steps=20))
    assert {row["rollout"] for row in made} == {"gold", "branch", "random"}
    keys = [
        (str(row["objects"]), row["action"], str(row["next_objects"]), str(row["next_score"]))
        for row in made
    ]
    assert len(set(keys)) == len(keys)


def test_the_rules_are_made_from_the_sentences_beside_the_code() -> None:
    rules = json.loads(rules_text(GAME))
    assert list(rules) == ["objects", "actions", "score"]
    blocks = rules["objects"].split("\n==========\n")
    assert blocks[0] == (
        "Object: Stove\nDescription: Heats.\nProperties:\n- on: whether it heats\n"
        "- temp: how hot it is\n- Per tick, its temp rises by 10 if it is on."
    )
    assert blocks[-1].startswith("Object: World")
    assert rules["actions"].startswith("eat [Corn or Flake]:\nRules:\n1. It is removed.\n\nturn on")
    assert rules["score"] == (
        "The score is the sum of:\n1 point if a Stove has temp 40 or more.\n"
        "1 point for each Flake in the world, at most 2 times.\n"
        "The game is over and won at 3 points.\n"
        "It is over and lost if there is no Corn, unless it is won."
    )


def hatch(step: Step, egg: Thing) -> None:
    step.create(Plan("Egg", "egg"), step.world.root, cause=egg, because="is laid")
    step.turn(egg, "hatches", into=Plan("Chick", "chick", {"age": 0}))


def grow(step: Step, chick: Thing) -> None:
    step.change(chick, "lives", age=chick["age"] + 1)


@pytest.mark.parametrize("order", [("Egg", "Chick"), ("Chick", "Egg")])
def test_what_a_tick_makes_ticks_in_the_next_step(order: tuple[str, str]) -> None:
    kinds = {
        "Egg": Kind("Egg", "Hatches.", ticks=(Tick("Per tick, it hatches.", hatch),)),
        "Chick": Kind("Chick", "Grows.", {"age": "its age"}, (Tick("Per tick, it ages.", grow),)),
    }
    game = replace(GAME, kinds=[kinds[name] for name in order], goals=(), losses=(), verbs=IDLE)
    world = World(Plan("Room", "barn"))
    world.add(Plan("Egg", "egg"))
    after = game.play(world, game.action(world, "wait"), Dice()).after.world
    assert [(thing.kind, thing.uuid) for thing in after.all("Egg", "Chick")] == [
        ("Chick", 2),
        ("Egg", 3),
    ]
    assert after.find(2)["age"] == 0
