"""The setting of the second table: what the few demonstrations change."""

import pytest
from pydantic import ValidationError

from tests.comparison.small import setting
from worldtune.comparison.few import few_setting
from worldtune.config import FewConfig, FewStageConfig


def test_demonstrations_change_the_task_the_stages_and_the_length_of_answers(tmp_path):
    first = setting(tmp_path)
    few = FewConfig(
        task={"layout": "zero_shot"},
        sft=FewStageConfig(steps=3),
        rlvr=FewStageConfig(steps=5, max_new_tokens=300),
    )
    found = few_setting(first, few, num_rows=400)
    assert found.task == first.task.model_copy(update={"layout": "zero_shot"})
    assert found.sft == first.sft.model_copy(update={"steps": 3})
    assert found.rlvr == first.rlvr.model_copy(update={"steps": 5, "max_new_tokens": 300})
    assert found.evaluate == first.evaluate.model_copy(update={"max_new_tokens": 300})
    assert (found.model, found.compare, found.folder) == (first.model, first.compare, tmp_path)


def test_what_is_not_stated_is_as_in_the_first_table_but_for_the_length_of_answers(tmp_path):
    first = setting(tmp_path)
    found = few_setting(first, FewConfig(rows=12), num_rows=12)
    assert (found.task, found.sft, found.rlvr) == (first.task, first.sft, first.rlvr)
    assert found.evaluate.max_new_tokens == first.rlvr.max_new_tokens


def test_a_task_that_the_domain_refuses_stops_before_any_training(tmp_path):
    few = FewConfig(rows=2, task={"reward": "reference_f1"})
    with pytest.raises(ValueError, match=r"set web\.task\.layout to 'zero_shot'"):
        few_setting(setting(tmp_path), few, num_rows=12)
    with pytest.raises(ValidationError, match="rewrad"):
        few_setting(setting(tmp_path), FewConfig(rows=2, task={"rewrad": "f1"}), num_rows=12)
