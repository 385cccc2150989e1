"""A report as one HTML page that asks for nothing else, and as Markdown."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from finlora import report_pictures
from finlora.files import write_atomic
from finlora.forgetting import Forgetting
from finlora.report import Report
from finlora.report_findings import findings, full, tally
from finlora.report_sources import Entry
from finlora.report_tables import DECODES, FAMILIES, METRICS

_FILES = Path(__file__).parent / "files"
HTML, MARKDOWN = "report.html", "report.md"
# What is shown at once; the others are folded or, of pictures and in Markdown, counted.
LIMITS = {"pairs": 40, "folded_pairs": 2000, "pictures": 6, "all_pictures": 48, "curves": 24, "rows": 40}
_LONGEST_NAME, _LONGEST_TEXT = 120, 400
# What means something in Markdown; an underscore inside a word does not.
_MARKS = re.compile(r"[\\`*{}\[\]#|~!@]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|:(?=//)|(?<=www)\.")


def write(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write a report, each file whole or not at all.

    Args:
        report: what is shown.
        folder: for both files; made if need be.

    Returns:
        The HTML page and the Markdown.

    Raises:
        FinLoRAError: they can't be written.
    """
    page, text = folder / HTML, folder / MARKDOWN
    written = html(report), markdown(report)
    write_atomic(page, written[0])
    write_atomic(text, written[1])
    return page, text


def html(report: Report) -> str:
    """Return the page: style and pictures inside, no script; equal reports give equal text."""
    return _rendered("report.html.j2", _page_text, report)


def markdown(report: Report) -> str:
    """Return the report as Markdown tables, without pictures."""
    return _rendered("report.md.j2", _markdown_text, report)


def _rendered(template: str, text: Callable[[Any], Any], report: Report) -> str:
    """Return a template with a report in it; every text goes through `text`, and is escaped unless markup."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    world = Environment(
        loader=FileSystemLoader(_FILES),
        autoescape=True,
        finalize=text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    world.filters |= {
        "score": _score,
        "points": _points,
        "p_value": _p_value,
        "fact": _fact,
        "breakable": _breakable,
        "share": lambda value: "–" if value is None else f"{100 * value:.1f}",
        "count": lambda value: Markup(f"{value:,}"),
        "who": lambda one: _who(one, report),
    }
    return str(world.get_template(template).render(_context(report)))


def _page_text(value: Any) -> Any:
    """Return a value as the page prints it; names may come from anybody's files."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return report_pictures.shortened(value, _LONGEST_TEXT)
    return value


def _markdown_text(value: Any) -> Any:
    """Return a value as Markdown prints it: no name makes a table, a link, a mention or a tag."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    clean = report_pictures.shortened(value, _LONGEST_TEXT)
    for char, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        clean = clean.replace(char, name)
    return Markup(_MARKS.sub(r"\\\g<0>", clean))


def _breakable(name: str) -> Markup:
    """Return a name that may go on in the next line behind each _, / and -."""
    clean = str(escape(report_pictures.shortened(name, _LONGEST_NAME)))
    return Markup(re.sub(r"([_/.-])", r"\1<wbr>", clean))


def _who(one: Forgetting, report: Report) -> str:
    """Return what the adapter of a benchmark is called, with its variant where others have the name."""
    name = str(one.adapter["name"])
    variants = {
        str(other.adapter.get("variant")) for other in report.forgotten if other.adapter["name"] == name
    }
    return name if len(variants) == 1 else f"{one.adapter.get('variant')}/{name}"


def _score(value: float | None, metric: str) -> str:
    if value is None:
        return "–"
    return Markup(f"{100 * value:.1f}" if metric == "accuracy" else f"{value:.3f}")


def _points(value: float) -> str:
    return Markup(f"{100 * value:+.1f}".replace("-", "−"))


def _p_value(value: float | None) -> str:
    if value is None:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _fact(value: Any, kind: str) -> str:
    """Return a fact of a training as text."""
    if value is None:
        return "–"
    if kind == "bytes":
        size = next((f"{value / 2**power:.2f} {unit}" for power, unit in _UNITS if value >= 2**power), "0")
        return Markup(size)
    if kind == "seconds":
        minutes, rest = divmod(round(value), 60)
        long = f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min {rest:02} s"
        return Markup(long if minutes else f"{value:.1f} s")
    return Markup({"loss": "{:.4f}", "count": "{:,}"}[kind].format(value)) if kind != "text" else str(value)


_UNITS = ((30, "GiB"), (20, "MiB"), (10, "KiB"), (0, "B"))


def _context(report: Report) -> dict[str, Any]:
    pairs = full(report.compared)
    return {
        "report": report,
        "tally": tally(report),
        "findings": findings(report),
        "counts": _counts(report),
        "families": FAMILIES,
        "metrics": METRICS,
        "decodes": DECODES,
        "limits": LIMITS,
        "pairs": _telling(pairs),
        "pairs_all": report.compared,
        "reach": report_pictures.reach([e.result.against["interval"] for e in pairs if e.result.against]),
        "confusions": _pictured(report),
        "costs": [fact for fact in report.training.facts if fact.kind != "loss"],
        "pictures": report_pictures,
        "repository": Markup(report.published.source["repository"]),
    }


def _counts(report: Report) -> list[tuple[str, int]]:
    who = report.respondents
    kinds: Mapping[str, str] = {"adapter": "adapters", "base": "base models", "endpoint": "hosted models"}
    return [
        ("results", len(report.entries)),
        *((words, sum(one.kind == kind for one in who)) for kind, words in kinds.items()),
        ("tasks", len({entry.result.task for entry in report.entries})),
    ]


def _telling(pairs: Sequence[Entry]) -> list[Entry]:
    """Return the comparisons that are drawn: all, or of very many the worst and the best, in their order."""
    most = LIMITS["pairs"]
    if len(pairs) <= most:
        return list(pairs)
    ranked = sorted(range(len(pairs)), key=lambda i: _difference(pairs[i]))
    return [pairs[i] for i in sorted({*ranked[: most // 2], *ranked[-most // 2 :]})]


def _difference(entry: Entry) -> float:
    return float(entry.result.against["difference"]) if entry.result.against else 0.0


def _pictured(report: Report) -> dict[str, Any]:
    """Return the confusions that are drawn, task by task, and how many are not."""
    tasks: dict[tuple[str, str], list[Any]] = {}
    for one in report.confusions:
        tasks.setdefault((one.title, one.entry.result.dataset), []).append(one)
    shown, left = [], LIMITS["all_pictures"]
    for (title, dataset), ones in tasks.items():
        taken = ones[: min(LIMITS["pictures"], left)]
        left -= len(taken)
        if taken:
            shown.append((title, dataset, taken, len(ones) - len(taken)))
    return {"tasks": shown, "missing": len(report.confusions) - LIMITS["all_pictures"] + left}
