"""The official client of OpenAI's interface, kept to what was asked: one host, one key, nothing else."""

import importlib.util
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from finlora import __version__
from finlora.endpoint_address import Address
from finlora.errors import EndpointError

# What a request may carry. The client adds machine, system and versions, and whatever OPENAI_ORG_ID,
# OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS hold. Its mark for an unread body it needs itself.
_HEADERS = {
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "x-stainless-raw-response",
}
_LOGGERS = ("openai", "httpx2", "httpcore2")


def check_installed() -> None:
    """Refuse early where the client is missing.

    Raises:
        EndpointError: how to install it.
    """
    if importlib.util.find_spec("openai") is None:
        raise EndpointError(
            "asking a hosted model needs the package openai; in FinLoRA's folder: "
            "pip install '.[endpoint]' -c constraints.txt"
        )


@asynccontextmanager
async def opened(address: Address, key: str) -> AsyncIterator[Any]:
    """Open the client for one server. It follows no redirect and tries nothing again.

    Args:
        address: of the server.
        key: sent as bearer token; empty for none.

    Yields:
        An `openai.AsyncOpenAI`.

    Raises:
        EndpointError: the environment names a proxy that can't be used.
    """
    import openai

    for name in _LOGGERS:
        # OPENAI_LOG=debug would write every row.
        logging.getLogger(name).setLevel(logging.WARNING)

    async def keep_to_ours(request: Any) -> None:
        for name in [name for name in request.headers if name.lower() not in _HEADERS]:
            del request.headers[name]
        request.headers["user-agent"] = f"finlora/{__version__}"
        if key:
            request.headers["authorization"] = f"Bearer {key}"

    try:
        http = openai.DefaultAsyncHttpxClient(
            follow_redirects=False,
            timeout=None,
            event_hooks={"request": [keep_to_ours]},
            # A proxy of the environment is never asked for this machine itself.
            mounts={f"all://{address.host}": None} if address.is_local else None,
        )
    except (ValueError, ImportError):
        # Its words may hold the proxy's password.
        raise EndpointError(
            "the proxy of this machine can't be used; look at HTTPS_PROXY, HTTP_PROXY, ALL_PROXY"
        ) from None
    client = openai.AsyncOpenAI(
        # Without any it would look for one of its own.
        api_key=key or "none",
        base_url=address.url,
        http_client=http,
        max_retries=0,
        timeout=None,
    )
    async with client:
        # Its parts are imported when first used: not while a request's time runs.
        _ = client.chat.completions
        yield client
