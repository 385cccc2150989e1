"""The command that merges an adapter into its base model."""

from pathlib import Path
from typing import Any

import click

from finlora.cli.shared import FILE, config_around, print_json, with_opening


@click.command()
@with_opening
@click.option("--output", type=FILE, required=True, metavar="DIR", help="Folder to make.")
@click.option(
    "--data", "source", type=FILE, help="JSONL file whose first 20 contexts are the prompts of the proof."
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier merge in DIR.")
def merge(
    config: Path | None, as_json: bool, output: Path, source: Path | None, overwrite: bool, **wanted: Any
) -> None:
    """Merge an adapter into its unquantised base model, once both answer 20 prompts alike.

    DIR then holds a whole model in the base model's number type, for any program that reads one. It is kept
    only where it is proved: in float32 merged and unmerged give equal answers; what is read back from DIR is
    what was saved; rounded to 16 bits, at least 16 of the 20 answers are equal still, and no probability
    differs by more than 0.1.

    \b
    Example:
      finlora merge --adapter NAME --output merged
      finlora infer --base-model ./merged --no-adapter --prompt-style chat --prompt "a question"
    """
    from finlora import answering, data, display
    from finlora import merge as merging

    rows = data.read_rows(source, columns=("context",)) if source else []
    with display.Counting("merging", 60) as progress:
        made = merging.merge(
            answering.Wanted(**wanted),
            output,
            config_around(config),
            contexts=[row.context for row in rows],
            overwrite=overwrite,
            say=display.say,
            progress=progress.advance,
        )
    for note in made.notes:
        display.say(f"note: {note}")
    if as_json:
        print_json(made.to_record())
        return
    click.echo(
        f"{output}: {made.dtype}, {made.bytes / 2**20:,.0f} MiB; {made.tensors} weights changed\n"
        f"float32: {made.exact.equal} of {made.exact.prompts} answers equal, logits within "
        f"{made.exact.logits:.1g}\n"
        f"as saved: {made.saved.equal} of {made.saved.prompts} answers equal, probabilities within "
        f"{made.saved.probabilities:.1g}"
    )
    display.say(f"ask it with: {made.command}")
