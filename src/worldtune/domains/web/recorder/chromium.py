"""Find and launch the Chromium of the system; nothing is ever downloaded.

Playwright's own browsers are not used: a system Chromium (or the one named by ``CHROME_BIN``) is
driven over the DevTools protocol with flags that keep it off the network.
"""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
HOW_TO_GET_ONE = (
    "Install one (Debian/Ubuntu: apt-get install -y --no-install-recommends chromium; "
    "macOS: brew install --cask chromium) or set CHROME_BIN to its path."
)


class ChromiumMissingError(ValueError):
    """No Chromium on this machine; the message says how to get one."""


def find_chromium() -> str:
    """Return the path of a Chromium: ``CHROME_BIN`` if set, else the first one on PATH.

    Raises ChromiumMissingError when there is none or CHROME_BIN names no executable.
    """
    named = os.environ.get("CHROME_BIN", "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise ChromiumMissingError(
                f"CHROME_BIN is {named!r}, which is no executable. {HOW_TO_GET_ONE}"
            )
        return found
    for name in EXECUTABLES:
        found = shutil.which(name)
        if found is not None:
            return found
    raise ChromiumMissingError(f"found none of {', '.join(EXECUTABLES)} on PATH. {HOW_TO_GET_ONE}")


def launch(playwright: "Playwright", *, executable: str) -> "Browser":
    """Start a headless Chromium with a fresh profile."""
    # Chromium refuses its sandbox to root (containers); everybody else keeps it.
    sandbox = () if not hasattr(os, "geteuid") or os.geteuid() != 0 else ("--no-sandbox",)
    return playwright.chromium.launch(
        executable_path=str(Path(executable)), headless=True, args=[*FLAGS, *sandbox]
    )
