"""Flower's SuperNode as FinLoRA runs it: `python -m finlora.federated.supernode FILE`.

A SuperNode of Flower runs whatever code its server sends, and for ever. This one runs the app of its own
finlora,
ends when it is sent another, and when its work is done.
"""

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from finlora import events
from finlora.federated import deployment
from finlora.federated.superlink import built
from finlora.privacy import be_quiet
from finlora.watch import end_with

_REACH_SECONDS = 5.0
# What Flower writes when it can't connect, and what that means.
_REFUSALS = {
    "[code: 2004]": "the server does not know this key, or has not noticed yet that this member's last start "
    "has ended: send its operator the .pub file beside {key}, or join again in a minute",
    "CERTIFICATE_VERIFY_FAILED": "the server at {server} can't prove who it is: its certificate is not "
    "signed by {authority}, or is for another address",
}


def refusal(message: str, node: deployment.SuperNode) -> str:
    """Return what a failure to connect means.

    Args:
        message: Flower's.
        node: who could not connect.
    """
    for word, meaning in _REFUSALS.items():
        if word in message:
            return meaning.format(key=node.key, server=node.server, authority=node.authority)
    *_, last = message.strip().split("\n")
    return f"no connection to the server at {node.server}: {last}"


def _guard(node: deployment.SuperNode) -> None:
    """Have Flower refuse foreign code, and tell in plain words why it can't connect."""
    from flwr.supernode import fleet_http_connection as connection

    content, digest = built()
    unpack, leave = connection.fab_from_proto, connection.flwr_exit

    def checked(sent: Any) -> Any:
        """Unpack the app that was sent, if it is ours."""
        fab = unpack(sent)
        if fab.content != content:
            _end(
                node,
                f"the server sent code that is not this finlora's ({digest[:12]}): nothing of it was run; "
                "server and clients need the same version",
            )
        return fab

    def told(code: int, message: str | None = None, **more: Any) -> None:
        events.append(Path(node.events), "error", message=refusal(message or "", node))
        leave(code, message, **more)

    connection.fab_from_proto = checked
    connection.flwr_exit = told


def _end_when_done(node: deployment.SuperNode) -> None:
    """Have Flower end when an answer has been sent, and the work is done."""
    from flwr.supernode import start_client_internal as loop

    push = loop._push_messages

    def pushed(*args: Any, **more: Any) -> None:
        """Send answers as Flower does, and end where there is no more to do."""
        push(*args, **more)
        if not Path(node.done).exists():
            return
        why = Path(node.done).read_text(encoding="utf-8")
        if not why:
            _end(node, None)
        events.append(Path(node.events), "error", message=why)
        # The server is to read the answer first. Then Flower signs off: the same key may join again at once.
        time.sleep(_REACH_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    loop._push_messages = pushed


def _end(node: deployment.SuperNode, fault: str | None) -> NoReturn:
    if fault:
        events.append(Path(node.events), "error", message=fault)
    os._exit(1 if fault else 0)


def _watch(node: deployment.SuperNode) -> None:
    """Tell when the server can't be reached, and when it can again: Flower tries on in silence."""
    host, _, port = node.server.rpartition(":")
    reached = None
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
            now = True
        except OSError:
            now = False
        if now is not reached:
            events.append(Path(node.events), "server", reached=now, address=node.server)
        reached = now
        time.sleep(_REACH_SECONDS)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def main(told: Path) -> None:
    """Run a SuperNode until its work is done."""
    be_quiet()
    node = deployment.SuperNode.read(told)
    end_with(node.launcher)
    from flwr.supernode.cli import flower_supernode

    _guard(node)
    _end_when_done(node)
    threading.Thread(target=_watch, args=(node,), name="finlora-server", daemon=True).start()
    # Over it the node talks to its app; several nodes may run on one machine.
    own = ["--host", "127.0.0.1", "--port", str(_free_port())]
    sys.argv = ["flower-supernode", *node.arguments(), *own]
    try:
        flower_supernode()
    finally:
        # Of several errors the first is told: this one where nothing else explains the end.
        gone = f"the server at {node.server} let this client go: it was set up anew; start the client again"
        events.append(Path(node.events), "error", message=gone)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
