"""Market: the sure part of a trade with numbers worked out by hand, the rest by its frequency."""

import pytest

from tests.domains.text_game.games.draws import none_one_or_more, play_least, shares
from tests.domains.text_game.games.moves import facts, play
from worldtune.domains.text_game.games.market import GAME
from worldtune.domains.text_game.games.world import Plan, World


def stalls(*, coins: int) -> World:
    """Market 0, agent 1, shop 2 with cake 3 for 3 coins, cart 4 with hat 5 and fig 6 for 4."""
    world = World(Plan("Market", "park"), {"coins": coins})
    shop = world.add(Plan("Stall", "shop", {"price": 3, "count": 7}))
    world.add(Plan("Food", "cake"), shop)
    cart = world.add(Plan("Stall", "cart", {"price": 4, "count": 0}))
    world.add(Plan("Ware", "hat"), cart)
    world.add(Plan("Food", "fig"), cart)
    return world


def test_a_good_costs_the_price_of_its_stall() -> None:
    world, reasoning = play_least(GAME, stalls(coins=5), "buy cake (ID: 3)")
    assert world.agent["coins"] == 2
    assert facts(world.find(3)) == ("cake", "Food", {}, 1)
    assert facts(world.find(2)) == ("shop", "Stall", {"price": 1, "count": 8}, 0)
    assert reasoning == (
        "The agent 1 pays 3, so its coins goes from 5 to 2."
        " The cake 3 is bought, so it goes from the shop 2 to the agent 1."
        " The shop 2 has a customer, so its count goes from 7 to 8."
        " The shop 2 has a new price, so its price goes from 3 to 1."
        " By chance nothing is found. The score goes from 0 to 1."
    )


def test_what_costs_too_much_or_was_bought_already_is_not_bought() -> None:
    world, reasoning = play(GAME, stalls(coins=3), "buy hat (ID: 5)")
    assert reasoning == ""
    world, _ = play_least(GAME, world, "buy cake (ID: 3)")
    _, reasoning = play(GAME, world, "buy cake (ID: 3)")
    assert reasoning == ""


def test_a_sale_brings_the_price_and_leaves_no_good() -> None:
    world, _ = play_least(GAME, stalls(coins=5), "buy cake (ID: 3)")
    world, reasoning = play(GAME, world, "sell cake (ID: 3) to cart (ID: 4)")
    assert reasoning == (
        "The agent 1 is paid 4, so its coins goes from 2 to 6."
        " The cake 3 is sold, so it disappears. The score goes from 1 to 0."
    )


def test_others_buy_all_that_a_stall_has() -> None:
    world, _ = play_least(GAME, stalls(coins=5), "watch cart (ID: 4)")
    assert facts(world.find(4)) == ("cart", "Stall", {"price": 1, "count": 1}, 0)
    assert world.find(4).contains == []


def test_a_trade_brings_no_new_good_or_one_or_more_and_any_price() -> None:
    found = none_one_or_more(GAME, stalls(coins=5), "watch cart (ID: 4)")
    assert found == pytest.approx([0.25, 0.25, 0.5], abs=0.05)
    prices = shares(
        GAME, stalls(coins=5), "watch cart (ID: 4)", of=lambda after: after.find(4)["price"]
    )
    assert prices == pytest.approx(dict.fromkeys(range(1, 6), 0.2), abs=0.05)
