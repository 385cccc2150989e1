"""Apps of two rounds: the server sends an array, each client adds its own number to it."""

import json
import os
import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from finlora import events

server_app, client_app = ServerApp(), ClientApp()
JOB = json.loads(Path(os.environ["FINLORA_FEDERATION"]).read_text())
ROUNDS, SIZE = 2, 1000


@server_app.main()
def serve(grid, context):
    nodes = {}
    while len(nodes) < JOB["clients"]:
        nodes = {node.node_id: node.name for node in grid.get_nodes()}
        time.sleep(0.2)
    events.append(Path(JOB["events"]), "online", names=sorted(nodes.values()))
    if JOB.get("fail"):
        raise RuntimeError("the server's app failed")
    for number in range(ROUNDS):
        array = ArrayRecord([np.full(SIZE, number, dtype=np.float32)])
        messages = [Message(RecordDict({"arrays": array}), node, "train") for node in nodes]
        for reply in grid.send_and_receive(messages, timeout=60):
            (values,) = reply.content["arrays"].to_numpy_ndarrays()
            name = nodes[reply.metadata.src_node_id]
            events.append(Path(JOB["events"]), "reply", round=number, client=name, value=float(values.mean()))


@client_app.train()
def train(message, context):
    (values,) = message.content["arrays"].to_numpy_ndarrays()
    number = int(values[0])
    if number == ROUNDS - 1:
        Path(JOB["done"]).touch()
    content = {"arrays": ArrayRecord([values + JOB["adds"]]), "metrics": MetricRecord({"rows": 1})}
    return Message(RecordDict(content), reply_to=message)
