"""The questions of the benchmark's XBRL tasks, out of either form they come in (a part of `xbrl_extract`).

- Finished rows, as in the benchmark's own repository: `context` and `target`, the facts inside the context.
- Questions without facts, as in the hub's wangd12/XBRL_analysis: `instruction`, `input`, `output`, `year`,
  `company`, `doc_path` and `context_id`; the filings come beside them, as records with `path` and `text`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from finlora.converters import Record
from finlora.errors import DataError, Problem
from finlora.filing_rows import fact_line
from finlora.xbrl_document import element_name, parse

BARE = ("instruction", "input", "output", "year", "company", "doc_path", "context_id")
FINISHED = ("context", "target")
_LONGEST_TEXT = 100
_MOST_PROBLEMS = 20
_CONTEXT = re.compile(
    r"(?P<instruction>.*?)\s*\nXML File:\s*(?P<facts>.*)\nQuestion:(?P<question>.*?)\nAnswer:\s*", re.DOTALL
)
_INPUT = re.compile(r"\s*Question:(?P<question>.*?)\nAnswer:\s*", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_NAME = re.compile(r"[\w-]+:\w+")
# Where the benchmark's wordings put the company, the surest first.
_COMPANIES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:value of|How much was) (.+?)'s ",
        r"formula that (.+?) uses for ",
        r"(?:reported|used) by (.+?) (?:for the|at the end|in the|during the|in FY)",
        r"is used for .+? by (.+?) for the ",
        r"formula (?:of|for) the .+? (?:for|of) (.+?), (?:using|formatted)",
        r"value for .+ from (.+?) for the ",
        r".* for (.+?) (?:for the fiscal|at the end|for FY)",
    )
)


@dataclass(frozen=True)
class Question:
    """One question of the source.

    Args:
        record: where it stands.
        side: train or test, as the source has it.
        instruction: what comes before the facts.
        question: the question alone.
        target: the answer.
        facts: lines of `filing_rows.fact_line`, in document order.
        company: who is asked about; empty where that is not to be read.
        year: the fiscal year; 0 where it is not to be read.
        document: the filing, empty where the source doesn't say.
        context_id: the context of the facts, or the facts themselves where the source has no id.
    """

    record: Record
    side: str
    instruction: str
    question: str
    target: str
    facts: tuple[str, ...]
    company: str
    year: int
    document: str
    context_id: str


def kind_of(answer: str) -> str:
    """Return what an answer is: tag, value, formula, calculation, or an empty text for none of them."""
    text = answer.strip()
    if _NUMBER.fullmatch(text):
        return "value"
    if _NAME.fullmatch(text):
        return "tag"
    if re.search(r"[/*+]| - ", text):
        return "formula" if _NAME.search(text) else "calculation" if re.search(r"\d", text) else ""
    return ""


def published_kind(question: Question) -> str:
    """Return the kind a question was published as: that of the worked example in its instruction."""
    example = re.search(r"Example answer:(.*)", question.instruction)
    return kind_of(example[1]) if example else ""


class Filings:
    """The filings that belong to questions without facts, each parsed once.

    Args:
        records: records with `path` (as the questions' `doc_path` has it) and `text`.
        as_published: whether facts are written as the benchmark wrote them: nil facts too, and no spaces.
    """

    def __init__(self, records: Sequence[Record], as_published: bool) -> None:
        check(records, ("path", "text"))
        self._records = {str(record.values["path"]): record for record in records}
        self._facts: dict[str, Mapping[str, list[str]]] = {}
        self._as_published = as_published

    def __contains__(self, path: str) -> bool:
        return path in self._records

    def facts(self, path: str, context_id: str) -> tuple[str, ...]:
        """Return the us-gaap facts of one context, TextBlocks left out, texts cut at 100 characters.

        Raises:
            DataError: the filing can't be parsed.
        """
        if path not in self._facts:
            self._facts[path] = self._read(self._records[path])
        return tuple(self._facts[path].get(context_id, ()))

    def _read(self, record: Record) -> dict[str, list[str]]:
        # The text is no longer in the encoding that its declaration names.
        text = re.sub(r"^\s*<\?xml[^>]*\?>", "", str(record.values["text"]))
        found: dict[str, list[str]] = {}
        for element in parse(text.encode(), record.file).iter("*"):
            context = element.get("contextRef")
            if context is not None and element.prefix:
                found.setdefault(context, []).extend(self._lines(element))
        return found

    def _lines(self, element: Any) -> Iterable[str]:
        tag, text = element_name(element), (element.text or "")[:_LONGEST_TEXT]
        if not tag.startswith("us-gaap:") or "TextBlock" in tag or "style=" in text:
            return
        if not self._as_published:
            if text.strip():
                yield fact_line(tag, " ".join(text.split()))
        elif text:
            yield fact_line(tag, re.sub(r"\s+", "", escape(text, quote=False)))
        else:
            yield f"<{tag}/>"


def questions(records: Mapping[str, Sequence[Record]], as_published: bool) -> list[Question]:
    """Read every question of the splits `train` and `test`, of either form.

    Args:
        records: `train` and `test`, and `filings` where the questions have no facts of their own.
        as_published: how the facts of filings are written.

    Returns:
        The questions in the source's order. One whose filing is not there has no facts.

    Raises:
        DataError: columns are missing or no text, a context has another shape, or a filing is faulty.
    """
    filings = Filings(records.get("filings", ()), as_published)
    found: list[Question] = []
    problems: list[Problem] = []
    for side in ("train", "test"):
        for record in records.get(side, ()):
            is_bare = "doc_path" in record.values
            check([record], BARE if is_bare else FINISHED)
            question = _bare(record, side, filings) if is_bare else _finished(record, side)
            if question is None:
                what = "input" if is_bare else "context"
                problems.append(
                    Problem(f"'{what}' has another shape than the task's prompt", record.file, record.line)
                )
            else:
                found.append(question)
    _stop(problems)
    return found


def check(records: Iterable[Record], columns: Sequence[str]) -> None:
    """Refuse records without these columns, or with something in them that is no text.

    Raises:
        DataError: the first 20 faults.
    """
    problems = []
    for record in records:
        for column in columns:
            value = record.values.get(column)
            # A table's reader may have made a number of a year.
            if column == "year" and isinstance(value, int) and not isinstance(value, bool):
                continue
            if column not in record.values:
                message = f"the column '{column}' is missing; columns found: {', '.join(record.values)}"
                problems.append(Problem(message, record.file, record.line))
            elif not isinstance(value, str) or not value.strip():
                problems.append(Problem(f"'{column}' must be a text", record.file, record.line))
    _stop(problems)


def _stop(problems: list[Problem]) -> None:
    if len(problems) > _MOST_PROBLEMS:
        more = Problem(f"{len(problems) - _MOST_PROBLEMS} more faults", problems[0].file)
        problems = [*problems[:_MOST_PROBLEMS], more]
    if problems:
        raise DataError(problems)


def _bare(record: Record, side: str, filings: Filings) -> Question | None:
    values = {column: str(record.values[column]) for column in BARE}
    match = _INPUT.fullmatch(values["input"])
    if not match or not re.fullmatch(r"\d{4}", values["year"].strip()):
        return None
    path, context_id = values["doc_path"], values["context_id"]
    facts = filings.facts(path, context_id) if path in filings else ()
    return Question(
        record,
        side,
        values["instruction"],
        match["question"],
        values["output"],
        facts,
        values["company"].strip(),
        int(values["year"]),
        path,
        context_id,
    )


def _finished(record: Record, side: str) -> Question | None:
    match = _CONTEXT.fullmatch(str(record.values["context"]))
    if not match:
        return None
    question = match["question"]
    hits = (pattern.search(question) for pattern in _COMPANIES)
    company = next((hit[1].strip() for hit in hits if hit), "")
    year = re.search(r"\bFY\s?(\d{4})", question)
    facts = tuple(line for line in match["facts"].split("\n") if line.strip())
    return Question(
        record,
        side,
        match["instruction"],
        question,
        str(record.values["target"]),
        facts,
        company,
        int(year[1]) if year else 0,
        "",
        match["facts"],
    )
