from pathlib import Path

import pytest

from worldtune.domains.web.recorder.__main__ import (
    RecorderUsageError,
    choose_sites,
    main,
    parse_seeds,
)
from worldtune.domains.web.recorder.chromium import ChromiumMissingError, find_chromium


@pytest.fixture
def bare_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which no program is found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROME_BIN", raising=False)
    return tmp_path


def test_chrome_bin_wins(monkeypatch: pytest.MonkeyPatch, bare_path: Path) -> None:
    program = bare_path / "my-chrome"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("CHROME_BIN", str(program))
    assert find_chromium() == str(program)


def test_a_chromium_on_the_path_is_found(bare_path: Path) -> None:
    program = bare_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_chromium() == str(program)


def test_a_wrong_chrome_bin_is_named(monkeypatch: pytest.MonkeyPatch, bare_path: Path) -> None:
    monkeypatch.setenv("CHROME_BIN", "/nowhere/chrome")
    with pytest.raises(ChromiumMissingError, match="CHROME_BIN is '/nowhere/chrome'"):
        find_chromium()


def test_without_chromium_the_command_says_how_to_get_one(
    bare_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(bare_path / "out")]) == 1
    message = capsys.readouterr().err
    assert "apt-get install" in message
    assert "CHROME_BIN" in message
    assert "stays in use" in message
    assert not (bare_path / "out").exists()


@pytest.mark.parametrize(("text", "seeds"), [("0-2", [0, 1, 2]), ("7", [7])])
def test_seeds_are_a_range_with_both_ends(text: str, seeds: list[int]) -> None:
    assert list(parse_seeds(text)) == seeds


@pytest.mark.parametrize("text", ["", "a-b", "-3", "1-x"])
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(RecorderUsageError, match="expected FIRST-LAST"):
        parse_seeds(text)


def test_an_unknown_site_is_refused_with_the_list_of_sites() -> None:
    with pytest.raises(RecorderUsageError, match=r"no mini-site is called shop; there are .*cart"):
        choose_sites("cart,shop")
