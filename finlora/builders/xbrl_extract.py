"""Builds questions about filings: the tag of an item, its amount, a ratio in tags, a ratio in amounts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from finlora import xbrl
from finlora.builders.formula import two_decimals
from finlora.builders.xbrl_items import ITEMS, RATIOS, Item, Ratio, formula
from finlora.builders.xbrl_words import INSTRUCTIONS, TEST, TRAIN
from finlora.converters import Dropped
from finlora.errors import DataError, Problem, UsageError
from finlora.filing_rows import LONGEST, TASKS, context, fact_line, nearest, sides
from finlora.xbrl import Fact, Filing

OWN = Path(__file__).parents[1] / "files" / "filings"
SUFFIXES = (".xml", ".xbrl", ".htm", ".html", ".xhtml")
TEST_SHARE = 0.3
# Days of a fiscal year of 52 or 53 weeks, and of a quarter.
LENGTHS = {"10-K": range(350, 381), "10-Q": range(80, 101)}
LONGEST_TEXT = 100


class Built(NamedTuple):
    """Rows made from filings.

    Args:
        train: training rows: context, target, task, company, year, document, and for calculations `result`.
        test: test rows, of other companies and later years.
        skipped: files that are no filing of a year or a quarter, filings that would leak, and items that
            have no single answer; the line is that of the fact, 0 for a whole file.
    """

    train: list[dict[str, Any]]
    test: list[dict[str, Any]]
    skipped: tuple[Dropped, ...]


@dataclass(frozen=True)
class _Statement:
    """The facts of a filing about one period."""

    filing: Filing
    facts: tuple[Fact, ...]

    def places(self, item: Item) -> list[int]:
        """Return where the facts stand that report an item."""
        tags = {f"us-gaap:{tag}" for tag in item.tags}
        return [place for place, fact in enumerate(self.facts) if fact.tag in tags]


@dataclass(frozen=True)
class _Question:
    kind: str
    item: str
    target: str
    asked: tuple[int, ...]
    result: str = ""


def build(
    seed: int = 42,
    train_rows: int | None = None,
    test_rows: int | None = None,
    folder: Path | None = None,
) -> Built:
    """Make questions about the filings in a folder.

    Every item of `ITEMS` and ratio of `RATIOS` that a filing reports is asked about once in each kind, in
    words that differ between training and test rows. No company and no year stands on both sides
    (`filing_rows.sides`): last year's answer of a company is not there to be copied.

    Args:
        seed: decides the test companies, the wording and the order.
        train_rows: at most this many training rows; None: all.
        test_rows: at most this many test rows; None: all.
        folder: 10-K and 10-Q filings, as instances (.xml, .xbrl) or inline XBRL (.htm, .html, .xhtml), at
            any depth; None: the invented filings that come with FinLoRA.

    Returns:
        The rows, and what was skipped and why.

    Raises:
        UsageError: no folder, a negative number of rows, or too few companies.
        DataError: a filing is faulty, or a link leads out of the folder; all faults of all files.
    """
    if min(train_rows or 0, test_rows or 0) < 0:
        raise UsageError(f"train_rows={train_rows}, test_rows={test_rows}: give 0 or more of each.")
    skipped: list[Dropped] = []
    filings = list(_filings(OWN if folder is None else folder, skipped))
    names = _names(filings)
    # `_filings` passes on none without a year.
    keys = [(names[filing.entity], filing.year or 0) for filing in filings]
    side = sides(keys, TEST_SHARE, seed)
    made: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for filing, key in zip(filings, keys, strict=True):
        where = side[key]
        if not where:
            skipped.append(Dropped(filing.file, 0, "its company or its year belongs to the other side"))
            continue
        words = TRAIN if where == "train" else TEST
        for statement in _statements(filing):
            for question in _questions(statement, skipped):
                chance = Random(f"{seed}:{filing.entity}:{filing.period_end}:{question.kind}:{question.item}")
                wording = chance.choice(words[question.kind])
                made[where].append(_row(statement, question, wording, names[filing.entity]))
    for name, some in made.items():
        Random(f"{seed}:{name}").shuffle(some)
    return Built(made["train"][:train_rows], made["test"][:test_rows], tuple(skipped))


def _filings(folder: Path, skipped: list[Dropped]) -> Iterator[Filing]:
    problems: list[Problem] = []
    seen: dict[tuple[object, ...], str] = {}
    for path in _files(folder):
        name = str(path)
        try:
            content = xbrl.content_of(path)
            if not xbrl.is_filing(content):
                skipped.append(Dropped(name, 0, "no XBRL instance and no inline XBRL"))
                continue
            filing = xbrl.parse_filing(content, name)
        except DataError as error:
            problems += error.problems
            continue
        kind = filing.document_type
        if kind not in LENGTHS:
            skipped.append(Dropped(name, 0, f"a {kind}; only 10-K and 10-Q are asked about"))
        elif filing.year is None:
            skipped.append(Dropped(name, 0, "names no fiscal year"))
        elif seen.setdefault((filing.entity, kind, filing.period_end), name) != name:
            skipped.append(Dropped(name, 0, "the same filing is there already"))
        elif not problems:
            yield filing
    if problems:
        raise DataError(problems, "Mend or take away these files; the others are sound")


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give one with 10-K or 10-Q filings")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    root = folder.resolve()
    outside = [path for path in found if not path.resolve().is_relative_to(root)]
    if outside:
        problems = [Problem("a link that leads out of the folder", str(path)) for path in outside]
        raise DataError(problems, "Put a copy in the folder, or take the link away")
    return [path for path in found if path.is_file()]


def _names(filings: Sequence[Filing]) -> dict[str, str]:
    """Return one name for each company: that of its newest filing, whatever it was called before."""
    ordered = sorted(filings, key=lambda filing: (filing.period_end, filing.file))
    return {filing.entity: filing.company for filing in ordered}


def _statements(filing: Filing) -> Iterator[_Statement]:
    """Yield the balances at the filing's end, and the flows of its year or quarter."""
    shown = [fact for fact in filing.facts if _is_shown(fact)]
    balances = tuple(fact for fact in shown if fact.instant == filing.period_end)
    flows: dict[Any, list[Fact]] = {}
    for fact in shown:
        if fact.start and fact.end == filing.period_end:
            days = (fact.end - fact.start).days + 1
            if days in LENGTHS[filing.document_type]:
                flows.setdefault(fact.start, []).append(fact)
    yield _Statement(filing, balances)
    if flows:
        # Two starts are a day's disagreement inside one filing; most facts decide, then the earlier one.
        start = min(flows, key=lambda day: (-len(flows[day]), day))
        yield _Statement(filing, tuple(flows[start]))


def _is_shown(fact: Fact) -> bool:
    short = isinstance(fact.value, Decimal) or len(fact.value) <= LONGEST_TEXT
    return fact.tag.startswith("us-gaap:") and short


def _questions(statement: _Statement, skipped: list[Dropped]) -> Iterator[_Question]:
    file = statement.filing.file
    for item in ITEMS:
        places = statement.places(item)
        if not places:
            continue
        fact = statement.facts[places[0]]
        if len(places) > 1:
            skipped.append(Dropped(file, fact.line, "two facts could answer"))
        elif not isinstance(fact.value, Decimal) or fact.value % 1:
            skipped.append(Dropped(file, fact.line, "not a whole number"))
        else:
            yield _Question("tag", item.label, fact.tag, (places[0],))
            yield _Question("value", item.label, str(fact.value), (places[0],))
    for ratio in RATIOS:
        yield from _ratio(statement, ratio, skipped)


def _ratio(statement: _Statement, ratio: Ratio, skipped: list[Dropped]) -> Iterator[_Question]:
    found = [statement.places(item) for item in (*ratio.above, ratio.below)]
    facts = [statement.facts[places[0]] for places in found if len(places) == 1]
    values = [fact.value for fact in facts if isinstance(fact.value, Decimal) and not fact.value % 1]
    # A missing item is the rule, since flows and balances are apart; an unclear one has been noted.
    if len(values) < len(found):
        return
    if values[-1] <= 0:
        skipped.append(Dropped(statement.filing.file, facts[-1].line, "a ratio to nothing, or to less"))
        return
    asked = tuple(places[0] for places in found)
    tags, amounts = [fact.tag for fact in facts], [str(value) for value in values]
    with localcontext(Context(prec=60)):
        result = (values[0] - sum(values[1:-1])) / values[-1] * (100 if ratio.percent else 1)
        shown = two_decimals(result)
    yield _Question("formula", ratio.name, formula(ratio, tuple(tags[:-1]), tags[-1]), asked)
    target = formula(ratio, tuple(amounts[:-1]), amounts[-1])
    yield _Question("calculation", ratio.name, target, asked, shown)


def _row(statement: _Statement, question: _Question, wording: str, company: str) -> dict[str, Any]:
    filing = statement.filing
    period = f"fiscal year {filing.year}"
    if filing.document_type == "10-Q":
        period = f"the quarter that ended on {filing.period_end}"
    asked = wording.format(item=question.item, company=company, period=period)
    instruction = INSTRUCTIONS[question.kind]
    room = LONGEST - len(context(instruction, [], asked)) - len(question.target)
    lines = [fact_line(fact.tag, str(fact.value)) for fact in statement.facts]
    row = {
        "context": context(instruction, nearest(lines, question.asked, room), asked),
        "target": question.target,
        "task": TASKS[question.kind],
        "company": company,
        "year": filing.year,
        "document": Path(filing.file).name,
    }
    return {**row, "result": question.result} if question.result else row
