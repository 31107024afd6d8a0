"""Decoding on the lean path: the log-probabilities of a full forward pass, whatever is dropped."""

import copy

import peft
import pytest
import torch

from tests.engine.tiny import clean_float64, plain_logp, tiny_model
from worldtune.engine.model import decode_attention, lean_decode
from worldtune.engine.model.lean import LeanPath

PROMPTS = [[5, 6, 7, 8, 9, 10], [11], [12, 13, 14], [15, 16, 17, 18]]
VOCABULARY = 37
SHAPES = [("qwen2", 4, False), ("qwen2", 2, False), ("llama", 1, False), ("qwen3", 2, True)]


@pytest.fixture(params=[2, 32], ids=["old keys", "new keys"])
def room(request, monkeypatch):
    """A cache that is moved every second token, and one that is not within these tests."""
    monkeypatch.setattr(decode_attention, "_ROOM", request.param)


@pytest.fixture(params=[0, 2**15], ids=["apart", "padded"])
def parts(request, monkeypatch):
    """Every length of prompt attended by itself, or all of them padded."""
    monkeypatch.setattr(lean_decode, "_SPLIT_ABOVE", request.param)


def drawn(rows, length):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(2, VOCABULARY, (rows, length), generator=generator)


def expected(model, tokens, samples):
    """[rows, length] log-probabilities by full forward passes; row r continues prompt r / n."""
    return (
        torch.stack(
            [
                plain_logp(model, PROMPTS[row // samples], tokens[row].tolist())
                for row in range(len(tokens))
            ]
        )
        .detach()
        .double()
    )


def decoded(model, tokens, samples, drops=None):
    """The same by decoding; ``drops`` maps a position to the groups and samples that stay.

    Rows that are dropped have 0 from there on.
    """
    path, head = LeanPath(model), model.get_output_embeddings()
    result = torch.zeros(tokens.shape, dtype=torch.float64)
    rows = torch.arange(len(tokens))
    with torch.no_grad():
        states, decoder = path.prefill(PROMPTS, samples=samples, max_new=tokens.shape[1])
        states = states.repeat_interleave(samples, dim=0)
        width = samples
        for time in range(tokens.shape[1]):
            logp = head(states).double().log_softmax(dim=-1)
            now = tokens[rows, time]
            result[rows, time] = logp.gather(-1, now[:, None]).squeeze(-1)
            if drops and time in drops:
                groups, kept = (torch.tensor(x) for x in drops[time])
                keep = (groups[:, None] * width + kept).flatten()
                decoder.keep(groups, keep)
                rows, now, width = rows[keep], now[keep], kept.shape[1]
            if time + 1 < tokens.shape[1]:
                states = decoder.step(now)
    return result


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(("architecture", "kv_heads", "tied"), SHAPES)
@pytest.mark.usefixtures("room", "parts")
def test_log_probabilities_equal_a_full_forward_pass(
    monkeypatch, architecture, kv_heads, tied, samples
):
    clean_float64(monkeypatch, architecture)
    model = tiny_model(architecture, kv_heads=kv_heads, tied=tied, dtype=torch.float64)
    tokens = drawn(len(PROMPTS) * samples, 9)
    found = decoded(model, tokens, samples)
    torch.testing.assert_close(found, expected(model, tokens, samples), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "drops",
    [
        {0: ([0, 1, 2, 3], [[0], [2], [1], [0]])},
        {1: ([1, 3], [[0, 2], [1, 2]])},
        {3: ([0, 2, 3], [[0, 1], [1, 2], [0, 2]]), 5: ([1], [[1]])},
        {4: ([3], [[2, 0, 1]])},
    ],
)
@pytest.mark.usefixtures("room", "parts")
def test_rows_that_stay_do_not_notice_that_others_are_dropped(monkeypatch, drops):
    clean_float64(monkeypatch, "qwen2")
    model = tiny_model(kv_heads=2, dtype=torch.float64)
    tokens = drawn(12, 8)
    found = decoded(model, tokens, 3, drops)
    reached = found != 0
    assert 0 < int(reached[:, -1].sum()) < 12
    full = expected(model, tokens, 3)
    torch.testing.assert_close(found[reached], full[reached], rtol=0, atol=1e-12)


def test_adapters_are_folded_into_the_weights(monkeypatch):
    clean_float64(monkeypatch, "llama")
    config = peft.LoraConfig(r=2, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(tiny_model("llama", kv_heads=2, dtype=torch.float64), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    model.eval()
    tokens = drawn(8, 5)
    found = decoded(model, tokens, 2)
    full = expected(model, tokens, 2)
    torch.testing.assert_close(found, full, rtol=0, atol=1e-12)
    with model.disable_adapter():
        assert float((expected(model, tokens, 2) - full).abs().max()) > 0.1


@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_stays_near_float32(autocast):
    model = tiny_model(kv_heads=2)
    exact = expected(model, drawn(8, 6), 2)
    if not autocast:
        model = copy.deepcopy(model).to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        found = decoded(model, drawn(8, 6), 2)
    difference = (found - exact).abs()
    assert 0 < float(difference.mean()) < 0.05


def test_prompts_are_kept_once_per_group(monkeypatch):
    sizes = []
    add_layer = decode_attention.GroupAttention.add_layer

    def measured(self, key, value):
        add_layer(self, key, value)
        sizes.append(sum(part.numel() for part in self._prompt[-1]))

    monkeypatch.setattr(decode_attention.GroupAttention, "add_layer", measured)
    path = LeanPath(tiny_model(kv_heads=2))
    with torch.no_grad():
        path.prefill([[5] * 40, [6] * 40], samples=50, max_new=4)
    assert sizes == [2 * 2 * 40 * 2 * 8] * 2  # keys and values, prompts, tokens, heads, dim


@pytest.mark.parametrize(
    ("lengths", "rows", "expected_parts"),
    [
        ([5, 5, 5], 1, [[0, 1, 2]]),
        ([100, 4000, 90, 4100], 100, [[0, 2], [1, 3]]),
        ([100, 4000, 90, 4100], 1, [[0, 1, 2, 3]]),
        ([7], 10**9, [[0]]),
    ],
)
def test_prompts_are_split_where_padding_costs_more(lengths, rows, expected_parts):
    assert sorted(lean_decode._parts(lengths, rows)) == expected_parts
