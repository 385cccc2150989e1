"""What the tests of the checks share: rows, and the findings that count."""

from finlora.checks import Rows
from finlora.data import Row


def rows(pairs, file="train.jsonl", **columns):
    """Return rows of (context, target) pairs, their lines counted from 1."""
    made = tuple(Row(context, target, line) for line, (context, target) in enumerate(pairs, 1))
    return Rows(file, made, columns)


def asked(*contexts, target="positive"):
    return rows([(context, target) for context in contexts])


def codes(findings, *, notes=False):
    """Return code and lines of findings; notes only when asked for."""
    return {found.code: list(found.lines) for found in findings if notes or found.severity != "note"}


def only(findings, code):
    (found,) = [one for one in findings if one.code == code]
    return found
