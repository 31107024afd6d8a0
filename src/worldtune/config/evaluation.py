"""How trained models are measured and compared."""

from typing import Any, TypeVar

from pydantic import Field

from worldtune.config.base import Config, PositiveFloat, PositiveInt
from worldtune.config.run import RunConfig

Stage = TypeVar("Stage", bound=RunConfig)


class EvaluateConfig(Config):
    """Greedy and sampled evaluation on the test splits."""

    max_rows: PositiveInt | None = None
    """Rows per split, the first of a seeded shuffle; None evaluates all."""
    samples: PositiveInt = 4
    """Completions per row at temperature 1, for the sampled mean and the best of n."""
    sampled_rows: PositiveInt = 300
    """Rows per split that are also sampled."""
    max_new_tokens: PositiveInt = 96
    resamples: PositiveInt = 2000
    """Bootstrap resamples behind each interval."""
    report_examples: PositiveInt = 24


class FewStageConfig(Config):
    """What a stage of the second table does otherwise than the same stage of the first."""

    steps: PositiveInt | None = None
    """Training steps; None takes those of the first table."""
    max_new_tokens: PositiveInt | None = None
    """Longest completion, which reasoning makes longer; None takes that of the first table."""

    def applied_to(self, stage: Stage) -> Stage:
        """``stage`` with what is stated here. Raises ValidationError where that does not fit."""
        stated = self.model_dump(exclude_none=True)
        return type(stage).model_validate({**stage.model_dump(), **stated})


class FewConfig(Config):
    """Few demonstrations: SFT on some of the training rows, then RLVR on the prompts of all."""

    rows: PositiveInt = 400
    """Demonstrations, drawn from the training split anew for each seed; without this section there
    is no second table."""
    task: dict[str, Any] = Field(default_factory=dict)
    """Keys of the domain's task that the demonstrations change, such as ``reasoning: true``."""
    sft: FewStageConfig = FewStageConfig()
    rlvr: FewStageConfig = FewStageConfig()
    """Its max_new_tokens also holds for the answers that are evaluated."""


class CompareConfig(Config):
    """RLVR beside its controls over several training seeds."""

    seeds: tuple[int, ...] = (1, 2, 3)
    longer_rate: PositiveFloat = 0.5
    """Peak learning rate of the continued SFT as a share of the rate of SFT."""
    few: FewConfig | None = None
    """A second table: how far RLVR gets from few demonstrations; None leaves it out."""
