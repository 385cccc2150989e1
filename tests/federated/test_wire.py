"""All that crosses between server and clients, read as it would lie on a wire."""

import getpass
import json
import os
import socket
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from finlora.federated import environment
from finlora.federated.jobs import COUNTS, Task
from tests.federated.federation import ROOT, A, B, make

# How a client fails: each of these has a row of its data, and most a path, in what it says.
LOUD = ("error", "row as a count", "a word of its own", "half a reply", "no tensors")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A training of one client that is well and some that fail loudly in the first round or at the setup."""
    names = ["good", *(f"loud_{i}" for i in range(len(LOUD))), "late"]
    made = make(tmp_path_factory.mktemp("recorded"), names)
    loud = {f"loud_{i}": {1: word} for i, word in enumerate(LOUD)}
    made.misbehave(**loud, late={0: "error"})
    (made.client("late") / "once").touch()
    made.train("recorded")
    return made


@pytest.fixture(scope="module")
def messages(recorded):
    return [json.loads(line) for line in (recorded.folder / "wire.jsonl").read_text().splitlines()]


def places_and_names(made):
    """Return what tells of a machine or of who works there."""
    told = [str(made.folder), str(made.folder.parent), str(ROOT), str(Path.home()), os.path.realpath(ROOT)]
    told += [socket.gethostname(), socket.getfqdn(), getpass.getuser(), "/data/", ".jsonl", str(os.getpid())]
    # Of three letters, any might stand in the bytes of a tensor by chance.
    return {word.encode() for word in told if len(word) > 3}


def test_no_word_of_a_row_leaves_a_client_even_when_it_fails_with_it(recorded):
    # It does stand in what stays here.
    logs = {
        path.name: "".join(file.read_text() for file in (path / "worker.log", path / "client.jsonl"))
        for path in recorded.folder.glob("clients/*")
    }
    assert "Zanzibar bond of loud_0" in logs["loud_0"]
    assert "Zanzibar bond of loud_1" in logs["loud_1"]
    crossed = (recorded.folder / "from_clients.bin").read_bytes()
    assert crossed.count(A.encode()) >= 8, "text is seen where there is any"
    for word in (b"Zanzibar", b"zanzibar", b"umbrella", b"bond", b"Error", b"Traceback", b"context"):
        assert word not in crossed, word


def test_no_place_or_name_leaves_a_client(recorded):
    crossed = (recorded.folder / "from_clients.bin").read_bytes()
    words = places_and_names(recorded)
    words |= {str(recorded.client(name)).encode() for name in recorded.clients}
    assert len(words) >= 12
    assert [word for word in words if word in crossed] == []


def test_no_place_or_name_of_the_server_reaches_a_client(recorded):
    crossed = (recorded.folder / "from_server.bin").read_bytes()
    assert b'{"run": {"num_epochs": 2}}' in crossed
    assert [word for word in places_and_names(recorded) if word in crossed] == []
    # No client learns who the others are, either.
    assert [name for name in recorded.clients if name.encode() in crossed] == []


def test_an_answer_holds_tensors_counts_and_a_loss_or_one_fixed_word(recorded, messages):
    answers = [message for message in messages if message["from"] == "clients"]
    # Seven clients: all are set up, one of them late; five fail in the first round.
    assert [len([m for m in answers if m["type"] == kind]) for kind in ("query.setup", "train")] == [8, 13]
    failed = [message for message in answers if "error" in message]
    assert sorted(message["error"] for message in failed) == ["fault"] * 4 + ["training"] * 2
    assert all(set(message) == {"from", "type", "error"} for message in failed)
    well = [message for message in answers if "error" not in message]
    assert all(set(message) == {"from", "type", "arrays", "counts", "values"} for message in well)
    assert {tuple(m["counts"]) for m in well if m["type"] == "query.setup"} == {("rows",)}
    assert {tuple(m["counts"]) for m in well if m["type"] == "train"} == {tuple(sorted([*COUNTS, "loss"]))}
    assert {tuple(m["arrays"]) for m in well if m["type"] == "query.setup"} == {()}
    assert {tuple(m["arrays"]) for m in well if m["type"] == "train"} == {(A, B)}


def test_a_question_holds_tensors_and_the_task(messages):
    asked = [message for message in messages if message["from"] == "server"]
    assert len(asked) == 8 + 13
    assert all(set(message) == {"from", "type", "arrays", "task", "values"} for message in asked)
    assert {tuple(message["task"]) for message in asked} == {tuple(sorted(f.name for f in fields(Task)))}


@pytest.fixture(scope="module")
def hostile():
    """What the server makes of replies that no honest client sends."""
    done = subprocess.run(
        [environment.python(), ROOT / "tests" / "federated" / "hostile_replies.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_reply_that_can_not_be_read_is_a_fault_and_ends_nothing(hostile):
    assert len(hostile["cases"]) == 15
    # An error that is none of ours is Flower's own: it answers for a client that has gone.
    gone = dict.fromkeys(["another word", "no word"], "gone")
    assert hostile["cases"] == dict.fromkeys(hostile["cases"], "fault") | gone


def test_a_failure_crosses_as_its_word(hostile):
    assert hostile["words"] == ["terms", "rows", "training", "state", "fault"]


def test_what_is_sent_is_what_comes_bit_for_bit(hostile):
    assert hostile["task"] is True
    assert hostile["tensors"] == [True, True]
    assert hostile["counts"] == {"rows": 3, "loss": 0.5}
    assert hostile["size"] == 32


def test_a_count_of_another_name_never_leaves_a_client(hostile):
    assert hostile["refused"] == [False, True]


def test_an_array_that_lies_of_its_type_and_shape_is_taken_for_what_it_is(hostile):
    assert hostile["what an array is, not what it says"] == ["float64", [3, 1]]
