"""Two processes learn exactly what one learns: the same rollouts, gradients and metrics."""

import types
from dataclasses import replace

import pytest
import torch

from tests.engine.tiny import clean_float64, colour_rows, colour_task, tiny_model, word_tokenizer
from tests.pair import pair
from worldtune.config import RlvrConfig, SftConfig
from worldtune.engine.learn.experience import Collector
from worldtune.engine.learn.grpo import Grpo
from worldtune.engine.learn.learner import Learner
from worldtune.engine.learn.order import Order
from worldtune.engine.learn.rewards import Scorer
from worldtune.engine.learn.sft import accumulate_likelihood
from worldtune.engine.model.policy import as_policy
from worldtune.engine.model.sharding import Shards
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.runtime.processes import Processes

SEED, PROMPTS = 1, 4
ORDER = Order(SEED, range(len(colour_rows())))
FIRST = colour_rows()[ORDER.rows_at(0, PROMPTS)[0]]["answer"]


@pytest.fixture(scope="module")
def two():
    with pair() as processes:
        yield processes


def policy(*, seed=0, tied=False, path="auto"):
    """In float64 throughout, so that nothing but the order of sums is left."""
    clean_float64(types.SimpleNamespace(setattr=setattr), "qwen2")
    model = tiny_model(
        vocabulary=len(word_tokenizer()), seed=seed, dtype=torch.float64, tied=tied, kv_heads=2
    )
    return as_policy(model, path=path)


def sharded_policy(processes, tied):
    whole = policy(tied=tied, path="interface")
    return replace(whole, shards=Shards(whole.model, processes))


def whole(tensor):
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


class Recorder(Learner):
    """Keeps the gradients of every update and moves by plain gradient descent."""

    def __init__(self, policy, config, *, processes):
        super().__init__(policy, config, processes=processes)
        self.optimizers = [torch.optim.SGD(policy.model.parameters(), lr=0.3)]
        self.optimizers[0].param_groups[0]["peak"] = 0.3
        self.gradients = []

    def step(self, step):
        self.processes.sum_gradients(self.policy.model.parameters())
        named = self.policy.model.named_parameters()
        self.gradients.append({n: whole(p.grad).clone() for n, p in named if p.grad is not None})
        joined, self.processes = self.processes, Processes.single()  # they are summed already
        values = super().step(step)
        self.processes = joined
        return values


def many_words(answer, completion):
    """A reward with signal in nearly every group."""
    return len(set(completion.split())) + 0.1 * (answer.split()[0] in completion)


def signal_in_first(answer, completion):
    """A reward with signal in the group of the first prompt alone."""
    return many_words(answer, completion) if answer == FIRST else 0.25


REWARDS = {"many": many_words, "first": signal_in_first}


def learnt(processes, settings, reward, tied=False, sharded=False):
    """One step of RLVR: rollouts, gradients by update, metrics; and who had any signal."""
    torch.set_num_threads(1)
    config = RlvrConfig(
        **{
            "steps": 2,
            "batch_prompts": PROMPTS,
            "update_prompts": PROMPTS,
            "group_size": 4,
            "max_new_tokens": 5,
            **settings,
        }
    )
    task = colour_task(REWARDS[reward])
    trained = sharded_policy(processes, tied) if sharded else policy(tied=tied)
    learner = Recorder(trained, config, processes=processes)
    collector = Collector(
        BuiltinRollouts(trained, task.spec),
        task,
        Scorer(task, config.reward, config.overlong, config.max_new_tokens),
        task.encode(colour_rows()),
        config,
        processes,
        ORDER,
    )
    seen = []
    collect = collector.collect

    def watched(step):
        batch = collect(step)
        seen.extend(batch.sampled)
        return batch

    collector.collect = watched
    reference = policy(seed=5, tied=tied) if config.kl.coefficient else None
    algorithm = Grpo(learner, collector, reference, config)
    metrics = algorithm.step(0)
    rollouts = [[g.place, [[c.ids, c.logp] for c in g.completions]] for g in seen]
    signal = [int(any(group.has_signal for group in seen))]
    return {
        "rollouts": sorted(processes.gather(rollouts)),
        "gradients": learner.gradients,
        "metrics": metrics,
        "signal": processes.gather(signal),
    }


def assert_same_gradients(left, right):
    assert len(left) == len(right)
    for update, other in zip(left, right, strict=True):
        assert update.keys() == other.keys()
        scale = max((float(gradient.norm()) for gradient in update.values()), default=0.0)
        for name, gradient in update.items():
            error = float((gradient - other[name]).norm())
            assert error <= 1e-12 * max(float(gradient.norm()), 1e-3 * scale), name


SETTINGS = {
    "grpo": {},
    "small_passes": {"tokens_per_pass": 9},
    "off_policy": {"update_prompts": 2},
    "dr_grpo": {"preset": "dr_grpo"},
    "gspo": {"preset": "gspo", "update_prompts": 2},
    "reinforce_pp": {"preset": "reinforce_pp"},
    "paper": {"preset": "paper", "group_size": 4},
    "kl_in_reward": {"kl": {"coefficient": 0.1, "place": "reward"}},
    "joint_sft": {"sft_weight": 0.5},
    "truncated": {"sampling": {"top_k": 5}, "update_prompts": 2, "tokens_per_pass": 9},
    "dynamic": {"dynamic_sampling": {"max_rounds": 3}},
}


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("sharded", [False, True], ids=["whole", "sharded"])
@pytest.mark.parametrize("name", SETTINGS)
def test_two_processes_give_the_rollouts_and_gradients_of_one(two, name, sharded, tied):
    alone = learnt(Processes.single(), SETTINGS[name], "many", tied)
    first, second = two(learnt, SETTINGS[name], "many", tied, sharded)
    assert first["signal"] == [1, 1]
    for together in (first, second):
        for (place, group), (same, others) in zip(
            alone["rollouts"], together["rollouts"], strict=True
        ):
            assert place == same
            for (ids, logp), (other_ids, other_logp) in zip(group, others, strict=True):
                assert list(ids) == list(other_ids)
                assert logp == pytest.approx(other_logp, rel=1e-12, abs=1e-12)
        assert any(float(g.norm()) > 0 for g in alone["gradients"][0].values())
        assert_same_gradients(alone["gradients"], together["gradients"])
        assert together["metrics"] == pytest.approx(alone["metrics"], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("update_prompts", [PROMPTS, 2])
@pytest.mark.parametrize("sharded", [False, True], ids=["whole", "sharded"])
def test_a_process_whose_groups_teach_nothing_holds_nobody_up(two, sharded, update_prompts):
    settings = {"update_prompts": update_prompts}
    alone = learnt(Processes.single(), settings, "first")
    first, second = two(learnt, settings, "first", False, sharded)
    assert first["signal"] == [1, 0]
    assert_same_gradients(alone["gradients"], first["gradients"])
    assert_same_gradients(alone["gradients"], second["gradients"])


def supervised(processes, count):
    torch.set_num_threads(1)
    config = SftConfig(steps=1, tokens_per_pass=6)
    learner = Recorder(policy(), config, processes=processes)
    task = colour_task()
    loss = accumulate_likelihood(learner, task.encode(colour_rows()[:count]))
    learner.step(0)
    return loss, learner.gradients


@pytest.mark.parametrize("count", [7, 1])
def test_supervised_gradients_are_those_of_one_process(two, count):
    loss, gradients = supervised(Processes.single(), count)
    for value, others in two(supervised, count):
        assert value == pytest.approx(loss, rel=1e-13)
        assert_same_gradients(gradients, others)
