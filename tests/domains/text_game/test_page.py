"""The examples of docs/text_game_data.md are what the code asks, expects and reads."""

import re
from pathlib import Path

import pytest
import yaml

from worldtune.config import TextGameTaskConfig
from worldtune.contracts import turns
from worldtune.domains import get_domain
from worldtune.domains.text_game.state import canonical_json
from worldtune.parameters import parse_parameters

DOCUMENT = (Path(__file__).parents[3] / "docs/text_game_data.md").read_text(encoding="utf-8")
SCORE = {"score": 0, "gameOver": False, "gameWon": False}


def thing(uuid: int, name: str, kind: str, *content: str, **properties: object) -> object:
    return {
        "name": f"{name} (ID: {uuid})",
        "uuid": uuid,
        "type": kind,
        "properties": properties,
        "contains": list(content),
    }


STUDIO = thing(0, "dark studio", "Room", "agent (ID: 1)", "big jar (ID: 2)", "cup (ID: 3)")
AGENT, CUP = thing(1, "agent", "Agent"), thing(3, "cup", "Cup")
JAR = {"on": True, "power": 25, "size": 2}
WATER = thing(5, "water", "Water", temp=45, count=2)
BEFORE = [STUDIO, AGENT, thing(2, "big jar", "Kettle", **JAR), CUP]
AFTER = [STUDIO, AGENT, thing(2, "big jar", "Kettle", "water (ID: 5)", **JAR), WATER, CUP]
ROW = {
    "source": "own",
    "game": "kettle",
    "task_desc": "Serve hot water.",
    "rules": "",
    "action": "fill big jar (ID: 2)",
    "state": canonical_json(BEFORE),
    "next_state": canonical_json(AFTER),
    "score": canonical_json(SCORE),
    "next_score": canonical_json(SCORE),
    "uuid_base": 5,
}
WORDS = {"compact": slice(0, None), "reference": slice(-5, None)}
"""The lines of a prompt that the page shows: all, or the last ones."""


@pytest.mark.parametrize("layout", WORDS)
def test_the_prompts_and_answers_are_those_of_the_code(layout: str) -> None:
    domain = get_domain("text_game", TextGameTaskConfig(layout=layout))
    prompt = "\n".join(message.content for message in turns(domain.prompt(ROW))).rstrip("\n")
    shown = "\n".join(prompt.split("\n")[WORDS[layout]])
    assert f"```text\n{shown}\n```" in DOCUMENT, shown
    assert f"\n{domain.completion(ROW)}\n```" in DOCUMENT, domain.completion(ROW)


def test_the_whole_state_is_that_of_the_code() -> None:
    domain = get_domain("text_game", TextGameTaskConfig(answer="state"))
    assert f"```json\n{domain.completion(ROW)}\n```" in DOCUMENT, domain.completion(ROW)


@pytest.mark.parametrize(
    "answer",
    [
        '{"modified": [[5,"temp",45]], "removed": [5], "score": {}}',
        '{"modified": [[5,"temp"]], "removed": [], "score": {}}',
        '{"modified": [[5,"water","Water",{"temp":45},[]]], "removed": [], "score": {}}',
        '{"modified": [{"name": "x", "uuid": 5, "type": "", "properties": {}, "contains": []}],'
        ' "removed": [], "score": {}}',
        '{"objects": [], "score": {"score": 0}}',
        '{"game_state": [{"score": 0}]}',
    ],
)
@pytest.mark.parametrize("layout", WORDS)
def test_the_notations_are_read_in_every_layout(answer: str, layout: str) -> None:
    assert (
        get_domain("text_game", TextGameTaskConfig(layout=layout)).decode(ROW, answer) is not None
    )


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))
def test_the_settings_are_valid(block: str) -> None:
    parse_parameters(yaml.safe_load(block))
