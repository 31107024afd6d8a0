"""Killed before any file operation and within any write, a run ends as if nothing had happened."""

import os
import random
from pathlib import Path

import pytest

from tests.crashes import Nursery, counts_of
from tests.engine.runtime import toy_run

pytestmark = pytest.mark.slow

RESULTS = ("metrics.jsonl", "summary.json", "weights")


@pytest.fixture(scope="module")
def nursery():
    started = Nursery("tests.engine.runtime.toy_run:train", "torch._dynamo", "numpy.random")
    yield started
    started.close()


@pytest.fixture(scope="module")
def whole(nursery, tmp_path_factory):
    """A run that was left alone."""
    folder = tmp_path_factory.mktemp("toy") / "whole"
    assert nursery.run(folder)
    return folder


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


def test_the_best_weights_are_those_of_a_step_within(whole):
    assert b'"selected_step": 4' in (whole / "summary.json").read_bytes()


@pytest.mark.parametrize("kind", ["operation", "write"])
def test_killed_anywhere_it_ends_as_if_it_had_been_left_alone(nursery, whole, tmp_path, kind):
    number = counts_of(whole)[f"{kind}s"]
    assert number >= 40
    draw = random.Random(kind)
    killed_twice = draw.sample(range(1, number + 1), number // 4)
    for place in range(1, number + 1):
        folder = tmp_path / str(place)
        assert not nursery.run(folder, **{kind: place})
        if place in killed_twice:
            nursery.run(folder, **{kind: draw.randrange(1, number)})
        assert nursery.run(folder)
        assert results(folder) == results(whole), place
        stored = [path.name for path in (folder / "resume").iterdir()]
        assert sorted(stored) == ["step-00000004", "step-00000005"], place


def test_bytes_are_on_the_disk_before_the_name_that_readers_look_for(tmp_path, monkeypatch):
    synced: set[Path] = set()
    renamed: list[Path] = []
    originals = os.fsync, os.rename, os.replace

    def fsync(number):
        originals[0](number)
        synced.add(Path(os.readlink(f"/proc/self/fd/{number}")))

    def renaming(original):
        def rename(source, target):
            needed = [Path(source), *Path(source).glob("*")]
            if not Path(target).name.startswith("."):  # being removed, not being published
                assert set(needed) <= synced, f"{target} is named before its bytes are safe"
                renamed.append(Path(target))
                synced.discard(Path(target).parent)
            original(source, target)

        return rename

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", renaming(originals[1]))
    monkeypatch.setattr(os, "replace", renaming(originals[2]))
    toy_run.train(tmp_path)
    names = [path.name for path in renamed]
    assert names == [*(f"step-{n:08d}" for n in (1, 3, 4, 5)), "weights", "summary.json"]
    assert {path.parent for path in renamed} <= synced
