"""RLVR beside its controls, over several training seeds: the evidence of where it pays.

Two tables. In the first, all training rows are demonstrations (``methods``). In the second, few
are, and RLVR still sees all prompts (``few``): the situation of the paper, with its controls. Each
arm is decoded greedily and by sampling at T = 1. Intervals resample rows, after averaging over
seeds.
"""

from worldtune.comparison.compare import compare
from worldtune.comparison.setting import Setting

__all__ = ["Setting", "compare"]
