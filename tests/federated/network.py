"""What a deployment on this machine takes: certificates, keys, ports, a proxy that records."""

import contextlib
import datetime
import ipaddress
import os
import re
import socket
import ssl
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from finlora.federated import environment

ROOT = Path(__file__).parents[2]
FLOWER = Path(os.environ.get(environment.VARIABLE) or f"{sys.prefix}-federated/bin/python")
needs_flower = pytest.mark.skipif(not FLOWER.exists(), reason="no Flower environment: make federated")


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


def free_ports(count):
    """Return ports nobody listens at."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


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
