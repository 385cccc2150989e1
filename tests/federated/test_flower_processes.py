"""SuperLink and SuperNodes for real: who gets in, what crosses, what they say, and that all of them go."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.federated.network import (
    FLOWER,
    MEMBERS,
    ROOT,
    Place,
    Recorder,
    authority,
    fails,
    processes,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_members_train_strangers_stay_out_and_nothing_else_crosses(place):
    """One scenario, since a start takes seconds: all that is to hold while a federation runs."""
    recorder = Recorder(place.certificates, place.link.port)
    through = f"127.0.0.1:{recorder.port}"
    other = authority(place.folder / "other", "127.0.0.1")
    planted = {"PLANTED": "zebrafish"}
    with place.at_once() as pool:
        strangers, members, operators = [], [], []

        def begin(event):
            if event["event"] != "link":
                return
            operators.extend(place.ask_as_operator(source) for source in ("127.0.0.1", "127.0.0.2"))
            unknown, deceived = place.node("stranger"), place.node("bank_a", authority=str(other / "ca.crt"))
            deceived = replace(deceived, events=str(place.folder / "deceived.jsonl"))
            strangers.append(pool.submit(fails, lambda: place.join(unknown)))
            strangers.append(pool.submit(fails, lambda: place.join(deceived)))
            members.extend(
                pool.submit(place.join, place.node(name, server=through), env=planted) for name in MEMBERS
            )

        seen = pool.submit(place.serve, on_event=begin).result(timeout=120)
        refused = [stranger.result(timeout=60) for stranger in strangers]
        left = [member.result(timeout=60) for member in members]
        assert processes(str(place.folder)) == {}

    assert [event["event"] for event in seen] == ["link", "online", *["reply"] * 4]
    assert seen[1]["names"] == list(MEMBERS)
    values = {(event["round"], event["client"], event["value"]) for event in seen[2:]}
    assert values == {(number, name, number + len(name)) for number in (0, 1) for name in MEMBERS}
    # Ended by themselves, with nothing to complain of.
    assert [without_complaint(events) for events in left] == [True, True]
    assert (
        "the server does not know this key, or has not noticed yet that this member's last start has ended: "
        f"send its operator the .pub file beside {place.folder / 'keys'}" in refused[0]
    )
    assert "can't prove who it is: its certificate is not signed by" in refused[1]
    assert operators[0] != 403
    assert operators[1] == 403
    assert all(path.startswith(b"/v1/fleet/") for path in recorder.paths())
    assert len(recorder.paths()) > 5
    # Both ways of both rounds: 1000 numbers of 4 bytes, as they are.
    assert min(len(recorder.up), len(recorder.down)) > 2 * 2 * 4000
    crossed = bytes(recorder.up + recorder.down)
    words = ["zebrafish", "PLANTED", str(place.folder), str(ROOT), str(FLOWER.parent), *MEMBERS]
    assert [word for word in words if word.encode() in crossed] == []


def test_what_ends_the_app_of_the_server_is_told(place):
    with place.at_once() as pool:
        members = [pool.submit(fails, lambda name=name: place.join(place.node(name))) for name in MEMBERS]
        server = pool.submit(fails, lambda: place.serve(fail=True))
        assert (
            "the training failed: ServerApp failed with exception: the server's app failed"
            in server.result(120)
        )
        for file in (place.folder / f"{name}.done" for name in MEMBERS):
            assert not file.exists()
    assert all(member.result(60) for member in members)


def test_code_that_is_not_ours_is_not_run(place):
    mark = place.folder / "ran"
    with place.at_once() as pool:
        server = pool.submit(fails, lambda: place.serve(env={"FOREIGN_APP": str(mark)}, clients=1))
        client = pool.submit(fails, lambda: place.join(place.node("bank_a")))
        said = client.result(timeout=60)
        assert "the server sent code that is not this finlora's" in said
    assert server.result(60)
    assert not mark.exists()


def killed_when(place, word):
    """Return what kills the SuperLink itself at an event."""

    def hear(event):
        if event["event"] == word:
            for pid, command in processes(str(place.folder / "server" / "flower")).items():
                if "finlora.federated.superlink" in command:
                    os.kill(pid, signal.SIGKILL)

    return hear


def without_complaint(events):
    """Return whether a member told nothing but that the server could be reached, at the end at least."""
    return {event["event"] for event in events} == {"server"} and events[-1]["reached"]


def test_clients_come_back_to_a_server_that_was_killed(place):
    with place.at_once() as pool:
        members = [pool.submit(place.join, place.node(name)) for name in MEMBERS]
        assert "killed" in fails(lambda: place.serve(on_event=killed_when(place, "online")))
        # The app of the server outlives it by seconds on its own; none is left here.
        assert processes(str(place.folder / "server" / "flower")) == {}
        place.link = replace(place.link, events=str(place.folder / "again.jsonl"))
        seen = pool.submit(place.serve).result(timeout=120)
        left = [member.result(timeout=60) for member in members]
    assert [event["event"] for event in seen] == ["link", "online", *["reply"] * 4]
    assert [without_complaint(events) for events in left] == [True, True]


def test_who_is_no_member_any_more_is_let_go(place):
    with place.at_once() as pool:
        former = pool.submit(fails, lambda: place.join(place.node("bank_a")))
        fails(lambda: place.serve(on_event=killed_when(place, "online"), clients=1))
        members = {"bank_b": place.link.members["bank_b"]}
        place.link = replace(place.link, members=members, events=str(place.folder / "again.jsonl"))
        pool.submit(place.serve)
        assert "let this client go" in former.result(timeout=90)


LAUNCHER = """
import json, os, sys
from dataclasses import replace
from pathlib import Path
from finlora import launch
from finlora.federated import deployment
argv, env, told = json.loads(sys.argv[1])
link = replace(deployment.SuperLink.read(Path(told)), launcher=os.getpid())
link.write(Path(told))
folder = Path(told).parent
launch.train(argv, cwd=folder, env=env, log=folder / "log", events=Path(link.events),
             on_event=lambda event: print(event["event"], flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_everything_goes_with_the_launcher(place, number):
    argv, env = place.prepare("server", "superlink", place.link, clients=2)
    what = json.dumps([argv, env, str(place.folder / "server" / "superlink.json")])
    outer = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", LAUNCHER, what], env=outer, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"link\n"
        running = processes(str(place.folder / "server" / "flower"))
        assert len(running) >= 2
        gone = [os.pidfd_open(pid) for pid in running]
        child.send_signal(number)
    for fd in gone:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        assert poll.poll(20_000)
    assert processes(str(place.folder / "server" / "flower")) == {}


UNSHARE = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
separable = (
    shutil.which("ip") is not None
    and shutil.which("unshare") is not None
    and subprocess.run([*UNSHARE, "ip", "netns", "list"], capture_output=True, check=False).returncode == 0
)


@pytest.mark.skipif(not separable, reason="no network namespaces on this machine")
def test_members_on_networks_of_their_own(tmp_path):
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-m", "tests.federated.namespaces", tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    assert sorted((event["round"], event["client"]) for event in told["seen"][2:]) == [
        (number, name) for number in (0, 1) for name in MEMBERS
    ]
    assert [without_complaint(events) for events in told["left"]] == [True, True]
    assert told["operator"] == ["403"]
    # Members can't see each other: nothing answers there.
    assert "TimeoutError" in told["beside"] or "No route" in told["beside"]
    assert processes(str(tmp_path)) == {}
