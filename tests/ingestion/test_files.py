import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worldtune.ingestion import files
from worldtune.ingestion.rows import Record, SourceError, Unreadable

LIMIT = 4_000_000


def find(path: Path | str) -> list[files.SourceFile]:
    return files.find_files(str(path), key="toy.ingest.source.path", hub_example="org/toys")


def write_lines(path: Path, *lines: bytes) -> files.SourceFile:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return find(path)[0]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.parquet", "train"),
        ("train-00000-of-00002.parquet", "train"),
        ("validation.jsonl", "val"),
        ("test.json", "test_iid"),
        ("test_website_3.json", "test_unseen"),
        ("test_task/part_0.json", "test_iid"),
        ("data/test_domain/part.json", "test_unseen"),
        ("pages.jsonl", None),
        ("testing_ground.jsonl", None),
    ],
)
def test_the_name_of_a_file_or_its_folder_tells_its_split(
    tmp_path: Path, name: str, split: str | None
) -> None:
    file = tmp_path / "source" / name
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert find(tmp_path / "source")[0].split == split


def test_a_folder_of_shards_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [3]}), tmp_path / "part-1.parquet")
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "part-0.parquet")
    (tmp_path / "notes.txt").write_text("not data")
    found = find(tmp_path)
    records = [record for file in found for record in files.read(file, LIMIT)]
    assert [record.values["a"] for record in records if isinstance(record, Record)] == [1, 2, 3]
    assert [record.origin for record in records] == [
        "part-0.parquet:1",
        "part-0.parquet:2",
        "part-1.parquet:1",
    ]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("absent.parquet", "does not exist"),
        ("a/b/c", "is no hub id"),
        ("empty", "holds no .parquet, .jsonl, .json file (found: nothing)"),
        ("text", "(found: notes.txt)"),
    ],
)
def test_a_path_without_data_says_what_is_there(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.txt").write_text("")
    given = path if path == "a/b/c" else str(tmp_path / path)
    with pytest.raises(SourceError, match=r"^toy\.ingest\.source\.path: ") as caught:
        find(given)
    assert words in str(caught.value)


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(SourceError, match=r"a\.parquet is not a readable parquet file"):
        list(files.read(find(tmp_path)[0], LIMIT))


@pytest.mark.parametrize(
    ("line", "reason", "words"),
    [
        (b'{"a": 1', "not_json", "Expecting ',' delimiter (character 8)"),
        (b"[1, 2]", "not_json", "expected a JSON object, found list"),
        (b"[" * 100_000, "not_json", "nested too deeply"),
        (b'{"a": ' * 100_000, "not_json", "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not_json", "Exceeds the limit"),
        (b'{"a": "caf\xe9"}', "not_utf8", "byte 11 of the line (0xe9) is not UTF-8"),
        (b'{"a": "\0"}', "not_utf8", "the line holds a null byte"),
        (b'{"a": "' + b"x" * 10_000_000 + b'"}', "too_long", "the line exceeds 4,000,000 bytes"),
    ],
)
def test_a_hostile_line_is_one_unreadable_entry_and_the_next_line_is_read(
    tmp_path: Path, line: bytes, reason: str, words: str
) -> None:
    file = write_lines(tmp_path / "a.jsonl", b'{"a": 1}', line, b"", b'{"a": 2}')
    first, bad, last = files.read(file, LIMIT)
    assert isinstance(bad, Unreadable)
    assert (bad.reason, bad.origin) == (reason, "a.jsonl:2")
    assert words in bad.message
    assert len(bad.excerpt) <= 4 * 400
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert (first.values, last.values) == ({"a": 1}, {"a": 2})
    assert last.origin == "a.jsonl:4", "blank lines count as lines"


def test_a_json_array_is_read_row_by_row_and_bad_bytes_spoil_one_row_only(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf [{"a": "x"}, {"a": "caf\xe9"}, 7]')
    good, surrogate, number = files.read(find(tmp_path / "a.json")[0], LIMIT)
    assert isinstance(good, Record)
    assert good.values == {"a": "x"}
    assert isinstance(surrogate, Record)
    assert surrogate.values == {"a": "caf\udce9"}
    assert isinstance(number, Unreadable)
    assert number.reason == "not_json"


def test_a_json_array_that_is_cut_off_is_one_unreadable_entry(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"a": "x"}, ')
    (bad,) = files.read(find(tmp_path / "a.json")[0], LIMIT)
    assert isinstance(bad, Unreadable)
    assert bad.message == "the file is not JSON: Expecting value (character 14)"


def test_parquet_text_that_is_not_utf8_spoils_one_row_only(tmp_path: Path) -> None:
    raw = pa.array([b"x", b"caf\xe9", b"y"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    pq.write_table(pa.table({"a": text}), tmp_path / "a.parquet")
    first, bad, last = files.read(find(tmp_path)[0], LIMIT)
    assert isinstance(bad, Unreadable)
    assert (bad.reason, bad.origin) == ("not_utf8", "a.parquet:2")
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert first.values["a"] + last.values["a"] == "xy"


def test_the_digest_of_one_file_is_that_of_its_bytes_and_of_several_depends_on_all(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.json").write_bytes(b"1")
    assert files.digest(find(tmp_path)) == hashlib.sha256(b"1").hexdigest()
    (tmp_path / "b.json").write_bytes(b"2")
    both = files.digest(find(tmp_path))
    (tmp_path / "b.json").write_bytes(b"3")
    assert files.digest(find(tmp_path)) != both
