"""The parts of the README that are made from the code: the commands, and the keys of a run."""

import json
from collections.abc import Iterator
from typing import Any

import click

from finlora import axolotl_yaml
from finlora.cli import cli
from finlora.config import RunConfig

Command = tuple[str, click.Command, click.Context]


def leaves() -> Iterator[Command]:
    """Yield every command that is no group: its full name, the command, a context for it."""
    root = click.Context(cli, info_name="finlora")
    yield from _leaves(cli, root)


def _leaves(group: click.Group, context: click.Context) -> Iterator[Command]:
    for name, command in sorted(group.commands.items()):
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _leaves(command, inner)
        else:
            yield inner.command_path, command, inner


def commands() -> str:
    """Return the table of commands."""
    rows = []
    for name, command, context in leaves():
        arguments = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
        what = " ".join(command.get_short_help_str(limit=200).split())
        rows.append(f"| `{' '.join([name, *arguments])}` | {what} |")
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows])


def keys() -> str:
    """Return the table of the keys of a run, and what its `axolotl` object may hold."""
    rows = []
    for key, field in RunConfig.model_fields.items():
        default = (
            "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
        )
        rows.append(f"| `{key}` | {default} | {field.description} |")
    table = "\n".join(["| key | default | allowed |", "| --- | --- | --- |", *rows])
    shared = ", ".join(f"`{key}` {_text(value)}" for key, value in axolotl_yaml._DEFAULTS.items())
    return (
        f"{table}\n\n"
        "The object `axolotl` takes any other key of Axolotl's schema; one that is not in the schema is\n"
        "an error. Keys that FinLoRA writes from the run and the machine can't be set there, except these\n"
        f"defaults, which all runs share: {shared}."
    )


def _default(value: Any) -> str:
    return "absent" if value is None else f"`{_text(value)}`"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


PARTS = {"commands": commands, "keys": keys}


def filled(text: str) -> str:
    """Return a README with its generated parts as they should be.

    Args:
        text: the README; each part stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
    """
    for name, part in PARTS.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}{part()}\n{end}{rest.partition(end)[2]}"
    return text
