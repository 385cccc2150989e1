"""The command that shows rows as the model will see them: data preview."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from finlora.cli.shared import load_config, print_json, warn_of_others, with_config, with_json, with_offline


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--rows", type=click.IntRange(1, 1000), help="Rows to show; default: 3.")
@click.option("--seed", type=int, help="Choose them at random by this number.")
@click.option(
    "--line", "lines", type=click.IntRange(1), multiple=True, help="Show this line; may be repeated."
)
@click.option("--tokens", is_flag=True, help="One line for each token, with its id.")
@with_config
@with_offline
@with_json
def preview(
    name: str, tokens: bool, config: Path | None, offline: bool, as_json: bool, **wanted: Any
) -> None:
    """Show rows of a RUN as the model will see them: the prompt, and the part that is trained.

    Shown are the first row, the longest and some between. Control tokens stand in ⟦ ⟧, all else is
    text: what is no printable character in it, and every backslash, is written as JSON does.

    \b
    Example:
      finlora data preview sentiment_smollm2_135m_fp16_r8
      finlora data preview sentiment_smollm2_135m_fp16_r8 --line 17 --tokens
    """
    from finlora import display
    from finlora import preview as previews

    file = load_config(config)
    warn_of_others(file, name)
    record = previews.preview(file, name, previews.Wanted(**wanted), offline=offline, say=display.say)
    if as_json:
        print_json(record.to_record())
        return
    display.say(
        f"{record.run}: {record.rows_in_file:,} rows in {record.dataset}, prompt style {record.style}, "
        f"base model {record.base_model}"
    )
    if record.stand_in:
        display.say(f"note: {record.stand_in}")
    for row in record.rows:
        _print(row, record.sequence_len, tokens)


def _print(row: Any, sequence_len: int, each_token: bool) -> None:
    total = row.prompt_tokens + row.answer_tokens
    click.echo(
        f"\nline {row.line} ({row.why}): {total:,} tokens, {row.prompt_tokens:,} of the prompt and "
        f"{row.answer_tokens:,} trained"
    )
    if row.dropped:
        click.echo(click.style(f"dropped: longer than sequence_len {sequence_len}, not trained on", fg="red"))
    for trained, line in _token_lines(row) if each_token else _text_lines(row):
        label, colour = ("trained", "green") if trained else ("prompt ", "cyan")
        click.echo(f"  {label} | {click.style(line, fg=colour)}")


def _token_lines(row: Any) -> Iterator[tuple[bool, str]]:
    for piece in row.pieces:
        for token in piece.tokens:
            yield piece.trained, f"{token.id:>7}  {_marked(token.text, piece.control)}"


def _text_lines(row: Any) -> Iterator[tuple[bool, str]]:
    """Yield a row's lines as they are, and a new one where the trained part begins."""
    for trained, pieces in groupby(row.pieces, key=lambda piece: piece.trained):
        text = "".join(
            "".join(_marked(token.text, True) for token in piece.tokens)
            if piece.control
            else "\\n\n".join(_marked(line, False) for line in piece.text.split("\n"))
            for piece in pieces
        )
        yield from ((trained, line) for line in text.removesuffix("\n").split("\n"))


def _marked(text: str, control: bool) -> str:
    """Return a control token in its brackets, or text that can't be taken for one."""
    from finlora.json_text import printable

    if control:
        return f"⟦{printable(text)}⟧"
    plain = printable(text.replace("\\", "\\\\"))
    return plain.replace("⟦", "\\u27e6").replace("⟧", "\\u27e7")
