import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from worldtune.domains.web.recorder.server import find_miniwob, serve


def test_the_server_listens_on_the_loopback_address_only() -> None:
    with serve() as origin:
        parts = urlsplit(origin)
        assert parts.hostname == "127.0.0.1"
        assert parts.port


def test_pages_scripts_and_nothing_else_are_served() -> None:
    with serve() as origin:
        assert b"WT" in urllib.request.urlopen(f"{origin}/common.js").read()
        assert urllib.request.urlopen(f"{origin}/cart/index.html?seed=1").status == 200
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{origin}/../server.py")


def test_miniwob_pages_come_from_the_wheel() -> None:
    if find_miniwob() is None:
        pytest.skip("the miniwob wheel is not installed (pip install 'worldtune[recorder]')")
    with serve() as origin:
        assert b"genProblem" in urllib.request.urlopen(f"{origin}/miniwob/click-option.html").read()
        assert b"seedrandom" in urllib.request.urlopen(f"{origin}/core/core.js").read()
