"""How trained models are measured and compared."""

from worldtune.config.base import Config, PositiveFloat, PositiveInt


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


class CompareConfig(Config):
    """RLVR beside its controls over several training seeds."""

    seeds: tuple[int, ...] = (1, 2, 3)
    longer_rate: PositiveFloat = 0.5
    """Peak learning rate of the continued SFT as a share of the rate of SFT."""
