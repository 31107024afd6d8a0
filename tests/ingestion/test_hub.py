"""Hub ids, against a real HTTP server on this machine that speaks the hub's few endpoints."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROW = {"before": "lamp off", "after": "lamp on"}
FILES = {
    "data/train.jsonl": (json.dumps(ROW) + "\n").encode() * 3,
    "data/test.jsonl": (json.dumps(ROW) + "\n").encode(),
    "README.md": b"not data",
}
READ = """
import sys
from worldtune.ingestion.rows import Format, RawRow
from worldtune.ingestion.source import SourceReader
toys = Format("toys", (("before", "after"),), lambda record: iter([dict(record.values)]))
reader = SourceReader("toy.ingest", {"toys": toys}, "org/toys")
rows = list(reader.read("toys", reader.find_files(sys.argv[1])))
assert all(isinstance(row, RawRow) for row in rows)
print([(row.origin, row.values["split"]) for row in rows])
"""


class Hub(BaseHTTPRequestHandler):
    """One dataset, org/pages, with one commit."""

    def log_message(self, *args: object) -> None:
        """Keep the test output quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?", 1)[0]
        if path.startswith("/api/datasets/org/pages/revision/"):
            siblings = [{"rfilename": name} for name in FILES]
            self._send(
                json.dumps({"id": "org/pages", "sha": COMMIT, "siblings": siblings}).encode()
            )
        elif path.startswith("/api/datasets/org/pages/tree/"):
            entries = [
                {
                    "type": "file",
                    "path": name,
                    "size": len(data),
                    "oid": hashlib.sha1(data).hexdigest(),
                }
                for name, data in FILES.items()
            ]
            self._send(json.dumps(entries).encode())
        elif path.startswith(f"/datasets/org/pages/resolve/{COMMIT}/"):
            self._send(FILES[path.split(f"{COMMIT}/", 1)[1]])
        else:
            self._send(b"{}", 404, {"X-Error-Code": "RepoNotFound"})

    def _send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        etag = f'"{hashlib.sha1(body).hexdigest()}"'
        fixed = {"ETag": etag, "X-Repo-Commit": COMMIT, "Content-Length": str(len(body))}
        for name, value in {**fixed, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def read_in_a_fresh_process(
    path: str, endpoint: str, home: Path
) -> subprocess.CompletedProcess[str]:
    """The hub library reads its endpoint once, at import."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.run(
        [sys.executable, "-c", READ, path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_hub_id_is_fetched_and_its_file_names_give_the_splits(hub: str, tmp_path: Path) -> None:
    result = read_in_a_fresh_process("org/pages", hub, tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith(
        "[('data/test.jsonl:1', 'test_iid'), ('data/train.jsonl:1', 'train'), "
        "('data/train.jsonl:2', 'train'), ('data/train.jsonl:3', 'train')]"
    )
    assert not list(tmp_path.rglob("README.md")), "only data files are fetched"


def test_a_hub_id_that_does_not_exist_is_a_readable_error(hub: str, tmp_path: Path) -> None:
    result = read_in_a_fresh_process("org/absent", hub, tmp_path)
    assert result.returncode == 1
    assert "SourceError: toy.ingest.source.path: 'org/absent' is no local path" in result.stderr
    assert "download it and give the folder" in result.stderr
