"""Completions for many examples: in their order, whatever the order they were decoded in."""

import pytest

from tests.engine.tiny import colour_policy, colour_rows, colour_task
from worldtune.config import SftConfig
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.rollout.sampling import Sampling
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.task import predict as predict_module
from worldtune.engine.task.predict import mean_primary_metric, predict, validator

SINGLE = Processes.single()
ROWS = [
    {"question": " ".join(["red"] * (1 + (5 * i) % 7)), "answer": "green blue"} for i in range(12)
]


@pytest.fixture(scope="module")
def made():
    task = colour_task()
    return task, BuiltinRollouts(colour_policy(), task.spec)


@pytest.mark.parametrize("per_call", [1, 6, 256])
def test_the_size_of_a_call_does_not_matter(monkeypatch, made, per_call):
    task, engine = made
    examples = task.encode(ROWS)
    options = {"max_new_tokens": 5, "sampling": Sampling(seed=3), "samples": 3}
    expected = predict(engine, task, examples, **options)
    monkeypatch.setattr(predict_module, "_ROWS_PER_CALL", per_call)
    found = predict(engine, task, examples, **options)
    assert [[c.ids for c in group] for group in found] == [
        [c.ids for c in group] for group in expected
    ]


def test_results_are_in_the_order_of_the_examples(made):
    task, engine = made
    examples = task.encode(ROWS)
    whole = predict(engine, task, examples, max_new_tokens=5)
    for example, (found,) in zip(examples, whole, strict=True):
        ((alone,),) = predict(engine, task, [example], max_new_tokens=5)
        assert alone.ids == found.ids
        assert alone.logp == pytest.approx(found.logp, abs=1e-4)
        assert len(found.ids) == len(found.logp) <= 5
        assert found.finished == (found.ids[-1] == 1)


def test_the_mean_metric_is_that_of_greedy_answers(made):
    task, engine = made
    examples = task.encode(colour_rows())
    completions = predict(engine, task, examples, max_new_tokens=4)
    right = [
        task.text(c.ids) == e.row["answer"] for e, (c,) in zip(examples, completions, strict=True)
    ]
    found = mean_primary_metric(engine, task, examples, max_new_tokens=4, processes=SINGLE)
    assert found == pytest.approx(sum(right) / len(right))
    assert mean_primary_metric(engine, task, [], max_new_tokens=4, processes=SINGLE) == 0.0


@pytest.mark.parametrize(
    ("rows", "chosen"), [(4, (0, 3, 6, 9)), (5, (0, 2, 4, 7, 9)), (99, range(12))]
)
def test_validation_takes_rows_from_all_over_the_split(made, rows, chosen):
    task, engine = made
    examples = task.encode(ROWS)
    config = SftConfig(validation_rows=rows, max_new_tokens=4)
    expected = mean_primary_metric(
        engine, task, [examples[i] for i in chosen], max_new_tokens=4, processes=SINGLE
    )
    assert validator(engine, task, examples, config, SINGLE)() == expected
    assert validator(engine, task, [], config, SINGLE)() == 0.0
