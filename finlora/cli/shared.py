"""What several commands share: options, finding the config, printing JSON."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from finlora.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(path_type=Path)


def with_config(command: F) -> F:
    """Add --config."""
    return click.option(
        "--config", type=FILE, help="Config file; else FINLORA_CONFIG, else configs/ here or above."
    )(command)


def with_json(command: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def with_offline(command: F) -> F:
    """Add --offline."""
    return click.option("--offline", is_flag=True, help="Never use the network.")(command)


def with_cluster(command: F) -> F:
    """Add the options that say which machines train together, and what starts their processes."""
    options = [
        click.option("--num-machines", type=click.IntRange(1, 4096), help="Machines that train together."),
        click.option("--machine-rank", type=click.IntRange(0), help="Which of them this is; 0 publishes."),
        click.option("--main-process-ip", metavar="HOST", help="Name or address of machine 0."),
        click.option(
            "--main-process-port", type=click.IntRange(1, 65535), help="Port of machine 0; default: 29500."
        ),
        click.option(
            "--launcher",
            type=click.Choice(["accelerate", "torchrun", "slurm", "ray"]),
            help="What starts several processes (default: accelerate); slurm and ray with --dry-run.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def with_opening(command: F) -> F:
    """Add the options that say what is to answer."""
    options = [
        click.option(
            "--adapter", metavar="NAME", help="Run name or VARIANT/NAME on the shelf, or an adapter folder."
        ),
        click.option(
            "--base-model",
            metavar="MODEL",
            help="Another base model than the adapter's; with --no-adapter, the model to ask alone.",
        ),
        click.option(
            "--prompt-style",
            type=click.Choice(["chat", "inst", "plain"]),
            help="For an adapter without finlora.json, or a base model alone.",
        ),
        with_config,
        with_offline,
        with_json,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def load_config(path: Path | None) -> Any:
    """Return the checked config file, given or found."""
    from finlora import config

    return config.load(config.find_config(path))


def config_around(path: Path | None) -> Path | None:
    """Return the config file, or None outside a project; one that was named must be there."""
    from finlora.config_place import find_config

    try:
        return find_config(path)
    except UsageError:
        if path or os.environ.get("FINLORA_CONFIG"):
            raise
        return None


def print_json(value: Any) -> None:
    """Print a record for programs; control characters in its texts stay escaped."""
    from finlora.json_text import printable_lines

    click.echo(printable_lines(json.dumps(value, indent=2, ensure_ascii=False)))


def warn_of_others(file: Any, name: str) -> None:
    """Say that other runs than NAME have faults."""
    others = [run for run in file.problems if run != name]
    if others:
        click.echo(f"note: {len(others)} other runs have faults; see: finlora configs validate", err=True)
