"""Record the pages with the Chromium of this machine: ``python -m`` of this package."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from worldtune.domains.web.recorder.chromium import ChromiumMissingError, find_chromium
from worldtune.domains.web.recorder.manifest import write_recording
from worldtune.domains.web.recorder.pages import Episode, miniwob_episodes, own_episodes, own_sites
from worldtune.domains.web.recorder.recording import select_rows
from worldtune.domains.web.recorder.server import find_miniwob

SUMMARY = "Record web transitions: mini-sites and MiniWoB++ tasks in a local Chromium."
DEFAULT_OUT = Path("data/01_raw/web")
DEFAULT_SEEDS = "0-55"
DEFAULT_MINIWOB_SEEDS = "0-9"


class RecorderUsageError(ValueError):
    """Arguments that cannot be followed; the message says what is possible."""


def parse_seeds(text: str) -> range:
    """Read ``A-B`` (both ends inside) or ``A``. Raises RecorderUsageError."""
    first, _, last = text.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise RecorderUsageError(f"seeds are {text!r}; expected FIRST-LAST, e.g. 0-59")
    return range(int(first), int(last or first) + 1)


def choose_sites(text: str | None) -> list[str]:
    """Read a comma-separated list of mini-sites; None means all. Raises RecorderUsageError."""
    known = own_sites()
    chosen = known if text is None else [name for name in text.split(",") if name]
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise RecorderUsageError(
            f"no mini-site is called {', '.join(unknown)}; there are {', '.join(known)}"
        )
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Record and write table, manifest and data card; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        executable = find_chromium()
        episodes = _episodes(options)
    except ChromiumMissingError as error:
        _say(f"No Chromium: {error} The recording that ships with the project stays in use.")
        return 1
    except RecorderUsageError as error:
        _say(str(error))
        return 2
    # Playwright comes with the `recorder` extra only; without it the messages above still work.
    from worldtune.domains.web.recorder.crew import record  # noqa: PLC0415

    def tell(num_episodes: int, num_rows: int) -> None:
        _say(f"{num_episodes}/{len(episodes)} episodes, {num_rows} rows")

    rows = record(episodes, executable=executable, num_workers=options.workers, on_progress=tell)
    summary = write_recording(select_rows(rows), episodes, options.out)
    _say(summary)
    return 0


def _episodes(options: argparse.Namespace) -> list[Episode]:
    episodes = own_episodes(choose_sites(options.sites), parse_seeds(options.seeds))
    if options.no_miniwob:
        return episodes
    if find_miniwob() is None:
        raise RecorderUsageError(
            "the miniwob wheel is not installed: install it, or give --no-miniwob"
        )
    return episodes + miniwob_episodes(parse_seeds(options.miniwob_seeds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worldtune.domains.web.recorder", description=SUMMARY
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, help="folder to write (default: %(default)s)"
    )
    parser.add_argument("--sites", help="mini-sites, separated by commas (default: all)")
    parser.add_argument(
        "--seeds", default=DEFAULT_SEEDS, help="seeds per mini-site (default: %(default)s)"
    )
    parser.add_argument(
        "--miniwob-seeds",
        default=DEFAULT_MINIWOB_SEEDS,
        help="seeds per MiniWoB++ task (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, default=2, help="processes, one browser each (default: 2)"
    )
    parser.add_argument("--no-miniwob", action="store_true", help="record the mini-sites alone")
    return parser


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
