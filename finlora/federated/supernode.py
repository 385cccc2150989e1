"""Flower's SuperNode as FinLoRA runs it, in the Flower environment: `python -m finlora.federated.supernode FILE`.

A SuperNode of Flower runs whatever code its server sends. This one runs the app of its own finlora, and ends when
it is sent another.
"""

import os
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

_POLL_SECONDS = 0.5
# The answer to the server's last message is on its way when the training is done here.
_FAREWELL_SECONDS = 10.0

# What Flower writes when it can't connect, and what that means.
_REFUSALS = {
    "[code: 2004]": "the server does not know this key: send its operator the .pub file beside {key}",
    "CERTIFICATE_VERIFY_FAILED": "the server at {server} can't prove who it is: its certificate is not signed "
    "by {authority}, or is for another address",
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
    return f"no connection to the server at {node.server}: {message.strip().splitlines()[-1]}"


def _guard(node: deployment.SuperNode) -> None:
    """Have Flower refuse foreign code, and tell in plain words why it can't connect."""
    from flwr.supernode import fleet_http_connection as connection

    content, digest = built()
    unpack, leave = connection.fab_from_proto, connection.flwr_exit

    def checked(sent: Any) -> Any:
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


def _end(node: deployment.SuperNode, fault: str | None) -> NoReturn:
    if fault:
        events.append(Path(node.events), "error", message=fault)
    os._exit(1 if fault else 0)


def main(told: Path) -> None:
    """Run a SuperNode until its work is done."""
    be_quiet()
    node = deployment.SuperNode.read(told)
    end_with(node.launcher)
    from flwr.supernode.cli import flower_supernode

    def watch() -> None:
        while not Path(node.done).exists():
            time.sleep(_POLL_SECONDS)
        time.sleep(_FAREWELL_SECONDS)
        _end(node, None)

    _guard(node)
    threading.Thread(target=watch, name="finlora-done", daemon=True).start()
    sys.argv = ["flower-supernode", *node.arguments()]
    flower_supernode()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
