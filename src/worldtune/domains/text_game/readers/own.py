"""Our own games as a source: they are played while they are read."""

from collections.abc import Iterator

from worldtune.config import OwnGamesConfig
from worldtune.domains.text_game.games.generate import generate
from worldtune.ingestion.rows import RawRow


def read(config: OwnGamesConfig) -> Iterator[RawRow]:
    """Yield the rows of the games; the origin tells game, seed, rollout and step."""
    for values in generate(config):
        place = (values[name] for name in ("game", "seed", "rollout", "step"))
        yield RawRow(values, ":".join(map(str, place)))
