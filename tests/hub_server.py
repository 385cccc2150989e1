"""A small hub: speaks the routes for dataset repositories, and misbehaves where it is told to."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_token_of_a_test_that_is_never_shown"


@dataclass
class Fault:
    """What goes wrong with requests whose method and path match a pattern.

    Args:
        pattern: matched against `METHOD path`.
        times: how many requests; None for all.
        status: an answer instead of the file.
        headers: of that answer.
        cut: only so many bytes of the body are sent, and the line is closed.
        body: other content than was announced.
        before: called before the answer.
    """

    pattern: str
    times: int | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    body: bytes | None = None
    before: Callable[[], None] = lambda: None


class Hub(ThreadingHTTPServer):
    """Serves `datasets`: repository to path to content; `gated` ones only with the token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.datasets: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.ranges: list[str] = []
        # A commit that is served although the content is another: a history that was rewritten.
        self.commits: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def commit(self, repo: str) -> str:
        """Return the commit of a repository: of its content, unless told otherwise."""
        content = b"".join(path.encode() + body for path, body in sorted(self.datasets[repo].items()))
        return self.commits.get(repo, hashlib.sha1(content).hexdigest())

    def asked(self) -> set[str]:
        """Return the files that were asked for."""
        paths = [request.partition("/resolve/")[2].partition("/")[2] for request in self.requests]
        return {path for path in paths if path}

    def handle_error(self, *_args: Any) -> None:
        """A client that was killed is no error here."""


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: Any) -> None:
        pass

    def answer(self, status: int, content: bytes = b"{}", cut: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content if cut is None else content[:cut])
            if cut is not None:
                self.wfile.flush()
                self.close_connection = True

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        request = f"{self.command} {path}"
        self.server.requests.append(request)
        found = re.fullmatch(
            r"/(?:api/)?datasets/([^/]+/[^/]+)(?:/(revision|resolve)/([^/]+)(?:/(.+))?)?", path
        )
        fault = next((f for f in self.server.faults if f.times != 0 and re.search(f.pattern, request)), None)
        if fault:
            fault.times = None if fault.times is None else fault.times - 1
            fault.before()
            if fault.status:
                self.answer(fault.status, **{k.replace("-", "_"): v for k, v in fault.headers.items()})
                return
        repo = found[1] if found else ""
        if repo not in self.server.datasets:
            self.answer(404, X_Error_Code="RepoNotFound")
        elif repo in self.server.gated and self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(401, X_Error_Code="GatedRepo")
        elif found and found[3] not in ("main", self.server.commit(repo)):
            self.answer(404, X_Error_Code="RevisionNotFound")
        elif found and found[2] == "revision":
            info = {"id": repo, "sha": self.server.commit(repo), "siblings": [], "tags": [], "private": False}
            body = fault.body if fault and fault.body is not None else json.dumps(info).encode()
            self.answer(200, body, Content_Type="application/json")
        else:
            self.file(repo, found[4] if found else "", fault)

    do_HEAD = do_GET

    def file(self, repo: str, path: str, fault: Fault | None) -> None:
        commit = self.server.commit(repo)
        content = self.server.datasets[repo].get(path)
        if content is None:
            self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
            return
        headers = {"X_Repo_Commit": commit, "ETag": f'"{git_digest(content)}"', "Accept_Ranges": "bytes"}
        if path.endswith((".parquet", ".zip")):
            headers["X_Linked_Etag"] = f'"{hashlib.sha256(content).hexdigest()}"'
            headers["X_Linked_Size"] = str(len(content))
        body, status = content, 200
        if fault and fault.body is not None:
            body = fault.body
        if asked := self.headers["Range"]:
            self.server.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            headers["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        self.answer(status, body, fault.cut if fault else None, **headers)


def git_digest(content: bytes) -> str:
    """Return the digest that Git gives a file, by which the hub names small ones."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serving() -> Iterator[Hub]:
    """Run a hub for a while."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield hub
    hub.shutdown()
    thread.join()
    hub.server_close()


def use(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the hub's library, which reads its environment only once, at a hub and an empty cache."""
    from huggingface_hub import constants

    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    for name, value in {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": template,
        "HF_HUB_CACHE": str(cache),
        "HF_TOKEN_PATH": str(cache / "token"),
        "HF_HUB_OFFLINE": False,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)
