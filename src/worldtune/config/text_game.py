"""Parameters of the text-game domain."""

from typing import Literal, Self

from pydantic import model_validator

from worldtune.config.base import Config, Fraction, PositiveInt
from worldtune.config.domain import IngestConfig, StagesConfig
from worldtune.config.games import GamesConfig
from worldtune.config.own_games import OwnGamesConfig


class TextGameSource(Config):
    """Where text-game transitions come from."""

    kind: Literal["own", "gpt_simulator", "thuml_cot", "games"] = "own"
    """own: games of this project, played when they are ingested. gpt_simulator: a clone of that
    repository, or its zip. thuml_cot: parquet rows of the paper. games: a folder of game files,
    which are run (see ingest.games)."""
    path: str = ""
    """Local file or folder, or a hub id for thuml_cot; own needs none."""

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        if (self.kind == "own") == bool(self.path):
            raise ValueError(
                "source.kind 'own' plays games and reads no source.path: leave one of them out"
                if self.path
                else f"source.kind is {self.kind!r}: set source.path to where the data lies"
            )
        return self


class TextGameIngestConfig(IngestConfig):
    """Ingestion of text-game transitions."""

    source: TextGameSource = TextGameSource()
    own: OwnGamesConfig = OwnGamesConfig()
    """How the project's own games are played; for source.kind own."""
    games: GamesConfig = GamesConfig()
    """How a user's game files are run; for source.kind games."""
    held_out_games: tuple[str, ...] = ()
    """Games whose rows all go to test_unseen, whatever split the source names."""
    max_tokens: PositiveInt = 2048
    """Rows whose estimated state and answer exceed this are quarantined as too_long."""
    max_unchanged_fraction: Fraction = 0.35
    """Surplus rows in which nothing changes are left out, by a seeded rule."""


class TextGameTaskConfig(Config):
    """What is asked of a text-game row, how it is written, and how its answer is scored."""

    mode: Literal["full", "action", "tick", "score"] = "full"
    """full: the whole step. action, tick: what the action or the world's own step does to the
    objects. score: the score record, the objects after the step being given."""
    layout: Literal["compact", "reference"] = "compact"
    """compact: short JSON for models trained from scratch; reference: the paper's chat prompt with
    rules, two worked examples and an answer marker."""
    answer: Literal["difference", "state"] = "difference"
    """difference: what changes; state: the whole state after the step."""
    reasoning: bool = False
    """Write the row's recorded reasoning before the answer."""
    reward: Literal["f1", "exact", "shaped", "reference_binary", "reference_task_specific"] = "f1"
    """f1, exact, shaped: our strict forms in [0, 1]; reference_*: as the paper's code scores."""
    examples: str = ""
    """reference: a GPT-simulator clone whose worked examples are shown; empty shows our own."""

    @model_validator(mode="after")
    def _check_layout(self) -> Self:
        is_reference = self.reward.startswith("reference_")
        if is_reference and (self.layout, self.mode, self.answer) != (
            "reference",
            "full",
            "difference",
        ):
            raise ValueError(
                f"task.reward {self.reward!r} scores the paper's answers: set task.layout to "
                "'reference', task.mode to 'full' and task.answer to 'difference'"
            )
        if self.examples and self.layout != "reference":
            raise ValueError("task.examples has no effect on task.layout 'compact': leave it out")
        return self


class TextGameConfig(StagesConfig):
    """Parameters of the text-game domain."""

    ingest: TextGameIngestConfig = TextGameIngestConfig()
    task: TextGameTaskConfig = TextGameTaskConfig()
