"""Dataset rows as the training process sees them: token ids, labels, order; nothing lost in silence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finlora import data, prompts
from finlora.errors import DataError, Problem

IGNORED = -100
MOST_DROPPED = 0.01
"""Share of the rows that may be too long before training refuses; `--allow-dropped-rows` lifts it."""

_SHOWN = 5


@dataclass(frozen=True)
class PreparedRows:
    """Rows ready to train on.

    Args:
        train: token rows in training order (`input_ids`, `attention_mask`, `labels`).
        validation: token rows held out.
        report: counts for the manifest: rows, used, dropped, tokens, longest.
    """

    train: list[dict[str, list[int]]]
    validation: list[dict[str, list[int]]]
    report: dict[str, Any]


def prepare(
    rows: Sequence[data.Row],
    file: str,
    tokenizer: prompts.Tokenizer,
    prompt: prompts.Prompt,
    *,
    sequence_len: int,
    val_set_size: float,
    step_rows: int,
    seed: int,
    allow_dropped_rows: bool,
) -> PreparedRows:
    """Turn dataset rows into token rows.

    Only the answer and its end token are trained on.

    Args:
        rows: the dataset.
        file: its path, for messages.
        tokenizer: the base model's.
        prompt: how contexts are asked.
        sequence_len: tokens of the longest row allowed; longer rows are dropped and reported.
        val_set_size: share of rows held out.
        step_rows: rows of one optimiser step over all processes.
        seed: decides split and order.
        allow_dropped_rows: drop more than 1% of the rows without an error.

    Raises:
        DataError: too many rows are too long, or none is left.
    """
    made = token_rows(rows, tokenizer, prompt)
    lengths = [len(row["input_ids"]) for row in made]
    dropped = [i for i, length in enumerate(lengths) if too_long(length, sequence_len)]
    _check_dropped(rows, file, lengths, dropped, sequence_len, allow_dropped_rows)
    out = set(dropped)
    train, validation = data.split([row for i, row in enumerate(made) if i not in out], val_set_size, seed)
    order = data.length_order([len(row["input_ids"]) for row in train], step_rows, seed)
    report = {
        "rows": len(rows),
        "train": len(train),
        "validation": len(validation),
        "dropped": {
            "count": len(dropped),
            "reason": f"longer than sequence_len {sequence_len}",
            "lines": [rows[i].line for i in dropped[:100]],
        },
        "longest": max(lengths),
        **_tokens(train),
    }
    return PreparedRows([train[i] for i in order], validation, report)


def _tokens(train: Sequence[dict[str, list[int]]]) -> dict[str, int]:
    """Return the tokens of the training rows, and those of them that are trained."""
    return {
        "tokens": sum(len(row["input_ids"]) for row in train),
        "trained_tokens": sum(sum(label != IGNORED for label in row["labels"]) for row in train),
    }


def token_rows(
    rows: Sequence[data.Row], tokenizer: prompts.Tokenizer, prompt: prompts.Prompt
) -> list[dict[str, list[int]]]:
    """Return the token row of every dataset row, however long; labels are IGNORED up to the answer.

    Args:
        rows: the dataset, or some of it.
        tokenizer: the base model's.
        prompt: how contexts are asked.
    """
    pairs = prompt.answer_ids(tokenizer, [row.context for row in rows], [row.target for row in rows])
    return [
        {
            "input_ids": question + answer,
            "attention_mask": [1] * len(question + answer),
            "labels": [IGNORED] * len(question) + answer,
        }
        for question, answer in pairs
    ]


def too_long(tokens: int, sequence_len: int) -> bool:
    """Return whether a row of so many tokens is dropped."""
    return tokens > sequence_len


def _check_dropped(
    rows: Sequence[data.Row],
    file: str,
    lengths: list[int],
    dropped: list[int],
    sequence_len: int,
    allowed: bool,
) -> None:
    if not dropped or (len(dropped) < len(rows) and (allowed or len(dropped) <= MOST_DROPPED * len(rows))):
        return
    share = len(dropped) / len(rows)
    first = [Problem(f"{lengths[i]} tokens", file, rows[i].line) for i in dropped[:_SHOWN]]
    step = (
        f"{len(dropped)} of {len(rows)} rows ({share:.1%}) are longer than sequence_len {sequence_len}; "
        f"the first are listed.\nThe longest has {max(lengths)} tokens: raise sequence_len"
    )
    if len(dropped) < len(rows):
        step += ", or drop these rows with --allow-dropped-rows"
    raise DataError(first, step)
