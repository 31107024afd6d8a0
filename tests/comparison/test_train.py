"""Arms that are trained one from another."""

from worldtune.comparison.train import Trained, longer_config, wall_times
from worldtune.config import OptimizerConfig, SftConfig


def test_continued_training_changes_only_steps_and_rates():
    sft = SftConfig(optimizer=OptimizerConfig(learning_rate=0.01, muon_learning_rate=0.04))
    found = longer_config(sft, steps=7, rate=0.25)
    assert (found.steps, found.optimizer.learning_rate) == (7, 0.0025)
    assert found.optimizer.muon_learning_rate == 0.01
    kept = found.model_dump(exclude={"steps", "optimizer"})
    assert kept == sft.model_dump(exclude={"steps", "optimizer"})


def test_wall_times_are_listed_by_arm_in_the_order_of_the_seeds():
    trained = [Trained({}, {"sft": 1.0, "rlvr": 2.0}), Trained({}, {"sft": 3.0, "rlvr": 4.0})]
    assert wall_times(trained) == {"sft": [1.0, 3.0], "rlvr": [2.0, 4.0]}
