"""The command that puts adapters side by side."""

from dataclasses import asdict
from pathlib import Path

import click

from finlora.cli.shared import FILE, config_around, print_json, with_config, with_json


@click.command()
@click.argument("adapters", nargs=-1, metavar="ADAPTER...")
@with_config
@click.option(
    "--plot", type=FILE, metavar="FILE", help="Draw the losses too, as .png, .svg or .pdf; replaces the file."
)
@with_json
def compare(adapters: tuple[str, ...], config: Path | None, plot: Path | None, as_json: bool) -> None:
    """Put adapters side by side, and say what differs between them besides the method.

    ADAPTER is a run name on the shelf, VARIANT/NAME where several variants have the name, or an adapter
    folder; two or more of them.

    \b
    Example:
      finlora compare formula_llama_3_1_8b_8bits_r8 formula_llama_3_1_8b_8bits_r8_dora
      finlora compare formula_llama_3_1_8b_8bits_r8 formula_llama_3_1_8b_4bits_r4 --plot losses.png
      finlora compare 8bits_r8/formula_llama_3_1_8b_8bits_r8 8bits_r8_fed/formula_llama_3_1_8b_8bits_r8
    """
    from finlora import compare, display, loss_plot
    from finlora.config import project_root

    if plot:
        loss_plot.check_target(plot)
    around = config_around(config)
    compared = compare.compare(adapters, project_root(around) if around else None)
    if as_json:
        print_json(
            {
                "adapters": compared.columns,
                "rows": [asdict(fact) for fact in compared.rows],
                "method": [asdict(fact) for fact in compared.method],
                "differences": [asdict(fact) for fact in compared.differences],
                "verdict": compared.verdict,
                "notes": compared.notes,
            }
        )
    else:
        display.comparison(compared)
    for note in compared.notes:
        display.say(f"note: {note}")
    if plot:
        loss_plot.write(plot, compared.curves)
        display.say(f"losses: {plot}")
