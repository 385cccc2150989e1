"""A federated training as `finlora.federated.local_grid` runs it, looked at from within Flower's environment.

`flower_side.py FOLDER recorded|reversed|silent`: with `recorded`, every message that crosses is written down
as Flower would put it on a wire, in FOLDER/from_server.bin and from_clients.bin, and what it holds in
FOLDER/wire.jsonl. With `reversed`, the replies come in the opposite order. With `silent`, the second client
does not answer in the first round, the third goes away after it was asked, the fourth comes in the second.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flwr.app import Message
from flwr.common.serde import message_to_proto

from finlora.federated import local_grid
from finlora.federated.local_grid import LocalGrid


def content(message: Message) -> dict[str, Any]:
    if message.has_error():
        return {"error": message.error.reason}
    records = message.content
    return {name: sorted(record) for name, record in records.items()} | {
        "values": {name: dict(record) for name, record in records.items() if name != "arrays"}
    }


class Recorded(LocalGrid):
    """Writes down what crosses."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.folder = Path(sys.argv[1])

    def record(self, side: str, message: Message) -> None:
        with (self.folder / f"from_{side}.bin").open("ab") as file:
            file.write(message_to_proto(message).SerializeToString())
        entry = {"from": side, "type": message.metadata.message_type, **content(message)}
        with (self.folder / "wire.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        messages = list(messages)
        numbers = super().push_messages(messages)
        for message in messages:
            self.record("server", message)
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        replies = list(super().pull_messages(message_ids))
        for message in replies:
            self.record("clients", message)
        return replies


class Reversed(LocalGrid):
    """Asks the last client first."""

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return super().pull_messages(list(message_ids)[::-1])


class Silent(LocalGrid):
    """Has clients that come late, go, or say nothing."""

    round = "0"
    gone = False

    def get_node_ids(self) -> Iterable[int]:
        absent = {3} if self.gone else {4} if self.round == "0" else set()
        return [node for node in super().get_node_ids() if node not in absent]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        messages = list(messages)
        kind = messages[0].metadata.message_type if messages else ""
        if kind.startswith("query"):
            self.gone = False
        if kind == "train":
            self.round = messages[0].metadata.group_id
            self.gone = self.round == "1"
        return super().push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        silent = {
            number
            for number, message in self._waiting.items()
            if message.metadata.group_id == "1" and message.metadata.dst_node_id in (2, 3)
        }
        return super().pull_messages([number for number in message_ids if number not in silent])


if __name__ == "__main__":
    grids = {"recorded": Recorded, "reversed": Reversed, "silent": Silent}
    local_grid.LocalGrid = grids[sys.argv[2]]
    local_grid.main(Path(sys.argv[1]))
