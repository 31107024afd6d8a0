"""RLVR: the algorithm, one documented key per choice, and presets of well-known settings."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from worldtune.config.base import Config, Count, Fraction, PositiveFloat, PositiveInt, Weight
from worldtune.config.optimizer import RlvrOptimizerConfig
from worldtune.config.run import RunConfig


class SamplingConfig(Config):
    """How rollouts are drawn."""

    temperature: PositiveFloat = 1.0
    top_k: Count = 0
    """Keep only the k likeliest tokens; 0 keeps all."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Keep the smallest set of tokens that holds this much probability."""
    min_p: Fraction = 0.0
    """Keep tokens at least this likely, relative to the likeliest."""


class LossConfig(Config):
    """The policy-gradient loss of a token and how tokens are averaged."""

    kind: Literal["ppo", "gspo", "cispo"] = "ppo"
    """ppo: clipped ratio per token; gspo: clipped ratio per sequence; cispo: clipped weight."""
    clip_low: PositiveFloat = 0.2
    """The ratio is clipped below at 1 - clip_low."""
    clip_high: PositiveFloat = 0.2
    """And above at 1 + clip_high; larger than clip_low is clip-higher (DAPO)."""
    dual_clip: Annotated[float, Field(gt=1)] | None = None
    """ppo: bound of the ratio where the advantage is negative (Ye et al., 2020)."""
    aggregation: Literal["token", "sequence", "constant"] = "token"
    """token: all tokens of an update count alike; sequence: all completions count alike; constant:
    divide by completions times max_new_tokens (Dr. GRPO)."""

    @model_validator(mode="after")
    def _check_dual_clip(self) -> Self:
        if self.dual_clip is not None and self.kind != "ppo":
            raise ValueError("dual_clip belongs to loss.kind ppo; leave it out for other kinds")
        return self


class KlConfig(Config):
    """The divergence from a reference policy, the start of RLVR."""

    coefficient: Weight = 0.0
    """Weight of the divergence; 0 leaves it out."""
    estimator: Literal["k1", "k2", "k3"] = "k3"
    """Per-token estimate (Schulman, 2020)."""
    place: Literal["loss", "reward"] = "loss"
    """Add it to the loss of each token, or take its sum off the reward of the completion."""
    sync_every: PositiveInt | None = None
    """Steps after which the reference moves to the policy; None keeps it where it is."""
    sync_mix: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How far the reference moves then; 1 makes it the policy."""
    measure_every: Count = 10
    """Steps between measurements for the log where the coefficient is 0; 0 never measures."""


class RewardConfig(Config):
    """From the scores of a completion to its reward."""

    weights: dict[str, float] = Field(default_factory=dict)
    """Weight of each named part of the domain's score, ``total`` for the score itself; empty takes
    the total alone."""
    functions: dict[str, float] = Field(default_factory=dict)
    """Further reward functions, ``package.module:function`` to weight."""
    time_limit_s: PositiveFloat = 10.0
    """A completion that takes longer to score gets the floor and is counted."""
    floor: float = 0.0
    """The reward of a completion whose scoring failed."""


class OverlongConfig(Config):
    """What becomes of completions that are long or were cut off."""

    buffer_tokens: Count = 0
    """The last so many tokens before max_new_tokens cost a growing penalty (DAPO); 0 is off."""
    penalty: Weight = 1.0
    """The penalty at max_new_tokens."""
    mask_truncated: bool = False
    """Leave completions that were cut off out of the loss."""


class DynamicSamplingConfig(Config):
    """Replace groups whose completions all earn the same (DAPO)."""

    max_rounds: PositiveInt = 1
    """Rounds of prompts that may be sampled to fill a step; 1 is off."""


Algorithm = Literal["grpo", "dr_grpo", "rloo", "reinforce_pp"]

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        "group_size": 5,
        "advantage": "grpo",
        "loss": {"kind": "ppo", "clip_low": 0.2, "clip_high": 0.2, "aggregation": "token"},
        "kl": {"coefficient": 0.001, "estimator": "k3", "place": "loss"},
        "entropy_coefficient": 0.001,
    },
    "dapo": {
        "advantage": "grpo",
        "loss": {"kind": "ppo", "clip_low": 0.2, "clip_high": 0.28, "aggregation": "token"},
        "dynamic_sampling": {"max_rounds": 10},
    },
    "dr_grpo": {
        "advantage": "dr_grpo",
        "loss": {"kind": "ppo", "clip_low": 0.2, "clip_high": 0.2, "aggregation": "constant"},
    },
    "gspo": {
        "advantage": "grpo",
        "loss": {"kind": "gspo", "clip_low": 3e-4, "clip_high": 4e-4, "aggregation": "sequence"},
    },
    "cispo": {
        "advantage": "grpo",
        "loss": {"kind": "cispo", "clip_low": 1.0, "clip_high": 4.0, "aggregation": "token"},
    },
    "rloo": {
        "advantage": "rloo",
        "loss": {"kind": "ppo", "clip_low": 0.2, "clip_high": 0.2, "aggregation": "sequence"},
    },
    "reinforce_pp": {
        "advantage": "reinforce_pp",
        "loss": {"kind": "ppo", "clip_low": 0.2, "clip_high": 0.2, "aggregation": "token"},
    },
}
"""Settings known by a name. Keys that are stated beside a preset win over it."""


def _under(preset: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """``stated`` with what it leaves out taken from ``preset``, section by section."""
    merged = dict(preset) | dict(stated)
    for key, value in preset.items():
        section = stated.get(key)
        if isinstance(value, Mapping) and isinstance(section, Mapping):
            merged[key] = dict(value) | dict(section)
    return merged


class RlvrConfig(RunConfig):
    """GRPO and its relatives on the verifiable reward (paper, section 3.2 and eq. 4)."""

    preset: Literal["paper", "dapo", "dr_grpo", "gspo", "cispo", "rloo", "reinforce_pp"] | None = (
        None
    )
    """A known combination of the keys below; keys that are stated beside it win over it."""
    steps: PositiveInt = 200
    batch_prompts: PositiveInt = 12
    """Prompts sampled per step."""
    update_prompts: PositiveInt | None = None
    """Prompts per optimizer update; fewer than batch_prompts makes the later updates off-policy.
    None takes all of a step at once."""
    group_size: Annotated[int, Field(ge=2)] = 8
    """Completions per prompt."""
    sampling: SamplingConfig = SamplingConfig()
    reward: RewardConfig = RewardConfig()
    overlong: OverlongConfig = OverlongConfig()
    dynamic_sampling: DynamicSamplingConfig = DynamicSamplingConfig()
    advantage: Algorithm = "grpo"
    """grpo: centred and divided by the group's standard deviation; dr_grpo: centred; rloo: against
    the mean of the others; reinforce_pp: centred, divided by the batch's standard deviation."""
    loss: LossConfig = LossConfig()
    kl: KlConfig = KlConfig()
    entropy_coefficient: Weight = 0.0
    """Weight of an entropy bonus."""
    sft_weight: Weight = 0.0
    """Weight of the supervised loss of the true completion, added to the RL loss of its prompt."""
    optimizer: RlvrOptimizerConfig = RlvrOptimizerConfig()

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, stated: Any) -> Any:
        name = stated.get("preset") if isinstance(stated, Mapping) else None
        preset = PRESETS.get(name) if isinstance(name, str) else None
        return stated if preset is None else _under(preset, stated)

    @model_validator(mode="after")
    def _check_updates(self) -> Self:
        if self.batch_prompts % self.prompts_per_update:
            raise ValueError("batch_prompts must be a multiple of update_prompts")
        if self.kl.sync_every and self.lora:
            raise ValueError(
                "kl.sync_every moves all weights of the reference and lora trains adapters only: "
                "leave one of them out"
            )
        if self.overlong.buffer_tokens >= self.max_new_tokens:
            raise ValueError("overlong.buffer_tokens must be below max_new_tokens")
        return self

    @property
    def prompts_per_update(self) -> int:
        """Prompts of each optimizer update."""
        return self.update_prompts or self.batch_prompts
