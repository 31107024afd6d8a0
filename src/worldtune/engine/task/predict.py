"""Completions for many examples at once, and how right they are on average."""

from collections.abc import Sequence
from dataclasses import dataclass

from worldtune.engine.rollout.rollouts import RolloutEngine, Rollouts
from worldtune.engine.rollout.sampling import Sampling
from worldtune.engine.runtime.tracking import Progress
from worldtune.engine.task.text_task import Example, TextTask

GREEDY = Sampling(temperature=0.0)

_ROWS_PER_CALL = 256
"""Completions decoded side by side."""


@dataclass(frozen=True)
class Completion:
    """One completion: token ids, their log-probabilities in nats, whether it ended by itself."""

    ids: tuple[int, ...]
    logp: tuple[float, ...]
    finished: bool


def completion_at(rollouts: Rollouts, row: int) -> Completion:
    """One row of rollouts."""
    length = int(rollouts.lengths[row])
    return Completion(
        tuple(rollouts.ids[row, :length].tolist()),
        tuple(rollouts.logp[row, :length].tolist()),
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
    engine: RolloutEngine, task: TextTask, examples: Sequence[Example], *, max_new_tokens: int
) -> float:
    """The domain's primary metric of greedy completions, averaged over the examples."""
    completions = predict(engine, task, examples, max_new_tokens=max_new_tokens)
    domain = task.domain
    values = [
        domain.metrics(example.row, domain.decode(example.row, task.text(first.ids)))
        for example, (first,) in zip(examples, completions, strict=True)
    ]
    return sum(value[domain.primary_metric] for value in values) / max(1, len(values))
