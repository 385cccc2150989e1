"""All clients on one machine: `python -m finlora.federated.local_grid FOLDER` in the Flower environment.

A Flower `Grid` without a network: Flower's messages go from the server's code to the clients' in one process,
one client after the other, so that each has the machine's cores or GPUs for itself.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from finlora import events
from finlora.errors import FinLoRAError, InterruptedLaunchError
from finlora.federated.client import handle
from finlora.federated.jobs import CLIENT_JOB, CLIENTS, SERVER_JOB, ClientJob, ServerJob
from finlora.federated.server import Server
from finlora.privacy import be_quiet
from finlora.watch import end_with


class LocalGrid(Grid):  # type: ignore[misc]
    """Hands each message to its client when its reply is asked for.

    Args:
        clients: what answers a message, by Flower's number of the client.
    """

    def __init__(self, clients: dict[int, Callable[[Message], Message]]) -> None:
        # Flower puts these into messages, and lets the process that runs an app set them: there is none here.
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 0, 0, 0
        self._clients = clients
        self._waiting: dict[str, Message] = {}
        self._pushed = 0

    def set_run(self, run: Any) -> None:
        """Take nothing: there is one run."""

    @property
    def run(self) -> Any:
        """None: no SuperLink knows of this run."""
        return None

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a message."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Return the clients' numbers."""
        return list(self._clients)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Take messages and return their numbers."""
        numbers = []
        for message in messages:
            self._pushed += 1
            message.metadata.__dict__["_message_id"] = str(self._pushed)
            self._waiting[str(self._pushed)] = message
            numbers.append(str(self._pushed))
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Have the next client do its work and return its reply."""
        waiting = [number for number in message_ids if number in self._waiting]
        if not waiting:
            return []
        message = self._waiting.pop(waiting[0])
        return [self._clients[message.metadata.dst_node_id](message)]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Send messages and return all replies."""
        numbers = self.push_messages(messages)
        return [reply for number in numbers for reply in self.pull_messages([number])]


def main(folder: Path) -> None:
    """Run the federated training whose job files lie in a folder."""
    be_quiet()
    job = ServerJob.read(folder / SERVER_JOB)
    end_with(job.launcher)
    numbered = dict(enumerate(sorted(job.clients), start=1))
    jobs = {node: ClientJob.read(folder / CLIENTS / name / CLIENT_JOB) for node, name in numbered.items()}

    def answers(node: int) -> Callable[[Message], Message]:
        return lambda message: handle(message, jobs[node])

    grid = LocalGrid({node: answers(node) for node in numbered})
    try:
        Server(job, grid, lambda: {node: numbered[node] for node in grid.get_node_ids()}).run()
    except InterruptedLaunchError as error:
        sys.exit(error.exit_code)
    except FinLoRAError as error:
        events.append(job.events, "error", message=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
