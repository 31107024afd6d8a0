"""Serve the pages on 127.0.0.1 at a free port: our own mini-sites and, where installed, MiniWoB++.

A request path starts with the name of a mini-site (``/cart/index.html``), is ``/common.js``, or
starts with one of the folders of the MiniWoB++ wheel, whose pages refer to each other by
``../core/...``.
"""

import functools
import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SITES = Path(__file__).parent / "sites"
MINIWOB_FOLDERS = ("miniwob", "core", "common", "flight")


def find_miniwob() -> Path | None:
    """Return the folder of the MiniWoB++ pages, None when the ``miniwob`` wheel is absent."""
    # find_spec does not import the package, which would pull in its environment toolkit.
    spec = importlib.util.find_spec("miniwob")
    if spec is None or not spec.submodule_search_locations:
        return None
    html = Path(next(iter(spec.submodule_search_locations))) / "html"
    return html if (html / "core" / "core.js").is_file() else None


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, miniwob: Path | None) -> None:
        self._miniwob = miniwob
        super().__init__(*arguments, directory=str(SITES))  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        """Choose the folder by the first part of the path."""
        first = path.lstrip("/").split("/", 1)[0]
        is_miniwob = first in MINIWOB_FOLDERS and self._miniwob is not None
        self.directory = str(self._miniwob if is_miniwob else SITES)
        return super().translate_path(path)

    def end_headers(self) -> None:
        """Forbid caching, so that an edited page is the page recorded."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    # A browser that drops a connection when its page goes is no error worth a traceback.
    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent on dropped connections."""


@contextmanager
def serve() -> Iterator[str]:
    """Serve until the block ends; yields the origin, e.g. ``http://127.0.0.1:40123``."""
    handler = functools.partial(_Handler, miniwob=find_miniwob())
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
