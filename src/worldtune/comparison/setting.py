"""What a table of the comparison is made from: everything that its arms share, and their names."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worldtune.config import (
    CompareConfig,
    ComputeConfig,
    Config,
    EvaluateConfig,
    LaunchConfig,
    ModelConfig,
    RlvrConfig,
    SftConfig,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Setting:
    """Everything that the arms of a table share."""

    domain: str
    task: Config
    model: ModelConfig
    sft: SftConfig
    rlvr: RlvrConfig
    evaluate: EvaluateConfig
    compare: CompareConfig
    compute: ComputeConfig
    launch: LaunchConfig
    folder: Path


@dataclass(frozen=True)
class Data:
    """The tables of a chain: rows with their true completions, and rows that RLVR only asks."""

    demonstrations: "pd.DataFrame"
    prompts: "pd.DataFrame"
    validation: "pd.DataFrame"


@dataclass(frozen=True)
class Chain:
    """Names of the arms that are trained one from another: SFT, more SFT, and RLVR."""

    start: str
    longer: str
    rlvr: str


@dataclass(frozen=True)
class Table:
    """The arms of a table in their order; gains are those of ``subject`` over each other one."""

    chain: Chain
    arms: tuple[str, ...]

    @property
    def subject(self) -> str:
        """The arm that the others are controls of."""
        return self.chain.rlvr
