"""Completions for many examples at once, and how right they are on average."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from worldtune.config import RunConfig
from worldtune.engine.rollout.plan import RolloutEngine, Rollouts
from worldtune.engine.rollout.sampling import Sampling
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.runtime.tracking import Progress
from worldtune.engine.task.text_task import Example, TextTask

GREEDY = Sampling(temperature=0.0)

_ROWS_PER_CALL = 256
"""Completions decoded side by side."""


@dataclass(frozen=True)
class Completion:
    """One completion.

    ids: token ids. logp: their log-probabilities, nats. chosen: False where a token was forced.
    finished: whether it ended by itself.
    """

    ids: tuple[int, ...]
    logp: tuple[float, ...]
    chosen: tuple[bool, ...]
    finished: bool


def completion_at(rollouts: Rollouts, row: int) -> Completion:
    """One row of rollouts."""
    length = int(rollouts.lengths[row])
    return Completion(
        tuple(rollouts.ids[row, :length].tolist()),
        tuple(rollouts.logp[row, :length].tolist()),
        tuple(rollouts.loss_mask[row, :length].tolist()),
        bool(rollouts.finished[row]),
    )


def predict(
    engine: RolloutEngine,
    task: TextTask,
    examples: Sequence[Example],
    *,
    max_new_tokens: int,
    sampling: Sampling = GREEDY,
    samples: int = 1,
    label: str = "",
) -> list[list[Completion]]:
    """Complete every example ``samples`` times; the result is in the order of the examples."""
    # Neighbours of similar length waste little padding; the counters keep draws independent of it.
    order = sorted(range(len(examples)), key=lambda i: (len(examples[i].prompt), i))
    result: list[list[Completion]] = [[] for _ in examples]
    per_call = max(1, _ROWS_PER_CALL // samples)
    progress = Progress(label, total=len(examples)) if label else None
    for start in range(0, len(order), per_call):
        chosen = order[start : start + per_call]
        rollouts = engine.generate(
            [examples[i].prompt for i in chosen],
            [examples[i].number for i in chosen],
            group=samples,
            plan=task.plan(max_new_tokens),
            sampling=sampling,
        )
        for place, i in enumerate(chosen):
            first = place * samples
            result[i] = [completion_at(rollouts, first + sample) for sample in range(samples)]
        if progress:
            progress.advance({}, count=len(chosen))
    if progress:
        progress.close()
    return result


def mean_primary_metric(
    engine: RolloutEngine,
    task: TextTask,
    examples: Sequence[Example],
    *,
    max_new_tokens: int,
    processes: Processes,
) -> float:
    """The domain's primary metric of greedy completions, averaged over the examples.

    Every process answers its share of the examples.
    """
    shares = processes.share([len(example.prompt) for example in examples])
    mine = [examples[i] for i in shares[processes.rank]]
    completions = predict(engine, task, mine, max_new_tokens=max_new_tokens)
    domain = task.domain
    values = [
        domain.metrics(example.row, domain.decode(example.row, task.text(first.ids)))
        for example, (first,) in zip(mine, completions, strict=True)
    ]
    total = sum(value[domain.primary_metric] for value in values)
    return float(processes.sum(torch.tensor(total, dtype=torch.float64))) / max(1, len(examples))


def validator(
    engine: RolloutEngine,
    task: TextTask,
    examples: Sequence[Example],
    config: RunConfig,
    processes: Processes,
) -> Callable[[], float]:
    """A function that measures the policy behind ``engine`` on some of the validation examples.

    They are spread evenly over all, because tables come sorted by where their rows are from.
    """
    size = min(config.validation_rows, len(examples))
    chosen = [examples[place * len(examples) // size] for place in range(size)]

    def validate() -> float:
        return mean_primary_metric(
            engine,
            task,
            chosen,
            max_new_tokens=config.max_new_tokens,
            processes=processes,
        )

    return validate
