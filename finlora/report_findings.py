"""What a reader of a report must not miss: what is damaged or missing, and scores that say little."""

from collections.abc import Sequence
from dataclasses import dataclass

from finlora import report_sources
from finlora.report import Report
from finlora.report_sources import Entry

# Names that are written out; the others are counted.
_NAMED = 10
_MANY_UNPARSED = 0.05


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Args:
        title: what it is, with its number.
        items: where.
        more: places that are not written out.
    """

    title: str
    items: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class Tally:
    """How the comparisons with a baseline on full data ended.

    Args:
        better: differences whose whole interval is above zero.
        worse: those whose whole interval is below.
        open: the others: the rows do not tell.
    """

    better: int
    worse: int
    open: int

    @property
    def all(self) -> int:
        """How many comparisons there are."""
        return self.better + self.worse + self.open


def tally(report: Report) -> Tally:
    """Return how the comparisons with a baseline ended."""
    ends = [entry.result.against["interval"] for entry in full(report.compared) if entry.result.against]
    better = sum(low > 0 for low, _ in ends)
    worse = sum(high < 0 for _, high in ends)
    return Tally(better, worse, len(ends) - better - worse)


def full(entries: Sequence[Entry]) -> list[Entry]:
    """Return the results that stand on all mended rows, by our own scorer, on weights that are there."""
    return [entry for entry in entries if not entry.apart]


def findings(report: Report) -> list[Finding]:
    """Return what is to be known of a report before its numbers are read."""
    entries = report.entries
    scored = [entry for entry in entries if entry.result.majority is not None and not entry.apart]
    below = [entry for entry in scored if entry.result.score <= (entry.result.majority or 0)]
    lost = [entry for entry in full(report.compared) if _interval(entry)[1] < 0]
    unparsed = [entry for entry in full(entries) if entry.result.unparsed > _MANY_UNPARSED]
    failed = [entry for entry in entries if entry.result.errors]
    replaced = [entry for entry in entries if entry.who.weights == report_sources.REPLACED]
    gone = sorted({entry.who.name for entry in entries if entry.who.weights == report_sources.GONE})
    found = [
        ("worse than its baseline, beyond chance", [f"{_name(e)}: {_points(e)} points" for e in lost]),
        (
            "no better than always giving the most frequent answer",
            [f"{_name(e)}: {e.result.score:.1%}, most frequent {e.result.majority or 0:.1%}" for e in below],
        ),
        (
            "more than 5% of the answers could not be read; they count as wrong",
            [f"{_name(e)}: {e.result.unparsed:.1%}" for e in unparsed],
        ),
        (
            "rows without an answer, as of a failed request; they count as wrong",
            [f"{_name(e)}: {e.result.errors:,} of {e.result.rows:,}" for e in failed],
        ),
        (
            "scores of weights that have been replaced since; shown apart, score again",
            [_name(e) for e in replaced],
        ),
        ("scored, but no longer on the shelf", gone),
        ("on the shelf, but never scored", list(report.without)),
        ("damaged and left out", [f"{where}: {fault}" for where, fault in report.damaged]),
    ]
    return [
        Finding(f"{len(items):,} × {title}", tuple(items[:_NAMED]), max(0, len(items) - _NAMED))
        for title, items in found
        if items
    ]


def _interval(entry: Entry) -> tuple[float, float]:
    low, high = (entry.result.against or {"interval": (0.0, 0.0)})["interval"]
    return low, high


def _points(entry: Entry) -> str:
    difference = (entry.result.against or {"difference": 0.0})["difference"]
    return f"{100 * difference:+.1f}".replace("-", "−")


def _name(entry: Entry) -> str:
    return f"{entry.who.name} on {entry.result.task}"
