"""The command that rehearses a run."""

import sys
from pathlib import Path

import click

from finlora.cli.shared import load_config, print_json, warn_of_others, with_config, with_json, with_offline


@click.command()
@click.argument("name")
@with_config
@with_offline
@with_json
def rehearse(name: str, config: Path | None, offline: bool, as_json: bool) -> None:
    """Try the run NAME in small on this machine: a tiny random model, two CPU processes, two steps.

    Same rows, prompt, method, quantisation and ZeRO stage; what can't be had here is replaced by the
    nearest and named. Needs no GPU and no weights of the base model. No adapter of yours is touched.

    \b
    Example:
      finlora rehearse formula_llama_3_1_8b_8bits_r8
    """
    from finlora import display, rehearse

    file = load_config(config)
    warn_of_others(file, name)
    with display.Training() as training:
        rehearsal = rehearse.rehearse(file, name, offline=offline, say=training.line, on_event=training.show)
    if as_json:
        print_json(rehearsal.to_record())
    else:
        display.rehearsal(rehearsal)
    if not rehearsal.ok:
        sys.exit(1)
