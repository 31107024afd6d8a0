"""Market: buy food while it is cheap; prices and new goods are up to chance.

A customer takes a good and is counted, which is sure. The stall then gets a new price and perhaps
new goods, which is not. A player without enough coins lets others buy until the price is low.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.finds import Finds, Option
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import IDLE
from worldtune.domains.text_game.games.words import (
    CLOTHES,
    FISH,
    FOODS,
    FRUIT,
    ORES,
    OUTDOORS,
    STALLS,
    Names,
)
from worldtune.domains.text_game.games.world import Plan, Thing, World

GOODS = Finds(Option("Ware", CLOTHES + ORES, 40), Option("Food", FRUIT + FOODS + FISH, 60))
TOP_PRICE = 5
WANTED = 2
CUSTOMER = (
    "A customer makes its count rise by 1 and its price become a random number from 1 to"
    f" {TOP_PRICE}, all equally likely; then 0 to 5 new objects appear in it: {GOODS.rule}"
)


def buy(step: Step, good: Thing) -> None:
    """Pay for a good and take it."""
    stall, agent = good.place, step.world.agent
    assert stall is not None
    if stall is agent or stall["price"] > agent["coins"]:
        return
    step.change(agent, f"pays {stall['price']}", coins=agent["coins"] - stall["price"])
    step.move(good, "is bought", agent)
    _serve(step, stall)


def sell(step: Step, good: Thing, stall: Thing) -> None:
    """A good for its price; nothing else happens to the stall."""
    agent = step.world.agent
    step.change(agent, f"is paid {stall['price']}", coins=agent["coins"] + stall["price"])
    step.remove(good, "is sold")


def watch(step: Step, stall: Thing) -> None:
    """Somebody else buys all that a stall has."""
    for good in tuple(stall.contains):
        step.remove(good, "is sold")
    _serve(step, stall)


def _serve(step: Step, stall: Thing) -> None:
    """Count the trade; a new price and new goods by chance."""
    step.change(stall, "has a customer", count=stall["count"] + 1)
    step.change(stall, "has a new price", price=step.dice.integer(1, TOP_PRICE))
    GOODS.appear(step, stall, cause=stall, because="has a customer")


def held_food(world: World) -> int:
    """Foods that the agent holds."""
    return sum(inner.kind == "Food" for inner in world.agent.contains)


def layout(dice: Dice) -> World:
    """A place with two stalls, each with a good or none, and an agent with some coins."""
    names = Names(dice)
    agent = {"coins": dice.integer(TOP_PRICE, 2 * TOP_PRICE)}
    world = World(Plan("Market", names.draw(OUTDOORS)), agent)
    stalls = [
        Plan("Stall", noun, {"price": dice.integer(1, TOP_PRICE), "count": dice.integer(0, 9)})
        for noun in names.alike(STALLS, 2)
    ]
    world.scatter(dice, stalls)
    for stall in world.all("Stall"):
        if dice.chance(60):
            world.add(GOODS.draw(dice), stall)
    return world


def gold(world: World) -> str:
    """Buy food that leaves two coins for the next, else watch the fuller stall."""
    foods = [food for food in world.all("Food") if food.place is not world.agent]
    to_keep = 2 * (WANTED - held_food(world) - 1)
    for food in foods:
        assert food.place is not None
        if food.place["price"] <= world.agent["coins"] - to_keep:
            return f"buy {food.name}"
    stall = max(world.all("Stall"), key=lambda stall: (len(stall.contains), stall["price"]))
    return f"watch {stall.name}"


GAME = Game(
    name="market",
    task=f"Buy {WANTED} pieces of food.",
    kinds=(
        Kind("Food", "A good to eat."),
        Kind("Ware", "A good that cannot be eaten."),
        Kind(
            "Stall",
            f"It sells what it contains. {CUSTOMER}",
            {"price": "what a good costs here", "count": "how many customers it had"},
        ),
        Kind("Agent", "The player; it contains what it holds.", {"coins": "its money"}),
        Kind("Market", "The place of the game."),
    ),
    verbs=(
        Verb(
            "buy {Food|Ware}",
            "If the good is in a stall and its price is not above the agent's coins, the agent's"
            " coins fall by the price and the good moves into the agent. The stall has a customer.",
            buy,
            weight=5,
        ),
        Verb(
            "sell {held} to {Stall}",
            "The agent's coins rise by the stall's price and the good disappears.",
            sell,
        ),
        Verb(
            "watch {Stall}",
            "All that the stall contains disappears. The stall has a customer.",
            watch,
            weight=5,
        ),
        *IDLE,
    ),
    goals=(Goal("Food that the agent holds", held_food, enough=WANTED),),
    layout=layout,
    gold=gold,
)
