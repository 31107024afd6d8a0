import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.domains.text_game.raw_rows import lines, simulator_row
from worldtune.domains.text_game.readers import READER
from worldtune.domains.text_game.readers.clone import Clone, find_clone
from worldtune.ingestion.rows import RawRow, SourceError

OBJECTS = "Object: Lamp\n\n==========\nObject: Cup\n==========\nObject: World\n"
RULES = {
    "rules/human_written_rules/object_rules.json": json.dumps({"lamp": OBJECTS}).encode(),
    "rules/human_written_rules/action_rules.json": b'{"lamp": "switch on", "cup": "fill"}',
    "rules/human_written_rules/score_rules.json": b'{"lamp": "1 point"}',
}


def packed(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


TEST, TRAIN = lines(simulator_row(1), simulator_row(2)), lines(simulator_row(3))
PACKED = {
    "data/test.zip": packed({"test.jsonl": TEST}),
    "data/train.zip": packed({"__MACOSX/._train.jsonl": b"x", "train.jsonl": TRAIN}),
    "human_annotation/data/test.jsonl": lines(simulator_row(9)),
}
PLAIN = {"data/test.jsonl": TEST, "data/train.jsonl": TRAIN}


def folder(root: Path, files: Mapping[str, bytes]) -> str:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return str(root)


def archive(root: Path, files: Mapping[str, bytes], top: str = "") -> str:
    (root / "clone.zip").write_bytes(packed({top + name: data for name, data in files.items()}))
    return str(root / "clone.zip")


def rows(clone: Clone) -> list[tuple[str, str | None, int]]:
    """Origin, split and number of every row."""
    return [
        (entry.origin, entry.values["split"], entry.values["step"])
        for entry in READER.read("gpt_simulator", clone.files)
        if isinstance(entry, RawRow)
    ]


ZIPPED_ROWS = [
    ("data/test.zip/test.jsonl:1", "test_iid", 1),
    ("data/test.zip/test.jsonl:2", "test_iid", 2),
    ("data/train.zip/train.jsonl:1", "train", 3),
]


@pytest.mark.parametrize("top", [None, "", "GPT-simulator-main/"])
def test_a_clone_gives_both_splits_and_its_rules_also_zipped(
    tmp_path: Path, top: str | None
) -> None:
    files = {**PACKED, **RULES}
    path = folder(tmp_path, files) if top is None else archive(tmp_path, files, top)
    clone = find_clone(path)
    assert rows(clone) == ZIPPED_ROWS
    assert json.loads(clone.rules["lamp"]) == {
        "objects": "Object: Lamp\n\n\nObject: Cup",
        "actions": "switch on",
        "score": "1 point",
    }
    assert json.loads(clone.rules["cup"]) == {"objects": "", "actions": "fill", "score": ""}


@pytest.mark.parametrize("top", [None, "", "top/"])
def test_unpacked_rows_are_read_once_also_beside_their_zip(tmp_path: Path, top: str | None) -> None:
    files = {**PACKED, **PLAIN}
    path = folder(tmp_path, files) if top is None else archive(tmp_path, files, top)
    clone = find_clone(path)
    assert [(split, number) for _, split, number in rows(clone)] == [
        ("test_iid", 1),
        ("test_iid", 2),
        ("train", 3),
    ]
    assert rows(clone)[0][0] == "data/test.jsonl:1"
    assert clone.rules == {}


def test_rules_and_either_split_are_optional(tmp_path: Path) -> None:
    clone = find_clone(folder(tmp_path, {"data/train.zip": PACKED["data/train.zip"]}))
    assert rows(clone) == [ZIPPED_ROWS[2]]
    assert clone.rules == {}


@pytest.mark.parametrize("name", ["data", "data/test.zip", "data/test.jsonl"])
def test_a_part_of_a_clone_will_do_and_finds_the_rules_around_it(tmp_path: Path, name: str) -> None:
    folder(tmp_path, {**PACKED, **RULES, **({} if name.endswith("zip") else PLAIN)})
    clone = find_clone(str(tmp_path / name))
    assert [number for _, split, number in rows(clone) if split == "test_iid"] == [1, 2]
    assert ("lamp" in clone.rules) == (name != "data")


def test_files_of_other_names_have_no_split(tmp_path: Path) -> None:
    folder(tmp_path, {"mine.jsonl": TRAIN, "mine.zip": packed({"deep/mine.jsonl": TRAIN})})
    assert rows(find_clone(str(tmp_path / "mine.jsonl"))) == [("mine.jsonl:1", None, 3)]
    assert rows(find_clone(str(tmp_path / "mine.zip"))) == [("mine.zip/deep/mine.jsonl:1", None, 3)]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("absent", "does not exist (looked from"),
        ("empty", "(found: nothing)"),
        ("other", "(found: README.md, data)"),
        ("other.zip", "(found: README.md, data/games.py)"),
        ("rows.zip", "(found: data/test.zip)"),
    ],
)
def test_a_wrong_place_names_the_files_looked_for(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    other = {"README.md": b"", "data/games.py": b""}
    folder(tmp_path / "other", other)
    (tmp_path / "other.zip").write_bytes(packed(other))
    (tmp_path / "rows.zip").write_bytes(packed({"data/test.zip": packed({"notes.txt": b""})}))
    with pytest.raises(SourceError, match=r"^text_game\.ingest\.source\.path: ") as caught:
        find_clone(str(tmp_path / path))
    assert words in str(caught.value)
    names = "data/test.jsonl, data/test.zip, data/train.jsonl or data/train.zip"
    assert names in str(caught.value)


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"lamp": 3}', b"\xff", b"[" * 100_000])
def test_rules_that_are_no_texts_are_named(tmp_path: Path, text: bytes) -> None:
    name = "rules/human_written_rules/score_rules.json"
    with pytest.raises(SourceError, match=r"score_rules\.json is not a JSON object of texts"):
        find_clone(folder(tmp_path, {**PLAIN, name: text}))


@pytest.mark.parametrize("data", [b"PK no zip", PACKED["data/test.zip"][:-30]])
def test_a_broken_zip_is_named(tmp_path: Path, data: bytes) -> None:
    for path in (folder(tmp_path, {"data/test.zip": data}), str(tmp_path / "data/test.zip")):
        with pytest.raises(SourceError, match=r"test\.zip is not a readable zip file"):
            find_clone(path)


def test_a_zip_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, {"test.zip": packed({"../../test.jsonl": TEST})})
    with pytest.raises(SourceError, match="leads outside of the zip"):
        rows(find_clone(path))


def test_nothing_is_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path, {**PACKED, **RULES})
    rows(find_clone(path))
    assert [file.name for file in tmp_path.iterdir()] == ["clone.zip"]
    shutil.rmtree(tmp_path)
