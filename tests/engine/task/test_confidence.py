"""Item probabilities, dropping unsure items, and the threshold that validation chooses."""

import math

import pytest

from tests.engine.tiny import colour_task
from worldtune.engine.task.confidence import THRESHOLDS, ItemisedAnswer, itemise, tune_threshold
from worldtune.engine.task.predict import Completion
from worldtune.engine.task.text_task import Example


def logs(*probabilities):
    return tuple(math.log(p) for p in probabilities)


def completed(ids, logp):
    return Completion(ids, logp, (True,) * len(ids), finished=True)


def test_each_item_has_the_product_of_its_tokens_probabilities():
    task = colour_task()
    found = itemise(task, completed((3, 4, 1), logs(0.5, 0.25, 0.9)))
    assert found.text == "red green"
    assert found.spans == ((0, 3), (4, 9))
    assert found.probabilities == pytest.approx((0.5, 0.25))


def test_an_item_of_several_tokens_multiplies_them():
    class TwoWords(type(colour_task().domain)):
        def item_spans(self, completion):
            return [(10, len(completion)), (0, 9)]

    task = colour_task()
    task = type(task)(TwoWords(task.domain.reward), task.tokenizer)
    found = itemise(task, completed((3, 4, 5, 6, 1), logs(0.5, 0.5, 0.8, 0.5, 0.1)))
    assert found.text == "red green blue black"
    assert found.spans == ((0, 9), (10, 20))
    assert found.probabilities == pytest.approx((0.25, 0.4))


def test_an_answer_without_items_stays_as_it_is():
    found = itemise(colour_task(), completed((1,), (0.0,)))
    assert (found.text, found.spans, found.probabilities) == ("", (), ())
    assert found.without_unsure(0.9) == ""


@pytest.mark.parametrize(
    ("threshold", "text"),
    [
        (0.0, "red green blue"),
        (0.2, "red green blue"),
        (0.21, "red  blue"),
        (0.6, "red  "),
        (1.0, "  "),
    ],
)
def test_items_below_the_threshold_are_left_out(threshold, text):
    spans, probabilities = ((0, 3), (4, 9), (10, 14)), (0.9, 0.2, 0.5)
    answer = ItemisedAnswer("red green blue", spans, probabilities)
    assert answer.without_unsure(threshold) == text


def answer(*items):
    text = " ".join(word for word, _ in items)
    spans, start = [], 0
    for word, _ in items:
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return ItemisedAnswer(text, tuple(spans), tuple(p for _, p in items))


def example(wanted):
    return Example(0, {"question": "red", "answer": wanted}, (3,), (1,))


def test_the_best_candidate_is_chosen():
    # The wrong items have 0.17 and 0.22, the right ones at least 0.27: only 0.25 parts them.
    answers = [
        answer(("red", 0.9), ("grey", 0.22)),
        answer(("blue", 0.27)),
        answer(("pink", 0.17), ("green", 0.8)),
    ]
    examples = [example("red"), example("blue"), example("green")]
    assert tune_threshold(colour_task(), examples, answers) == 0.25


def test_ties_go_to_the_smaller_candidate():
    answers = [answer(("red", 0.9), ("grey", 0.12))]
    assert tune_threshold(colour_task(), [example("red")], answers) == 0.15
    assert tune_threshold(colour_task(), [example("red")], [answer(("red", 0.9))]) == 0.0
    assert tune_threshold(colour_task(), [], []) == 0.0


def test_a_metric_that_should_fall_is_minimised():
    class Lower(type(colour_task().domain)):
        def metrics(self, row, prediction):
            return {"right": float(len(prediction or ()))}

    task = colour_task()
    task = type(task)(Lower(task.domain.reward, higher_is_better=False), task.tokenizer)
    assert tune_threshold(task, [example("red")], [answer(("red", 0.33))]) == 0.35


def test_candidates_rise_from_keeping_everything():
    assert THRESHOLDS[0] == 0.0
    assert list(THRESHOLDS) == sorted(set(THRESHOLDS))
