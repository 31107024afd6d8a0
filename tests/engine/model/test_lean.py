"""The lean path against the plain formula: every completion in a padded row of its own, float64."""

import math

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config

from tests.engine.tiny import plain_copy, tiny_model
from worldtune.engine.model.batch import Group, pack
from worldtune.engine.model.lean import LeanPath, supports

CPU = torch.device("cpu")

MODELS = {
    "qwen2, grouped heads": ("qwen2", {"kv_heads": 2}),
    "qwen2, tied, one key head": ("qwen2", {"kv_heads": 1, "tied": True}),
    "qwen2, as many key heads": ("qwen2", {"kv_heads": 4}),
    "llama": ("llama", {"kv_heads": 2}),
    "qwen3": ("qwen3", {"kv_heads": 2}),
    "qwen3, tied": ("qwen3", {"kv_heads": 1, "tied": True}),
}
LENGTHS = {
    "one group": [(6, [4, 2, 5])],
    "completions of one token": [(5, [1, 1]), (3, [1])],
    "one token beside longer ones": [(4, [1, 6, 3]), (1, [2, 1])],
    "prompts of different length": [(9, [3, 4]), (2, [5, 1, 2]), (1, [1]), (6, [2])],
    "a single token after a single token": [(1, [1])],
    "groups of one": [(5, [4]), (7, [2]), (3, [6])],
    "equal lengths": [(4, [3, 3]), (4, [3, 3])],
    "longer than a shared call": [(300, [5, 2]), (3, [270, 4]), (260, [260])],
}


def make_groups(lengths, *, seed=3, vocabulary=37, trained=None):
    generator = torch.Generator().manual_seed(seed)

    def tokens(count):
        return torch.randint(2, vocabulary, (count,), generator=generator).tolist()

    return [
        Group(
            tokens(prompt),
            [tokens(count) for count in completions],
            advantages=[1.0] * len(completions),
            trained=trained and [[trained(i) for i in range(count)] for count in completions],
        )
        for prompt, completions in lengths
    ]


def plain_norm(x, weight, eps):
    return weight * x / (x.square().mean(dim=-1, keepdim=True) + eps).sqrt()


def plain_rope(x, theta):
    """[rows, heads, time, dim]: pairs (i, i + dim / 2) turned as complex numbers."""
    half = x.shape[-1] // 2
    # The frequencies are float32 numbers in transformers, and the same here.
    frequency = 1.0 / theta ** (torch.arange(0, 2 * half, 2, dtype=torch.float) / (2 * half))
    angle = torch.arange(x.shape[2], dtype=x.dtype)[:, None] * frequency.to(x.dtype)
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(
        torch.ones_like(angle), angle
    )
    return torch.cat([turned.real, turned.imag], dim=-1)


def plain_states(model, ids, weights=None):
    """Final hidden states [rows, time, width] of [rows, time] ids, from the named weights alone."""
    config, weights = model.config, weights or dict(model.named_parameters())
    x = weights["model.embed_tokens.weight"][ids]
    time = ids.shape[1]
    hidden = torch.ones(time, time, dtype=torch.bool).triu(1)
    theta = config.rope_parameters["rope_theta"]

    def linear(x, name):
        y = x @ weights[f"{name}.weight"].T
        return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y

    def heads(x, name, norm):
        y = linear(x, name).unflatten(-1, (-1, model.model.layers[0].self_attn.head_dim))
        if norm in weights:
            y = plain_norm(y, weights[norm], config.rms_norm_eps)
        return y.transpose(1, 2)

    for i in range(config.num_hidden_layers):
        name = f"model.layers.{i}"
        h = plain_norm(x, weights[f"{name}.input_layernorm.weight"], config.rms_norm_eps)
        attention = f"{name}.self_attn"
        q = plain_rope(heads(h, f"{attention}.q_proj", f"{attention}.q_norm.weight"), theta)
        k = plain_rope(heads(h, f"{attention}.k_proj", f"{attention}.k_norm.weight"), theta)
        v = heads(h, f"{attention}.v_proj", "")
        per_key = q.shape[1] // k.shape[1]
        read = []
        for head in range(q.shape[1]):
            scores = q[:, head] @ k[:, head // per_key].mT / math.sqrt(q.shape[-1])
            weight = scores.masked_fill(hidden, -math.inf).softmax(dim=-1)
            read.append(weight @ v[:, head // per_key])
        x = x + linear(torch.cat(read, dim=-1), f"{attention}.o_proj")
        h = plain_norm(x, weights[f"{name}.post_attention_layernorm.weight"], config.rms_norm_eps)
        gate = linear(h, f"{name}.mlp.gate_proj")
        h = gate / (1 + (-gate).exp()) * linear(h, f"{name}.mlp.up_proj")
        x = x + linear(h, f"{name}.mlp.down_proj")
    return plain_norm(x, weights["model.norm.weight"], config.rms_norm_eps)


def plain_target_states(model, groups, weights=None):
    """Padded rows, one per completion, prompt and all; then the states before each target."""
    rows = [[*g.prompt, *c] for g in groups for c in g.completions]
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    states = plain_states(model, ids, weights)
    found, row = [], 0
    for group in groups:
        for sample, completion in enumerate(group.completions):
            keep = group.trained[sample] if group.trained else [True] * len(completion)
            for place, kept in enumerate(keep):
                if kept:
                    found.append(states[row, len(group.prompt) - 1 + place])
            row += 1
    return torch.stack(found)


def gradients(model, states, upstream, **options):
    """Gradients of every parameter, by name, of a random direction in logits."""
    model.zero_grad()
    logits = model.get_output_embeddings()(states)
    (logits.log_softmax(dim=-1) * upstream).sum().backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def directions(model, count):
    generator = torch.Generator().manual_seed(5)
    shape = (count, model.config.vocab_size)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def assert_same_gradients(found, expected, tolerance):
    assert found.keys() == expected.keys()
    # A key bias moves all scores of a query alike: its gradient is zero but for rounding, as is
    # that of a query with one key. How a sum is rounded depends on the processor.
    largest = max(float(g.norm()) for g in expected.values())
    for name, gradient in found.items():
        gap = float((gradient - expected[name]).norm())
        size = max(float(expected[name].norm()), 1e-3 * largest)
        assert gap <= tolerance * size, f"{name}: {gap} of {size}"


def assert_exact(architecture, options, groups, tolerance=1e-12, **path_options):
    model = tiny_model(architecture, dtype=torch.float64, **options)
    expected = plain_target_states(model, groups)
    upstream = directions(model, len(expected))
    expected_gradients = gradients(model, expected, upstream)
    found = LeanPath(model, **path_options).states(pack(groups, device=CPU))
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    assert_same_gradients(gradients(model, found, upstream), expected_gradients, tolerance)


@pytest.mark.parametrize("expand", [False, True], ids=["cascade", "expand"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize(("architecture", "options"), MODELS.values(), ids=MODELS)
def test_states_and_gradients_equal_the_plain_formula_to_the_last_digits(
    architecture, options, lengths, expand
):
    assert_exact(architecture, options, make_groups(lengths), expand=expand)


@pytest.mark.parametrize("expand", [False, True], ids=["cascade", "expand"])
@pytest.mark.parametrize(
    "trained",
    [lambda i: i % 2 == 1, lambda i: i % 3 == 0, lambda i: i == 1],
    ids=["odd places", "every third", "the second"],
)
def test_forced_tokens_are_fed_but_not_scored(trained, expand):
    lengths = [(4, [2, 6, 3]), (1, [2, 2]), (7, [9])]
    assert_exact("qwen3", {"kv_heads": 2}, make_groups(lengths, trained=trained), expand=expand)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_gradient_checkpointing_changes_no_digit(lengths):
    model = tiny_model("qwen3", kv_heads=2, dtype=torch.float64)
    batch = pack(make_groups(lengths), device=CPU)
    results = []
    for checkpointing in (False, True):
        states = LeanPath(model, gradient_checkpointing=checkpointing).states(batch)
        results.append((states, gradients(model, states, directions(model, len(states)))))
    assert torch.equal(results[0][0], results[1][0])
    for name, gradient in results[0][1].items():
        assert torch.equal(gradient, results[1][1][name]), name


def perturbed_lora(model):
    peft = pytest.importorskip("peft")
    adapters = peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")
    adapted = peft.get_peft_model(model, adapters)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(noise * 0.1)
    return adapted.eval()


@pytest.mark.parametrize("checkpointing", [False, True])
def test_adapters_are_trained_and_frozen_weights_are_not(checkpointing):
    model = tiny_model("qwen3", kv_heads=2, dtype=torch.float64)
    adapted = perturbed_lora(model).to(torch.float64)
    groups = make_groups(LENGTHS["prompts of different length"])
    path = LeanPath(adapted, gradient_checkpointing=checkpointing)
    found = path.states(pack(groups, device=CPU))
    upstream = torch.randn(found.shape, dtype=found.dtype)
    found.backward(upstream)
    gradients = {n: p.grad.clone() for n, p in adapted.named_parameters() if p.grad is not None}
    assert gradients
    assert all("lora" in name for name in gradients)
    # The oracle: the same product written into the weights, dW = s dB A^T and so on by autograd.
    folded = {}
    for name, module in model.named_modules():
        if hasattr(module, "lora_A"):
            a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
            folded[f"{name}.weight"] = module.base_layer.weight + module.scaling["default"] * b @ a
            if module.base_layer.bias is not None:
                folded[f"{name}.bias"] = module.base_layer.bias
    adapted.zero_grad()
    plain = {n: p for n, p in model.named_parameters() if "lora" not in n} | folded
    expected = plain_target_states(model, groups, weights=plain)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    expected.backward(upstream)
    wanted = {n: p.grad for n, p in adapted.named_parameters() if p.grad is not None}
    assert_same_gradients(gradients, wanted, 1e-12)


def test_nothing_is_kept_where_no_gradient_is_wanted():
    model = tiny_model(kv_heads=2)
    batch = pack(make_groups(LENGTHS["one group"]), device=CPU)
    with torch.no_grad():
        assert LeanPath(model).states(batch).grad_fn is None
    model.requires_grad_(False)
    assert LeanPath(model).states(batch).grad_fn is None


@pytest.mark.parametrize("expand", [False, True], ids=["cascade", "expand"])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("architecture", ["qwen2", "llama", "qwen3"])
def test_bf16_autocast_stays_close_and_keeps_norms_and_gradients_in_float32(
    architecture, checkpointing, expand
):
    model = tiny_model(architecture, kv_heads=2)
    groups = make_groups([(30, [12, 7, 9]), (21, [5, 16])])
    batch = pack(groups, device=CPU)
    exact = LeanPath(model).states(batch)
    upstream = torch.randn(exact.shape, generator=torch.Generator().manual_seed(0))
    exact.backward(upstream)
    wanted = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    path = LeanPath(model, gradient_checkpointing=checkpointing, expand=expand)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = path.states(batch)
    assert found.dtype == torch.float32
    assert float((found - exact).detach().norm() / exact.detach().norm()) < 0.03
    found.backward(upstream)
    for name, parameter in model.named_parameters():
        if name in wanted and "k_proj.bias" not in name:
            gap = (parameter.grad - wanted[name]).norm() / wanted[name].norm()
            assert float(gap) < 0.1, name


def test_a_half_precision_model_keeps_its_type():
    model = tiny_model("qwen3", kv_heads=2, dtype=torch.bfloat16)
    batch = pack(make_groups(LENGTHS["one group"]), device=CPU)
    found = LeanPath(model).states(batch)
    expected = LeanPath(tiny_model("qwen3", kv_heads=2)).states(batch)
    assert found.dtype == torch.bfloat16
    assert float((found.float() - expected).detach().norm() / expected.detach().norm()) < 0.05


@pytest.mark.parametrize("architecture", ["qwen2", "llama", "qwen3"])
def test_states_equal_the_unpatched_model_in_float32(architecture):
    model = tiny_model(architecture, kv_heads=2)
    groups = make_groups(LENGTHS["prompts of different length"])
    found = LeanPath(model).states(pack(groups, device=CPU))
    rows = [
        (torch.tensor([[*g.prompt, *c]]), slice(len(g.prompt) - 1, len(g.prompt) + len(c) - 1))
        for g in groups
        for c in g.completions
    ]
    trunk = plain_copy(model).model
    expected = torch.cat([trunk(ids).last_hidden_state[0, part] for ids, part in rows])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0}
YARN |= {"original_max_position_embeddings": 16}


def small_llama(**options):
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=37,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=64,
            **options,
        )
    ).eval()


@pytest.mark.parametrize("rope", [LLAMA3, YARN], ids=["llama3", "yarn"])
def test_scaled_rotary_embeddings_are_the_model_s_own(rope):
    torch.manual_seed(0)
    model = small_llama(rope_parameters=rope)
    group = make_groups([(30, [9])])[0]
    found = LeanPath(model).states(pack([group], device=CPU))
    ids = torch.tensor([[*group.prompt, *group.completions[0]]])
    expected = plain_copy(model).model(ids).last_hidden_state[0, 29:-1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_encoded_prompts_hold_the_last_states_and_the_keys_of_the_plain_model():
    model = tiny_model("qwen3", kv_heads=2)
    prompts = [[5, 6, 7, 8, 9], [3], [4, 10, 11]]
    with torch.no_grad():
        encoded = LeanPath(model).encode_prompts(prompts)
        twin = plain_copy(model)
        for i, prompt in enumerate(prompts):
            output = twin.model(torch.tensor([prompt]), use_cache=True)
            last = output.last_hidden_state[0, -1]
            torch.testing.assert_close(encoded.states[i], last, rtol=1e-4, atol=1e-5)
            rows = slice(encoded.starts[i], encoded.starts[i] + encoded.lengths[i])
            for layer, cached in enumerate(output.past_key_values.layers):
                pairs = ((encoded.keys[layer], cached.keys), (encoded.values[layer], cached.values))
                for found, plain in pairs:
                    expected = plain[0].transpose(0, 1)
                    torch.testing.assert_close(found[rows], expected, rtol=1e-4, atol=1e-5)


def sliding_qwen2():
    config = Qwen2Config(
        vocab_size=37,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        use_sliding_window=True,
        sliding_window=4,
        max_window_layers=0,
    )
    return type(tiny_model("qwen2"))(config)


UNSUPPORTED = {
    "another family": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=37, n_embd=32, n_layer=1, n_head=2)
    ),
    "a sliding window": sliding_qwen2,
    "another activation": lambda: small_llama(hidden_act="gelu"),
    "dropout in attention": lambda: small_llama(attention_dropout=0.1),
    "frequencies that depend on length": lambda: small_llama(
        rope_parameters={"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 2.0}
    ),
    "no transformers model": lambda: torch.nn.Linear(2, 2),
}


@pytest.mark.parametrize("make", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_it_would_compute_differently_is_refused(make):
    model = make()
    assert not supports(model)
    with pytest.raises(ValueError, match="path='auto'"):
        LeanPath(model)


@pytest.mark.parametrize("architecture", ["qwen2", "llama", "qwen3"])
def test_the_three_families_are_supported(architecture):
    assert supports(tiny_model(architecture))
