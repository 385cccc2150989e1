"""What SuperLink and SuperNodes are told: commands, environments, the app, and who is answered."""

import asyncio
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from finlora.federated import deployment, superlink, supernode

LINK = deployment.SuperLink(
    folder="/f",
    host="10.0.0.1",
    port=8443,
    authority="/c/ca.crt",
    certificate="/c/server.crt",
    key="/c/server.key",
    members={},
    events="/f/events.jsonl",
    launcher=1,
)
NODE = deployment.SuperNode(
    server="fl.bank.example:8443",
    authority="/c/ca.crt",
    key="/k/bank_a",
    done="/f/done",
    events="/f/events.jsonl",
    launcher=1,
)


def after(words, flag):
    return words[words.index(flag) + 1]


def test_what_is_written_is_what_is_read(tmp_path):
    for told in (LINK, NODE):
        told.write(tmp_path / "told.json")
        assert type(told).read(tmp_path / "told.json") == told


def test_a_superlink_has_tls_and_asks_for_keys():
    words = LINK.arguments()
    assert "--enable-supernode-auth" in words
    assert "--insecure" not in words
    assert after(words, "--ssl-ca-certfile") == "/c/ca.crt"
    assert after(words, "--ssl-certfile") == "/c/server.crt"
    assert after(words, "--ssl-keyfile") == "/c/server.key"
    assert (after(words, "--host"), after(words, "--port")) == ("10.0.0.1", "8443")


def test_a_supernode_has_tls_and_a_key():
    words = NODE.arguments()
    assert "--insecure" not in words
    assert "--node-config" not in words
    assert after(words, "--root-certificates") == "/c/ca.crt"
    assert after(words, "--auth-supernode-private-key") == "/k/bank_a"


def test_a_command_takes_no_code_of_the_current_folder():
    command = deployment.command(Path("/e/bin/python"), "superlink", Path("/f/told.json"))
    assert command == ["/e/bin/python", "-P", "-m", "finlora.federated.superlink", "/f/told.json"]


def test_the_environment_asks_nobody_and_tells_nobody(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "intern.example")
    made = deployment.variables(Path("/e/bin/python"), Path("/f"), Path("/f/job.json"))
    assert made["FLWR_TELEMETRY_ENABLED"] == "0"
    assert made["FLWR_DISABLE_UPDATE_CHECK"] == "1"
    assert str(made["PATH"]).split(os.pathsep)[0] == "/e/bin"
    assert made["FLWR_HOME"] == "/f/flower"
    assert made[deployment.JOB_VARIABLE] == "/f/job.json"
    assert made["NO_PROXY"] == made["no_proxy"] == "intern.example,127.0.0.1,localhost"


def test_other_members_are_another_database(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"key of {name}")
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    members = [{"x": a}, {"y": a}, {"x": b}, {"x": a, "y": b}]
    found = [replace(LINK, members=each).database for each in members]
    assert len(set(found)) == 4
    assert replace(LINK, members={"y": b, "x": a}).database == found[3]
    (tmp_path / "a").write_text("another key")
    assert replace(LINK, members={"x": a}).database not in found


def test_the_app_holds_two_imports_and_no_other_code():
    files = deployment.app()
    code = "".join(text.decode() for name, text in files.items() if name.endswith(".py")).splitlines()
    assert code == [f"from finlora.federated.apps import {side}_app as app" for side in ("server", "client")]
    assert b"dependencies = []" in files["pyproject.toml"]


@pytest.mark.parametrize(
    ("client", "path", "answered"),
    [
        ("10.0.0.2", "/v1/fleet/activate-node", True),
        ("10.0.0.2", "/v1/control/register-node", False),
        ("10.0.0.2", "/v1/control/start-run", False),
        ("10.0.0.2", "/v1/runtime/acquire-task", False),
        ("10.0.0.2", "/v1/fleetly", False),
        ("10.0.0.2", "//v1/fleet/activate-node", False),
        ("10.0.0.2", "/docs", False),
        ("127.0.0.1", "/v1/control/start-run", False),
        ("10.0.0.1", "/v1/control/start-run", True),
        ("10.0.0.1", "/v1/runtime/acquire-task", True),
    ],
)
def test_only_clients_are_answered_from_elsewhere(client, path, answered):
    scope = {"type": "http", "path": path, "client": (client, 40000), "server": ("10.0.0.1", 8443)}
    assert superlink.allowed(scope) is answered


@pytest.mark.parametrize(
    ("path", "ready", "status"),
    [
        ("/v1/fleet/activate-node", False, 503),
        ("/v1/fleet/activate-node", True, 200),
        ("/v1/control/start-run", True, 403),
    ],
)
def test_a_client_that_comes_before_the_members_are_known_is_to_come_again(monkeypatch, path, ready, status):
    monkeypatch.setattr(superlink.Gate, "ready", threading.Event())
    if ready:
        superlink.Gate.ready.set()
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "client": ("10.0.0.2", 1), "server": ("10.0.0.1", 2)}
    asyncio.run(superlink.Gate(app)(scope, None, send))
    assert sent[0]["status"] == status


def test_what_cannot_be_placed_is_elsewhere():
    assert not superlink.allowed(
        {"type": "http", "path": "/v1/control/start-run", "client": None, "server": None}
    )
    assert not superlink.allowed(
        {"type": "websocket", "path": "/v1/fleet/x", "client": ("1", 1), "server": None}
    )
    assert superlink.allowed({"type": "lifespan"})


@pytest.mark.parametrize(
    ("flower", "said"),
    [
        (
            "Failed.\n[code: 2004] Failed to activate SuperNode.",
            "send its operator the .pub file beside /k/bank_a",
        ),
        ("Failed.\n[SSL: CERTIFICATE_VERIFY_FAILED] x", "its certificate is not signed by /c/ca.crt"),
        ("Failed.\nName or service not known", "fl.bank.example:8443: Name or service not known"),
        ("", "no connection to the server at fl.bank.example:8443"),
    ],
)
def test_why_there_is_no_connection_is_said(flower, said):
    assert said in supernode.refusal(flower, NODE)
