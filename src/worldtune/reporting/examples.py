"""Which held-out rows a report shows: half at random, half where the models differ or guess.

Random rows alone would mostly show models that agree; only hand-picked ones would flatter. The
choice is seeded and uses nothing but scores and flags, so it is the same for every domain.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def choose_examples(
    baseline_scores: ArrayLike,
    model_scores: ArrayLike,
    is_uncertain: Sequence[bool],
    *,
    num_examples: int = 24,
    seed: int = 0,
) -> list[int]:
    """Pick row numbers for the examples of a report.

    Args:
        baseline_scores: [rows], the primary metric of the first model (SFT), higher is better.
        model_scores: [rows], the same of the second (RLVR).
        is_uncertain: [rows], whether the input leaves part of the outcome open.
        num_examples: how many to pick; fewer if there are fewer rows.
        seed: of the choice.

    Returns:
        Distinct row numbers: half of them drawn from all rows, a sixth each from the rows where the
        second model is better, where it is worse, and where the outcome is open; where a group is
        too small, random rows fill up. Mixed, so that the first ones are as varied as the rest.
    """
    gain = np.asarray(model_scores, dtype=np.float64) - np.asarray(baseline_scores, np.float64)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(gain))
    uncertain = np.asarray(is_uncertain, dtype=bool)
    share = num_examples // 6
    chosen: list[int] = []
    for wanted in (gain > 0, gain < 0, uncertain):
        chosen += [int(i) for i in order if wanted[i] and int(i) not in chosen][:share]
    chosen += [int(i) for i in order if int(i) not in chosen][: num_examples - len(chosen)]
    return [chosen[i] for i in rng.permutation(len(chosen))]
