"""Banks train together over TLS for real: Flower's SuperLink and SuperNodes, real Axolotl clients."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from finlora.adapters import WEIGHTS
from finlora.federated.preparation import FOLDER
from tests import training
from tests.federated import network

pytestmark = pytest.mark.slow

BANKS = ("bank_a", "bank_b")
SECONDS = 400


class Institutions:
    """A leading machine and members, each with a project, rows and keys of its own.

    Args:
        root: of all of them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.address = f"127.0.0.1:{network.free_port()}"
        held = network.authority(root / "certificates", "127.0.0.1")
        for name in ("lead", *BANKS, "stranger"):
            file = training.make_project(root / name)
            folder = file.root / "federation"
            (folder / "members").mkdir(parents=True)
            (folder / "ca.crt").write_bytes((held / "ca.crt").read_bytes())
            if name != "lead":
                network.member_key(folder, name)
        lead = root / "lead" / "federation"
        for name in ("server.crt", "server.key"):
            (lead / name).write_bytes((held / name).read_bytes())
        for bank in BANKS:
            (lead / "members" / f"{bank}.pub").write_bytes(
                (root / bank / "federation" / f"{bank}.pub").read_bytes()
            )
        # Rows are each bank's own, and not as many.
        rows = (root / "bank_b" / "data" / "rows.jsonl").read_text().splitlines(keepends=True)
        (root / "bank_b" / "data" / "rows.jsonl").write_text("".join(rows[:40]))

    def start(self, name: str, *words: str) -> "subprocess.Popen[str]":
        config = self.root / name / "configs" / "finetune_configs.json"
        return subprocess.Popen(
            [sys.executable, "-m", "finlora", "federate", "one", "--config", str(config), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def lead(self, *words: str) -> "subprocess.Popen[str]":
        return self.start("lead", "--deploy", "--listen", self.address, "--rounds", "2", *words)

    def join(self, name: str) -> "subprocess.Popen[str]":
        return self.start(
            name, "--join", self.address, "--data", str(self.root / name / "data" / "rows.jsonl")
        )

    def events(self) -> Path:
        return self.root / "lead" / "axolotl-output" / FOLDER / "one" / "events.jsonl"

    def adapter(self, name: str) -> Path:
        return self.root / name / "lora_adapters" / "fp16_r8_fed" / "one"


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    out = process.communicate(timeout=SECONDS)[0]
    return process.returncode, out


def test_two_banks_and_a_server_train_a_stranger_stays_out_and_the_server_may_die(tmp_path):
    made = Institutions(tmp_path)
    server = made.lead()
    training.follow(server, made.events(), lambda event: event["event"] == "link")
    code, out = ended(made.join("stranger"))
    assert code == 1
    assert "does not know this key" in out
    members = {bank: made.join(bank) for bank in BANKS}
    training.follow(server, made.events(), lambda event: event["event"] == "kept")
    # The members stay, and come back to the server that goes on.
    server.send_signal(signal.SIGKILL)
    server.wait()
    again = made.lead("--resume")
    code, out = ended(again)
    assert code == 0, out
    assert "going on after round 1 of 2" in out
    for bank, process in members.items():
        code, told = ended(process)
        assert code == 0, told
        assert f"adapter: {made.adapter(bank)}" in told
        assert "round 2 of 2: training" in told
    trained = load_file(made.adapter("lead") / WEIGHTS)
    places = {bank: made.root / bank / "axolotl-output" / FOLDER / "one" / "clients" / bank for bank in BANKS}
    sent = {bank: load_file(place / "trained" / WEIGHTS) for bank, place in places.items()}
    assert len(trained) == 12
    for name, tensor in trained.items():
        summed = sent["bank_a"][name].astype(np.float64) * 33 + sent["bank_b"][name].astype(np.float64) * 20
        assert np.array_equal(tensor, (summed / 53).astype(np.float32))
    for bank in BANKS:
        assert training.same(made.adapter(bank), made.adapter("lead"))
    assert network.processes(str(tmp_path)) == {}
    for name in ("lead", *BANKS):
        text = "".join(path.read_text() for path in made.adapter(name).glob("*.[jm][sd]*"))
        assert str(tmp_path) not in text
        assert os.uname().nodename not in text or len(os.uname().nodename) < 4
