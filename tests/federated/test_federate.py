"""Federated trainings for real: Flower's messages, real Axolotl clients on a tiny model, on this machine."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from finlora import adapters, federate, inference, models
from finlora.errors import UsageError
from finlora.federated.partition import parse
from finlora.federated.preparation import FOLDER, Wanted
from finlora.training_plan import Options
from tests import training

pytestmark = pytest.mark.slow

METHODS = {
    "qlora": {"base_classes": ["Linear4bit"], "dora": False},
    "eight": {"base_classes": ["Linear8bitLt"], "dora": False},
    "dora": {"base_classes": ["Linear"], "dora": True},
    "rslora": {"base_classes": ["Linear"], "scalings": [5.656854249]},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return training.make_project(tmp_path_factory.mktemp("project"))


def simulate(file, name, new_name, clients=2, rounds=1, **wanted):
    events = []
    asked = Wanted(rounds=rounds, options=Options(new_name=new_name, offline=True), **wanted)
    result = federate.simulate(file, name, parse("iid"), clients, asked, lambda text: None, events.append)
    return result, events


def folder_of(file, name):
    return file.root / "axolotl-output" / FOLDER / name


def processes_of(root: Path) -> list[int]:
    """Return the processes that work in a folder, by their command lines."""
    mark, found = str(root).encode(), []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != os.getpid():
            try:
                words = (place / "cmdline").read_bytes()
            except OSError:
                continue
            if mark in words:
                found.append(int(place.name))
    return found


@pytest.fixture(scope="module")
def undisturbed(file):
    return simulate(file, "one", "undisturbed", rounds=2)


def test_the_adapter_is_the_weighted_mean_of_what_the_clients_trained(file, undisturbed):
    result, events = undisturbed
    folder = folder_of(file, "undisturbed")
    clients = [load_file(folder / "clients" / f"client_{i}" / "trained" / adapters.WEIGHTS) for i in (1, 2)]
    rows = [result.records[-1]["clients"][f"client_{i}"]["rows"] for i in (1, 2)]
    assert rows == [17, 17]
    trained = load_file(result.folder / adapters.WEIGHTS)
    assert len(trained) == 12
    for name, tensor in trained.items():
        summed = sum(client[name].astype(np.float64) * n for client, n in zip(clients, rows, strict=True))
        assert np.array_equal(tensor, (summed / sum(rows)).astype(np.float32))
        assert not np.array_equal(clients[0][name], clients[1][name])
    assert [event["event"] for event in events].count("kept") == 2


def test_the_adapter_is_one_of_the_shelf_and_answers(file, undisturbed):
    result, _ = undisturbed
    assert result.folder == file.root / "lora_adapters" / "fp16_r8_fed" / "undisturbed"
    assert sorted(path.name for path in result.folder.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "finlora.json",
    ]
    text = "".join(path.read_text() for path in [*result.folder.glob("*.json"), result.folder / "README.md"])
    assert str(file.root) not in text
    assert os.uname().nodename not in text
    manifest = result.manifest
    assert manifest["federated"]["clients"] == ["client_1", "client_2"]
    assert manifest["federated"]["rounds"] == 2
    assert manifest["federated"]["participants"] == [["client_1", "client_2"]] * 2
    assert manifest["dataset"]["rows"] == 66
    base = models.resolve("../base", file.path.parent)
    answerer = inference.load(adapters.read(result.folder), base, prompt_style=None, quant_bits=16)
    assert len(answerer.generate(["sales rose"], max_new_tokens=3)) == 1


def test_rows_are_trained_once_and_rounds_go_on_from_each_other(file, undisturbed):
    result, _ = undisturbed
    losses = [record["loss"] for record in result.records]
    assert losses[1] < losses[0] - 0.05
    assert [sum(c["rows"] for c in r["clients"].values()) for r in result.records] == [32, 34]
    assert [record["learning_rate"] for record in result.records] == [0.005, 0.0025]


def test_a_killed_training_goes_on_and_ends_with_the_very_same_adapter(file, undisturbed):
    folder = folder_of(file, "killed")
    command = [sys.executable, "-m", "finlora", "federate", "one", "--config", str(file.path)]
    command += ["--clients", "2", "--rounds", "2", "--as", "killed"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    training.follow(process, folder / "events.jsonl", lambda e: e["event"] == "client" and e["round"] == 2)
    process.kill()
    process.wait()
    gone = [os.pidfd_open(pid) for pid in processes_of(folder)]
    for pid in gone:
        # Each ends by itself once it sees that what started it has gone.
        assert signal_of_end(pid)
    assert processes_of(folder) == []
    assert not (file.root / "lora_adapters" / "fp16_r8_fed" / "killed").exists()
    with pytest.raises(UsageError, match=r"(?s)1 of 2 rounds .* --resume"):
        simulate(file, "one", "killed", rounds=2)
    result, _ = simulate(file, "one", "killed", rounds=2, resume=True)
    assert training.same(result.folder, undisturbed[0].folder)


def signal_of_end(pidfd: int) -> bool:
    """Return whether a process ends within half a minute."""
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(30_000))


def test_ctrl_c_leaves_no_process(file):
    folder = folder_of(file, "interrupted")
    command = [sys.executable, "-m", "finlora", "federate", "one", "--config", str(file.path)]
    command += ["--clients", "2", "--rounds", "2", "--as", "interrupted"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    client = folder / "clients" / "client_1" / "events.jsonl"
    training.follow(process, client, lambda event: event["event"] == "built")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert processes_of(folder) == []
    assert "interrupted" in out


def test_every_method_is_here():
    assert len(METHODS) == 4


@pytest.mark.parametrize("name", METHODS)
def test_a_method_comes_along(file, name):
    result, _ = simulate(file, name, f"{name}_fed")
    built = result.manifest["built"]
    assert {key: built[key] for key in METHODS[name]} == METHODS[name]
    trained = load_file(result.folder / adapters.WEIGHTS)
    start = load_file(folder_of(file, f"{name}_fed") / "start" / adapters.WEIGHTS)
    assert trained.keys() == start.keys()
    assert all(np.isfinite(tensor).all() for tensor in trained.values())
    assert [n for n in trained if np.array_equal(trained[n], start[n])] == []
    assert result.folder.parent.name.endswith("_fed")


def test_a_frozen_a_never_changes_and_never_travels(file):
    result, _ = simulate(file, "one", "frozen", rounds=2, aggregate="ffa")
    start = load_file(folder_of(file, "frozen") / "start" / adapters.WEIGHTS)
    trained = load_file(result.folder / adapters.WEIGHTS)
    same = {name for name in trained if np.array_equal(trained[name], start[name])}
    assert same == {name for name in trained if ".lora_A." in name}
    assert len(same) == 6
    sizes = [tensor.nbytes for name, tensor in trained.items() if ".lora_B." in name]
    assert [r["bytes"] for r in result.records] == [{"sent": 2 * sum(sizes), "received": 2 * sum(sizes)}] * 2
    # The product of the means is the mean of the products, since every client has the same A.
    assert result.manifest["built"]["a_frozen"] is True
    assert json.loads((result.folder / "finlora.json").read_text())["federated"]["aggregate"] == "ffa"
