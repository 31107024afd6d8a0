"""The whole loss and every gradient, on every path, against a plain formula in float64.

The plain formula (``plain.plain_total``) works on a table of all completions, which the unmodified
model makes from padded rows with all logits: nothing that is tested takes part in it. The batch
holds the cases that packing, sharing and weighting can get wrong.
"""

from dataclasses import replace
from itertools import product

import pytest
import torch

from tests.engine.model.plain import (
    assert_decodes_like,
    assert_same_gradients,
    gradients,
    make_groups,
    plain_rows,
    plain_total,
)
from tests.engine.tiny import clean_float64, plain_copy, tiny_model
from worldtune.config import LoraConfig, RlvrConfig
from worldtune.engine.learn.objective import PolicyObjective, count_targets, with_target
from worldtune.engine.model import huggingface
from worldtune.engine.model.batch import Group, bins, pack
from worldtune.engine.model.cached import CachePath
from worldtune.engine.model.head import Head, objective_loss
from worldtune.engine.model.interface import InterfacePath
from worldtune.engine.model.lean import LeanPath, supports
from worldtune.engine.model.policy import Policy, as_policy

every_loss = pytest.mark.parametrize(
    ("kind", "aggregation"),
    list(product(["ppo", "gspo", "cispo"], ["token", "sequence", "constant"])),
)
TEMPERATURE = 0.7
MAX_NEW = 9
PATHS = {
    "lean, cascade": lambda model, **options: LeanPath(model, expand=False, **options),
    "lean, expanded": lambda model, **options: LeanPath(model, expand=True, **options),
    "interface": InterfacePath,
    "cached": CachePath,
}
EDGES = [
    (9, [3, 1, 4]),  # a completion of one token beside longer ones
    (2, [5, 2]),
    (1, [1, 1]),  # a prompt of one token, whose completions all end at once
    (6, [2, 6, 1]),
    (4, [3, 2]),
]


def edge_groups():
    """Advantages of both signs and of none; forced tokens, and a completion of nothing else."""
    groups = make_groups(EDGES)
    advantages = [(0.75, -1.5, 0.25), (-0.5, 0.5), (1.0, -1.0), (0.0, 0.0, 0.0), (1.25, -0.75)]
    groups = [replace(g, advantages=a) for g, a in zip(groups, advantages, strict=True)]
    trained = [[False, True, False, True, True], [True, False]]
    groups[1] = replace(groups[1], trained=trained)
    groups[4] = replace(groups[4], trained=[[True, True, True], [False, False]])
    return groups


def known_logp(twin, groups, *, spread, seed):
    """Per group and completion, log-probabilities off the model's by up to ``spread`` nats.

    Rounded to float32, in which batches carry them.
    """
    with torch.no_grad():
        rows = plain_rows(twin, groups, TEMPERATURE)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(rows.logp.shape, generator=generator, dtype=torch.float64) * 2 - 1
    values = iter((rows.logp + spread * noise).float().tolist())
    return [[next(values)[: len(c)] for c in group.completions] for group in groups]


def off_policy(twin, groups):
    known = known_logp(twin, groups, spread=0.6, seed=1)
    return [replace(g, old_logp=rows) for g, rows in zip(groups, known, strict=True)]


def with_reference(twin, groups):
    known = known_logp(twin, groups, spread=0.9, seed=2)
    return [replace(g, reference=rows) for g, rows in zip(groups, known, strict=True)]


def path_total(policy, groups, config, *, tokens_per_pass, chunk=4, has_targets=False):
    """The loss of an update as it is trained, by bins and the fused head; walked backwards."""
    counts = count_targets(groups, has_targets=has_targets)
    entropy = "gradient" if config.entropy_coefficient else "value"
    total = 0.0
    for part in bins(groups, tokens_per_pass):
        batch = pack(part, device=policy.device)
        loss, _ = objective_loss(
            policy.head,
            policy.path.states(batch),
            batch.targets,
            PolicyObjective(batch, config, counts),
            temperature=TEMPERATURE,
            entropy=entropy,
            chunk=chunk,
        )
        loss.backward()
        total += float(loss.detach())
    return total


def settings(kind="ppo", aggregation="token", **changes):
    loss = {"kind": kind, "aggregation": aggregation, "clip_low": 0.2, "clip_high": 0.28}
    return RlvrConfig(max_new_tokens=MAX_NEW, loss=loss | changes.pop("loss", {}), **changes)


def assert_exact(model, twin, groups, config, *, paths=PATHS, num_targets=0, **passes):
    expected = plain_total(twin, groups, config, temperature=TEMPERATURE, num_targets=num_targets)
    expected.backward()
    assert float(expected.detach()) != 0.0
    known = gradients(twin)
    for name in paths:
        model.set_attn_implementation("sdpa")
        model.zero_grad()
        head = Head(model.get_output_embeddings())
        policy = Policy(model, PATHS[name](model), head)
        options = {"tokens_per_pass": 21, "has_targets": bool(num_targets)} | passes
        found = path_total(policy, groups, config, **options)
        assert found == pytest.approx(float(expected.detach()), rel=1e-12), name
        assert_same_gradients(gradients(model), known, 1e-12, label=name)


def paths_of(model):
    """All that run it."""
    if getattr(model.config, "sliding_window", None):
        return ["cached"]
    return list(PATHS) if supports(model) else ["interface", "cached"]


@pytest.fixture
def qwen3(monkeypatch):
    """Grouped queries, norms of queries and keys, tied embeddings."""
    clean_float64(monkeypatch, "qwen3")
    model = tiny_model("qwen3", kv_heads=2, tied=True, dtype=torch.float64)
    return model, plain_copy(model)


@every_loss
def test_on_policy(qwen3, kind, aggregation):
    assert_exact(*qwen3, edge_groups(), settings(kind, aggregation))


@every_loss
def test_off_policy_beyond_the_clip(qwen3, kind, aggregation):
    groups = off_policy(qwen3[1], edge_groups())
    assert_exact(*qwen3, groups, settings(kind, aggregation))


@every_loss
def test_off_policy_with_divergence_and_entropy(qwen3, kind, aggregation):
    model, twin = qwen3
    groups = with_reference(twin, off_policy(twin, edge_groups()))
    config = settings(kind, aggregation, kl={"coefficient": 0.3}, entropy_coefficient=0.05)
    assert_exact(model, twin, groups, config)


def test_a_dual_clip(qwen3):
    groups = off_policy(qwen3[1], edge_groups())
    assert_exact(*qwen3, groups, settings(loss={"dual_clip": 1.3}))


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_every_estimate_of_the_divergence(qwen3, estimator):
    model, twin = qwen3
    groups = with_reference(twin, edge_groups())
    config = settings(kl={"coefficient": 0.4, "estimator": estimator})
    assert_exact(model, twin, groups, config)


@pytest.mark.parametrize("extra", [{"kl": {"coefficient": 0.3}}, {"entropy_coefficient": 0.1}])
def test_divergence_and_entropy_train_groups_without_advantage(qwen3, extra):
    model, twin = qwen3
    groups = [replace(g, advantages=[0.0] * len(g.completions)) for g in edge_groups()]
    assert_exact(model, twin, with_reference(twin, groups), settings(**extra))


def test_the_true_completion_learnt_beside_the_sampled_ones(qwen3):
    model, twin = qwen3
    groups = off_policy(twin, edge_groups())
    targets = [[5, 6, 7], [8], [9, 10, 11, 12], [13, 14], [15]]
    groups = [with_target(g, t) for g, t in zip(groups, targets, strict=True)]
    for kind in ("ppo", "gspo"):
        twin.zero_grad()
        assert_exact(model, twin, groups, settings(kind, sft_weight=0.5), num_targets=11)


@pytest.mark.parametrize("tokens_per_pass", [1, 30, 1000])
@pytest.mark.parametrize("chunk", [1, 7, None])
def test_neither_passes_nor_chunks_change_anything(qwen3, tokens_per_pass, chunk):
    groups = off_policy(qwen3[1], edge_groups())
    options = {"tokens_per_pass": tokens_per_pass, "chunk": chunk}
    for kind in ("ppo", "gspo"):
        qwen3[1].zero_grad()
        assert_exact(*qwen3, groups, settings(kind), paths=["lean, cascade"], **options)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("llama", {"kv_heads": 1}),
        ("llama", {"attention_bias": True, "head_bias": True}),
        ("qwen2", {"kv_heads": 2, "tied": True, "head_bias": True}),
        ("qwen2", {"num_hidden_layers": 1}),
        ("qwen3", {"kv_heads": 2, "head_dim": 16, "vocabulary": 53}),
        ("mistral", {"kv_heads": 2}),
        ("mistral", {"kv_heads": 2, "sliding_window": 3}),
        ("gpt2", {"tied": True}),
        ("gpt_neox", {}),
    ],
    ids=str,
)
def test_every_architecture(monkeypatch, architecture, options):
    clean_float64(monkeypatch, architecture)
    model = tiny_model(architecture, dtype=torch.float64, **options)
    twin = plain_copy(model)
    groups = with_reference(twin, off_policy(twin, edge_groups()))
    config = settings(kl={"coefficient": 0.3}, entropy_coefficient=0.05)
    assert_exact(model, twin, groups, config, paths=paths_of(model))


@pytest.mark.parametrize("rope", ["linear", "llama3", "yarn"])
def test_every_rotary_embedding_of_fixed_angles(monkeypatch, rope):
    parameters = {"rope_type": rope, "rope_theta": 1e4, "factor": 4.0}
    if rope == "llama3":
        parameters |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    if rope != "linear":
        parameters["original_max_position_embeddings"] = 64
    model = tiny_model("llama", dtype=torch.float64, rope_parameters=parameters)
    groups = edge_groups()
    config = settings()
    twin = plain_copy(model)
    expected = plain_total(twin, groups, config, temperature=TEMPERATURE)
    expected.backward()
    for name, make in PATHS.items():
        model.zero_grad()
        model.set_attn_implementation("sdpa")
        policy = Policy(model, make(model), Head(model.get_output_embeddings()))
        found = path_total(policy, groups, config, tokens_per_pass=21)
        # transformers computes angles and norms in float32 here.
        assert found == pytest.approx(float(expected.detach()), rel=1e-5), name
        assert_same_gradients(gradients(model), gradients(twin), 1e-4, label=name)


@pytest.mark.parametrize("name", ["lean, cascade", "lean, expanded", "interface"])
def test_gradient_checkpointing_changes_nothing(qwen3, monkeypatch, name):
    monkeypatch.setitem(
        PATHS, name, lambda model, make=PATHS[name]: make(model, gradient_checkpointing=True)
    )
    model, twin = qwen3
    model.train()
    groups = off_policy(twin, edge_groups())
    assert_exact(model, twin, groups, settings(), paths=[name])


def test_frozen_layers_stay_without_gradient(qwen3):
    model, twin = qwen3
    for net in (model, twin):
        net.get_input_embeddings().requires_grad_(False)
        net.base_model.layers[0].requires_grad_(False)
        net.base_model.layers[1].mlp.requires_grad_(False)
    assert_exact(model, twin, off_policy(twin, edge_groups()), settings())


def test_adapters_are_trained_alone(qwen3):
    pytest.importorskip("peft", reason="LoRA needs the extra 'lora'")
    model = huggingface.add_lora(qwen3[0], LoraConfig(rank=3, alpha=8))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    twin = plain_copy(model)
    assert_exact(model, twin, off_policy(twin, edge_groups()), settings())


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "gpt2", "gpt_neox"])
def test_decoding_on_every_path(monkeypatch, architecture):
    clean_float64(monkeypatch, architecture)
    model = tiny_model(architecture, kv_heads=2, dtype=torch.float64)
    twin = plain_copy(model)
    for name in paths_of(model):
        model.set_attn_implementation("sdpa")
        policy = Policy(model, PATHS[name](model), Head(model.get_output_embeddings()))
        prompts = [[3, 4, 5, 6], [7], [8, 9]]
        assert_decodes_like(policy, twin, prompts, tolerance=1e-12, num_steps=40)


@pytest.mark.parametrize("path", ["lean", "interface", "cached"])
@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
def test_half_precision_is_near_the_exact_loss_and_gradient(path, autocast):
    exact = tiny_model("qwen3", kv_heads=2, tied=True)
    groups, config = edge_groups(), settings()
    expected = plain_total(plain_copy(exact).double(), groups, config, temperature=TEMPERATURE)
    plain_total(exact, groups, config, temperature=TEMPERATURE).backward()
    model = tiny_model("qwen3", kv_heads=2, tied=True)
    policy = as_policy(
        model if autocast else model.to(torch.bfloat16), path=path, autocast=autocast
    )
    with policy.computing():
        found = path_total(policy, groups, config, tokens_per_pass=21)
    assert found == pytest.approx(float(expected.detach()), abs=0.02)
    for (name, known), p in zip(gradients(exact).items(), model.parameters(), strict=True):
        assert p.grad.dtype == p.dtype
        if float(known.norm()) > 1e-2:
            assert float((p.grad - known).norm() / known.norm()) < 0.1, name


@pytest.mark.parametrize("name", PATHS)
def test_a_pass_without_any_trained_token_gives_zero_gradients(qwen3, name):
    model, _ = qwen3
    groups = [Group([3, 4], [[5, 6], [7]], advantages=(1.0, -1.0), trained=[[False] * 2, [False]])]
    policy = Policy(model, PATHS[name](model), Head(model.get_output_embeddings()))
    for kind in ("ppo", "gspo"):
        assert path_total(policy, groups, settings(kind), tokens_per_pass=100) == 0.0
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("kind", ["ppo", "gspo"])
def test_tokens_drawn_from_part_of_the_vocabulary(qwen3, kind):
    model, twin = qwen3
    groups, config = edge_groups(), settings(kind, entropy_coefficient=0.1)
    drawn = {t for g in groups for c in g.completions for t in c}
    blocked = torch.tensor([t not in drawn and t % 2 == 0 for t in range(twin.config.vocab_size)])
    assert blocked.any()
    expected = plain_total(twin, groups, config, temperature=TEMPERATURE, blocked=blocked)
    expected.backward()
    policy = Policy(model, LeanPath(model), Head(model.get_output_embeddings()))
    batch = pack(groups, device=policy.device)
    loss, _ = objective_loss(
        policy.head,
        policy.path.states(batch),
        batch.targets,
        PolicyObjective(batch, config, count_targets(groups, has_targets=False)),
        temperature=TEMPERATURE,
        entropy="gradient",
        chunk=5,
        masks=torch.stack([torch.ones_like(blocked), ~blocked]),
        allowed=torch.ones_like(batch.targets),
    )
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-12)
    assert_same_gradients(gradients(model), gradients(twin), 1e-12)
