"""The options of a hosted model, collected into one record for the command."""

import functools
from collections.abc import Callable
from typing import Any

import click

from finlora.errors import UsageError

_OPTIONS = {
    "--endpoint": {"metavar": "URL", "help": "Score a hosted model at this OpenAI-compatible address."},
    "--model": {"metavar": "NAME", "help": "The hosted model's name."},
    "--key-env": {
        "metavar": "NAME",
        "help": "Environment variable with its key (default: OPENAI_API_KEY at OpenAI, else no key).",
    },
    "--concurrency": {"type": click.IntRange(1, 256), "help": "Requests at once (default: 8)."},
    "--requests-per-minute": {
        "type": click.FloatRange(0, min_open=True),
        "help": "Requests a minute at most (default: no limit).",
    },
    "--timeout": {
        "type": click.FloatRange(0, min_open=True),
        "help": "Seconds a hosted answer may take (default: 120).",
    },
    "--price-in": {"type": click.FloatRange(0), "help": "USD for a million tokens read, to tell the cost."},
    "--price-out": {"type": click.FloatRange(0), "help": "USD for a million tokens answered."},
}


def with_endpoint(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a hosted model; the command gets `endpoint`, an `endpoint.Asked` or None.

    Where the command has --offline, the two exclude each other.
    """

    @functools.wraps(command)
    def collected(**given: Any) -> Any:
        named = {option: given.pop(option[2:].replace("-", "_")) for option in _OPTIONS}
        return command(**given, endpoint=_asked(named, bool(given.get("offline"))))

    for option, how in reversed(_OPTIONS.items()):
        collected = click.option(option, **how)(collected)  # type: ignore[arg-type]
    return collected


def _asked(named: dict[str, Any], offline: bool) -> Any:
    given = {option: value for option, value in named.items() if value is not None}
    if not given:
        return None
    for needed in ("--endpoint", "--model"):
        if needed not in given:
            raise UsageError(f"{', '.join(given)}: asking a hosted model needs {needed} too")
    if offline:
        raise UsageError("--endpoint sends rows over the network, and --offline forbids it; leave out one")
    if ("--price-in" in given) != ("--price-out" in given):
        raise UsageError("give both prices or none: --price-in and --price-out, in USD for a million tokens")
    from finlora import endpoint

    names = {"--endpoint": "url"}
    return endpoint.Asked(
        **{names.get(option, option[2:].replace("-", "_")): value for option, value in given.items()}
    )
