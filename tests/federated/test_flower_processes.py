"""SuperLink and SuperNodes for real: who gets in, what crosses, what they say, and that all of them go."""

import contextlib
import json
import os
import select
import signal
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from finlora import launch
from finlora.errors import LaunchError
from finlora.federated import deployment
from tests.federated.network import (
    FLOWER,
    ROOT,
    Recorder,
    authority,
    free_ports,
    member_key,
    needs_flower,
    processes,
)

pytestmark = [pytest.mark.slow, needs_flower]
MEMBERS = ("bank_a", "bank_b")


class Place:
    """A federation on this machine: one server, two members, and who else wants in."""

    def __init__(self, folder):
        self.folder = folder
        self.certificates = authority(folder / "certificates", "127.0.0.1")
        (folder / "keys").mkdir()
        self.keys = {name: member_key(folder / "keys", name) for name in (*MEMBERS, "stranger")}
        port, *own = free_ports(7)
        self.own = iter(own)
        self.link = deployment.SuperLink(
            folder=str(folder / "server"),
            host="127.0.0.1",
            port=port,
            authority=str(self.certificates / "ca.crt"),
            certificate=str(self.certificates / "server.crt"),
            key=str(self.certificates / "server.key"),
            members={name: f"{self.keys[name]}.pub" for name in MEMBERS},
            events=str(folder / "server.jsonl"),
            launcher=os.getpid(),
        )

    def node(self, name, **changes):
        return replace(
            deployment.SuperNode(
                server=f"127.0.0.1:{self.link.port}",
                authority=self.link.authority,
                key=str(self.keys[name]),
                port=next(self.own),
                done=str(self.folder / f"{name}.done"),
                events=str(self.folder / f"{name}.jsonl"),
                launcher=os.getpid(),
            ),
            **changes,
        )

    def prepare(self, name, program, told, **job):
        """Write what a program is told; return its command and its environment."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        told.write(folder / f"{program}.json")
        (folder / "job.json").write_text(json.dumps({"events": told.events, **job}))
        path = os.pathsep.join([str(ROOT / "tests" / "federated" / "stand_in"), str(ROOT)])
        variables = deployment.variables(FLOWER, folder, folder / "job.json")
        return deployment.command(FLOWER, program, folder / f"{program}.json"), {
            **variables,
            "PYTHONPATH": path,
        }

    def run(self, name, program, told, env=None, on_event=None, **job):
        """Run a program to its end and return its events."""
        argv, variables = self.prepare(name, program, told, **job)
        seen = []

        def hear(event):
            seen.append(event)
            if on_event:
                on_event(event)

        launch.train(
            argv,
            cwd=self.folder,
            env={**variables, **(env or {})},
            log=self.folder / f"{name}.log",
            events=Path(told.events),
            on_event=hear,
        )
        return seen

    def serve(self, on_event=None, **more):
        return self.run("server", "superlink", self.link, on_event=on_event, **{"clients": 2, **more})

    def join(self, node, **more):
        name = Path(node.events).stem
        return self.run(name, "supernode", node, **{"done": node.done, "adds": len(name), **more})

    @contextlib.contextmanager
    def at_once(self):
        """Yield what runs several programs at once; what still runs at the end is killed."""
        with ThreadPoolExecutor(6) as pool:
            try:
                yield pool
            finally:
                for pid in processes(str(self.folder)):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def ask_as_operator(self, source):
        """Ask what operators ask, from an address of this machine."""
        trusted = ssl.create_default_context(cafile=self.link.authority)
        with httpx.Client(transport=httpx.HTTPTransport(verify=trusted, local_address=source)) as client:
            place = f"https://127.0.0.1:{self.link.port}/v1/control/list-nodes"
            return client.post(place, headers={"content-type": "application/protobuf"}).status_code


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def fails(work):
    with pytest.raises(LaunchError) as fault:
        work()
    return str(fault.value)


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
    assert left == [[], []]
    assert (
        f"the server does not know this key: send its operator the .pub file beside {place.folder / 'keys'}"
        in refused[0]
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
        said = fails(lambda: place.join(place.node("bank_a")))
        assert "the server sent code that is not this finlora's" in said
    assert server.result(60)
    assert not mark.exists()


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
