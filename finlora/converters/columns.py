"""The plain way: a prompt filled from a record's columns, and one column as the answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

from finlora.converters import Converted, Dropped, Record
from finlora.converters.mending import (
    broken,
    clean_text,
    datasets_split,
    keep_groups_apart,
    without_duplicates,
)
from finlora.errors import DataError, Problem, UsageError
from finlora.tasks import SPLITS, Task

_MOST_PROBLEMS = 20
_Row = dict[str, Any]
_Pairs = list[tuple[Record, _Row]]


def convert(task: Task, records: Mapping[str, Sequence[Record]], as_published: bool) -> Converted:
    """Turn records into rows, as published or mended.

    Mended rows have their broken encoding repaired where that is certain; dropped are broken and repeated
    rows, training rows that are test rows too, and those whose group is on the test side.

    Args:
        task: with the prompt, the target's column and the label maps.
        records: split to records; where the source has one split and the task two, it is divided by the
            task's rule.
        as_published: leave every fault in.

    Raises:
        DataError: a record lacks a column, or holds no text where one is wanted.
        UsageError: the task names no target, or no rule for one split.
    """
    columns = _columns(task)
    mended: Counter[str] = Counter()
    dropped: list[Dropped] = []
    problems: list[Problem] = []
    pairs: dict[str, _Pairs] = {}
    for split, found in records.items():
        pairs[split] = []
        for record in found:
            row = _row(task, record, columns, as_published, mended)
            if isinstance(row, Problem):
                problems.append(row)
                if len(problems) == _MOST_PROBLEMS:
                    raise DataError(problems)
            elif isinstance(row, str):
                dropped.append(Dropped(record.file, record.line, row))
            else:
                pairs[split].append((record, row))
    if problems:
        raise DataError(problems)
    sides = _sides(task, pairs, as_published)
    if not as_published:
        sides = _each_once(task, sides, dropped)
    rows = {side: [row for _, row in found] for side, found in sides.items()}
    return Converted(rows, tuple(dropped), dict(mended))


def _columns(task: Task) -> list[str]:
    """Return the columns that a task's prompt names."""
    if task.convert.target is None:
        raise UsageError(f"task '{task.id}': convert.target must name the column with the answer")
    names = [name for _, name, _, _ in Formatter().parse(task.prompt) if name]
    return list(dict.fromkeys(names))


def _row(
    task: Task, record: Record, columns: Sequence[str], as_published: bool, mended: Counter[str]
) -> _Row | str | Problem:
    """Return the row of a record, why it has none, or what is wrong with the record."""
    rule = task.convert
    wanted = [*columns, str(rule.target), *([rule.group] if rule.group else [])]
    values = {}
    for column in wanted:
        if column not in record.values:
            have = ", ".join(map(str, record.values))
            return Problem(f"no column '{column}'; columns found: {have}", record.file, record.line)
        value = record.values[column]
        if isinstance(value, list | dict | bytes):
            kind = type(value).__name__
            return Problem(f"'{column}' is a {kind}; text is wanted", record.file, record.line)
        values[column] = "" if value is None else str(value)
    answer = values[str(rule.target)]
    changes: set[str] = set()
    if not as_published:
        for column in columns:
            values[column], found = clean_text(values[column])
            changes |= set(found)
            if why := broken(values[column]):
                return f"{column}: {why}"
        if why := broken(answer):
            return f"{rule.target}: {why}"
    published = rule.published_labels.get(answer, rule.labels.get(answer, answer))
    label = published if as_published else rule.labels.get(answer, answer)
    if not as_published:
        if task.labels and label not in task.labels:
            return f"{rule.target}: an answer that is none of the task's labels"
        if label != published:
            changes.add("label as the source means it")
        mended.update(changes)
    row = {"context": task.prompt.format(**{column: values[column] for column in columns}), "target": label}
    return {**row, rule.group: values[rule.group]} if rule.group else row


def _sides(task: Task, pairs: Mapping[str, _Pairs], as_published: bool) -> dict[str, _Pairs]:
    """Return the pairs by side, divided by the task's rule where the source has one split only."""
    wanted = [side for side in SPLITS if side in task.files]
    if len(pairs) > 1 or len(wanted) < 2:
        return {side: pairs.get(side, []) for side in wanted}
    share, seed, group = task.split.test_share, task.split.seed, task.convert.group
    if share is None or seed is None:
        raise UsageError(f"task '{task.id}': its source has one split; split needs test_share and seed")
    (all_of_them,) = pairs.values()
    if group and not as_published:
        numbers = keep_groups_apart([row for _, row in all_of_them], group, share, seed)
    else:
        numbers = datasets_split(len(all_of_them), share, seed)
    return {side: [all_of_them[i] for i in chosen] for side, chosen in zip(SPLITS, numbers, strict=True)}


def _each_once(task: Task, sides: dict[str, _Pairs], dropped: list[Dropped]) -> dict[str, _Pairs]:
    """Drop repeats, and training rows that the test rows give away."""
    test = sides.get("test", [])
    tests = [row for _, row in test]
    kept = {"test": _kept(test, without_duplicates(tests), "repeats an earlier row", dropped)}
    train = sides.get("train", [])
    group = task.convert.group
    if group:
        held = {row[group] for row in tests}
        apart = [i for i, (_, row) in enumerate(train) if row[group] not in held]
        train = _kept(train, apart, f"its {group} is in the test rows too", dropped)
    train = _kept(train, without_duplicates([row for _, row in train]), "repeats an earlier row", dropped)
    outside = without_duplicates([row for _, row in train], apart_from=tests)
    kept["train"] = _kept(train, outside, "is in the test rows too", dropped)
    return {side: kept[side] for side in sides}


def _kept(pairs: _Pairs, numbers: Sequence[int], why: str, dropped: list[Dropped]) -> _Pairs:
    stay = set(numbers)
    dropped += [Dropped(r.file, r.line, why) for i, (r, _) in enumerate(pairs) if i not in stay]
    return [pairs[i] for i in numbers]
