"""Breaks one process of a run, by way of a reward function that the run is told to import.

What it does to process 1 is named by the environment variable SABOTAGE.
"""

import os
import signal
from pathlib import Path

from worldtune.engine.learn.learner import Learner

HOW, RANK = os.environ.get("SABOTAGE"), os.environ.get("RANK", "0")
original_step = Learner.step


def step(learner, number):
    """The learner's step, with a surprise at the second one."""
    if number == 1 and RANK == "1":
        if HOW == "raise":
            raise ArithmeticError("sabotage of process 1")
        if HOW == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if HOW == "hang":
            signal.pause()
    if number == 1 and HOW == "wait":
        Path(os.environ["SABOTAGE_FOLDER"], f"waiting-{RANK}").touch()
        signal.pause()
    return original_step(learner, number)


Learner.step = step


def reward(row, completion):
    """Long completions are better: one process with equal ones learns nothing."""
    return float(len(completion))
