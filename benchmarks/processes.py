"""One step of reinforcement learning on one process and on two, and what the second one costs.

Every arm runs in processes of its own, one after another, on the same prompts and weights: one
process of one thread, one process of two threads, two processes of one thread. A step is split into
work (generation, training, optimizer), waiting for the slower process, and the gradient message.

    python -m benchmarks.processes --shape long --prompts 4 --steps 3 --rounds 3
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from benchmarks.meter import Stopwatch, machine_facts, now, table
from benchmarks.own_step import SETTINGS
from benchmarks.shapes import EOS, PAD, SHAPES, Shape, Width, build_model, draw_prompts, reward
from worldtune.config import LaunchConfig, RlvrConfig
from worldtune.engine.learn.advantages import advantages
from worldtune.engine.learn.learner import Learner
from worldtune.engine.learn.objective import PolicyObjective, count_targets
from worldtune.engine.model.batch import Group
from worldtune.engine.model.policy import as_policy
from worldtune.engine.rollout.plan import GenPlan, TokenSpec
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.rollout.sampling import Sampling
from worldtune.engine.runtime.processes import Processes, joined

ARMS = ("1x1", "1x2", "2x1")
"""Processes x threads of each."""


@dataclass(frozen=True)
class Spent:
    """Seconds of one process in one step: on the clock, and of the processor while it works."""

    wall: float
    work_wall: float
    work_cpu: float
    waiting: float
    message: float


class Step:
    """One process's part of a step."""

    def __init__(self, shape: Shape, processes: Processes) -> None:
        self.shape, self.processes, self.count = shape, processes, 0
        self.config = RlvrConfig.model_validate(SETTINGS)
        model = build_model(Width())
        self.policy = as_policy(model)
        self.engine = BuiltinRollouts(self.policy, TokenSpec(Width().vocabulary, PAD, EOS))
        # The message is timed on its own, so the learner does not send it again.
        self.learner = Learner(self.policy, self.config, processes=Processes.single())

    def __call__(self, prompts: Sequence[Sequence[int]]) -> Spent:
        """Sample, score, learn and move the weights."""
        processes, working = self.processes, Stopwatch()
        processes.barrier()
        start = now()
        mine = processes.share([len(prompt) for prompt in prompts])[processes.rank]
        with working:
            groups = self._sample([prompts[i] for i in mine], mine)
        counts = count_targets(groups, has_targets=False).over(processes)
        with working:
            self.learner.accumulate(
                groups,
                lambda batch: PolicyObjective(batch, self.config, counts),
                entropy="value",
            )
        waiting, sending = Stopwatch(), Stopwatch()
        with waiting:
            processes.barrier()
        with sending:
            processes.sum_gradients(self.policy.model.parameters())
        with working:
            self.learner.step(self.count)
        self.count += 1
        wall = (now() - start).wall
        work = working.total
        return Spent(wall, work.wall, work.cpu, waiting.total.wall, sending.total.wall)

    def _sample(self, prompts: Sequence[Sequence[int]], numbers: Sequence[int]) -> list[Group]:
        size, vocabulary = self.shape.group, Width().vocabulary
        rollouts = self.engine.generate(
            prompts,
            numbers,
            group=size,
            plan=GenPlan(self.shape.completion_tokens, stop=frozenset({EOS})),
            sampling=Sampling(step=self.count),
        )
        rows = [rollouts.completion(row) for row in range(len(prompts) * size)]
        rewards = torch.tensor([reward(row, vocabulary) for row in rows]).view(-1, size)
        parts = [rows[first : first + size] for first in range(0, len(rows), size)]
        values = advantages("grpo", rewards).tolist()
        return [Group(*one) for one in zip(prompts, parts, values, strict=True)]


def run_arm(shape: Shape, prompts: int, steps: int) -> None:
    """Be one process of an arm; the main one prints what all spent, by process and step."""
    launch = LaunchConfig(processes=int(os.environ.get("WORLD_SIZE", "1")))
    drawn = draw_prompts(shape, prompts * (steps + 1), vocabulary=Width().vocabulary)
    with joined(launch, torch.device("cpu")) as processes:
        step = Step(shape, processes)
        spent = [asdict(step(drawn[i * prompts : (i + 1) * prompts])) for i in range(steps + 1)]
        everything = processes.gather([spent[1:]])  # the first step warms up
        if processes.is_main:
            print(json.dumps(everything))


def start_arm(processes: int, threads: int, arguments: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Run an arm; returns what each process spent in each step."""
    worker = ["-m", "benchmarks.processes", *arguments, "--arm"]
    if processes > 1:
        many = ["--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", str(processes)]
        worker = ["-m", "torch.distributed.run", *many, *worker]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, *worker]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    result: list[list[dict[str, Any]]] = json.loads(done.stdout.splitlines()[-1])
    return result


def summarise(shape: Shape, prompts: int, found: Sequence[list[list[dict[str, Any]]]]) -> list[str]:
    """Medians over the steps of all rounds of one arm, as cells of the table."""
    low, high = shape.prompt_tokens
    tokens = prompts * ((low + high) / 2 + shape.group * shape.completion_tokens)
    steps = [step for ranks in found for step in zip(*ranks, strict=True)]

    def median(key: str, of: Any = max) -> float:
        return statistics.median(of(rank[key] for rank in step) for step in steps)

    wall = median("wall")
    uneven = statistics.median(
        max(r["work_cpu"] for r in step) * len(step) / sum(r["work_cpu"] for r in step)
        for step in steps
    )
    cells = [tokens / wall, wall, median("work_cpu", sum), median("work_cpu"), uneven]
    return [f"{cell:.3g}" for cell in [*cells, median("waiting"), median("message", min)]]


def main() -> None:
    """Run the arms and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="long")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", default=ARMS, help="processes x threads of each")
    parser.add_argument("--arm", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    shape = SHAPES[options.shape]
    if options.arm:
        run_arm(shape, options.prompts, options.steps)
        return
    given = ["--shape", shape.name, "--prompts", str(options.prompts), "--steps"]
    given.append(str(options.steps))
    found: dict[str, list[list[list[dict[str, Any]]]]] = {arm: [] for arm in options.arms}
    for _ in range(options.rounds):
        for arm, rounds in found.items():
            processes, threads = map(int, arm.split("x"))
            rounds.append(start_arm(processes, threads, given))
    head = ["arm", "tokens/s", "wall s", "CPU s of all", "of the busier", "uneven", "waiting s"]
    rows = [[*head, "message s"]]
    rows += [[arm, *summarise(shape, options.prompts, rounds)] for arm, rounds in found.items()]
    print(f"{shape.name}, {options.prompts} prompts; {machine_facts(('torch', 'transformers'))}")
    print(table(rows))


if __name__ == "__main__":
    main()
