"""Commands that train, or show what would be trained."""

from pathlib import Path
from typing import Any

import click

from finlora.cli.shared import (
    load_config,
    print_json,
    warn_of_others,
    with_cluster,
    with_config,
    with_json,
    with_offline,
)
from finlora.errors import UsageError


@click.command()
@click.argument("name")
@with_config
@click.option("--dry-run", is_flag=True, help="Print the YAML and the exact command; start nothing.")
@click.option(
    "--num-processes",
    type=click.IntRange(1, 65536),
    help="Training processes over all machines; default: the visible GPUs (1 on a CPU) of each.",
)
@with_cluster
@click.option(
    "--deepspeed", metavar="CHOICE", help="zero1, zero2, zero3, … (finlora fetch-deepspeed), a file, or none."
)
@click.option("--max-steps", type=click.IntRange(1), help="Stop after so many optimiser steps; needs --as.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another value for a key of the run; needs --as.",
)
@click.option("--as", "new_name", metavar="NEWNAME", help="Name of the adapter.")
@click.option("--overwrite", is_flag=True, help="Replace an adapter that is there.")
@click.option("--fresh", is_flag=True, help="Start anew, and forget what an earlier training left.")
@click.option(
    "--allow-dropped-rows", is_flag=True, help="Accept that over 1% of the rows are longer than sequence_len."
)
@with_offline
@with_json
def finetune(
    name: str,
    config: Path | None,
    dry_run: bool,
    overrides: tuple[str, ...],
    as_json: bool,
    num_processes: int | None,
    num_machines: int | None,
    machine_rank: int | None,
    main_process_ip: str | None,
    main_process_port: int | None,
    launcher: str | None,
    **given: Any,
) -> None:
    """Train the run NAME and publish its adapter.

    \b
    Example:
      finlora finetune sentiment_smollm2_135m_fp16_r8
      finlora finetune formula_llama_3_1_8b_8bits_r8 --num-processes 4
      finlora finetune formula_llama_3_1_8b_8bits_r8 --num-machines 2 --machine-rank 0 --main-process-ip node0
      finlora finetune formula_llama_3_1_8b_8bits_r8 --set learning_rate=0.0002 --as formula_lr2
    """
    from finlora import clusters, display, finetune, rendezvous, training_plan
    from finlora.overrides import parse_overrides

    file = load_config(config)
    warn_of_others(file, name)
    cluster = rendezvous.cluster(
        num_machines, machine_rank, main_process_ip, main_process_port, launcher, dry_run
    )
    options = training_plan.Options(
        processes=num_processes, cluster=cluster, overrides=parse_overrides(list(overrides)), **given
    )
    if dry_run and as_json:
        raise UsageError("--dry-run prints YAML and a command, not JSON; leave --json out")
    if dry_run:
        click.echo(clusters.dry_run(file, name, options, every_machine=machine_rank is None), nl=False)
        for obstacle in clusters.obstacles(file, name, options):
            click.echo(f"would not start here: {obstacle}", err=True)
        return
    with display.Training() as training:
        result = finetune.run(file, name, options, training.line, training.show)
    _print(result, as_json)


def _print(result: Any, as_json: bool) -> None:
    if as_json:
        published = str(result.folder) if result.published else None
        print_json({"adapter": published, "machine": result.machine, "manifest": result.manifest})
        return
    if not result.published:
        click.echo(
            f"trained as machine {result.machine} of {result.machines}; machine 0 publishes the adapter",
            err=True,
        )
        return
    losses = result.manifest["losses"]["train"]
    click.echo(f"adapter: {result.folder}")
    click.echo(
        f"loss {losses[0][1]:.3f} → {losses[-1][1]:.3f} in {result.manifest['seconds']:.0f} s", err=True
    )
    click.echo(f"Ask it:  finlora infer --adapter {result.folder.name}", err=True)


@click.command()
@click.argument("name")
@with_config
def render(name: str, config: Path | None) -> None:
    """Print the Axolotl YAML of the run NAME, as this machine would train it.

    \b
    Example:
      finlora render formula_llama_3_1_8b_8bits_r8
    """
    from finlora import training_plan

    plan = training_plan.plan(load_config(config), name, training_plan.Options())
    click.echo(plan.yaml(), nl=False)
