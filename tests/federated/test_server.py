"""The server among clients that fail, lie, are killed or send what can't be averaged."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from finlora.federate_display import Rounds
from finlora.federated import dp, environment
from finlora.federated.dp import Privacy
from tests.federated import federation
from tests.federated.federation import A, make, same

# What a worker does in a round, and what is then said of its client.
FAULTS = {
    "error": "its training failed",
    "killed": "its training failed",
    "nan": f"{A} holds NaN or infinity",
    "inf": f"{A} holds NaN or infinity",
    "shape": rf"{A} has the shape \[6, 2\], wanted is \[2, 6\]",
    "names": rf"2 tensors are missing \({A}\) and 2 are not of this adapter",
    "missing": rf"1 tensors are missing \({A}\)$",
    "extra": "^1 are not of this adapter",
    "float16": f"{A} is float16, wanted is float32",
    "float64": f"{A} is float64, wanted is float32",
    "unreadable": "its answer can't be read",
    "poisoned": "its update has the norm .*, over 10 times the median",
    "no rows": "it counts 0 rows, and can have 1 to",
    "fewer than no rows": "it counts -3 rows, and can have 1 to",
    "too many rows": "it counts 1000000000000 rows, and can have 1 to",
    "rows in a list": r"it counts \[1, 2\] rows",
    "rows in words": "its answer can't be read",
    "nan loss": "its loss is nan",
    "no loss": "its loss is None",
    "loss below 0": "its loss is -1.0",
    "tokens below 0": "its count of tokens is -1",
    "forbidden count": "its answer can't be read",
    "row as a count": "its answer can't be read",
    "no tensors": "its answer can't be read",
    "no reply": "its answer can't be read",
    "half a reply": "its answer can't be read",
    "a word of its own": "its answer can't be read",
}
GOOD = ("good_1", "good_2", "good_3", "good_4")


def name_of(fault):
    return "bad_" + re.sub(r"\W", "_", fault)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Two rounds, in the first of which a client misbehaves in every way there is."""
    made = make(tmp_path_factory.mktemp("faulty"), [*GOOD, *map(name_of, FAULTS)], min_clients=4)
    made.misbehave(**{name_of(fault): {1: fault} for fault in FAULTS})
    made.train()
    return made


def test_there_are_27_faults():
    assert len(FAULTS) == len({name_of(fault) for fault in FAULTS}) == 27


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_dropped_with_a_word_and_its_client_is_back_in_the_next_round(faulty, fault):
    name = name_of(fault)
    first, second = faulty.record(1), faulty.record(2)
    assert re.search(FAULTS[fault], first["dropped"][name])
    assert name not in first["clients"]
    assert {"event": "dropped", "client": name, "why": first["dropped"][name]} in faulty.events("dropped")
    assert name in second["clients"]
    assert name not in second["dropped"]


def test_a_round_is_the_exact_mean_of_those_who_are_fit(faulty):
    first, second = faulty.record(1), faulty.record(2)
    assert sorted(first["clients"]) == sorted(GOOD)
    assert len(first["dropped"]) == len(FAULTS)
    assert same(faulty.tensors(1), faulty.expected(GOOD, 1))
    assert second["dropped"] == {}
    assert same(faulty.tensors(2), faulty.expected(faulty.clients, 2))
    assert not same(faulty.tensors(1), faulty.expected(GOOD, 1, equal=True))


def test_what_a_round_tells_of_its_clients_is_what_they_counted(faulty):
    rows = {name: faulty.rows(name) for name in GOOD}
    record = faulty.record(1)
    assert {name: counts["rows"] for name, counts in record["clients"].items()} == rows
    losses = {name: 1 + count / 64 for name, count in rows.items()}
    mean = sum(losses[name] * count for name, count in rows.items()) / sum(rows.values())
    assert record["loss"] == pytest.approx(mean, rel=1e-12)
    assert record["bytes"] == {"sent": (len(FAULTS) + 4) * 96, "received": 4 * 96}
    assert record["lost"] is False


def test_of_two_clients_the_poisoned_one_is_dropped(tmp_path):
    made = make(tmp_path, 2, rounds=1)
    made.misbehave(client_1={1: "poisoned"})
    made.train()
    assert "over 10 times the median" in made.record(1)["dropped"]["client_1"]
    assert same(made.tensors(1), made.sent("client_2", 1))


@pytest.mark.parametrize(("epochs", "known"), [(2.0, True), (1.5, False)])
def test_more_epochs_than_rounds_give_a_round_more_rows_than_there_are(tmp_path, epochs, known):
    made = make(tmp_path, 2, rounds=1, epochs=epochs)
    # It has 3 rows: twice as many, when the one round has two epochs.
    made.misbehave(client_1={1: "more rows"})
    made.train()
    if known:
        assert made.record(1)["clients"]["client_1"]["rows"] == 6
    else:
        assert made.record(1)["dropped"] == {"client_1": "it counts 6 rows, and can have 1 to 5"}


def test_who_is_away_or_says_nothing_is_waited_for_no_longer_than_agreed(tmp_path):
    made = make(tmp_path, 4, timeout=5)
    made.train("silent")
    away = "it went away, or took too long"
    first = made.record(1)
    assert first["dropped"] == {"client_2": away, "client_3": away, "client_4": "it is not connected"}
    assert first["seconds"] >= 5
    assert same(made.tensors(1), made.sent("client_1", 1))
    # Two are back, and one is new.
    assert made.record(2)["dropped"] == {}
    assert same(made.tensors(2), made.expected(made.clients, 2))


SETUP_FAULTS = {
    "error": ("its training failed", 1),
    "killed": ("its training failed", 1),
    "no reply": ("its answer can't be read", 1),
    "too many rows": ("it counts 1000000000000 rows, and can have 1 to 1000000000", 1),
    "no rows": ("it counts 0 rows", 1),
    "rows in a list": (r"it counts \[1, 2\] rows", 1),
    "terms": ("it would train something else", 2),
    "rows": ("its rows are too few for these rounds", 2),
}


def test_a_client_that_can_not_be_set_up_is_asked_again_unless_it_refuses(tmp_path):
    assert len(SETUP_FAULTS) == 8
    made = make(tmp_path, ["good", *map(name_of, SETUP_FAULTS)])
    made.misbehave(**{name_of(fault): {0: fault} for fault in SETUP_FAULTS})
    # A worker that is killed at the setup of round 1 is well again by the setup of round 2.
    for fault, (_, rounds) in SETUP_FAULTS.items():
        if rounds == 1:
            (made.client(name_of(fault)) / "once").touch()
    made.train()
    for fault, (why, rounds) in SETUP_FAULTS.items():
        dropped = [made.record(n)["dropped"].get(name_of(fault), "") for n in (1, 2)]
        assert re.search(why, dropped[0]), fault
        assert [bool(said) for said in dropped] == [True, rounds == 2], (fault, dropped)
    assert sorted(made.record(1)["clients"]) == ["good"]
    # Over a network, these two end with a word; the others stay.
    ended = {fault for fault in SETUP_FAULTS if (made.client(name_of(fault)) / "done").exists()}
    assert ended == {"terms", "rows"}
    assert (made.client(name_of("terms")) / "done").read_text()


def test_with_too_few_clients_left_it_ends_and_says_who_refused(tmp_path):
    made = make(tmp_path, 2, min_clients=2)
    made.misbehave(client_2={0: "rows"})
    assert made.run().code == 1
    (error,) = made.events("error")
    assert error["message"].startswith("fewer than --min-clients 2 clients are left: client_2: its rows are")
    assert not (made.folder / "rounds").exists()


def test_three_lost_rounds_in_a_row_end_it_and_the_old_adapter_stays(tmp_path):
    made = make(tmp_path, 3, rounds=6, min_clients=2)
    bad = dict.fromkeys((2, 3, 4), "error")
    made.misbehave(client_1=bad, client_3={**bad, 3: "nan"})
    ended = made.run()
    assert (ended.code, ended.log) == (1, "")
    assert made.rounds() == ["0001", "0002", "0003", "0004"]
    assert [made.record(n)["lost"] for n in range(1, 5)] == [False, True, True, True]
    assert sorted(path.name for path in made.round(4).iterdir()) == ["round.json"]
    assert same(made.tensors(1), made.expected(made.clients, 1))
    (error,) = made.events("error")
    assert error["message"] == (
        "3 rounds in a row had fewer than 2 updates; the adapter of round 1 stays. "
        "What dropped out of the last: client_1: its training failed (its log tells why); "
        "client_3: its training failed (its log tells why)"
    )
    before = made.adapter(1)
    # Those who failed are well again: the lost rounds are trained anew, from the adapter that stayed.
    made.misbehave()
    made.train()
    assert made.adapter(1) == before
    assert made.rounds() == [f"{n:04d}" for n in range(1, 7)]
    assert [event["round"] for event in made.events("kept")] == [2, 3, 4, 5, 6]
    assert not any(made.record(n)["lost"] for n in range(1, 7))


def test_two_lost_rounds_and_then_a_good_one_go_on_from_the_old_adapter(tmp_path):
    made = make(tmp_path, 2, rounds=5, min_clients=2)
    made.misbehave(client_1={1: "nan", 2: "nan", 4: "error", 5: "no tensors"})
    made.train()
    assert [made.record(n)["lost"] for n in range(1, 6)] == [True, True, False, True, True]
    # What the third round left does not pass for the fifth's.
    assert made.record(5)["dropped"] == {"client_1": "its answer can't be read"}
    # Round 3 starts from what is there: the untrained adapter.
    start = federation.load_file(made.client("client_2") / "history" / "1.safetensors")
    assert not same(start, made.tensors(0))
    assert same(made.tensors(3), made.expected(made.clients, 3))
    global_of_4 = federation.load_file(made.client("client_2") / "global" / federation.ADAPTER)
    assert same(global_of_4, made.tensors(3))


def test_a_training_all_of_whose_rounds_were_lost_fails(tmp_path):
    made = make(tmp_path, 2, rounds=2, min_clients=2)
    made.misbehave(client_1={1: "nan", 2: "nan"})
    assert made.run().code == 1
    (error,) = made.events("error")
    assert error["message"] == "no round had enough updates, so nothing was trained"
    assert made.events("end") == []
    # And once more, with the same clients: it tries them again, and says the same.
    assert made.run().code == 1
    assert len(made.events("kept")) == 2


def adapters(made):
    return [made.adapter(number) for number in range(4)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A training that nothing disturbs."""
    made = make(tmp_path_factory.mktemp("undisturbed"), 3, rounds=3)
    made.train()
    assert made.events("end") == [{"event": "end", "rounds": 3}]
    assert len(set(adapters(made))) == 4
    return made


def order(made):
    return [event["client"] for event in made.events("client") if event["round"] == 2]


def test_the_order_of_replies_changes_nothing(tmp_path, undisturbed):
    made = make(tmp_path, 3, rounds=3)
    made.train("reversed")
    assert order(made) == order(undisturbed)[::-1] == ["client_3", "client_2", "client_1"]
    assert adapters(made) == adapters(undisturbed)


# The first client to be asked in round 2, and the last.
@pytest.mark.parametrize(("client", "answers"), [("client_1", []), ("client_3", ["client_1", "client_2"])])
def test_a_server_killed_between_rounds_or_inside_one_goes_on(tmp_path, undisturbed, client, answers):
    made = make(tmp_path, 3, rounds=3)
    made.misbehave(**{client: {2: "SIGKILL"}})
    assert made.run().code == -9
    assert federation.gone(federation.asleep(made, client))
    assert order(made) == answers
    assert [event["round"] for event in made.events("kept")] == [1]
    made.misbehave()
    made.train()
    assert [event["round"] for event in made.events("kept")] == [2, 3]
    assert adapters(made) == adapters(undisturbed)


DAMAGE = {"a round half written": 2, "weights cut short": 1, "weights edited": 1}


def damage(made, how):
    """Do to a training of three whole rounds what a crash or a hand may do."""
    weights = made.round(2) / federation.ADAPTER
    content = bytearray(weights.read_bytes())
    if how == "a round half written":
        made.round(3).rename(made.folder / "rounds" / ".0003.new")
        (made.folder / "rounds" / ".0003.new" / "round.json").unlink()
    elif how == "weights cut short":
        weights.write_bytes(content[:-7])
    else:
        content[-1] ^= 1
        weights.write_bytes(content)


@pytest.mark.parametrize("how", DAMAGE)
def test_it_goes_on_from_the_last_whole_round(tmp_path, undisturbed, how):
    assert len(DAMAGE) == 3
    made = make(tmp_path, 3, rounds=3)
    shutil.copytree(undisturbed.folder / "rounds", made.folder / "rounds")
    damage(made, how)
    made.train()
    assert [event["round"] for event in made.events("kept")] == list(range(DAMAGE[how] + 1, 4))
    assert made.rounds() == ["0001", "0002", "0003"]
    assert adapters(made) == adapters(undisturbed)


@pytest.mark.parametrize(("word", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGHUP", 129)])
def test_a_signal_ends_it_and_its_worker(tmp_path, word, code):
    made = make(tmp_path, 2)
    made.misbehave(client_2={1: word})
    ended = made.run()
    assert (ended.code, ended.log) == (code, "")
    # Gone by then, and not only soon.
    assert federation.gone(federation.asleep(made, "client_2"), 0)
    assert made.events("error") == []
    assert not (made.folder / "rounds").exists()


def test_all_of_it_goes_when_finlora_is_killed(tmp_path):
    with subprocess.Popen(["sleep", "600"]) as finlora:
        made = make(tmp_path, 2, launcher=finlora.pid)
        made.misbehave(client_2={1: "FinLoRA SIGKILL"})
        assert made.run().code == 1
        assert federation.gone(federation.asleep(made, "client_2"))
        assert finlora.wait(5) == -9


FINLORA = """
import json, os, sys
from pathlib import Path
from finlora import launch
from finlora.errors import LaunchError
folder, flower = Path(sys.argv[1]), sys.argv[2]
job = json.loads((folder / "server.json").read_text())
(folder / "server.json").write_text(json.dumps({**job, "launcher": os.getpid()}))
argv = [flower, "-m", "finlora.federated.local_grid", str(folder)]
files = {"log": folder / "server.log", "events": folder / "events.jsonl"}
try:
    launch.train(argv, cwd=folder, env={}, **files, on_event=lambda event: None)
except LaunchError as error:
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize(("word", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_all_of_it_is_gone_when_finlora_has_ended_of_a_signal(tmp_path, word, code):
    made = make(tmp_path, 2)
    made.misbehave(client_2={1: f"FinLoRA {word}"})
    argv = [sys.executable, "-c", FINLORA, made.folder, environment.python()]
    environ = {**os.environ, "PYTHONPATH": str(federation.ROOT)}
    done = subprocess.run(argv, env=environ, timeout=federation.SECONDS, check=False)
    assert done.returncode == code
    assert federation.gone(federation.asleep(made, "client_2"), 0)
    # Nor is there a server left: it was the worker's launcher.
    request = json.loads((made.client("client_2") / "request.json").read_text())
    assert federation.gone(request["launcher"], 0)
    assert (made.folder / "server.log").read_text() == ""


PRIVACY = Privacy(clip=0.1, noise=2.0, delta=1e-5)


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    made = make(tmp_path_factory.mktemp("private"), 3, min_clients=3, privacy=PRIVACY)
    made.train("recorded")
    return made


def test_under_differential_privacy_nothing_is_told_but_who_took_part(private):
    made = private
    for number in (1, 2):
        record = made.record(number)
        assert record["clients"] == {name: {} for name in made.clients}
        assert set(record) == {
            *("round", "learning_rate", "clients", "dropped", "lost", "bytes", "seconds", "epsilon"),
            "weights_sha256",
        }
        assert record["epsilon"] == dp.epsilon(2.0, number, 1e-5)
    replies = [json.loads(line) for line in (made.folder / "wire.jsonl").read_text().splitlines()]
    counts = [reply["counts"] for reply in replies if reply["from"] == "clients"]
    assert counts == [[]] * 9
    allowed = {"event", "client", "task", "round"}
    assert {key for event in made.events("client") for key in event} == allowed
    assert [event["rows"] for event in made.events("setup")] == [{}] * len(made.events("setup"))


def test_under_differential_privacy_all_weigh_alike_and_every_update_is_clipped(tmp_path):
    # With noise too small for float32 to show, the mean of what was clipped is all that is left.
    made = make(tmp_path, 3, rounds=1, min_clients=3, privacy=Privacy(0.1, 1e-6, 1e-5))
    made.misbehave(client_3={1: "poisoned"})
    made.train()
    start = made.tensors(0)
    clipped = []
    for name in made.clients:
        change = {tensor: value - start[tensor] for tensor, value in made.sent(name, 1).items()}
        norm = sum(float((value.astype("float64") ** 2).sum()) for value in change.values()) ** 0.5
        assert norm > 0.1
        clipped.append({tensor: value * (0.1 / norm) for tensor, value in change.items()})
    for tensor, value in made.tensors(1).items():
        wanted = start[tensor] + sum(change[tensor] for change in clipped) / 3
        assert value == pytest.approx(wanted, abs=1e-6)


def test_under_differential_privacy_a_lost_client_loses_the_round(tmp_path):
    made = make(tmp_path, 3, rounds=3, min_clients=3, privacy=PRIVACY)
    made.misbehave(client_2={1: "killed", 2: "tokens below 0"})
    made.train()
    assert [made.record(n)["lost"] for n in (1, 2, 3)] == [True, False, False]
    assert "epsilon" not in made.record(1)
    # What was not published was not spent.
    assert made.record(2)["epsilon"] == dp.epsilon(2.0, 1, 1e-5)


def test_max_epsilon_ends_it_in_time_and_says_so(tmp_path, capsys):
    limit = dp.epsilon(2.0, 2, 1e-5) + 1e-9
    made = make(tmp_path, 2, rounds=4, min_clients=2, privacy=Privacy(0.1, 2.0, 1e-5, limit))
    made.train()
    assert made.rounds() == ["0001", "0002"]
    next_one = dp.epsilon(2.0, 3, 1e-5)
    said = {"event": "budget", "rounds": 2, "epsilon": next_one, "max_epsilon": limit}
    assert made.events("budget") == [said]
    Rounds(4).show(said)
    line = (
        f"--max-epsilon {limit:g} ends the training after 2 of 4 rounds: one more would spend epsilon 3.71\n"
    )
    assert capsys.readouterr().err == line
    assert made.events("end") == [{"event": "end", "rounds": 2}]
    assert made.record(2)["epsilon"] <= limit < next_one


def test_the_noise_is_drawn_anew_whatever_the_seed(tmp_path, private):
    made = make(tmp_path, 3, rounds=1, min_clients=3, privacy=PRIVACY)
    made.train()
    assert all(same(made.sent(name, 1), private.sent(name, 1)) for name in made.clients)
    assert made.adapter(1) != private.adapter(1)


def test_ffa_sends_b_alone_and_a_stays_as_it_was(tmp_path):
    made = make(tmp_path, 3, rounds=3, aggregate="ffa")
    made.train("recorded")
    messages = [json.loads(line) for line in (made.folder / "wire.jsonl").read_text().splitlines()]
    crossed = {
        kind: [m["arrays"] for m in messages if m["type"] == kind] for kind in ("query.setup", "train")
    }
    # A once to every client before the first round, B in every round both ways.
    assert crossed == {"query.setup": [[federation.A]] * 3 + [[]] * 3, "train": [[federation.B]] * 18}
    for number in (1, 2, 3):
        tensors = made.tensors(number)
        assert tensors[federation.A].tobytes() == made.tensors(0)[federation.A].tobytes()
        wanted = made.expected(made.clients, number)
        assert tensors[federation.B].tobytes() == wanted[federation.B].tobytes()
        assert not same(tensors, made.tensors(number - 1))
    assert made.record(1)["bytes"] == {"sent": 3 * 48, "received": 3 * 48}
