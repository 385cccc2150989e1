"""What `finlora federate` refuses, and how it says so, before anything is trained."""

from dataclasses import replace

import pytest

from finlora import federate, federate_network, training_plan
from finlora.errors import LaunchError, UsageError
from finlora.federated import credentials, preparation
from finlora.federated.dp import Privacy
from finlora.federated.preparation import Ready, Wanted
from finlora.models import BaseModel
from tests.conftest import RUN
from tests.federated import network
from tests.tiny import make_tiny_base

MISTAKES = {
    "one client": (["--clients", "1"], "--clients"),
    "no round": (["--rounds", "0"], "--rounds"),
    "a partition that is none": (["--partition", "idd"], "did you mean 'iid'"),
    "labels that are none": (["--partition", "dirichlet:nan"], "ALPHA is a number above 0"),
    "more clients than rows": (["--clients", "7"], "the dataset has 6 rows"),
    "more rounds than rows": (["--clients", "2", "--rounds", "4"], "--rounds 3 or fewer"),
    "too many are wanted": (["--clients", "2", "--rounds", "1", "--min-clients", "3"], "allowed: 1 to 2"),
    "half of the privacy": (["--dp-clip", "1"], "--dp-noise is missing"),
    "a limit alone": (["--max-epsilon", "1"], "give --dp-clip and --dp-noise"),
    "noise that is none": (["--dp-clip", "1", "--dp-noise", "0"], "--dp-noise is 0.0"),
    "a limit below the first round": (
        ["--dp-clip", "1", "--dp-noise", "1", "--max-epsilon", "0.1"],
        "one round with --dp-noise 1 has epsilon",
    ),
    "privacy with some clients": (
        ["--clients", "2", "--rounds", "1", "--dp-clip", "1", "--dp-noise", "1", "--min-clients", "1"],
        "every client must answer",
    ),
    "frozen A with DoRA": (["--aggregate", "ffa", "--as", "x"], "uses DoRA"),
    "leading from nowhere": (["--deploy"], "--listen HOST:PORT"),
    "listening without leading": (["--listen", "a:1"], "--deploy"),
    "joining with nothing": (["--join", "a:1"], "--data FILE"),
    "rows for nobody": (["--data", "rows.jsonl"], "--join HOST:PORT"),
    "both roles": (["--deploy", "--listen", "a:1", "--join", "a:1", "--data", "x"], "two terminals"),
    "a member with an option of the server": (
        ["--join", "a:1", "--data", "x", "--rounds", "3"],
        "--rounds has no meaning with --join",
    ),
    "a server with clients": (
        ["--deploy", "--listen", "a:1", "--clients", "3"],
        "--clients has no meaning with --deploy",
    ),
    "a key without a network": (["--member", "a"], "--member has no meaning with a simulation"),
    "a server without certificates": (["--deploy", "--listen", "bank:1"], "openssl req -x509"),
    "a member without a key": (["--join", "bank:1", "--data", "x"], "ssh-keygen"),
}


def test_every_mistake_is_here():
    assert len(MISTAKES) == 23


@pytest.fixture
def base(project):
    make_tiny_base(project.root / "configs" / "base")
    dora = {**RUN, "peft_use_dora": True}
    project.write_config({"first_run": RUN, "dora_run": dora})
    return project


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_message_and_leaves_nothing(base, run, mistake):
    words, told = MISTAKES[mistake]
    before = base.files()
    name = "dora_run" if "DoRA" in mistake else "first_run"
    result = run("federate", name, "--config", base.config, *words)
    assert result.code == 2
    assert told in result.err
    assert result.out == ""
    assert base.files() == before


def test_without_the_second_environment_it_says_how_it_is_made(base, run, monkeypatch):
    monkeypatch.setenv("FINLORA_FLOWER_PYTHON", "/nowhere/python")
    result = run("federate", "first_run", "--config", base.config, "--clients", "2", "--rounds", "1")
    assert result.code == 2
    assert "make federated" in result.err
    assert "/nowhere/python" in result.err


RATES = {
    "cosine": [1e-4, 7.5e-5, 2.5e-5],
    "linear": [1e-4, 1e-4 * 2 / 3, 1e-4 / 3],
    "constant": [1e-4, 1e-4, 1e-4],
}


@pytest.mark.parametrize("schedule", RATES)
def test_the_rate_follows_the_schedule_of_the_run_over_the_rounds(base, schedule):
    assert len(RATES) == 3
    file = base.load({"first_run": {**RUN, "axolotl": {"lr_scheduler": schedule}}})
    plan = training_plan.plan(file, "first_run", training_plan.Options())
    assert preparation.rates(plan, 3) == pytest.approx(RATES[schedule])


def test_a_schedule_that_has_no_meaning_over_rounds_is_refused(base):
    file = base.load({"first_run": {**RUN, "axolotl": {"lr_scheduler": "one_cycle"}}})
    plan = training_plan.plan(file, "first_run", training_plan.Options())
    with pytest.raises(UsageError, match="cosine, linear, constant"):
        preparation.rates(plan, 3)


@pytest.mark.parametrize(("asked", "clients", "needed"), [(None, 4, 2), (None, 5, 3), (3, 4, 3), (1, 9, 1)])
def test_a_round_needs_half_of_the_clients_unless_told(asked, clients, needed):
    assert preparation.min_clients(Wanted(rounds=1, min_clients=asked), clients) == needed


def test_under_differential_privacy_a_round_needs_all():
    wanted = Wanted(rounds=1, privacy=Privacy(1, 1, 1e-5))
    assert preparation.min_clients(wanted, 7) == 7
    assert preparation.min_clients(replace(wanted, min_clients=7), 7) == 7


def test_a_server_that_ends_without_a_word_is_not_believed(base):
    file = base.load()
    plan = training_plan.plan(file, "first_run", training_plan.Options())
    ready = Ready(file, "first_run", plan, BaseModel("base", base.root, "x"), Wanted(rounds=1))
    with pytest.raises(LaunchError, match="never said that the rounds are over"):
        federate.publish(ready)
    assert not (base.root / "lora_adapters" / "fp16_r8_fed").exists()


ADDRESSES = {
    "bank-a.example:8000": ("bank-a.example", 8000),
    "10.0.0.1:1": ("10.0.0.1", 1),
    "[::1]:65535": ("::1", 65535),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_host_and_port(address):
    assert len(ADDRESSES) == 3
    assert federate_network.parsed(address) == ADDRESSES[address]


@pytest.mark.parametrize(
    "address", ["bank", "bank:", ":8000", "bank:0", "bank:65536", "http://bank:80", "a b:1"]
)
def test_anything_else_is_refused_with_an_example(address):
    with pytest.raises(UsageError, match="HOST:PORT, such as"):
        federate_network.parsed(address)


def test_a_member_has_the_one_key_pair_of_its_folder(tmp_path):
    (tmp_path / "ca.crt").write_text("x")
    network.member_key(tmp_path, "bank_b")
    held = credentials.of_member(tmp_path, None)
    assert (held.name, held.key, held.authority) == ("bank_b", tmp_path / "bank_b", tmp_path / "ca.crt")
    (tmp_path / "bank_c.pub").write_text("x")
    with pytest.raises(UsageError, match=r"2 key pairs .*--member NAME"):
        credentials.of_member(tmp_path, None)
    with pytest.raises(UsageError, match="this member has no key"):
        credentials.of_member(tmp_path, "bank_c")


BAD_KEYS = {
    "junk": b"hallo",
    "a private key": None,
    "another kind": b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl x",
}


@pytest.fixture
def server(tmp_path):
    folder = network.authority(tmp_path / "federation", "127.0.0.1")
    (folder / "members").mkdir()
    for name in ("bank_a", "bank_b"):
        network.member_key(folder / "members", name)
        (folder / "members" / name).rename(tmp_path / name)
    return folder


def test_a_server_has_its_certificate_and_the_keys_of_its_members(server):
    held = credentials.of_server(server, "127.0.0.1")
    assert sorted(held.members) == ["bank_a", "bank_b"]


@pytest.mark.parametrize("what", BAD_KEYS)
def test_a_file_that_is_no_member_s_key_is_named(server, tmp_path, what):
    assert len(BAD_KEYS) == 3
    content = BAD_KEYS[what] or (tmp_path / "bank_a").read_bytes()
    (server / "members" / "bank_b.pub").write_bytes(content)
    with pytest.raises(UsageError, match=r"bank_b\.pub: no public key of the curve P-384"):
        credentials.of_server(server, "127.0.0.1")


def test_one_key_under_two_names_is_refused(server):
    (server / "members" / "bank_c.pub").write_bytes((server / "members" / "bank_a.pub").read_bytes())
    with pytest.raises(UsageError, match=r"bank_c\.pub: the same key as bank_a\.pub"):
        credentials.of_server(server, "127.0.0.1")


def test_a_certificate_for_another_host_or_key_is_refused_before_anything_starts(server, tmp_path):
    with pytest.raises(UsageError, match=r"is for 127\.0\.0\.1, not for bank\.example"):
        credentials.of_server(server, "bank.example")
    network.private_key(server / "server.key")
    with pytest.raises(UsageError, match="no certificate and its key"):
        credentials.of_server(server, "127.0.0.1")


def test_a_member_s_key_that_is_none_is_refused(tmp_path):
    network.member_key(tmp_path, "bank_b")
    (tmp_path / "ca.crt").write_text("x")
    (tmp_path / "bank_b").write_bytes((tmp_path / "bank_b.pub").read_bytes())
    with pytest.raises(UsageError, match="no private key of the curve P-384"):
        credentials.of_member(tmp_path, None)
