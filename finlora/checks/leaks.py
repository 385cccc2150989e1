"""What training knows of the test before it is asked: companies, documents, and years that are no later."""

import re

from finlora.checks import Finding, Rows, finding, rows_of

_SHARED = {
    "company": "Put each company on one side, where its past answers tell the next one",
    "document": "Put all questions on a document on one side of the split",
    "url": "Put all questions on a document on one side of the split",
}
# A year, alone or at the start of an ISO date.
_YEAR = re.compile(r"(?:19|20)\d\d(?!\d)")
_DATE = re.compile(r"(?:19|20)\d\d-\d\d-\d\d")


def between(train: Rows, test: Rows) -> list[Finding]:
    """Look for companies and documents on both sides, and for test rows that are not later than training."""
    found = []
    for column, advice in _SHARED.items():
        if column not in train.columns or column not in test.columns:
            continue
        first: dict[str, int] = {}
        for value, row in zip(train.columns[column], train.rows, strict=True):
            first.setdefault(value.casefold(), row.line)
        first.pop("", None)
        shared = {
            row.line: first[value.casefold()]
            for value, row in zip(test.columns[column], test.rows, strict=True)
            if value.casefold() in first
        }
        if shared:
            share = len(shared) / len(test.rows)
            words = f"{rows_of(len(shared))} of the test ({share:.0%}) with a {column} that training has too"
            pairs = (train.file, shared)
            found.append(
                finding("warning", f"shared-{column}", test.file, shared, words, advice, pairs=pairs)
            )
    return found + _times(train, test)


def _times(train: Rows, test: Rows) -> list[Finding]:
    """Compare dates where both sides have them, else years."""
    for pattern, column in ((_DATE, "date"), (_YEAR, "date"), (_YEAR, "year")):
        before, after = _when(train, column, pattern), _when(test, column, pattern)
        if before and after:
            break
    else:
        return []
    last = max(before.values())
    early = [line for line, when in after.items() if when <= last]
    if not early:
        return []
    words = f"{rows_of(len(early))} of the test ({len(early) / len(test.rows):.0%}) not later than training"
    words += f", which reaches to {last}"
    advice = "Split by time: what happened later must not be learnt before the test asks about it"
    return [finding("warning", "not-later", test.file, early, words, advice, pairs=(train.file, {}))]


def _when(rows: Rows, column: str, pattern: re.Pattern[str]) -> dict[int, str]:
    values = zip(rows.columns.get(column, []), rows.rows, strict=False)
    return {row.line: match[0] for value, row in values if (match := pattern.match(value))}
