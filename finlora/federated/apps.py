"""The two apps that Flower's SuperLink and SuperNodes run; a file of each machine says what to do."""

import os
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from finlora import events
from finlora.errors import FinLoRAError
from finlora.federated.client import handle
from finlora.federated.deployment import JOB_VARIABLE
from finlora.federated.jobs import ClientJob, ServerJob
from finlora.federated.server import Server
from finlora.watch import end_with

server_app = ServerApp()
client_app = ClientApp()


@server_app.main()  # type: ignore[untyped-decorator]
def lead(grid: Grid, context: Context) -> None:
    """Lead the clients that are connected through the rounds."""
    job = ServerJob.read(Path(os.environ[JOB_VARIABLE]))
    end_with(job.launcher)
    try:
        # Their names are those under which their keys were registered.
        Server(job, grid, lambda: {node.node_id: node.name for node in grid.get_nodes()}).run()
    except FinLoRAError as error:
        events.append(job.events, "error", message=str(error))
        raise


@client_app.train()  # type: ignore[untyped-decorator]
def train(message: Message, context: Context) -> Message:
    """Train a round."""
    return _answered(message)


@client_app.query("setup")  # type: ignore[untyped-decorator]
def set_up(message: Message, context: Context) -> Message:
    """Agree to the terms."""
    return _answered(message)


@client_app.query("finish")  # type: ignore[untyped-decorator]
def finish(message: Message, context: Context) -> Message:
    """Take the finished adapter."""
    return _answered(message)


def _answered(message: Message) -> Message:
    return handle(message, ClientJob.read(Path(os.environ[JOB_VARIABLE])))
