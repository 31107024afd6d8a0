"""Files that are whole or not there."""

import pytest

from tests.engine.runtime.disk import room_for
from worldtune.engine.runtime import durable
from worldtune.errors import UserError


def test_a_file_is_replaced_as_a_whole_and_leaves_no_temporary_one(tmp_path):
    path = tmp_path / "deep" / "file"
    durable.replace_file(path, b"old")
    durable.replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_folder_is_published_and_removed_under_its_name_at_once(tmp_path):
    fresh, final = tmp_path / ".a.new", tmp_path / "a"
    fresh.mkdir()
    (fresh / "x").write_text("1")
    durable.sync_tree(fresh)
    durable.publish_folder(fresh, final)
    assert (final / "x").read_text() == "1" and not fresh.exists()
    durable.remove_folder(final)
    durable.remove_folder(final)  # a folder that is not there is removed already
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(OSError, match="too large"), room_for(100):
        durable.replace_file(tmp_path / "file", b"x" * 101)
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_full_disk_is_explained(tmp_path):
    with (
        pytest.raises(UserError, match=r"the log cannot be written to .*No space left.*make room"),
        durable.explained("the log", tmp_path),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")
