import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from worldtune.ingestion import archives, files
from worldtune.ingestion.rows import Record, SourceError, Unreadable

KEY = "toy.ingest.source.path"


def make_zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def read(path: Path, *inside: str, limit: int = 1000) -> list[Any]:
    names = inside or ("rows.jsonl",)
    return list(files.read(files.SourceFile(path, names[-1], None, KEY, names), limit))


def test_lines_are_read_from_inside_a_zip_and_long_ones_are_passed_over(tmp_path: Path) -> None:
    lines = [b'{"a": 1}', b'{"a": "' + b"x" * 100_000 + b'"}', b"{", b'{"a": 2}']
    path = make_zip(tmp_path / "a.zip", **{"top/rows.jsonl": b"\n".join(lines)})
    first, long, cut, last = read(path, "top/rows.jsonl")
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert (first.values, last.values) == ({"a": 1}, {"a": 2})
    assert isinstance(long, Unreadable)
    assert isinstance(cut, Unreadable)
    assert (long.reason, cut.reason) == ("too_long", "not_json")
    assert [e.origin[-2:] for e in (first, long, cut, last)] == [":1", ":2", ":3", ":4"]
    assert list(tmp_path.iterdir()) == [path], "nothing is unpacked"


def test_a_zip_within_a_zip_is_read_in_place(tmp_path: Path) -> None:
    rows = b"\n".join(b'{"a": %d}' % i for i in range(20_000))
    inner = make_zip(tmp_path / "inner.zip", **{"rows.jsonl": rows})
    outer = make_zip(tmp_path / "a.zip", **{"top/inner.zip": inner.read_bytes()})
    assert archives.member_names(outer, ["top/inner.zip"], key=KEY) == ["rows.jsonl"]
    found = read(outer, "top/inner.zip", "rows.jsonl")
    assert [record.values["a"] for record in found] == list(range(20_000))
    assert set(tmp_path.iterdir()) == {inner, outer}


def test_folders_are_no_files(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", **{"top/": b"", "top/rows.jsonl": b""})
    assert archives.member_names(path, key=KEY) == ["top/rows.jsonl"]


@pytest.mark.parametrize("name", ["../rows.jsonl", "/rows.jsonl", "a/../../b", "C:/rows.jsonl"])
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "a.zip", **{name: b"{}"})
    with pytest.raises(SourceError, match=rf"^{KEY}: .* leads outside of the zip"):
        read(path, name)


def test_a_link_is_refused(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("rows.jsonl")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(member, "/etc/hostname")
    with pytest.raises(SourceError, match="is a link"):
        read(tmp_path / "a.zip")


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", **{"rows.jsonl": b"{}"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match="is encrypted"):
        read(path)


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", **{"rows.jsonl": b"1\n" * 10_000_000})
    with pytest.raises(SourceError, match="unpacks to more than 300 times its size"):
        read(path)


def test_a_file_beyond_any_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 10)
    path = make_zip(tmp_path / "a.zip", **{"rows.jsonl": b'{"a": 12345}'})
    with pytest.raises(SourceError, match="unpacks to 12 bytes; at most 10 are read"):
        read(path)


def test_rows_that_differ_little_are_no_bomb(tmp_path: Path) -> None:
    state = b"".join(b"%d " % (i * i * 7919 % 100_003) for i in range(1500))
    rows = [b'{"state": "%s", "number": %d}' % (state, i) for i in range(1000)]
    path = make_zip(tmp_path / "a.zip", **{"rows.jsonl": b"\n".join(rows)})
    assert sum(map(len, rows)) > max(100 * path.stat().st_size, archives.MIN_BOMB_BYTES)
    assert len(read(path, limit=100_000)) == 1000


@pytest.mark.parametrize("damage", ["cut", "bytes", "text"])
def test_a_damaged_zip_is_named(tmp_path: Path, damage: str) -> None:
    noise = b"".join(b'{"a": %d}\n' % (i * 7919 % 10_007) for i in range(5000))
    path = make_zip(tmp_path / "a.zip", **{"rows.jsonl": noise})
    data = bytearray(path.read_bytes())
    if damage == "bytes":
        data[5000:5100] = bytes(100)
    path.write_bytes({"cut": data[:-300], "bytes": data, "text": b"not a zip"}[damage])
    with pytest.raises(SourceError, match=r"a\.zip is not a readable zip file"):
        read(path)


def test_damage_is_named_whatever_the_packing(tmp_path: Path) -> None:
    for packing in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = tmp_path / f"{packing}.zip"
        with zipfile.ZipFile(path, "w", packing) as archive:
            archive.writestr("rows.jsonl", b'{"a": 1}\n' * 5000)
        data = bytearray(path.read_bytes())
        data[60:90] = bytes(30)
        path.write_bytes(data)
        with pytest.raises(SourceError, match="is not a readable zip file"):
            read(path)
