"""Rows that are too long for a run, and answers that are too long to be given."""

import math
from collections.abc import Sequence

from finlora.checks import Finding, Rows, Severity, finding, rows_of
from finlora.prepared_rows import MOST_DROPPED
from finlora.row_lengths import RowLengths

PERCENTILES = (50, 90, 95, 99)
_KEPT_SHARE = 0.99
_STEP = 64


def percentile(values: Sequence[int], percent: float) -> int:
    """Return the smallest value that at least so many percent do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def check(
    rows: Rows,
    lengths: RowLengths,
    sequence_len: int | None,
    runs: Sequence[str],
    answer_limit: int | None,
    *,
    trained: bool = True,
) -> list[Finding]:
    """Return how long rows are, those that a run would drop, and answers over the task's limit.

    Args:
        rows: the file.
        lengths: tokens of its rows.
        sequence_len: tokens of the longest row that the runs keep, or None without a run.
        runs: their names.
        answer_limit: tokens that an answer of the task may have, or None.
        trained: whether they are trained on; of rows that are only asked none is dropped.
    """
    totals = lengths.totals
    marks = {str(percent): percentile(totals, percent) for percent in PERCENTILES} | {"max": max(totals)}
    # Rounded up to what GPUs like, and never above what is needed for all.
    enough = min(max(totals), math.ceil(percentile(totals, 100 * _KEPT_SHARE) / _STEP) * _STEP)
    figures = {"percentiles": marks, "sequence_len": sequence_len, "enough_for_99_percent": enough}
    shown = ", ".join(f"{value:,} ({name if name == 'max' else name + '%'})" for name, value in marks.items())
    words = f"tokens of a row: {shown}; {lengths.how}"
    advised = trained and enough != sequence_len
    note = f"sequence_len {enough} would keep {_kept(enough, totals)}" if advised else ""
    found = [finding("note", "lengths", rows.file, [], words, note, figures=figures)]
    if sequence_len is not None and trained:
        found += _dropped(rows, totals, sequence_len, runs, enough)
    return found + _answers(rows, lengths, answer_limit)


def _kept(sequence_len: int, totals: Sequence[int]) -> str:
    return "all rows" if sequence_len >= max(totals) else "at least 99% of the rows"


def _dropped(
    rows: Rows, totals: Sequence[int], sequence_len: int, runs: Sequence[str], enough: int
) -> list[Finding]:
    dropped = [row.line for row, total in zip(rows.rows, totals, strict=True) if total > sequence_len]
    if not dropped:
        return []
    share = len(dropped) / len(totals)
    too_many = share > MOST_DROPPED
    words = (
        f"{rows_of(len(dropped))} ({share:.1%}) longer than sequence_len {sequence_len} of "
        f"{runs[0]}{f' and {len(runs) - 1} more' if len(runs) > 1 else ''}; training drops them"
        + (", and stops above 1%" if too_many else "")
    )
    nearly = f"sequence_len {enough} would keep at least 99%; " if too_many and enough < max(totals) else ""
    advice = f"{nearly}sequence_len {max(totals)} would keep all"
    figures = {"dropped": len(dropped), "share": share}
    severity: Severity = "error" if too_many else "warning"
    return [finding(severity, "too-long", rows.file, dropped, words, advice, figures=figures)]


def _answers(rows: Rows, lengths: RowLengths, limit: int | None) -> list[Finding]:
    if limit is None:
        return []
    # The end token is not part of the answer.
    long = [row.line for row, tokens in zip(rows.rows, lengths.answers, strict=True) if tokens - 1 > limit]
    if not long:
        return []
    words = (
        f"{rows_of(len(long))} ({len(long) / len(rows.rows):.1%}) with answers of more than {limit} tokens, "
        "the task's max_new_tokens: an answer cut off there can't be right"
    )
    longest = max(lengths.answers) - 1
    advice = f"The longest has {longest} tokens: raise the task's max_new_tokens"
    severity: Severity = "warning"
    if lengths.by_bytes:
        severity, advice = "note", f"{advice}; first count with a tokenizer: --run NAME"
    figures = {"longest": longest}
    return [finding(severity, "answer-too-long", rows.file, long, words, advice, figures=figures)]
