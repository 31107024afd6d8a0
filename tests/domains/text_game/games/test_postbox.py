"""Postbox: the sure part of a delivery worked out by hand, the rest by its frequency."""

import pytest

from tests.domains.text_game.games.draws import none_one_or_more, play_least, shares
from tests.domains.text_game.games.moves import facts, play
from worldtune.domains.text_game.games.postbox import GAME
from worldtune.domains.text_game.games.world import Plan, World


def hall(*, is_open: bool, num_letters: int = 0) -> World:
    """Room 0, agent 1, postbox 2 with parcel 3 and letters from 6 on, tray 4, shelf 5."""
    world = World(Plan("Room", "hall"))
    postbox = world.add(Plan("Postbox", "mailbox", {"open": is_open, "count": 4}))
    world.add(Plan("Parcel", "packet"), postbox)
    world.add(Plan("Tray", "box"))
    world.add(Plan("Shelf", "rack"))
    for _ in range(num_letters):
        world.add(Plan("Letter", "card"), postbox)
    return world


def test_a_delivery_is_counted_even_if_it_brings_nothing() -> None:
    world, reasoning = play_least(GAME, hall(is_open=False), "wait")
    assert facts(world.find(2)) == ("mailbox", "Postbox", {"open": False, "count": 5}, 0)
    assert reasoning == (
        "The mailbox 2 is closed, so its count goes from 4 to 5. By chance nothing is found."
    )


def test_nothing_comes_to_an_open_or_a_full_postbox() -> None:
    assert play(GAME, hall(is_open=True), "wait")[1] == ""
    assert play(GAME, hall(is_open=False, num_letters=3), "wait")[1] == ""


def test_an_unwrapped_parcel_leaves_its_place_to_what_was_in_it() -> None:
    unwrap = "unwrap packet (ID: 3)"
    world, reasoning = play_least(GAME, hall(is_open=True), unwrap)
    assert world.find(2).contains == []
    assert reasoning == "The packet 3 is unwrapped, so it disappears. By chance nothing is found."
    gifts = shares(GAME, hall(is_open=True), unwrap, of=_kinds_in_postbox)
    assert set(gifts) == {("Gift",) * number for number in range(5)}  # 5 + 4 objects are all


def test_a_letter_in_the_tray_scores_and_in_the_shelf_does_not() -> None:
    world, _ = play(GAME, hall(is_open=True, num_letters=1), "sort card (ID: 6) into rack (ID: 5)")
    assert world.score["score"] == 0
    world, reasoning = play(GAME, world, "sort card (ID: 6) into box (ID: 4)")
    assert reasoning == (
        "The card 6 is sorted, so it goes from the rack 5 to the box 4. The score goes from 0 to 1."
    )
    world, _ = play(GAME, world, "throw away card (ID: 6)")
    assert world.score["score"] == 0


def test_mail_and_parcels_bring_nothing_one_thing_or_more() -> None:
    for is_open, action in ((False, "wait"), (True, "unwrap packet (ID: 3)")):
        found = none_one_or_more(GAME, hall(is_open=is_open), action)
        assert found == pytest.approx([0.25, 0.25, 0.5], abs=0.05)


def _kinds_in_postbox(world: World) -> tuple[str, ...]:
    return tuple(piece.kind for piece in world.find(2).contains)
