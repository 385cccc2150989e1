"""Where a hosted model is asked, and with which key: taken apart and refused before anything is sent."""

import hashlib
import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from finlora.errors import UsageError

_OPENAI = "api.openai.com"
_OPENAI_KEY = "OPENAI_API_KEY"
_ROUTE = "/chat/completions"


@dataclass(frozen=True)
class Address:
    """Where a server is.

    Args:
        url: what the route `/chat/completions` is put behind; holds no user, password or query.
        host: its name, with the port where one is given.
        is_local: this machine.
        is_encrypted: https.
    """

    url: str
    host: str
    is_local: bool
    is_encrypted: bool


def parse(url: str) -> Address:
    """Take an address apart.

    Raises:
        UsageError: it is none, or holds what might be a secret; a secret is not repeated.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    name = parts.hostname or ""
    if not re.fullmatch(r"[!-~]+", url) or parts.scheme not in ("http", "https") or not name:
        raise UsageError(
            "--endpoint wants the address of a server, such as https://api.openai.com/v1 or "
            "http://localhost:8000/v1"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError(
            "--endpoint: leave out user, password, ? and #; a key belongs into an environment variable, "
            "which --key-env NAME names"
        )
    host = f"[{name}]" if ":" in name else name
    host += f":{port}" if port else ""
    path = parts.path.rstrip("/").removesuffix(_ROUTE)
    return Address(f"{parts.scheme}://{host}{path}", host, _is_local(name), parts.scheme == "https")


def key_for(address: Address, variable: str | None) -> str:
    """Return the key to send, empty for none. OpenAI's own variable is read for OpenAI alone.

    Args:
        address: where it goes.
        variable: the environment variable that holds it, if one was named.

    Raises:
        UsageError: there is none, it can't be one, or it would travel unencrypted to another machine.
    """
    name = variable or (_OPENAI_KEY if address.host == _OPENAI else "")
    if not name:
        return ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise UsageError(
            f"no key for {address.host}: the environment variable {name} is not set\n"
            f"What to do: export {name}=..., or name another with --key-env NAME"
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise UsageError(f"{name} holds characters that no key has (a space, a line break, a letter like é)")
    if not address.is_encrypted and not address.is_local:
        raise UsageError(
            f"the key in {name} would go to {address.host} unencrypted, for everybody on the way to read\n"
            "What to do: use https://, or leave out --key-env if the server needs no key"
        )
    return key


def slug(address: Address, model: str) -> str:
    """Return a file name for a model at an address; two of them never share one, in any spelling."""
    digest = hashlib.sha256(f"{address.url}\n{model}".encode()).hexdigest()[:6]
    name = re.sub(r"[^A-Za-z0-9._]+", "-", f"{address.host}-{model}").strip("-.")
    return f"{name[:100]}-{digest}"


def _is_local(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
