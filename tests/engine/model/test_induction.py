"""An initialisation that copies before it has been trained."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from worldtune.engine.model import induction
from worldtune.engine.model.batch import pack
from worldtune.engine.model.policy import as_policy

CPU = torch.device("cpu")
VOCABULARY = 500


def fresh(architecture, **changes):
    shape = {
        "vocab_size": VOCABULARY,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        "tie_word_embeddings": False,
    } | changes
    torch.manual_seed(0)
    if architecture == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**shape))
    return LlamaForCausalLM(LlamaConfig(**shape, attention_bias=True))


def copy_accuracy(model):
    """Share of copied tokens that are the likeliest, the first two of each snippet left out."""
    groups = induction._copy_task(VOCABULARY, torch.Generator().manual_seed(9), rows=12, length=90)
    policy = as_policy(model)
    hits = total = 0
    for group in groups:
        batch = pack([group], device=CPU)
        with torch.no_grad():
            best = policy.head.logits(policy.path.states(batch)).argmax(-1)
        text = [*group.prompt]
        answer = group.completions[0]
        for i in range(2, len(answer)):
            pair = answer[i - 1 : i + 1]
            if any(text[k : k + 2] == pair for k in range(len(text) - 1)):
                hits += int(best[i]) == answer[i]
                total += 1
    return hits / total


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_a_fresh_model_copies_far_above_chance(architecture):
    model = fresh(architecture)
    before = copy_accuracy(model)
    induction.initialise(model, seed=1)
    assert before < 0.05
    assert copy_accuracy(model) > 0.5


def test_practice_sharpens_copying():
    model = fresh("llama")
    induction.initialise(model, seed=1)
    first = induction.practise_copying(model, steps=1, seed=2)
    last = induction.practise_copying(model, steps=5, seed=2)
    assert last < first


def test_the_initialisation_is_a_function_of_its_seed():
    first, second, third = (fresh("llama") for _ in range(3))
    for model, seed in ((first, 1), (second, 1), (third, 2)):
        induction.initialise(model, seed=seed)
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b), name
    assert not torch.equal(first.lm_head.weight, third.lm_head.weight)


def test_all_weights_are_finite_and_trainable():
    model = fresh("llama")
    induction.initialise(model, seed=1)
    assert all(p.requires_grad and bool(p.isfinite().all()) for p in model.parameters())
