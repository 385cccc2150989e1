"""What is told of a federated training, off a terminal: a line for each thing that happens."""

from pathlib import Path

from finlora import federate_display
from finlora.federate import Federated


def record(number, **changes):
    made = {
        "round": number,
        "clients": {"a": {}, "b": {}},
        "dropped": {},
        "lost": False,
        "loss": 1.25,
        "bytes": {"sent": 2_000_000, "received": 1_000_000},
        "seconds": 61.0,
    }
    return {**made, **changes}


def told(events, capsys, rounds=3):
    with federate_display.Rounds(rounds) as shown:
        for event in events:
            shown.show(event)
    return capsys.readouterr().err.splitlines()


def test_a_round_is_a_line_with_its_clients_loss_and_what_is_left(capsys):
    lines = told(
        [
            {"event": "waiting", "clients": ["b"]},
            {"event": "setup", "new": ["a", "b"], "rows": {"a": 1200, "b": 7}, "refused": {}},
            {"event": "round", "round": 1, "clients": 2},
            {"event": "client", "client": "a", "task": "train", "round": 1, "loss": 1.25},
            {"event": "dropped", "client": "b", "why": "its training failed (its log tells why)"},
            {"event": "kept", **record(1, clients={"a": {}}, dropped={"b": "failed"})},
            {"event": "kept", **record(3)},
        ],
        capsys,
    )
    assert lines[0] == "waiting for b"
    assert lines[1:3] == ["a takes part with 1,200 rows", "b takes part with 7 rows"]
    assert lines[3] == "b dropped out: its training failed (its log tells why)"
    assert lines[4].startswith("round 1 of 3: 1 of 2 clients, loss 1.2500, 61 s; about ")
    assert lines[5] == "round 3 of 3: 2 of 2 clients, loss 1.2500, 61 s"
    assert len(lines) == 6


def test_a_lost_round_says_so_and_an_epsilon_is_never_shown_too_small(capsys):
    lines = told(
        [
            {"event": "kept", **record(3, lost=True, clients={}, dropped={"a": "x", "b": "y"})},
            {"event": "kept", **record(3, loss=None, epsilon=6.57297)},
            {"event": "budget", "rounds": 2, "epsilon": 9.271, "max_epsilon": 9.0},
        ],
        capsys,
    )
    assert lines[0] == "round 3 of 3 is lost: 0 of 2 clients answered, too few; the adapter stays as it was"
    assert "epsilon 6.58" in lines[1]
    assert "epsilon 9.28" in lines[2]


def test_the_end_is_a_table_of_the_rounds_and_the_next_commands(capsys):
    records = (record(1), record(2, lost=True, loss=None))
    federate_display.finished(Federated(Path("/shelf/fp16_r8_fed/my run"), {}, records))
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()[1:3]] == [
        ["1", "2", "of", "2", "1.2500", "2.00", "MB", "1.00", "MB", "61"],
        ["2", "2", "of", "2", "(lost)", "-", "2.00", "MB", "1.00", "MB", "61"],
    ]
    assert "adapter: /shelf/fp16_r8_fed/my run" in out
    assert "1 of 2 rounds were lost" in err
    assert "finlora infer --adapter '/shelf/fp16_r8_fed/my run'" in err


def test_a_member_hears_of_the_server_and_of_each_round(capsys):
    for event in [
        {"event": "server", "reached": False, "address": "h:1"},
        {"event": "server", "reached": True, "address": "h:1"},
        {"event": "done", "task": "setup", "round": 0, "counts": {"rows": 7}},
        {"event": "task", "task": "train", "round": 1, "rounds": 2},
        {"event": "done", "task": "train", "round": 1, "counts": {"rows": 7, "loss": 2.0}},
        {"event": "failed", "why": "the disk is full"},
    ]:
        federate_display.task(event)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "no answer from h:1; trying on (has the server started? a firewall?)",
        "reached h:1; waiting for the server to ask",
        "the server's terms are this machine's; waiting for the rounds",
        "round 1 of 2: training",
        "round 1: 7 rows, loss 2.0000; adapter sent",
        "failed: the disk is full",
    ]
