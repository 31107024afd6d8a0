"""A server on this machine that speaks OpenAI's chat protocol and does what a test tells it."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request: body, headers by lower-case name, and how often the same body came before."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    times_before: int

    @property
    def prompt(self) -> str:
        return self.body["messages"][-1]["content"]


@dataclass(frozen=True)
class Said:
    """An answer; ``raw`` replaces the whole body, ``lag_s`` passes before it is sent."""

    content: str | None = ""
    reasoning: str | None = None
    reasoning_name: str = "reasoning_content"
    finish_reason: str = "stop"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: str | None = None
    lag_s: float = 0.0

    def text(self) -> str:
        if self.raw is not None:
            return self.raw
        message: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.reasoning is not None:
            message[self.reasoning_name] = self.reasoning
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        return json.dumps({"id": "1", "choices": [choice], "usage": usage})


def refusal(status: int, message: str = "no", code: str | None = None, **headers: str) -> Said:
    body = json.dumps({"error": {"message": message, "type": "error", "code": code}})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Said(status=status, raw=body, headers=named)


class FakeTeacher:
    """What the server saw. ``answered`` holds the requests whose 200 was sent to the end."""

    def __init__(self, respond: Callable[[Asked], Said]) -> None:
        self.respond = respond
        self.asked: list[Asked] = []
        self.answered: list[Asked] = []
        self.times_s: list[float] = []
        self.most_in_flight = 0
        self.url = ""
        self._in_flight = 0
        self._lock = threading.Lock()

    def begin(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Asked:
        with self._lock:
            times_before = sum(asked.body == body for asked in self.asked)
            asked = Asked(body, headers, times_before)
            self.asked.append(asked)
            self.times_s.append(time.monotonic())
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        return asked

    def leave(self) -> None:
        with self._lock:
            self._in_flight -= 1

    def end(self, asked: Asked) -> None:
        with self._lock:
            self.answered.append(asked)


@contextmanager
def fake_teacher(respond: Callable[[Asked], Said]) -> Iterator[FakeTeacher]:
    """Serve on a free port until the block ends."""
    teacher = FakeTeacher(respond)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/v1/chat/completions":
                self.send_error(404)
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = teacher.begin(json.loads(content), headers)
            try:
                said = teacher.respond(asked)
                time.sleep(said.lag_s)
            finally:
                teacher.leave()
            self._send(said)
            if said.status == 200:
                teacher.end(asked)

        def _send(self, said: Said) -> None:
            body = said.text().encode()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # clients that are killed or lose patience break the connection

    server = Server(("127.0.0.1", 0), Handler)
    teacher.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield teacher
    finally:
        server.shutdown()
        server.server_close()
