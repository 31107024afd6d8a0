"""A training run that is killed, at any moment and often, ends as if it had been left alone."""

import hashlib
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.crashes import Nursery, counts_of, output_of
from tests.run_folders import RLVR, SFT, prepare, spec
from worldtune.config import DynamicSamplingConfig, KlConfig

pytestmark = pytest.mark.slow

TRAINING = "worldtune.engine.learn"
NEEDED = (
    *(f"{TRAINING}.sft", f"{TRAINING}.grpo", "worldtune.engine.model.huggingface"),
    *("transformers.models.llama.modeling_llama", "torch._dynamo", "pyarrow.parquet"),
)
KILLS = 4


@pytest.fixture(scope="module")
def nursery():
    started = Nursery("worldtune.worker:run", *NEEDED, hash_seed=1)
    yield started
    started.close()


@pytest.fixture(scope="module")
def other_nursery():
    """Sets of texts have another order there."""
    started = Nursery("worldtune.worker:run", *NEEDED, hash_seed=2)
    yield started
    started.close()


def results(folder: Path) -> tuple[str, bytes]:
    """The hash of the weights, and the log to the byte."""
    weights = (folder / "model" / "model.safetensors").read_bytes()
    return hashlib.sha256(weights).hexdigest(), (folder / "metrics.jsonl").read_bytes()


@pytest.fixture(scope="module")
def start(nursery, tmp_path_factory) -> str:
    """What RLVR starts from."""
    folder = prepare(tmp_path_factory.mktemp("start") / "run", spec())
    assert nursery.run(folder)
    return str(folder / "model")


@pytest.fixture(scope="module", params=["sft", "rlvr"])
def run_spec(request, start):
    """A run that uses all that is stored: best weights, a moving reference, a cursor."""
    changes = {"steps": 12, "checkpoint_every": 3, "validate_every": 4, "select": "best"}
    if request.param == "sft":
        return spec(training=SFT.model_copy(update=changes))
    changes |= {
        "steps": 8,
        "kl": KlConfig(coefficient=0.1, sync_every=3, sync_mix=0.5),
        "dynamic_sampling": DynamicSamplingConfig(max_rounds=2),
        "entropy_coefficient": 0.05,
        "sft_weight": 0.2,
    }
    return spec("rlvr", training=RLVR.model_copy(update=changes), start=start)


@pytest.fixture(scope="module")
def whole(nursery, run_spec, tmp_path_factory):
    """The run, left alone; and how long it took, in seconds."""
    folder = prepare(tmp_path_factory.mktemp(run_spec.stage) / "whole", run_spec)
    began = time.perf_counter()
    assert nursery.run(folder)
    return folder, time.perf_counter() - began


def test_two_runs_of_a_specification_are_the_same_to_the_bit(
    other_nursery, whole, run_spec, start, tmp_path
):
    begun_with = (Path(start) / "model.safetensors").read_bytes()
    assert results(whole[0])[0] != hashlib.sha256(begun_with).hexdigest(), "nothing was learnt"
    again = prepare(tmp_path / "again", run_spec)
    assert other_nursery.run(again)
    assert results(again) == results(whole[0])
    lines = results(again)[1].splitlines()
    assert len(lines) == run_spec.training.steps
    assert b"val/metric" in lines[3] and b"val/metric" in lines[-1]


def test_killed_at_random_moments_it_ends_the_same(other_nursery, whole, run_spec, tmp_path):
    folder = prepare(tmp_path / "killed", run_spec)
    draw = random.Random(run_spec.stage)
    for _ in range(KILLS):
        process = other_nursery.start(folder)
        time.sleep(draw.uniform(0, whole[1]))
        with suppress(ProcessLookupError):  # it may have ended
            os.kill(process, signal.SIGKILL)
        other_nursery.wait()
    assert other_nursery.run(folder)
    assert results(folder) == results(whole[0])


def test_killed_while_it_writes_it_ends_the_same(other_nursery, whole, run_spec, tmp_path):
    folder = prepare(tmp_path / "killed", run_spec)
    number = counts_of(whole[0])
    draw = random.Random(run_spec.stage)
    for kind in ("operation", "write") * (KILLS // 2):
        place = draw.randrange(number[f"{kind}s"] // 4, number[f"{kind}s"] // 2)
        other_nursery.run(folder, **{kind: place})
    assert other_nursery.run(folder)
    assert results(folder) == results(whole[0])


def test_killed_during_the_final_save_it_ends_the_same(other_nursery, whole, run_spec, tmp_path):
    folder = prepare(tmp_path / "killed", run_spec)
    before_first_file, before_last_file, before_its_name = 4, 9, 10
    for place in (before_its_name, before_first_file, before_last_file):
        assert not other_nursery.run(folder, part=".model.new", operation=place)
        assert not (folder / "model").exists()
    before_the_name_of_the_result = 3
    assert not other_nursery.run(
        folder, part="result.json", operation=before_the_name_of_the_result
    )
    assert (folder / "model").exists() and not (folder / "result.json").exists()
    assert other_nursery.run(folder)
    assert results(folder) == results(whole[0])
    assert (folder / "result.json").exists()


def test_a_damaged_state_is_named_and_the_run_ends_the_same(
    other_nursery, whole, run_spec, tmp_path
):
    folder = prepare(tmp_path / "killed", run_spec)
    assert not other_nursery.run(folder, operation=counts_of(whole[0])["operations"] * 2 // 3)
    newest = max((folder / "resume").glob("step-*"))
    content = bytearray((newest / "state.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (newest / "state.safetensors").write_bytes(content)
    assert other_nursery.run(folder)
    assert results(folder) == results(whole[0])
    said = output_of(folder)
    assert f"checkpoint {newest} is damaged" in said and "going on from step-0" in said
