"""Certificates and keys of a federation in one folder: who must hold what, and how it is made.

The server holds `ca.crt`, `server.crt`, `server.key` and the members' public keys; a member holds `ca.crt`
and its own key pair. All are made with openssl and ssh-keygen, or come from a bank's own authority.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora.config import RUN_NAME
from finlora.errors import UsageError

FOLDER = "federation"
MEMBERS = "members"


@dataclass(frozen=True)
class ServerCredentials:
    """What a server proves itself with, and whom it lets in.

    Args:
        authority: certificate of the authority that members trust.
        certificate: of the server.
        key: of the certificate.
        members: public key files by member name.
    """

    authority: Path
    certificate: Path
    key: Path
    members: dict[str, Path]


@dataclass(frozen=True)
class MemberCredentials:
    """What a member proves itself with, and whom it trusts.

    Args:
        name: the member.
        authority: certificate of the authority that signed the server's.
        key: its private key.
    """

    name: str
    authority: Path
    key: Path


def of_server(folder: Path, host: str) -> ServerCredentials:
    """Return what a server needs, all of it there.

    Args:
        folder: where it lies.
        host: name or address that members dial.

    Raises:
        UsageError: something is missing; the commands that make it are told.
    """
    named = {name: folder / name for name in ("ca.crt", "server.crt", "server.key")}
    _check(
        list(named.values()), f"the server's certificate is missing; make one for {host}", _tls(folder, host)
    )
    members = {path.stem: path for path in sorted((folder / MEMBERS).glob("*.pub"))}
    if len(members) < 2:
        raise UsageError(
            f"{folder / MEMBERS}: {len(members)} public keys lie there, but a federation has two members\n"
            f"Each makes its key and sends its NAME.pub, which goes there:\n  {_ssh_keygen(Path('NAME'))}"
        )
    if odd := [path.name for name, path in members.items() if not RUN_NAME.fullmatch(name)]:
        raise UsageError(
            f"{folder / MEMBERS}: {', '.join(odd)}: it names the client: letters, digits, '.', '_' and '-'"
        )
    _check_certificate(named["server.crt"], named["server.key"], host, folder)
    _check_members(members)
    return ServerCredentials(named["ca.crt"], named["server.crt"], named["server.key"], members)


def of_member(folder: Path, name: str | None) -> MemberCredentials:
    """Return what a member needs, all of it there.

    Args:
        folder: where it lies.
        name: the member; None where one key pair alone lies there.

    Raises:
        UsageError: something is missing; what makes it, or who has it, is told.
    """
    keys = sorted(path.with_suffix("") for path in folder.glob("*.pub"))
    if not name and len(keys) != 1:
        found = f"{len(keys)} key pairs ({', '.join(key.name for key in keys)})" if keys else "no key pair"
        raise UsageError(
            f"{folder}: holds {found}; name yours with --member NAME, or make it and send NAME.pub to the "
            f"server's operator:\n  {_ssh_keygen(folder / (name or 'NAME'))}"
        )
    key = folder / name if name else keys[0]
    _check(
        [key],
        "this member has no key; make it, and send the .pub file to the server's operator",
        [_ssh_keygen(key)],
    )
    _check([folder / "ca.crt"], "get it from the server's operator, whose server it proves", [])
    _check_private(key)
    return MemberCredentials(key.name, folder / "ca.crt", key)


def _check(files: Sequence[Path], why: str, commands: Sequence[str]) -> None:
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise UsageError(
            "\n".join([f"{', '.join(missing)}: no such file: {why}", *(f"  {c}" for c in commands)])
        )


def _check_certificate(certificate: Path, key: Path, host: str, folder: Path) -> None:
    """Refuse a certificate that is none, is not for this host, or is not the key's."""
    import ssl

    from cryptography import x509

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        held = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = [str(name.value) for name in names]
    except (ssl.SSLError, ValueError, x509.ExtensionNotFound) as error:
        raise UsageError(f"{certificate}, {key}: no certificate and its key: {error}") from None
    if host not in known:
        made = "\n".join(f"  {command}" for command in _tls(folder, host)[2:])
        raise UsageError(f"{certificate}: is for {', '.join(known)}, not for {host}; make one:\n{made}")


def _check_members(members: dict[str, Path]) -> None:
    """Refuse files that are no public key of the kind Flower takes, and one key under two names."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    seen: dict[bytes, str] = {}
    for name, path in members.items():
        try:
            public = load_ssh_public_key(path.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm):
            public = None
        if not _is_p384(public):
            raise UsageError(
                f"{path}: no public key of the curve P-384; made so:\n  {_ssh_keygen(Path(name))}"
            )
        line = b" ".join(path.read_bytes().split()[:2])
        if line in seen:
            raise UsageError(f"{path}: the same key as {seen[line]}.pub; each member makes its own")
        seen[line] = name


def _check_private(key: Path) -> None:
    """Refuse a file that is no private key that Flower could use."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        private = load_ssh_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not _is_p384(private):
        raise UsageError(
            f"{key}: no private key of the curve P-384 without a passphrase; made so:\n  {_ssh_keygen(key)}"
        )


def _is_p384(key: Any) -> bool:
    curve = getattr(key, "curve", None)
    return getattr(curve, "name", None) == "secp384r1"


def _ssh_keygen(key: Path) -> str:
    return f'ssh-keygen -q -t ecdsa -b 384 -N "" -C "" -f {shlex.quote(str(key))}'


def _tls(folder: Path, host: str) -> list[str]:
    place = shlex.quote(str(folder))
    kind = "IP" if host.replace(".", "").isdigit() or ":" in host else "DNS"
    new = "-newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes"
    return [
        f"mkdir -p {place}/{MEMBERS}",
        f'openssl req -x509 {new} -days 365 -subj "/CN=federation" '
        f"-addext keyUsage=critical,keyCertSign -keyout {place}/ca.key -out {place}/ca.crt",
        f'openssl req {new} -subj "/CN={host}" -addext subjectAltName={kind}:{host} '
        f"-keyout {place}/server.key -out {place}/server.csr",
        f"openssl x509 -req -in {place}/server.csr -CA {place}/ca.crt -CAkey {place}/ca.key -days 365 "
        f"-copy_extensions copy -out {place}/server.crt",
    ]
