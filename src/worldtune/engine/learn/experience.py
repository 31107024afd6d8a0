"""The groups of a step: prompts drawn in order, completions sampled and scored.

Every process samples the prompts that are dealt to it and keeps their groups. Where dynamic
sampling is on (DAPO; Yu et al., 2025, section 3.2), groups whose completions all earn the same are
replaced by groups of further prompts, up to a number of rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worldtune.config import RlvrConfig
from worldtune.engine.learn.advantages import is_signal
from worldtune.engine.learn.order import Order
from worldtune.engine.learn.rewards import Scored, Scorer
from worldtune.engine.rollout.plan import RolloutEngine
from worldtune.engine.rollout.sampling import Sampling
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.task.predict import Completion, completion_at
from worldtune.engine.task.text_task import Example, TextTask


@dataclass(frozen=True)
class SampledGroup:
    """One prompt, completions of it and what they earned.

    place: number of the prompt within the step, over all processes.
    """

    place: int
    example: Example
    completions: Sequence[Completion]
    scores: Sequence[Scored]

    @property
    def rewards(self) -> Tensor:
        """[samples], float64: the advantages of close rewards must not drown in rounding."""
        return torch.tensor([score.total for score in self.scores], dtype=torch.float64)

    @property
    def num_tokens(self) -> int:
        """Of the prompt, once, and of its completions."""
        return len(self.example.prompt) + sum(len(c.ids) for c in self.completions)

    @property
    def has_signal(self) -> bool:
        """Whether the rewards differ, so that the group says which completions are better."""
        return bool(is_signal(self.rewards[None]))


@dataclass(frozen=True)
class Batch:
    """What one process holds of a step.

    Attributes:
        updates: its groups, by the update that they belong to.
        sampled: all groups that it sampled, those that were replaced included.
    """

    updates: list[list[SampledGroup]]
    sampled: list[SampledGroup]


@dataclass
class Collector:
    """Draws, samples and scores; ``cursor`` counts the prompts that all processes have drawn."""

    engine: RolloutEngine
    task: TextTask
    scorer: Scorer
    train: Sequence[Example]
    config: RlvrConfig
    processes: Processes
    order: Order
    cursor: int = 0

    def collect(self, step: int) -> Batch:
        """Sample the groups of a step."""
        wanted, sampled = self.config.batch_prompts, []
        signal: dict[int, bool] = {}
        for _ in range(self.config.dynamic_sampling.max_rounds):
            missing = wanted - sum(signal.values())
            mine = self._sample(first=len(signal), count=missing, step=step)
            sampled += mine
            found = [(group.place, group.has_signal) for group in mine]
            signal |= {place: has for place, has in self.processes.gather(found)}
            if sum(signal.values()) >= wanted:
                break
        chosen = _choose(signal, wanted)
        return Batch(self._by_update(sampled, chosen), sampled)

    def _sample(self, *, first: int, count: int, step: int) -> list[SampledGroup]:
        """This process's share of the next ``count`` prompts; places start at ``first``."""
        rows = self.order.rows_at(self.cursor, count)
        self.cursor += count
        examples = [self.train[row] for row in rows]
        places = [first + i for i in self._share([len(e.prompt) for e in examples])]
        mine = [examples[place - first] for place in places]
        if not mine:
            return []
        sampling, size = self.config.sampling, self.config.group_size
        rollouts = self.engine.generate(
            [e.prompt for e in mine],
            [e.number for e in mine],
            group=size,
            plan=self.task.plan(self.config.max_new_tokens),
            sampling=Sampling(
                temperature=sampling.temperature,
                top_k=sampling.top_k,
                top_p=sampling.top_p,
                min_p=sampling.min_p,
                seed=self.order.seed,
                step=step,
            ),
        )
        groups = []
        for i, (place, example) in enumerate(zip(places, mine, strict=True)):
            completions = [completion_at(rollouts, i * size + sample) for sample in range(size)]
            scores = [self.scorer.score(example, completion) for completion in completions]
            groups.append(SampledGroup(place, example, completions, scores))
        return groups

    def _share(self, costs: Sequence[int]) -> list[int]:
        """Indices of this process's prompts, balanced within every update."""
        mine: list[int] = []
        for start in range(0, len(costs), self.config.prompts_per_update):
            part = costs[start : start + self.config.prompts_per_update]
            mine += [start + i for i in self.processes.share(part)[self.processes.rank]]
        return mine

    def _by_update(
        self, sampled: Sequence[SampledGroup], chosen: Sequence[int]
    ) -> list[list[SampledGroup]]:
        size = self.config.prompts_per_update
        number = {place: i // size for i, place in enumerate(chosen)}
        updates: list[list[SampledGroup]] = [[] for _ in range(-(-len(chosen) // size))]
        for group in sampled:
            if group.place in number:
                updates[number[group.place]].append(group)
        return updates


def _choose(signal: Mapping[int, bool], wanted: int) -> list[int]:
    """The places that make up the step: groups with signal first, then others to fill it up."""
    ordered = sorted(signal, key=lambda place: (not signal[place], place))
    return sorted(ordered[:wanted])
