"""Flower's SuperLink as FinLoRA runs it: `python -m finlora.federated.superlink FILE`.

Flower serves clients, operators and its own processes on one port, and asks operators for no key: whoever
reaches that port could register a key, or have any code run on the server and on every client. Here only
clients are answered from elsewhere. What operators ask (who are members, start this training),
this process asks itself.
"""

import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from finlora import events
from finlora.federated import deployment
from finlora.privacy import be_quiet
from finlora.watch import end_with

_POLL_SECONDS = 1.0
_CLIENTS, _OPERATORS = "/v1/fleet/", "/v1/control/"

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def allowed(scope: _Scope) -> bool:
    """Return whether a request is answered: from elsewhere, only what clients ask.

    Args:
        scope: of ASGI. Who connects to an address of this machine from the very same address is on it.
    """
    if scope["type"] == "lifespan":
        return True
    client, server = scope.get("client"), scope.get("server")
    if client is not None and server is not None and client[0] == server[0]:
        return True
    return scope["type"] == "http" and str(scope["path"]).startswith(_CLIENTS)


class Gate:
    """Turns away requests that are not `allowed`, before Flower sees them.

    Args:
        app: Flower's.
    """

    asked = threading.Event()
    """Set when an operator's request has come to this process."""

    ready = threading.Event()
    """Set when the members are registered: a client that came before would be told that it is none."""

    def __init__(self, app: Callable[[_Scope, _Receive, _Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Pass a request on, or answer 403 (never) or 503 (not yet: clients ask again)."""
        path = scope.get("path", "")
        early = path.startswith(_CLIENTS) and not self.ready.is_set()
        if allowed(scope) and not early:
            if path.startswith(_OPERATORS):
                self.asked.set()
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            status = 503 if early else 403
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b""})


class Operator:
    """Registers the members, starts the training, and waits for its end.

    Args:
        link: the SuperLink of this process.
    """

    def __init__(self, link: deployment.SuperLink) -> None:
        from flwr.supercore.address import resolve_bind_address
        from flwr.supercore.control import ControlHttpClient
        from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
        from flwr.supercore.retry import make_simple_http_retry_invoker

        self.link = link
        host = f"[{link.host}]" if ":" in link.host else link.host
        self.client = ControlHttpClient.from_server_address(
            resolve_bind_address(f"{host}:{link.port}"),
            False,
            Path(link.authority).read_bytes(),
            [RuntimeVersionHttpInterceptor(component_name="flwr CLI")],
            retry_invoker=make_simple_http_retry_invoker(),
        )

    def lead(self) -> str | None:
        """Run the training to its end; return what went wrong, or None."""
        from flwr.proto.control_pb2 import ListRunsRequest

        known = self._nodes()
        if not Gate.asked.is_set():
            return f"{self.link.host}:{self.link.port} is served by another program; take another port"
        self._register(known)
        Gate.ready.set()
        self._stop_others()
        number = self._start()
        events.append(Path(self.link.events), "link", host=self.link.host, port=self.link.port)
        while True:
            run = self.client.ListRuns(ListRunsRequest(run_id=number)).run_dict[number]
            if run.status.status == "finished":
                # Flower's own exit codes tell nothing.
                ended = run.status.sub_status
                return None if ended == "completed" else f"the training {ended}: {run.status.details}"
            time.sleep(_POLL_SECONDS)

    def _nodes(self) -> set[bytes]:
        """Return the keys that are registered."""
        from flwr.proto.control_pb2 import ListNodesRequest

        return {node.public_key for node in self.client.ListNodes(ListNodesRequest()).nodes_info}

    def _register(self, known: set[bytes]) -> None:
        """Register the keys of the members that are not, each with its name."""
        from cryptography.hazmat.primitives.serialization import load_ssh_public_key
        from flwr.proto.control_pb2 import RegisterNodeRequest
        from flwr.supercore.primitives.asymmetric import public_key_to_bytes

        for name, file in self.link.members.items():
            key = public_key_to_bytes(load_ssh_public_key(Path(file).read_bytes()))
            if key not in known:
                self.client.RegisterNode(RegisterNodeRequest(public_key=key, name=name))

    def _stop_others(self) -> None:
        """Stop what a killed server has left: a training goes on as a new run of Flower."""
        from flwr.proto.control_pb2 import ListRunsRequest, StopRunRequest

        for number, run in self.client.ListRuns(ListRunsRequest()).run_dict.items():
            if run.status.status != "finished":
                self.client.StopRun(StopRunRequest(run_id=number))

    def _start(self) -> int:
        from flwr.common.serde import fab_to_proto
        from flwr.proto.control_pb2 import StartRunRequest
        from flwr.supercore.fab import Fab

        content, digest = built()
        request = StartRunRequest(fab=fab_to_proto(Fab(digest, content, {})))
        return int(self.client.StartRun(request).run_id)


def built() -> tuple[bytes, str]:
    """Return the app as Flower packs it, always to the same bytes, and their SHA-256."""
    import hashlib

    from flwr.cli.build import build_fab_from_files

    content = build_fab_from_files(deployment.app())[0]
    return content, hashlib.sha256(content).hexdigest()


def main(told: Path) -> None:
    """Run a SuperLink until its training has ended."""
    be_quiet()
    link = deployment.SuperLink.read(told)
    end_with(link.launcher)
    from flwr.superlink import extensions
    from flwr.superlink.cli import flower_superlink
    from starlette.middleware import Middleware

    extensions.get_middleware = lambda: (Middleware(Gate),)

    def lead() -> None:
        """Lead to the end, and end this process with it."""
        try:
            fault = Operator(link).lead()
        except Exception as error:
            fault = f"the SuperLink does not do what it is asked: {type(error).__name__}: {error}"
        if fault:
            events.append(Path(link.events), "error", message=fault)
        # The process would serve for ever; what it has started goes with it.
        os._exit(1 if fault else 0)

    threading.Thread(target=lead, name="finlora-operator", daemon=True).start()
    sys.argv = ["flower-superlink", *link.arguments()]
    flower_superlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
