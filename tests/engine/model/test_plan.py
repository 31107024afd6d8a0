"""The order of attention, by hand."""

import torch

from worldtune.engine.model.plan import Branch, attention_order, spans_of

CPU = torch.device("cpu")


def test_prompts_come_first_by_length_then_completions_by_prompt():
    # Row: prompt a (0-2), its completions (3-4) and (5), prompt b (6-7), its completion (8).
    order = attention_order([3, 2], [2, 1, 1], [0, 0, 1], device=CPU)
    assert order.permutation.tolist() == [6, 7, 0, 1, 2, 8, 3, 4, 5]
    assert order.place[order.permutation].tolist() == list(range(9))
    assert order.by_length == [1, 0]
    assert order.ends.tolist() == [1, 4]
    assert order.prompt_rows == 5
    assert order.full.branches == (Branch(slice(0, 2), 5, (1,)), Branch(slice(2, 5), 6, (2, 1)))
    assert order.full.crossings() == [(slice(5, 6), slice(0, 2)), (slice(6, 9), slice(2, 5))]
    tips = [(slice(0, 1), slice(0, 2)), (slice(1, 2), slice(2, 5))]
    branches = [(slice(2, 3), slice(0, 2)), (slice(3, 6), slice(2, 5))]
    assert order.last.crossings() == tips + branches


def test_padding_repeats_the_last_row_of_a_span():
    spans = spans_of([3, 1, 2], 4, CPU)
    assert spans.rows() == slice(4, 10)
    assert spans.padding.rows.tolist() == [0, 1, 2, 3, 3, 3, 4, 5, 5]
    assert spans.padding.real.tolist() == [0, 1, 2, 3, 6, 7]
    assert spans.padding.repeats.tolist() == [4, 5, 8]
    tensor = torch.arange(12.0)[:, None]
    assert spans.take(tensor)[:, 0].tolist() == [[4, 5, 6], [7, 7, 7], [8, 9, 9]]
    assert spans.take(tensor, 2, zero=True)[:, 0].tolist() == [[2, 3, 4], [5, 0, 0], [6, 7, 0]]
    assert spans.flat(spans.take(tensor))[:, 0].tolist() == [4, 5, 6, 7, 8, 9]


def test_spans_of_equal_length_are_views():
    tensor = torch.arange(12.0).view(6, 2)
    taken = spans_of([2, 2], 1, CPU).take(tensor)
    assert taken.shape == (2, 2, 2)
    assert taken.data_ptr() == tensor[1:].data_ptr()


def calls(lengths):
    order = attention_order([1], lengths, [0] * len(lengths), device=CPU)
    return [spans.lengths for spans in order.full.own]


def test_short_spans_share_a_call_unless_padding_would_dominate():
    assert calls([4, 5, 3]) == [(4, 5, 3)]
    assert calls([2, 2, 2, 90]) == [(2, 2, 2), (90,)]
    assert calls([4, 0, 5]) == [(4, 5)]


def test_long_spans_have_a_call_each_unless_they_are_equal():
    assert calls([300, 299]) == [(300,), (299,)]
    assert calls([300, 300]) == [(300, 300)]
    assert calls([200, 300]) == [(200,), (300,)]
