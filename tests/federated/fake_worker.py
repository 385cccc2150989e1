"""Stands in for a client's worker, where Axolotl would train: `fake_worker.py FOLDER`.

It draws what it "learned" from the seed of the round, so that two trainings of one seed are alike, keeps a
copy in `history/`, and misbehaves in the rounds that `misbehave.json` names (0 is the setup). The standard
library alone, for speed.
"""

import json
import os
import random
import shutil
import signal
import struct
import sys
from pathlib import Path
from typing import Any

from finlora.watch import end_with

ADAPTER = "adapter_model.safetensors"
Tensors = dict[str, tuple[str, list[int], bytes]]


def read(path: Path) -> Tensors:
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    return {
        name: (one["dtype"], one["shape"], data[slice(*one["data_offsets"])])
        for name, one in header.items()
        if name != "__metadata__"
    }


def write(path: Path, tensors: Tensors) -> None:
    header: dict[str, Any] = {}
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def floats(content: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(content) // 4}f", content))


def learned(start: Tensors, name: str, request: dict[str, Any], scale: float) -> Tensors:
    """Return tensors after a round; under FFA, A stays as it was."""
    trained = {}
    for tensor, (_, shape, content) in start.items():
        draw = random.Random(f"{request['seed']} {name} {tensor}")
        frozen = request["aggregate"] == "ffa" and ".lora_A." in tensor
        step = 0.0 if frozen else scale * request["learning_rate"]
        values = [value + step * draw.uniform(-1, 1) for value in floats(content)]
        trained[tensor] = ("F32", shape, struct.pack(f"<{len(values)}f", *values))
    return trained


def spoil(tensors: Tensors, word: str) -> Tensors:
    """Return tensors with the fault that a word names."""
    name = min(tensors)
    _, shape, content = tensors[name]
    values = floats(content)
    others = {other: tensor for other, tensor in tensors.items() if other != name}
    if word in ("nan", "inf"):
        return {**others, name: ("F32", shape, struct.pack("<f", float(word)) + content[4:])}
    if word == "shape":
        return {**others, name: ("F32", shape[::-1], content)}
    if word in ("float16", "float64"):
        code = {"float16": ("F16", "e"), "float64": ("F64", "d")}[word]
        return {**others, name: (code[0], shape, struct.pack(f"<{len(values)}{code[1]}", *values))}
    if word == "missing":
        return others
    if word == "extra":
        return {**tensors, f"{name}.more": ("F32", shape, content)}
    return {f"other.{name}": tensor for name, tensor in tensors.items()} if word == "names" else tensors


COUNTS: dict[str, dict[str, Any]] = {
    "no rows": {"rows": 0},
    "fewer than no rows": {"rows": -3},
    "too many rows": {"rows": 10**12},
    "rows in a list": {"rows": [1, 2]},
    "rows in words": {"rows": "many"},
    "more rows": {"rows": 6},
    "nan loss": {"loss": float("nan")},
    "no loss": {"loss": None},
    "loss below 0": {"loss": -1.0},
    "tokens below 0": {"tokens": -1},
    "forbidden count": {"balance": 3},
}


def misbehave(folder: Path, word: str, row: str) -> None:
    """Do what keeps a worker from ever answering."""
    server = json.loads((folder / "request.json").read_text())["launcher"]
    if word == "error":
        sys.exit(f"ValueError: can't learn from {row!r} of {folder}")
    if word == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    name = word.removeprefix("FinLoRA ")
    if not name.startswith("SIG"):
        return
    launcher = json.loads((folder.parent.parent / "server.json").read_text())["launcher"]
    # The test wants to see this process go.
    (folder / "asleep.json").write_text(json.dumps(os.getpid()))
    os.kill(server if name == word else launcher, signal.Signals[name])
    while True:
        signal.pause()


def train(folder: Path, request: dict[str, Any], word: str, rows: int) -> None:
    name = json.loads((folder / "client.json").read_text())["name"]
    tensors = learned(read(folder / "global" / ADAPTER), name, request, 1000 if word == "poisoned" else 1)
    tensors = spoil(tensors, word)
    if word != "no tensors":
        write(folder / "trained" / ADAPTER, tensors)
        (folder / "history").mkdir(exist_ok=True)
        shutil.copy(folder / "trained" / ADAPTER, folder / "history" / f"{request['round']}.safetensors")
    if word == "unreadable":
        (folder / "trained" / ADAPTER).write_bytes(b"\xff" * 100)


def main(folder: Path) -> None:
    request = json.loads((folder / "request.json").read_text())
    end_with(request["launcher"])
    plan = folder / "misbehave.json"
    word = json.loads(plan.read_text()).get(str(request["round"]), "") if plan.exists() else ""
    if request["kind"] == "setup" and (folder / "once").exists():
        # Misbehaves at the first setup alone.
        plan.unlink(missing_ok=True)
    rows = Path(json.loads((folder / "client.json").read_text())["data"]).read_text().splitlines()
    misbehave(folder, word, rows[0])
    counts: dict[str, Any] = {"rows": len(rows)}
    if request["kind"] == "train":
        train(folder, request, word, len(rows))
        # Exact in binary, whatever the order of adding up.
        counts |= {"dropped": 0, "tokens": 9 * len(rows), "trained_tokens": len(rows), "steps": 2}
        counts["loss"] = 1 + len(rows) / 64
    counts |= COUNTS.get(word, {})
    reply: Any = {"counts": {name: value for name, value in counts.items() if value is not None}}
    if word in ("terms", "rows", "a word of its own"):
        reply = {"failure": rows[0] if word == "a word of its own" else word}
    if word == "row as a count":
        reply["counts"][rows[0]] = 1
    if word != "no reply":
        text = json.dumps(reply)
        (folder / "reply.json").write_text(text[:5] if word == "half a reply" else text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
