"""A federated training over a network: what SuperLink and SuperNodes are told, and the app that both run.

One SuperLink on the server, one SuperNode in each institution; a SuperNode only dials out. Each is started by
the FinLoRA of its machine, as `python -m finlora.federated.superlink FILE` and `… .supernode FILE`.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from finlora import __version__
from finlora.federated import environment
from finlora.files import write_json

JOB_VARIABLE = "FINLORA_FEDERATION"
"""Names the server's or the client's job file to the app: paths never cross."""


@dataclass(frozen=True)
class SuperLink:
    """The server of Flower.

    Args:
        folder: where it keeps its database and what Flower unpacks.
        host: address to listen at; the certificate holds for it.
        port: of all that Flower serves.
        authority: certificate of the authority that clients trust.
        certificate: of the server, signed by it.
        key: of the certificate.
        members: public key files (OpenSSH, P-384) by client name.
        events: file to append events to.
        launcher: process id of FinLoRA.
    """

    folder: str
    host: str
    port: int
    authority: str
    certificate: str
    key: str
    members: Mapping[str, str]
    events: str
    launcher: int

    def write(self, path: Path) -> None:
        """Write what it is told where it will read it."""
        write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> "SuperLink":
        """Read what FinLoRA wrote."""
        return SuperLink(**json.loads(path.read_text(encoding="utf-8")))

    @property
    def database(self) -> Path:
        """Where Flower keeps keys and messages: another file for other members.

        Flower never takes back a key that was struck off, nor gives it another name.
        """
        keys = {name: Path(file).read_text(encoding="utf-8") for name, file in sorted(self.members.items())}
        digest = sha256(json.dumps(keys).encode()).hexdigest()
        return Path(self.folder) / f"superlink-{digest[:12]}.db"

    def arguments(self) -> list[str]:
        """Return the words of Flower's own command line."""
        return [
            *("--host", self.host, "--port", str(self.port)),
            *("--ssl-ca-certfile", self.authority),
            *("--ssl-certfile", self.certificate, "--ssl-keyfile", self.key),
            *("--enable-supernode-auth", "--database", str(self.database)),
            "--disable-runtime-dependency-installation",
        ]


@dataclass(frozen=True)
class SuperNode:
    """The client of Flower.

    Args:
        server: host and port of the SuperLink.
        authority: certificate of the authority that signed the server's.
        key: this client's private key (OpenSSH, P-384).
        done: file that the app writes before its last answer; with that sent, the SuperNode ends.
        events: file to append events to.
        launcher: process id of FinLoRA.
    """

    server: str
    authority: str
    key: str
    done: str
    events: str
    launcher: int

    def write(self, path: Path) -> None:
        """Write what it is told where it will read it."""
        write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> "SuperNode":
        """Read what FinLoRA wrote."""
        return SuperNode(**json.loads(path.read_text(encoding="utf-8")))

    def arguments(self) -> list[str]:
        """Return the words of Flower's own command line."""
        return [
            *("--superlink", self.server, "--root-certificates", self.authority),
            *("--auth-supernode-private-key", self.key),
        ]


def command(flower: Path, program: str, told: Path) -> list[str]:
    """Return the command that starts one of the two.

    Args:
        flower: Python of the Flower environment.
        program: `superlink` or `supernode`.
        told: file with a SuperLink or a SuperNode.
    """
    return [str(flower), "-P", "-m", f"finlora.federated.{program}", str(told)]


def variables(flower: Path, folder: Path, job: Path) -> dict[str, str | None]:
    """Return what the command gets in its environment, and what all its processes inherit.

    Args:
        flower: Python of the Flower environment.
        folder: where Flower may keep files.
        job: job file of the app.
    """
    direct = [name for name in (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"),) if name]
    beside = ",".join([*direct, "127.0.0.1", "localhost"])
    return {
        **environment.variables(),
        # Flower starts its parts by their names.
        "PATH": os.pathsep.join([str(flower.parent), os.environ.get("PATH", os.defpath)]),
        "FLWR_HOME": str(folder / "flower"),
        # How often a process of Flower looks for work, in seconds; its default is 1.
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2",
        "NO_PROXY": beside,
        "no_proxy": beside,
        "PYTHONUNBUFFERED": "1",
        JOB_VARIABLE: str(job),
    }


def app() -> dict[str, bytes]:
    """Return the files of the app that Flower hands from server to clients: two names, and no code.

    Its code is that of the finlora in each machine's own Flower environment.
    """
    settings = f"""[project]
name = "federated"
version = "{__version__}"
description = "LoRA on Flower"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "finlora"

[tool.flwr.app.components]
serverapp = "finlora_app.server:app"
clientapp = "finlora_app.client:app"

[tool.flwr.app.config]
"""
    texts = {
        "pyproject.toml": settings,
        "finlora_app/__init__.py": "",
        "finlora_app/server.py": "from finlora.federated.apps import server_app as app\n",
        "finlora_app/client.py": "from finlora.federated.apps import client_app as app\n",
    }
    return {name: text.encode() for name, text in texts.items()}
