"""Contexts that do not end with the mark behind which the answer is expected."""

import re
from collections import Counter
from collections.abc import Sequence

from finlora.checks import Finding, Rows, finding, rows_of

# The last words of a context up to a colon, on one line: "Answer:", "The answer is:".
_LONGEST = 80
_MARK = re.compile(r"(?:^|[\n.?!\"”] ?)([^\n.?!\"”]{1,40}:)\s*$|(\S{1,40}:)\s*$")


def usual(rows: Rows) -> str | None:
    """Return the mark that most rows end with, or None."""
    found = Counter(
        match[1] or match[2] for row in rows.rows if (match := _MARK.search(row.context.rstrip()[-_LONGEST:]))
    )
    if not found:
        return None
    words, _ = found.most_common(1)[0]
    # A mark that has the row's own words before it is one all the same: its last word decides.
    last = Counter(mark.split()[-1] for mark in found.elements()).most_common(1)[0]
    mark, count = last if found[words] * 2 <= len(rows.rows) else (words, found[words])
    return mark if count * 2 > len(rows.rows) else None


def check(rows: Rows, known: Sequence[str]) -> list[Finding]:
    """Return the rows without an answer mark.

    Args:
        rows: the file.
        known: the task's mark, or those of a mix's parts; empty takes the one that most rows end with.
    """
    if not rows.rows:
        return []
    found = usual(rows)
    wanted = tuple(mark.strip() for mark in known) or ((found,) if found else ())
    if not wanted:
        words = "no mark such as 'Answer:' ends the questions"
        advice = "End each context with one, so that the model sees where the question stops"
        return [finding("note", "no-answer-mark", rows.file, [], words, advice)]
    without = [row.line for row in rows.rows if not row.context.rstrip().endswith(wanted)]
    if not without:
        return []
    shown = " or ".join(f"'{mark}'" for mark in wanted)
    words = f"{rows_of(len(without), 'do')} not end with {shown}"
    advice = "Give all rows the same ending: the prompt that is trained is the prompt that is asked"
    return [finding("warning", "answer-mark", rows.file, without, words, advice)]
