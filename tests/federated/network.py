"""What a deployment on this machine takes: certificates, keys, ports, a proxy that records."""

import contextlib
import datetime
import ipaddress
import json
import os
import re
import signal
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from finlora import launch
from finlora.errors import LaunchError
from finlora.federated import deployment, environment

MEMBERS = ("bank_a", "bank_b")
ROOT = Path(__file__).parents[2]
FLOWER = environment.python()


def private_key(file, form_of_file=form.PrivateFormat.PKCS8):
    """Write a new key, as PEM or as OpenSSH has it, and return it."""
    key = ec.generate_private_key(ec.SECP384R1())
    file.write_bytes(key.private_bytes(form.Encoding.PEM, form_of_file, form.NoEncryption()))
    file.chmod(0o600)
    return key


def member_key(folder, name):
    """Write a client's key pair; return the private file."""
    file = folder / name
    key = private_key(file, form.PrivateFormat.OpenSSH)
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    file.with_suffix(".pub").write_bytes(public)
    return file


def certificate(file, subject, public, issuer, issuer_key, *, authority, hosts=()):
    """Write a certificate and return it."""
    now = datetime.datetime.now(datetime.UTC)
    place = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(place)
        .issuer_name(issuer.subject if issuer else place)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if hosts:
        names = [x509.IPAddress(ipaddress.ip_address(host)) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = builder.sign(issuer_key, hashes.SHA256())
    file.write_bytes(made.public_bytes(form.Encoding.PEM))
    return made


def authority(folder, *hosts):
    """Write `ca.crt`, `server.crt` for hosts and `server.key` into a folder."""
    folder.mkdir()
    key = private_key(folder / "ca.key")
    issuer = certificate(folder / "ca.crt", "authority", key.public_key(), None, key, authority=True)
    own = private_key(folder / "server.key")
    certificate(folder / "server.crt", "server", own.public_key(), issuer, key, authority=False, hosts=hosts)
    return folder


def free_port():
    """Return a port nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


class Recorder:
    """Stands between clients and a server, decrypts, and keeps every byte.

    Args:
        folder: certificates of the server, for both sides.
        target: port of the server.
    """

    def __init__(self, folder, target):
        self.folder, self.target = folder, target
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.up, self.down = bytearray(), bytearray()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        inside = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        inside.load_cert_chain(self.folder / "server.crt", self.folder / "server.key")
        while True:
            plain, _ = self.listening.accept()
            threading.Thread(target=self._serve, args=(inside, plain), daemon=True).start()

    def _serve(self, inside, plain):
        outside = ssl.create_default_context(cafile=self.folder / "ca.crt")
        with (
            inside.wrap_socket(plain, server_side=True) as client,
            socket.create_connection(("127.0.0.1", self.target)) as far,
            outside.wrap_socket(far, server_hostname="127.0.0.1") as server,
        ):
            back = threading.Thread(target=self._pump, args=(server, client, self.down), daemon=True)
            back.start()
            self._pump(client, server, self.up)
            back.join()

    @staticmethod
    def _pump(source, sink, kept):
        while data := source.recv(65536):
            kept += data
            sink.sendall(data)

    def paths(self):
        """Return what clients asked for."""
        return set(re.findall(rb"POST (\S+) HTTP", self.up))


def processes(word):
    """Return the processes that have a word in their environment, the dead left out."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        # Some end while they are looked at, and others are not ours to look at.
        with contextlib.suppress(OSError):
            dead = b") Z " in (place / "stat").read_bytes()
            if not dead and word.encode() in (place / "environ").read_bytes():
                found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


class Place:
    """A federation on this machine: one server, two members, and who else wants in.

    Args:
        folder: of everything.
        host: address of the server.
        inside: words before a program's own, by its name, that put it elsewhere.
    """

    def __init__(self, folder, host="127.0.0.1", inside=None):
        self.folder, self.inside = folder, inside or {}
        self.certificates = authority(folder / "certificates", host)
        (folder / "keys").mkdir()
        self.keys = {name: member_key(folder / "keys", name) for name in (*MEMBERS, "stranger")}
        self.link = deployment.SuperLink(
            folder=str(folder / "server"),
            host=host,
            port=free_port(),
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
                server=f"{self.link.host}:{self.link.port}",
                authority=self.link.authority,
                key=str(self.keys[name]),
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
        argv = [*self.inside.get(name, []), *argv]
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


def fails(work):
    with pytest.raises(LaunchError) as fault:
        work()
    return str(fault.value)
