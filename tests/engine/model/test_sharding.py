"""Weights dealt out over two real processes (their gradients: learn/test_two_processes.py)."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.engine.tiny import tiny_model
from tests.pair import pair
from worldtune.engine.model.policy import as_policy
from worldtune.engine.model.sharding import Shards, gather_weights
from worldtune.engine.runtime.checkpoint import capture, restore
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.runtime.tensor_file import whole
from worldtune.errors import UserError


@pytest.fixture(scope="module")
def two():
    with pair() as processes:
        yield processes


def sharded_policy(processes, tied, seed=0):
    policy = as_policy(tiny_model(tied=tied, seed=seed), path="interface")
    return replace(policy, shards=Shards(policy.model, processes))


def sizes(processes, tied):
    model = sharded_policy(processes, tied).model
    parameters = list(model.parameters())
    local = sum(p.to_local().numel() for p in parameters)
    total = sum(p.numel() for p in parameters)
    gather_weights(model)
    weights, twin = model.state_dict(), tiny_model(tied=tied).state_dict()
    same = weights.keys() == twin.keys() and all(torch.equal(weights[n], twin[n]) for n in twin)
    ends = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    return local, total, same, ends


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_each_process_holds_half_of_a_model_until_it_is_gathered(two, tied):
    (first, total, *state), (second, same_total, *other_state) = two(sizes, tied)
    assert first + second == total == same_total
    assert max(first, second) <= 0.56 * total
    assert state == other_state == [True, tied]


def alone(processes, tied):
    policy = sharded_policy(processes, tied)
    twin = tiny_model(tied=tied)
    ids = torch.tensor([[3, 4, 5, 6]])
    with policy.gathered():
        if not processes.is_main:
            return True
        # The main process runs the model twice and the other one not at all.
        runs = [policy.model.get_input_embeddings()(ids) for _ in range(2)]
        weight = policy.model.base_model.layers[0].mlp.up_proj.weight
        return bool(
            torch.equal(runs[1], twin.get_input_embeddings()(ids))
            and torch.equal(weight, twin.base_model.layers[0].mlp.up_proj.weight)
            and not torch.is_grad_enabled()
        )


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_gathered_weights_let_each_process_run_at_its_own_pace(two, tied):
    assert two(alone, tied) == [True, True]


def stored_and_restored(processes):
    policy = sharded_policy(processes, tied=True)
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=0.1)
    for parameter in policy.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    kept = {name: whole(t).clone() for name, t in capture(policy.model, [optimizer]).items()}
    other = sharded_policy(processes, tied=True, seed=4)
    fresh = torch.optim.AdamW(other.model.parameters(), lr=0.1)
    restore(kept, other.model, [fresh])
    again = {name: whole(t) for name, t in capture(other.model, [fresh]).items()}
    return kept.keys() == again.keys() and all(torch.equal(kept[n], again[n]) for n in kept)


def test_a_stored_state_goes_back_into_shards(two):
    assert two(stored_and_restored) == [True, True]


def test_a_model_without_repeated_layers_is_refused():
    class Plain(nn.Linear):
        _no_split_modules = None

    with pytest.raises(UserError, match=r"launch\.fsdp"):
        Shards(Plain(2, 2), Processes.single())
