"""A small OpenAI-compatible server: answers, and misbehaves for the texts it is told to."""

import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-of-a-test-that-is-never-shown-4711"


class Handler(BaseHTTPRequestHandler):
    """Takes one request after the other of a connection."""

    server: "ModelServer"
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: Any) -> None:
        pass

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.take(self, sent)

    def answer(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        """Send an answer in one go."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


Behaviour = Callable[[Handler, dict[str, Any]], None]


class ModelServer(ThreadingHTTPServer):
    """Answers each text with `answer to TEXT`, but for those in `script`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        # For each text: what to do at its first, second, … request; the last goes on for good.
        self.script: dict[str, list[Behaviour]] = {}
        self.always: Behaviour = good()
        self.counts: Counter[str] = Counter()
        self.sent: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.finished = threading.Event()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def take(self, handler: Handler, sent: dict[str, Any]) -> None:
        text = sent["messages"][0]["content"]
        with self._lock:
            self.sent.append(sent)
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            self.paths.append(handler.path)
            steps = self.script.get(text, [self.always])
            step = steps[min(self.counts[text], len(steps) - 1)]
            self.counts[text] += 1
        step(handler, sent)

    def handle_error(self, *_args: Any) -> None:
        """A client that gave up is no error here."""


def completion(content: Any, finish: Any = "stop", **more: Any) -> bytes:
    """Return the body of a chat completion."""
    return json.dumps(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "m-2026-01-01",
            "choices": [
                {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
            **more,
        }
    ).encode()


def good(content: Any = None, finish: Any = "stop", **more: Any) -> Behaviour:
    """Answer as a server should."""
    return lambda handler, sent: handler.answer(
        200,
        completion(
            f"answer to {sent['messages'][0]['content']}" if content is None else content, finish, **more
        ),
    )


def body(content: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> Behaviour:
    """Answer with these bytes."""
    return lambda handler, _sent: handler.answer(status, content, kind, **headers)


def status(code: int, message: str = "", param: str = "", name: str = "", **headers: str) -> Behaviour:
    """Answer with an error of OpenAI's form; its words repeat the key, as careless servers do."""
    said = {"message": f"{message} {KEY}", "param": param or None, "code": name or None}
    return body(json.dumps({"error": said}).encode(), status=code, **headers)


def reset(handler: Handler, _sent: dict[str, Any]) -> None:
    """Break the connection as a crashing server does."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def hang(handler: Handler, _sent: dict[str, Any]) -> None:
    """Say nothing."""
    handler.server.finished.wait(60)


def drip(handler: Handler, _sent: dict[str, Any]) -> None:
    """Send an answer a byte at a time, each soon enough for a time limit between bytes."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.server.finished.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def cut(handler: Handler, _sent: dict[str, Any]) -> None:
    """Announce more than is sent, and close."""
    content = completion("half")
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[:30])
    handler.close_connection = True


def refusing(**refused: tuple[str, str]) -> Behaviour:
    """Answer only requests without certain parameters: name to the error's code and words."""

    def behave(handler: Handler, sent: dict[str, Any]) -> None:
        for name, (code, words) in refused.items():
            if name in sent:
                status(400, words, param=name, name=code)(handler, sent)
                return
        good()(handler, sent)

    return behave


class Together:
    """Answers only when a number of requests is under way at once, and counts how many ever were."""

    def __init__(self, number: int) -> None:
        self.most = 0
        self._now = 0
        self._barrier = threading.Barrier(number)
        self._lock = threading.Lock()

    def __call__(self, handler: Handler, sent: dict[str, Any]) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._barrier.wait(20)
        with self._lock:
            self._now -= 1
        good()(handler, sent)


@contextmanager
def serving() -> Iterator[ModelServer]:
    """Run a server for a while."""
    server = ModelServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.finished.set()
    server.shutdown()
    thread.join()
    server.server_close()
