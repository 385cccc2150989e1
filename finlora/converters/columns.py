"""The plain way: a prompt filled from a record's columns, and one column as the answer."""

from collections import Counter
from collections.abc import Mapping, Sequence

from finlora.converters import Converted, Dropped, Record
from finlora.converters.mending import broken, clean_text, datasets_split, keep_groups_apart
from finlora.converters.records import MOST_PROBLEMS, Pairs, Row, drawn, drop, each_once, fill, kept
from finlora.errors import DataError, Problem, UsageError
from finlora.tasks import SPLITS, Task


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
    if task.convert.target is None:
        raise UsageError(f"task '{task.id}': convert.target must name the column with the answer")
    asked = task.columns
    mended: Counter[str] = Counter()
    dropped: list[Dropped] = []
    problems: list[Problem] = []
    pairs: dict[str, Pairs] = {}
    for split, found in records.items():
        pairs[split] = []
        for record in found:
            row = _row(task, record, asked, as_published, mended)
            if isinstance(row, Problem):
                problems.append(row)
                if len(problems) == MOST_PROBLEMS:
                    raise DataError(problems)
            elif isinstance(row, str):
                dropped.append(drop(record, row))
            else:
                pairs[split].append((record, row))
    if problems:
        raise DataError(problems)
    sides = _sides(task, pairs, as_published)
    if as_published:
        return Converted({side: [row for _, row in found] for side, found in sides.items()})
    rows = each_once(_apart(task, sides, dropped), sides.get("test", []), dropped)
    return Converted({side: rows[side] for side in sides}, tuple(dropped), dict(mended))


def _row(
    task: Task, record: Record, asked: Sequence[str], as_published: bool, mended: Counter[str]
) -> Row | str | Problem:
    """Return the row of a record, why it has none, or what is wrong with the record."""
    rule = task.convert
    wanted = [*asked, str(rule.target), *([rule.group] if rule.group else [])]
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
        for column in asked:
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
        # Sorted, as a set's order is another in each process, and a card keeps the order.
        mended.update(sorted(changes))
    row = {"context": fill(task, **{column: values[column] for column in asked}), "target": label}
    return {**row, rule.group: values[rule.group]} if rule.group else row


def _sides(task: Task, pairs: Mapping[str, Pairs], as_published: bool) -> dict[str, Pairs]:
    """Return the pairs by side, divided by the task's rule where the source has one split only."""
    if len(pairs) > 1 or len(task.sides) < 2:
        return {side: pairs.get(side, []) for side in task.sides}
    (share, seed), group = drawn(task), task.convert.group
    (all_of_them,) = pairs.values()
    if group and not as_published:
        numbers = keep_groups_apart([row for _, row in all_of_them], group, share, seed)
    else:
        numbers = datasets_split(len(all_of_them), share, seed)
    return {side: [all_of_them[i] for i in chosen] for side, chosen in zip(SPLITS, numbers, strict=True)}


def _apart(task: Task, sides: Mapping[str, Pairs], dropped: list[Dropped]) -> Pairs:
    """Return the training rows whose group has no test row."""
    train, group = sides.get("train", []), task.convert.group
    if not group:
        return train
    held = {row[group] for _, row in sides.get("test", [])}
    outside = [number for number, (_, row) in enumerate(train) if row[group] not in held]
    return kept(train, outside, f"its {group} is in the test rows too", dropped)
