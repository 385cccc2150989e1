"""Answers that are one of a few labels: which, how often, and what always saying one of them would score."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from finlora.checks import Finding, Rows, finding, rows_of

_MOST_LABELS, _ROWS_A_LABEL = 30, 5
_RARE_SHARE, _RARE_ROWS = 0.01, 10
_NAMED = 8


def is_closed(rows: Rows) -> bool:
    """Return whether answers are labels: a few different ones, each of them often."""
    distinct = len({row.target.strip() for row in rows.rows})
    return distinct <= _MOST_LABELS and distinct * _ROWS_A_LABEL <= len(rows.rows)


def majority(counts: Sequence[int]) -> tuple[float, float]:
    """Return what always giving the most frequent label scores.

    Args:
        counts: rows of each label.

    Returns:
        Accuracy, and F1 weighted by the rows of each label (every other label's F1 is 0).
    """
    share = max(counts) / sum(counts)
    return share, share * 2 * share / (1 + share)


def check(rows: Rows, labels: Sequence[str]) -> list[Finding]:
    """Return the balance of a file of labels, and labels that are wrong, rare or written in two ways.

    Args:
        rows: the file.
        labels: those the task has; empty where they are not known.
    """
    if not rows.rows or not (labels or is_closed(rows)):
        return []
    lines: dict[str, list[int]] = defaultdict(list)
    for row in rows.rows:
        lines[row.target.strip()].append(row.line)
    found = [_balance(rows, lines)]
    if strange := sorted(set(lines) - set(labels)) if labels else []:
        words = f"{_named(strange)}: not among the task's labels ({', '.join(labels)})"
        these = [line for label in strange for line in lines[label]]
        advice = "Map them to the task's labels; a score never counts them as right"
        found.append(finding("error", "unknown-label", rows.file, these, words, advice))
    if len(lines) == 1 and len(rows.rows) > 1:
        words = f"every answer is {_named(list(lines))}"
        advice = "There is nothing to learn from one label"
        found.append(finding("warning", "one-label", rows.file, next(iter(lines.values())), words, advice))
    return found + _twins(rows, lines) + _rare(rows, lines)


def _balance(rows: Rows, lines: dict[str, list[int]]) -> Finding:
    counts = Counter({label: len(these) for label, these in lines.items()}).most_common()
    accuracy, f1 = majority([count for _, count in counts])
    shown = ", ".join(f"{_short(label)} {count:,}" for label, count in counts[:_NAMED])
    more = f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else ""
    words = f"{shown}{more}; always '{_short(counts[0][0])}' scores {accuracy:.1%}, weighted F1 {f1:.3f}"
    figures = {"labels": dict(counts), "majority_accuracy": accuracy, "majority_weighted_f1": f1}
    return finding("note", "labels", rows.file, [], words, figures=figures)


def _twins(rows: Rows, lines: dict[str, list[int]]) -> list[Finding]:
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in lines:
        spellings[label.casefold().rstrip(" .")].append(label)
    rarer = [
        label for same in spellings.values() for label in sorted(same, key=lambda name: -len(lines[name]))[1:]
    ]
    if not rarer:
        return []
    words = f"{_named(rarer)}: the same as another label but for case or a dot"
    these = [line for label in rarer for line in lines[label]]
    return [finding("warning", "label-spelling", rows.file, these, words, "Write each label in one way")]


def _rare(rows: Rows, lines: dict[str, list[int]]) -> list[Finding]:
    least = min(_RARE_ROWS, _RARE_SHARE * len(rows.rows))
    rare = sorted(label for label, these in lines.items() if len(these) < least)
    if not rare:
        return []
    words = f"{_named(rare)}: under 1% of the rows and fewer than {_RARE_ROWS}"
    these = [line for label in rare for line in lines[label]]
    return [finding("note", "rare-label", rows.file, these, words, "Too few to learn or to score by")]


def between(train: Rows, test: Rows) -> list[Finding]:
    """Look for labels of the test file that training never shows."""
    if not (train.rows and test.rows and is_closed(train)):
        return []
    known = {row.target.strip() for row in train.rows}
    unseen = {row.line: row.target.strip() for row in test.rows if row.target.strip() not in known}
    if not unseen:
        return []
    words = f"{rows_of(len(unseen))} of the test with a label that training never shows: "
    words += _named(sorted(set(unseen.values())))
    advice = "The adapter can't learn it: split again, or take those rows out"
    return [finding("error", "unseen-label", test.file, unseen, words, advice, pairs=(train.file, {}))]


def _named(labels: Sequence[str]) -> str:
    shown = ", ".join(f"'{_short(label)}'" for label in labels[:_NAMED])
    return shown + (f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else "")


def _short(label: str) -> str:
    return label if len(label) <= 40 else label[:37] + "..."
