"""Tiny game files, written for these tests, in the two styles that the runner knows."""

from pathlib import Path

from worldtune.config.games import GamesConfig
from worldtune.domains.text_game.runner import GameFailure, run_folder

PHASED = """
UUID = 0
randomSeed = 3

class Thing:
    def __init__(self, name, **properties):
        global UUID
        self.uuid = UUID
        UUID += 1
        self.name = f"{name} (ID: {self.uuid})"
        self.contains = []
        self.properties = properties

class TextGame:
    def __init__(self, randomSeed):
        global UUID
        UUID = 0
        self.agent = Thing("agent")
        self.kettle = Thing("kettle", on=False, degrees=90 + randomSeed)
        self.rootObject = Thing("kitchen")
        self.rootObject.contains = [self.agent, self.kettle]
        self.score, self.gameOver, self.gameWon = 0, False, False

    def getTaskDescription(self):
        return "Make steam."

    def generatePossibleActions(self):
        self.possible = {"look": 1, "look around": 1, "switch on": 1, "switch off": 1}
        return self.possible

    def step_action(self, action):
        if action in self.possible and action.startswith("switch"):
            self.kettle.properties["on"] = action == "switch on"

    def step_tick(self):
        kettle = self.kettle.properties
        kettle["degrees"] += 4 if kettle["on"] else 0
        if kettle["degrees"] >= 100 and len(self.rootObject.contains) == 2:
            self.rootObject.contains.append(Thing("steam"))

    def step_calculate_score(self):
        self.gameOver = self.gameWon = len(self.rootObject.contains) > 2
        self.score = int(self.gameWon)

    def step(self, action):
        self.step_action(action)
        self.step_tick()
        self.step_calculate_score()
"""
"""GPT-simulator: three phases, a counter of uuids, a seed. 3 starts at 93 degrees."""

PLAIN = """
import random

class Thing:
    def __init__(self, name, **properties):
        self.name = name
        self.contains = []
        self.properties = properties

class Coin(Thing):
    pass

class TextGame:
    def __init__(self, randomSeed):
        self.random = random.Random(randomSeed)
        self.agent = Thing("agent")
        coin = Coin("coin", sides=("head", "tail"), value=1.5)
        self.agent.contains = [coin]
        self.rootObject = Thing("hall")
        mint = Thing("mint", owner=self.agent, made={coin: None}, metals={"tin", "gold"})
        self.rootObject.contains = [mint, self.agent]
        self.score, self.gameOver, self.gameWon = 0, False, False

    def getTaskDescription(self):
        return "Own two coins."

    def generatePossibleActions(self):
        return {"look": [], "strike coin": [], "spend coin": []}

    def step(self, action):
        purse = self.agent.contains
        if action == "strike coin":
            purse.append(Coin("coin", sides=("head", "tail"), value=2))
        if action == "spend coin" and purse:
            purse.pop()
        self.score = len(purse)
        self.gameOver = len(purse) in {0, 2}
        self.gameWon = len(purse) == 2

if __name__ == "__main__":
    randomSeed = 5
    raise SystemExit
"""
"""BYTESIZED32: one step, no uuids; objects as values and keys of properties."""

TRYING = """
class Thing:
    def __init__(self, name, **properties):
        self.name = name
        self.contains = []
        self.properties = properties

{setting}

def attempt():
    {attempt}

class TextGame:
    def __init__(self, randomSeed):
        self.rootObject = Thing("room", answer="")
        self.score, self.gameOver = 0, False

    def getTaskDescription(self):
        return ""

    def generatePossibleActions(self):
        return ["wait", "try"]

    def step(self, action):
        if action == "try":
            self.rootObject.properties["answer"] = attempt()
"""
"""A game whose action "try" does what a test wants to see tried."""


def trying(attempt: str, setting: str = "") -> str:
    """A game whose action "try" runs the statements ``attempt``, which may return an answer."""
    return TRYING.format(attempt=attempt.replace("\n", "\n    "), setting=setting)


def write_game(folder: Path, name: str, source: str, gold: str = "") -> None:
    """Write a game file and, where ``gold`` names actions (one a line), its playthrough."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    if gold:
        lines = "".join(f"> {action}\nObservation: fine\n\n" for action in gold.splitlines())
        (folder / f"{name}-playthrough.txt").write_text(lines, encoding="utf-8")


def settings(**changes: object) -> GamesConfig:
    """A configuration that allows running code, with short limits."""
    values = {"allow_running_code": True, "time_limit_s": 30, "memory_limit_mb": 256, "seeds": 2}
    return GamesConfig.model_validate({**values, **changes})


def run(folder: Path, **changes: object) -> tuple[list[dict], list[GameFailure]]:
    """The rows and the failures of a folder."""
    everything = list(run_folder(folder, settings(**changes)))
    rows = [entry for entry in everything if isinstance(entry, dict)]
    return rows, [entry for entry in everything if isinstance(entry, GameFailure)]


def answer_of(folder: Path, attempt: str, setting: str = "") -> tuple[object, list[GameFailure]]:
    """What the attempt of a game returned (None if it raised), and the failures."""
    write_game(folder, "trying", trying(attempt, setting), gold="try")
    rows, failures = run(folder, rollouts=["gold"])
    answer = rows[0]["next_objects"][0]["properties"]["answer"] if rows else None
    return answer, failures
