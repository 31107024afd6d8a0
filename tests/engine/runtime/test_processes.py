"""What processes tell each other, between two real ones."""

import math

import pytest
import torch
from torch import nn

from tests.pair import pair
from worldtune.config import LaunchConfig
from worldtune.engine.runtime.processes import Processes, joined
from worldtune.errors import UserError


@pytest.fixture(scope="module")
def two():
    with pair() as processes:
        yield processes


def place(processes):
    return processes.rank, processes.world_size, processes.is_main, str(processes.device)


def test_each_process_knows_its_place(two):
    assert two(place) == [(0, 2, True, "cpu"), (1, 2, False, "cpu")]


def test_one_process_is_the_main_one_and_hears_only_itself():
    alone = Processes.single()
    assert alone.is_main
    assert alone.world_size == 1
    assert alone.gather(["a", "b"]) == ["a", "b"]
    assert alone.max(3) == 3
    assert alone.share([5, 1, 2]) == [[0, 1, 2]]
    assert alone.sum(torch.tensor([1, 2])).tolist() == [1.0, 2.0]
    alone.barrier()
    weight = nn.Parameter(torch.ones(2))
    alone.sum_gradients([weight])
    assert weight.grad is None


def add_up(processes):
    third = torch.tensor([[1 / 3, float(processes.rank)]], dtype=torch.float32)
    given = torch.tensor([2**52 - 1 + processes.rank], dtype=torch.int64)
    total = processes.sum(third)
    count = processes.sum(given)
    return total.dtype == torch.float64, total.tolist(), count.tolist(), third.tolist()


def test_sums_are_exact_in_float64_and_leave_their_input_alone(two):
    third = float(torch.tensor(1 / 3))
    for rank, (is_double, total, count, given) in enumerate(two(add_up)):
        assert is_double
        assert total == [[2 * third, 1.0]]
        assert count == [2**53 - 1]
        assert given == [[third, float(rank)]]


def largest(processes):
    return processes.max([7, -3][processes.rank]), processes.max(-5 - processes.rank)


def test_the_largest_value_is_known_to_all(two):
    assert two(largest) == [(7, -5)] * 2


def send(processes, records):
    return processes.gather(records[processes.rank])


@pytest.mark.parametrize(
    "records",
    [
        [[{"reward": 0.1, "text": "grün \n \x00 end "}], [{"reward": -1e-300, "text": ""}, None]],
        [[], [1, 2, 3]],
        [[], []],
        [["x" * 100_000], ["y"]],
        [[[1, [True, 2.5]]], [float("inf")]],
    ],
)
def test_records_of_any_length_come_in_the_order_of_ranks(two, records):
    assert two(send, records) == [records[0] + records[1]] * 2


def test_numbers_that_are_not_numbers_survive_the_way(two):
    assert all(math.isnan(value) for (value,) in two(send, [[float("nan")], []]))


def summed_gradients(processes):
    generator = torch.Generator().manual_seed(processes.rank)
    shapes = {"matrix": (3, 2), "vector": (4,), "rare": (2,), "never": (2,), "frozen": (2,)}
    weights = {name: nn.Parameter(torch.zeros(shape)) for name, shape in shapes.items()}
    weights["double"] = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    weights["transposed"] = nn.Parameter(torch.zeros(2, 3).T)
    weights["frozen"].requires_grad_(False)
    own = {}
    for name in ("matrix", "vector", "double", "transposed", *(["rare"] * processes.rank)):
        value = torch.randn(weights[name].shape, generator=generator, dtype=weights[name].dtype)
        weights[name].grad = own[name] = value
    own = {name: value.clone() for name, value in own.items()}
    processes.sum_gradients(weights.values())
    sums = {name: None if w.grad is None else w.grad.tolist() for name, w in weights.items()}
    return {name: value.tolist() for name, value in own.items()}, sums


def test_gradients_add_up_and_one_that_nobody_has_stays_missing(two):
    (first, sums), (second, same_sums) = two(summed_gradients)
    assert sums == same_sums
    assert sums.pop("never") is sums.pop("frozen") is None
    assert "rare" not in first
    assert sums.pop("rare") == second.pop("rare")
    for name, total in sums.items():
        dtype = torch.float64 if name == "double" else torch.float32
        wanted = torch.tensor(first[name], dtype=dtype) + torch.tensor(second[name], dtype=dtype)
        assert torch.equal(torch.tensor(total, dtype=dtype), wanted), name


def without_gradients(processes):
    weight = nn.Parameter(torch.zeros(2))
    if processes.is_main:
        weight.grad = torch.ones(2)
    processes.sum_gradients([weight])
    return weight.grad.tolist()


def test_a_process_that_learnt_nothing_gets_the_gradients_of_the_others(two):
    assert two(without_gradients) == [[1.0, 1.0]] * 2


def copied(processes):
    weights = [torch.full((2,), float(processes.rank + 1)), torch.arange(3) + processes.rank]
    processes.copy_from_main(weights)
    return [weight.tolist() for weight in weights]


def test_all_start_from_the_weights_of_the_main_process(two):
    assert two(copied) == [[[1.0, 1.0], [0, 1, 2]]] * 2


@pytest.mark.parametrize(
    ("costs", "shares"),
    [
        ([7, 1, 1, 1, 4], [[0], [1, 2, 3, 4]]),
        ([1, 1, 1, 1], [[0, 2], [1, 3]]),
        ([5, 4, 3, 3, 3], [[0, 3], [1, 2, 4]]),
        ([3], [[0], []]),
        ([], [[], []]),
    ],
)
def test_groups_are_dealt_out_by_cost_the_dearest_first(costs, shares):
    assert Processes(0, 2).share(costs) == Processes(1, 2).share(costs) == shares


def test_every_group_goes_to_one_process_and_loads_are_near_equal():
    generator = torch.Generator().manual_seed(0)
    for world_size in (2, 3, 8):
        costs = torch.randint(200, 2000, (64,), generator=generator).tolist()
        shares = Processes(0, world_size).share(costs)
        assert sorted(index for share in shares for index in share) == list(range(64))
        loads = [sum(costs[index] for index in share) for share in shares]
        best = max(sum(costs) / world_size, *costs)
        assert max(loads) <= (4 / 3 - 1 / (3 * world_size)) * best


@pytest.mark.parametrize(("started", "wanted"), [("1", 2), ("2", 1), ("4", 2)])
def test_another_world_size_than_the_one_asked_for_is_an_error(monkeypatch, started, wanted):
    monkeypatch.setenv("WORLD_SIZE", started)
    launch = LaunchConfig(processes=wanted)
    with (
        pytest.raises(UserError, match=rf"is {wanted} but the world size is {started}.*launch"),
        joined(launch, torch.device("cpu")),
    ):
        pass


def test_a_launch_of_one_process_joins_nobody():
    with joined(LaunchConfig(), torch.device("cpu")) as processes:
        assert processes == Processes.single()
