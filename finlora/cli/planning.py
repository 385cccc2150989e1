"""The command that says what a run will need: plan."""

from pathlib import Path
from typing import Any

import click

from finlora.cli.shared import load_config, print_json, warn_of_others, with_config, with_json


@click.command()
@click.argument("name")
@with_config
@click.option(
    "--gpu", metavar="NAME", help="Kind of GPU: a5000, 4090, a100, h100, … (a wrong one lists all)."
)
@click.option("--memory-gb", type=float, metavar="X", help="GiB of a GPU that is not in the list.")
@click.option("--gpus", type=int, default=1, show_default=True, help="GPUs that train together.")
@click.option("--price", type=float, metavar="USD", help="US dollars for one GPU and hour, such as 0.26.")
@with_json
def plan(name: str, config: Path | None, as_json: bool, **hardware: Any) -> None:
    """Say what the run NAME will need on GPUs: memory, steps, time and money. Nothing is fetched.

    \b
    Example:
      finlora plan formula_llama_3_1_8b_8bits_r8
      finlora plan formula_llama_3_1_8b_8bits_r8 --gpu a5000 --gpus 4 --price 0.26
    """
    from finlora.plan import Hardware
    from finlora.plan import plan as make

    file = load_config(config)
    warn_of_others(file, name)
    report = make(file, name, Hardware(**hardware))
    if as_json:
        print_json(report.to_record())
    else:
        _print(report)


def _print(report: Any) -> None:
    from finlora import display

    gib = 2**30
    memory = report.needs.memory
    click.echo(
        f"{report.run}: {report.base_model}, {report.variant}; {report.trainable:,} of "
        f"{report.parameters:,} parameters trained"
    )
    where = f"{report.gpus} × {report.gpu or 'GPU'}"
    ds = f", DeepSpeed ZeRO-{report.zero_stage}" if report.zero_stage is not None else ""
    batch = report.needs.batch
    click.echo(
        f"{where}{ds}; largest batch: {batch.rows} row{'s' * (batch.rows > 1)} of {batch.tokens} tokens\n"
    )
    lines = [[part, _gib(size)] for part, size in memory.parts.items()]
    lines += [["training, in all", _gib(memory.training)]]
    lines += [["loading, for a moment", _gib(memory.loading)]]
    display.table(["memory of each GPU", "GiB"], lines)
    moment = "while the base model loads" if memory.loading > memory.training else "in training"
    click.echo(f"\npeak: {memory.peak / gib:.1f} GiB ({moment}){_verdict(report)}")
    if report.fits == "too large" and not any(change.keys for change in report.changes):
        click.echo("  no other setting of this run would be enough; a smaller base model may be")
    for change in report.changes:
        keys = [f"{key} {value}" for key, value in change.keys.items()]
        options = [f"--{key} {value}" for key, value in change.options.items()]
        click.echo(f"  would fit: {', '.join(keys + options)} ({change.peak / gib:.1f} GiB; {change.price})")
    _print_rows(report)
    for line in report.later:
        click.echo(f"later: {line}")
    for line in report.assumed:
        display.say(f"assumed: {line}")


def _gib(size: int) -> str:
    return "< 0.01" if 0 < size < 0.005 * 2**30 else f"{size / 2**30:.2f}"


def _verdict(report: Any) -> str:
    words = {
        "fits": "fits",
        "tight": "tight: fits by less than a plan may be off (15%)",
        "too large": "does not fit",
    }
    if report.fits is None:
        return "; for whether it fits, add --gpu NAME or --memory-gb X"
    colours = {"fits": "green", "tight": "yellow", "too large": "red"}
    return f"; {report.capacity:g} GiB are there: {click.style(words[report.fits], fg=colours[report.fits])}"


def _print_rows(report: Any) -> None:
    rows = report.needs.rows
    if rows is None:
        click.echo("rows, steps, time and money: unknown without the dataset")
        return
    click.echo(
        f"rows: {rows.train:,} to train on, {rows.validation:,} held out, {rows.dropped:,} dropped as too "
        f"long; the longest has {rows.longest:,} tokens"
    )
    click.echo(f"steps: {rows.steps:,}; {rows.tokens:,} tokens an epoch")
    if report.hours is None:
        click.echo("time and money: unknown without --gpu NAME")
        return
    click.echo(f"time: {_time(report.hours)}, {_range(report.gpu_hours)} GPU-hours")
    if report.cost:
        click.echo(f"money: {_range(report.cost)} USD at {report.price:g} USD a GPU-hour")


def _time(hours: tuple[float, float]) -> str:
    units = (("h", 1), ("minutes", 60), ("seconds", 3600))
    name, factor = next((unit for unit in units if hours[1] * unit[1] >= 2), units[-1])
    return f"{_range((hours[0] * factor, hours[1] * factor))} {name}"


def _range(pair: tuple[float, float]) -> str:
    return "–".join(f"{value:.2g}" if value < 10 else f"{value:,.0f}" for value in pair)
