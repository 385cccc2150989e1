"""The `data check` verb: everything that can be known of datasets before a GPU is paid for."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import builtin, tasks
from finlora.checks import (
    Finding,
    Rows,
    Severity,
    duplicates,
    encoding,
    finding,
    labels,
    leaks,
    lengths,
    marks,
    near,
    personal,
)
from finlora.checks.schema import read
from finlora.config import ConfigFile, RunConfig
from finlora.data_targets import Asked, Target, chosen
from finlora.errors import BaseModelError
from finlora.json_text import printable
from finlora.plan import tokenizer_of
from finlora.row_lengths import RowLengths, lengths_of

_NO_RUN = "no run is named"
_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class CheckedFile:
    """What was found in a file, worst first.

    Args:
        file: its path.
        rows: sound rows.
        task: the task it belongs to, or None.
        runs: runs that train on it.
        against: files it was compared with.
        findings: all of them.
    """

    file: str
    rows: int
    task: str | None
    runs: tuple[str, ...]
    against: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class CheckReport:
    """What was found in all files."""

    files: tuple[CheckedFile, ...]

    def count(self, severity: str) -> int:
        """Return how many findings are `error`, `warning` or `note`."""
        return sum(found.severity == severity for file in self.files for found in file.findings)

    def to_record(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "files": [
                {**vars(file), "findings": [found.to_record() for found in file.findings]}
                for file in self.files
            ],
            "errors": self.count("error"),
            "warnings": self.count("warning"),
        }


def check(file: ConfigFile | None, asked: Asked, done: Callable[[int], None] = lambda _: None) -> CheckReport:
    """Check datasets: nothing is changed, no network is used.

    Args:
        file: the config file, or None outside a project.
        asked: what to check.
        done: called with how much is done, in percent.

    Returns:
        What was found. A file that can't be read is a finding, too.

    Raises:
        UsageError, ConfigError: no such run or task, or they are at fault.
    """
    targets = chosen(file, asked)
    checked: list[CheckedFile] = []
    for number, target in enumerate(targets):
        done(100 * number // len(targets))
        checked.append(_checked(target, file))
    done(100)
    return CheckReport(tuple(checked))


def _checked(target: Target, file: ConfigFile | None) -> CheckedFile:
    if not os.path.lexists(target.path):
        rows, found = Rows(str(target.path), ()), [_not_there(target)]
    else:
        rows, found = read(target.path)
    if rows.rows:
        found += _alone(rows, target, file)
        for other in target.against:
            found += _compared(other, lambda test: _between(rows, test))
        for other in target.trained_by:
            found += _compared(other, lambda train: _between(train, rows))
    found.sort(key=lambda one: _ORDER[one.severity])
    return CheckedFile(
        file=printable(rows.file),
        rows=len(rows.rows),
        task=target.task.id if target.task else None,
        runs=tuple(target.runs),
        against=tuple(printable(str(path)) for path in (*target.against, *target.trained_by)),
        findings=tuple(found),
    )


def _not_there(target: Target) -> Finding:
    names = ", ".join(list(target.runs)[:3]) + " and more" * (len(target.runs) > 3)
    words = f"the dataset of {names} is not there" if names else "there is no such file"
    severity: Severity = "note" if target.may_miss else "error"
    return finding(
        severity,
        "missing",
        str(target.path),
        [],
        words,
        tasks.where_from(target.task) if target.task else "Check the path",
    )


def _compared(other: Path, compare: Callable[[Rows], list[Finding]]) -> list[Finding]:
    rows, faults = read(other)
    return compare(rows) if rows.rows else faults


def _alone(rows: Rows, target: Target, file: ConfigFile | None) -> list[Finding]:
    task = target.task
    repeats, repeated = duplicates.inside(rows)
    return [
        *encoding.check(rows),
        *repeats,
        *near.inside(rows, repeated),
        *labels.check(rows, task.labels if task else ()),
        *marks.check(rows, target.marks),
        *personal.check(rows),
        *_lengths(rows, target, file),
    ]


def _between(train: Rows, test: Rows) -> list[Finding]:
    return [
        *duplicates.between(train, test),
        *near.between(train, test),
        *labels.between(train, test),
        *leaks.between(train, test),
    ]


def _lengths(rows: Rows, target: Target, file: ConfigFile | None) -> list[Finding]:
    """Count once for all runs that count alike; estimate where no run is known."""
    limit = target.task.max_new_tokens if target.task else None
    if not target.runs or file is None:
        counted = lengths_of(rows.rows, *_stand_in(), None)
        return lengths.check(rows, counted, None, (), limit, trained=not target.held_out)
    alike: dict[tuple[str, str | None, int], list[str]] = {}
    for name, run in target.runs.items():
        alike.setdefault((run.base_model, run.prompt_style, run.sequence_len), []).append(name)
    found: list[Finding] = []
    for (_, _, sequence_len), names in alike.items():
        counted = _counted(rows, target.runs[names[0]], file.path.resolve().parent)
        found += lengths.check(rows, counted, sequence_len, names, limit, trained=not target.held_out)
    return found


def _stand_in() -> tuple[Path | None, str]:
    """Return the built-in model's tokenizer, if that is on this machine, for rows of no known run."""
    folder = builtin.model_folder()
    known = (folder / "tokenizer.json").is_file()
    return (folder, f"{builtin.NAME}, as {_NO_RUN}") if known else (None, _NO_RUN)


def _counted(rows: Rows, run: RunConfig, folder: Path) -> RowLengths:
    try:
        return lengths_of(rows.rows, *tokenizer_of(run, folder), run.prompt_style)
    except BaseModelError as error:
        # No base model where the run says, or its tokenizer has not the prompt style that the run asks for.
        return lengths_of(rows.rows, None, str(error), None)
