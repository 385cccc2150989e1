"""What the converters ask of records before they turn them into rows, and rows that each stand once."""

from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any

from finlora.converters import Dropped, Record
from finlora.converters.mending import without_duplicates
from finlora.errors import DataError, Problem, UsageError
from finlora.tasks import Task

# What a column may hold.
TEXT: tuple[type, ...] = (str,)
CELL: tuple[type, ...] = (str, int, float, NoneType)
LIST: tuple[type, ...] = (list,)
Row = dict[str, Any]
Pairs = list[tuple[Record, Row]]

REPEATED = "repeats an earlier row"
IN_TEST = "is in the test rows too"
SENTENCE_IN_TEST = "its sentence is in the test rows too"

MOST_PROBLEMS = 20
_KINDS = {TEXT: "text", CELL: "text or a number", LIST: "a list"}


def check(
    records: Mapping[str, Sequence[Record]],
    wanted: Mapping[str, tuple[type, ...]],
    fault: Callable[[Record], str | None] = lambda record: None,
) -> None:
    """Check that every record has the columns that are wanted, each of its kind.

    Args:
        records: split to records.
        wanted: column to TEXT, CELL or LIST.
        fault: says what else is wrong with a record whose columns are right, or None.

    Raises:
        DataError: the first 20 faults, each with the columns found where one is missing.
    """
    problems: list[Problem] = []
    told: set[tuple[str, str]] = set()
    for found in records.values():
        for record in found:
            if why := _missing(record, wanted):
                # A column that a table lacks is lacking in every record of it.
                if (record.file, why) not in told:
                    told.add((record.file, why))
                    problems.append(Problem(why, record.file, record.line))
            elif why := _fault(record, wanted) or fault(record):
                problems.append(Problem(why, record.file, record.line))
                if len(problems) == MOST_PROBLEMS:
                    raise DataError(problems)
    if problems:
        raise DataError(problems)


def _missing(record: Record, wanted: Mapping[str, tuple[type, ...]]) -> str | None:
    for column in wanted:
        if column not in record.values:
            return f"no column '{column}'; columns found: {', '.join(map(str, record.values))}"
    return None


def _fault(record: Record, wanted: Mapping[str, tuple[type, ...]]) -> str | None:
    for column, kinds in wanted.items():
        value = record.values[column]
        # In Python true and false are numbers.
        if not isinstance(value, kinds) or isinstance(value, bool):
            return f"'{column}' is {type(value).__name__}; {_KINDS[kinds]} is wanted"
    return None


def fill(task: Task, /, **values: str) -> str:
    """Return the task's prompt filled with values.

    Raises:
        UsageError: the prompt names something else.
    """
    try:
        return task.prompt.format(**values)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        names = ", ".join(f"{{{name}}}" for name in values)
        raise UsageError(
            f"task '{task.id}': its prompt can't be filled ({error}); convert.how '{task.convert.how}' "
            f"fills {names}"
        ) from None


def drawn(task: Task) -> tuple[float, int]:
    """Return the share of test rows and the seed of a task whose rows are divided at random.

    Raises:
        UsageError: the task does not say them.
    """
    if task.split.test_share is None or task.split.seed is None:
        raise UsageError(f"task '{task.id}': its rows are divided here; split needs test_share and seed")
    return task.split.test_share, task.split.seed


def all_of(records: Mapping[str, Sequence[Record]]) -> list[Record]:
    """Return the records of every split, in order."""
    return [record for found in records.values() for record in found]


def drop(record: Record, why: str) -> Dropped:
    """Return the note that a record became no row."""
    return Dropped(record.file, record.line, why)


def each_once(train: Pairs, test: Pairs, dropped: list[Dropped]) -> dict[str, list[Row]]:
    """Return both sides' rows without repeats; a row of both sides stays among the test rows.

    Args:
        train: records with their rows.
        test: as train.
        dropped: takes what was left out.
    """
    tests = kept(test, without_duplicates([row for _, row in test]), REPEATED, dropped)
    trains = kept(train, without_duplicates([row for _, row in train]), REPEATED, dropped)
    outside = without_duplicates([row for _, row in trains], apart_from=[row for _, row in tests])
    trains = kept(trains, outside, IN_TEST, dropped)
    return {"train": [row for _, row in trains], "test": [row for _, row in tests]}


def kept(pairs: Pairs, numbers: Sequence[int], why: str, dropped: list[Dropped]) -> Pairs:
    """Return the rows that stay.

    Args:
        pairs: records with their rows.
        numbers: 0-based numbers of those that stay, in order.
        why: the reason why the others go.
        dropped: takes a note for each of them.
    """
    stay = set(numbers)
    dropped += [drop(record, why) for i, (record, _) in enumerate(pairs) if i not in stay]
    return [pairs[i] for i in numbers]
