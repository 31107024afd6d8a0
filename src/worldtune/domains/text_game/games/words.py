"""The words that things are named with, shared by all games.

A model trained from scratch knows the words that it has read. So the pools are small, every word
occurs often, and a game that is held out draws from the same pools as those trained on.
"""

from collections.abc import Sequence

from worldtune.domains.text_game.games.dice import Dice

ADJECTIVES = (
    *("red", "blue", "green", "white", "black", "old", "new", "small", "big", "round", "heavy"),
    *("light", "plain", "bright", "dark", "cheap"),
)
ROOMS = ("kitchen", "garage", "cellar", "attic", "workshop", "studio", "hall", "office", "shed")
OUTDOORS = ("forest", "meadow", "garden", "beach", "field", "yard", "park")
VESSELS = ("kettle", "pot", "pan", "jar", "bowl", "bottle", "bucket", "flask")
CUPS = ("cup", "mug", "glass")
BOXES = ("box", "basket", "crate", "bag", "chest", "drawer")
FRUIT = ("apple", "pear", "plum", "cherry", "berry", "fig", "lemon", "peach")
FOODS = ("bread", "egg", "fish", "cheese", "soup", "cake", "nut", "mushroom")
BAKING = ("flour", "dough", "slice")
FINDS = ("shell", "feather", "coin", "ring", "bone", "leaf", "stone", "stick")
PLANTS = ("bush", "tree", "vine", "flower", "herb", "hedge")
GROUND = ("log", "rock", "pond", "nest", "ditch", "heap")
CLOTHES = ("shirt", "sock", "coat", "scarf", "towel", "dress", "hat", "glove")
OVENS = ("oven", "stove", "grill")
FREEZERS = ("freezer", "cooler", "fridge")
LIQUIDS = ("water", "milk", "juice", "soup", "tea", "oil")
SIDES = ("left", "right")
WIRES = ("wire", "cable")
BOARDS = ("board", "panel")
LAMPS = ("lamp", "lantern", "light")
CANVASES = ("canvas", "wall", "fence", "door", "chair", "table")
TREASURES = ("crown", "map", "medal", "book", "letter")
COLOURS = ("red", "yellow", "blue", "white", "black")
SOLIDS = ("butter", "chocolate", "wax", "cheese", "honey", "lard")
TOOLS = ("hammer", "spade", "brush", "rope", "ladder", "bell")
FISH = ("carp", "trout", "eel", "crab")
ORES = ("gold", "silver", "iron", "copper", "coal")
LINES = ("line", "net")
PICKS = ("spade", "hammer", "pick")
STALLS = ("stall", "shop", "cart")
LETTERS = ("letter", "card", "note")
PARCELS = ("parcel", "packet")
POSTBOXES = ("postbox", "mailbox")
SHELVES = ("shelf", "table", "rack")


class Names:
    """Draws nouns for the things of one world, no two of them the same."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._taken: set[str] = set()

    def draw(self, nouns: Sequence[str]) -> str:
        """A noun, half of the time behind an adjective: ``kettle``, ``red kettle``."""
        while True:
            noun = self._dice.choice(nouns)
            if self._dice.chance(50):
                noun = f"{self._dice.choice(ADJECTIVES)} {noun}"
            if noun not in self._taken:
                self._taken.add(noun)
                return noun

    def alike(self, nouns: Sequence[str], count: int) -> list[str]:
        """Names of ``count`` things that share one noun: ``red kettle``, ``old kettle``."""
        noun = self._dice.choice(nouns)
        adjectives = self._dice.shuffled(ADJECTIVES)[:count]
        return [f"{adjective} {noun}" for adjective in adjectives]
