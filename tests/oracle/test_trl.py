"""TRL 1.16 as oracle: the same batch, weights and settings give the same loss and gradients.

TRL pads, masks, scores and weighs the batch itself; only its sampling is replaced by given
completions. Ours runs the same completions through its own packing, path, head and objective, in
passes of one group. Needs the extra ``bench``; run it by ``python -m pytest tests/oracle``.
"""

import copy
import warnings
from dataclasses import dataclass, field, replace
from functools import cache

import pytest
import torch

from tests.engine.tiny import VOCABULARY, plain_logp, tiny_model
from worldtune.config import RlvrConfig
from worldtune.engine.learn.advantages import STD_EPSILON, advantages
from worldtune.engine.learn.objective import PolicyObjective, UpdateCounts
from worldtune.engine.model.batch import Group, bins, pack
from worldtune.engine.model.head import objective_loss
from worldtune.engine.model.policy import as_policy

try:
    import trl
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from trl import GRPOConfig, GRPOTrainer
except ImportError:
    reason = "TRL is not installed, the losses are NOT checked against it: make test-trl"
    warnings.warn(reason, stacklevel=1)
    pytest.skip(reason, allow_module_level=True)

PAD, EOS, GROUP, LONGEST = 0, 1, 4, 9
TRL_STD_EPSILON = 1e-4
PROMPTS = [[5, 6, 7], [8, 9, 10, 11, 12, 13, 14, 15], [4]]


def ragged_completions():
    """[prompts][GROUP], lengths 1 to LONGEST; one is cut off, all others end with EOS."""
    torch.manual_seed(3)
    lengths = [[3, 7, 1, 5], [9, 2, 6, 4], [8, 8, 1, 3]]
    rows = [[torch.randint(2, VOCABULARY, (n,)).tolist() for n in group] for group in lengths]
    for place, group in enumerate(rows):
        for sample, row in enumerate(group):
            row[-1] = 2 if (place, sample) == (1, 0) else EOS
    return rows


COMPLETIONS = ragged_completions()
REWARDS = [[1.0, 0.0, 0.25, 0.0], [0.5, -1.0, 2.0, 0.125], [0.5, 0.5, 0.5, 0.5]]
FLAT = [row for group in COMPLETIONS for row in group]


class Scripted(GRPOTrainer):
    """GRPOTrainer whose policy always samples COMPLETIONS."""

    def _generate_single_turn(self, prompt_ids, *args, **kwargs):
        assert prompt_ids == [p for p in PROMPTS for _ in range(GROUP)]
        return [list(row) for row in FLAT], None


def tokenizer():
    words = {f"<{i}>": i for i in range(VOCABULARY)}
    made = Tokenizer(models.WordLevel(words, unk_token="<3>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<0>", eos_token="<1>")


@dataclass(frozen=True)
class Setting:
    """One algorithm, in TRL's words and in ours."""

    trl: dict
    ours: dict
    beta: float = 0.0
    does_trl_count_truncated: bool = True
    architecture: str = "qwen2"
    temperature: float = 1.0
    extra: dict = field(default_factory=dict)


def ppo(aggregation, low=0.2, high=0.2, **more):
    return {"kind": "ppo", "aggregation": aggregation, "clip_low": low, "clip_high": high, **more}


GSPO = {"loss_type": "grpo", "importance_sampling_level": "sequence"}
DAPO = {"loss_type": "dapo", "epsilon": 0.2, "epsilon_high": 0.28}
SETTINGS = {
    "grpo": Setting({"loss_type": "grpo", "epsilon": 0.2}, ppo("sequence")),
    "dapo": Setting(DAPO, ppo("token", high=0.28), does_trl_count_truncated=False),
    "dr_grpo": Setting(
        {"loss_type": "dr_grpo", "epsilon": 0.2, "scale_rewards": "none"}, ppo("constant")
    ),
    "gspo": Setting(
        GSPO | {"epsilon": 0.02, "epsilon_high": 0.03},
        {"kind": "gspo", "aggregation": "sequence", "clip_low": 0.02, "clip_high": 0.03},
    ),
    # TRL bounds the weight by epsilon_high itself, we by 1 + clip_high.
    "cispo": Setting(
        {"loss_type": "cispo", "epsilon_high": 1.1},
        {"kind": "cispo", "aggregation": "token", "clip_low": 1.0, "clip_high": 0.1},
        does_trl_count_truncated=False,
    ),
    "dual_clip": Setting(
        DAPO | {"delta": 1.5},
        ppo("token", high=0.28, dual_clip=1.5),
        does_trl_count_truncated=False,
    ),
    "entropy": Setting(
        DAPO | {"entropy_coef": 0.1},
        ppo("token", high=0.28),
        does_trl_count_truncated=False,
        extra={"entropy_coefficient": 0.1},
    ),
    "llama": Setting(
        DAPO, ppo("token", high=0.28), does_trl_count_truncated=False, architecture="llama"
    ),
    "temperature": Setting({"loss_type": "grpo", "epsilon": 0.2}, ppo("sequence"), temperature=0.7),
}


def weights_near(model, *, seed, scale):
    """A copy of the model whose weights are a little elsewhere."""
    torch.manual_seed(seed)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(torch.randn_like(parameter) * scale)
    return other


@cache
def three_models(architecture):
    """The policy that is trained, the one that sampled, and the reference."""
    trained = tiny_model(architecture)
    sampled = weights_near(trained, seed=1, scale=0.03)
    return trained, sampled, weights_near(trained, seed=2, scale=0.02)


@torch.no_grad()
def logp_rows(model, temperature):
    """[prompts][GROUP][tokens] by plain passes."""
    return [
        [plain_logp(model, prompt, row, temperature).tolist() for row in group]
        for prompt, group in zip(PROMPTS, COMPLETIONS, strict=True)
    ]


def padded(rows):
    flat = [torch.tensor(row) for group in rows for row in group]
    return torch.nn.utils.rnn.pad_sequence(flat, batch_first=True)


def scripted_trainer(setting, folder, **options):
    trained, _, reference = three_models(setting.architecture)
    model = copy.deepcopy(trained)
    reference.save_pretrained(folder)
    model.config._name_or_path = str(folder)  # where TRL loads its reference from
    config = GRPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=len(FLAT),
        num_generations=GROUP,
        max_completion_length=LONGEST,
        temperature=setting.temperature,
        beta=setting.beta,
        use_bias_correction_kl=False,  # the paper's k3, without the weight of DeepSeek-V3.2
        activation_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to="none",
        **(setting.trl | options),
    )
    trainer = Scripted(
        model=model,
        reward_funcs=lambda prompts, **_: [r for group in REWARDS for r in group],
        args=config,
        train_dataset=Dataset.from_dict({"prompt": ["<5>"] * 4}),
        processing_class=tokenizer(),
    )
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def scored(trainer):
    """TRL's padded batch with its own masks, advantages and reference log-probabilities."""
    words = [" ".join(f"<{i}>" for i in prompt) for prompt in PROMPTS for _ in range(GROUP)]
    return trainer._generate_and_score_completions([{"prompt": text} for text in words])


@dataclass(frozen=True)
class Result:
    loss: float
    gradients: dict


def gradients_of(model):
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def by_trl(setting, folder):
    trainer = scripted_trainer(setting, folder, mask_truncated_completions=True)
    inputs = scored(trainer)
    sampled = three_models(setting.architecture)[1]
    inputs["old_per_token_logps"] = padded(logp_rows(sampled, setting.temperature))
    loss = trainer._compute_loss(trainer.model, inputs)
    loss.backward()
    advantages = inputs["advantages"].view(len(PROMPTS), GROUP)
    return Result(float(loss.detach()), gradients_of(trainer.model)), advantages, trainer


def by_us(setting, advantages):
    trained, sampled, reference = three_models(setting.architecture)
    policy = as_policy(copy.deepcopy(trained))
    config = RlvrConfig(
        loss=setting.ours,
        kl={"coefficient": setting.beta},
        group_size=GROUP,
        max_new_tokens=LONGEST,
        sampling={"temperature": setting.temperature},
        **setting.extra,
    )
    old, known = (logp_rows(model, setting.temperature) for model in (sampled, reference))
    groups = [
        Group(
            prompt,
            rows,
            advantages=advantages[place].tolist(),
            old_logp=old[place],
            reference=known[place] if setting.beta else None,
            trained=[[row[-1] == EOS] * len(row) for row in rows],
        )
        for place, (prompt, rows) in enumerate(zip(PROMPTS, COMPLETIONS, strict=True))
    ]
    finished = [row for row in FLAT if row[-1] == EOS]
    completions = len(FLAT) if setting.does_trl_count_truncated else len(finished)
    counts = UpdateCounts(sum(map(len, finished)), completions, 0)
    total = 0.0
    for part in bins(groups, 1):
        batch = pack(part, device=policy.device)
        loss, _ = objective_loss(
            policy.head,
            policy.path.states(batch),
            batch.targets,
            PolicyObjective(batch, config, counts),
            temperature=setting.temperature,
            entropy="gradient" if config.entropy_coefficient else "none",
            chunk=5,
        )
        loss.backward()
        total += float(loss.detach())
    return Result(total, gradients_of(policy.model))


def norm(gradients):
    return float(torch.cat([g.flatten() for g in gradients.values()]).norm())


def test_the_oracle_is_the_version_that_is_claimed():
    assert trl.__version__.startswith("1.16.")


@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("name", SETTINGS)
def test_loss_and_every_gradient_equal_those_of_trl(name, beta, tmp_path):
    setting = replace(SETTINGS[name], beta=beta)
    expected, advantages, trainer = by_trl(setting, tmp_path)
    assert_it_is_a_hard_batch(trainer, name, beta)
    found = by_us(setting, advantages)
    # A mean of terms of order 1 and of both signs.
    assert found.loss == pytest.approx(expected.loss, rel=1e-5, abs=5e-7)
    assert norm(found.gradients) == pytest.approx(norm(expected.gradients), rel=1e-5)
    assert found.gradients.keys() == expected.gradients.keys()
    for parameter, slope in expected.gradients.items():
        deviation = float((found.gradients[parameter] - slope).norm() / slope.norm())
        assert deviation < 1e-5, parameter


def assert_it_is_a_hard_batch(trainer, name, beta):
    """The batch clips, diverges from the reference, and has a truncated completion."""
    metrics = trainer._metrics["train"]
    assert metrics["completions/clipped_ratio"] == [pytest.approx(1 / 12)]
    if name == "cispo":
        assert metrics["cispo_clip_ratio"][0] > 0
    else:
        assert metrics["clip_ratio/low_mean"][0] > 0 and metrics["clip_ratio/high_mean"][0] > 0
    assert not beta or metrics["kl"][0] > 1e-3


@pytest.mark.parametrize("scale", ["group", "none", "batch"])
def test_advantages_equal_those_of_trl(scale, tmp_path):
    trainer = scripted_trainer(SETTINGS["grpo"], tmp_path, scale_rewards=scale)
    expected = scored(trainer)["advantages"].view(len(PROMPTS), GROUP)
    rewards = torch.tensor(REWARDS)
    if scale == "none":
        found = advantages("dr_grpo", rewards)
    elif scale == "group":  # TRL adds another epsilon to the standard deviation
        std = rewards.std(dim=1, keepdim=True)
        found = advantages("grpo", rewards) * (std + STD_EPSILON) / (std + TRL_STD_EPSILON)
    else:  # and takes that of the rewards, not of their distances from the group's mean
        std = rewards.std() + TRL_STD_EPSILON - STD_EPSILON
        found = advantages("reinforce_pp", rewards, batch_std=std)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)
    assert not found[2].any() and found[0].any()
