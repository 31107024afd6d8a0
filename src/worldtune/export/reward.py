"""What an exported reward file calls: the domain's reward, the same code that training here runs.

Importable without torch, transformers and pandas: reward workers of other trainers start quickly.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from worldtune.config import RewardConfig, task_config
from worldtune.domains import get_domain
from worldtune.engine.learn.rewards import Rewards, Scored


def load_reward(
    domain: str, *, task: Mapping[str, Any], reward: Mapping[str, Any]
) -> Callable[[str, str], Scored]:
    """The reward of a domain as a function of an exported row and a completion.

    Args:
        domain: its name, "web".
        task: the parameters ``<domain>.task``.
        reward: the parameters ``<domain>.rlvr.reward``.

    Returns:
        ``score(row, completion)``, where ``row`` is the JSON text of the exported column "row". It
        never raises for what a completion says; a reward that fails or hangs earns the floor.

    Raises:
        ParameterError: a function of ``reward`` cannot be imported.
    """
    rewards = Rewards(get_domain(domain, task_config(domain, task)), RewardConfig(**reward))

    def score(row: str, completion: str) -> Scored:
        return rewards.score(json.loads(row), completion)

    return score
