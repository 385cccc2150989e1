"""Certificates and keys of a federation in one folder: who must hold what, and how it is made.

The server holds `ca.crt`, `server.crt`, `server.key` and the members' public keys; a member holds `ca.crt`
and its own key pair. All are made with openssl and ssh-keygen, or come from a bank's own authority.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
    if name is None and len(keys) != 1:
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
    return MemberCredentials(key.name, folder / "ca.crt", key)


def _check(files: Sequence[Path], why: str, commands: Sequence[str]) -> None:
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise UsageError(
            "\n".join([f"{', '.join(missing)}: no such file: {why}", *(f"  {c}" for c in commands)])
        )


def _ssh_keygen(key: Path) -> str:
    return f'ssh-keygen -q -t ecdsa -b 384 -N "" -C "" -f {key}'


def _tls(folder: Path, host: str) -> list[str]:
    kind = "IP" if host.replace(".", "").isdigit() or ":" in host else "DNS"
    new = "-newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes"
    return [
        f"mkdir -p {folder / MEMBERS}",
        f'openssl req -x509 {new} -days 365 -subj "/CN=federation" '
        f"-addext keyUsage=critical,keyCertSign -keyout {folder}/ca.key -out {folder}/ca.crt",
        f'openssl req {new} -subj "/CN={host}" -addext subjectAltName={kind}:{host} '
        f"-keyout {folder}/server.key -out {folder}/server.csr",
        f"openssl x509 -req -in {folder}/server.csr -CA {folder}/ca.crt -CAkey {folder}/ca.key -days 365 "
        f"-copy_extensions copy -out {folder}/server.crt",
    ]
