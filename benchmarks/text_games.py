"""Our own text games: rows per CPU second of one core, and what the rows are like.

A row is everything that is stored of it: three states, two scores and the rules as JSON texts, the
undetermined items, the reasoning. Sizes are tokens of the state as JSON, where a quoted string, a
number or a run of punctuation is one.

    python -m benchmarks.text_games --seeds 40
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from worldtune.domains.text_game.games import GAMES, get_game
from worldtune.domains.text_game.games.rows import rows
from worldtune.domains.text_game.state import canonical_json, diff, make_state

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+|true|false|null|[^\s\w"]+')
_TEXTS = ("objects", "action_objects", "next_objects", "score", "next_score")
_HEADINGS = (
    *("game", "rows", "rows/s", "gold steps", "unchanged", "undetermined"),
    *("added", "removed", "objects", "tokens"),
)


def play(name: str, seeds: int) -> Iterator[dict[str, Any]]:
    """The rows of a game, one after another."""
    game = get_game(name)
    for seed in range(seeds):
        yield from rows(game, seed, split="train", branches=4, random_steps=8)


def measure(name: str, seeds: int) -> float:
    """The CPU seconds that the rows of a game and their JSON texts take."""
    start = time.process_time()
    for row in play(name, seeds):
        for key in _TEXTS:
            canonical_json(row[key])
    return time.process_time() - start


def line(name: str, made: list[dict[str, Any]], seconds: float, seeds: int) -> str:
    """One line of the table; undetermined is a share of the changed rows."""
    counts: Counter[str] = Counter()
    for row in made:
        before = make_state(row["objects"], row["score"])
        change = diff(before, make_state(row["next_objects"], row["next_score"]))
        counts["changed"] += not change.is_empty
        counts["undetermined"] += bool(row["undetermined"]) and not change.is_empty
        counts["added"] += bool(change.added)
        counts["removed"] += bool(change.removed)
        counts["gold"] += row["rollout"] == "gold"
    cells = (
        f"{len(made) / seconds:.0f}",
        f"{counts['gold'] / seeds:.1f}",
        f"{1 - counts['changed'] / len(made):.2f}",
        f"{counts['undetermined'] / counts['changed']:.2f}",
        f"{counts['added'] / len(made):.2f}",
        f"{counts['removed'] / len(made):.2f}",
        f"{_middle([len(row['objects']) for row in made])}",
        f"{_middle([len(_TOKEN.findall(canonical_json(row['objects']))) for row in made])}",
    )
    return f"{name:<10}{len(made):>12}" + "".join(f"{cell:>13}" for cell in cells)


def _middle(values: list[int]) -> int:
    return sorted(values)[len(values) // 2]


def main() -> None:
    """Print one line per game and one for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40, help="layouts of each game")
    seeds = parser.parse_args().seeds
    print(f"{_HEADINGS[0]:<10}{_HEADINGS[1]:>12}" + "".join(f"{it:>13}" for it in _HEADINGS[2:]))
    everything: list[dict[str, Any]] = []
    all_seconds = 0.0
    for name in GAMES:
        made, seconds = list(play(name, seeds)), measure(name, seeds)
        everything += made
        all_seconds += seconds
        print(line(name, made, seconds, seeds))
    print(line("all", everything, all_seconds, seeds * len(GAMES)))


if __name__ == "__main__":
    main()
