"""What an evaluation asks: the test rows of a task, or a file of the user's, and how answers are judged."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import data, metrics, tasks
from finlora.config_place import project_root
from finlora.data import Row
from finlora.errors import DataError, Problem, UsageError
from finlora.files import sha256
from finlora.metrics import labels as label_answers
from finlora.metrics import letters

# A closed question has no more answers than this.
MOST_LABELS = 50
_NEW_TOKENS = 128
SEED = 42


@dataclass(frozen=True)
class Asked:
    """What the command line asks to be scored.

    Args:
        tasks: ids of tasks.
        file: rows of the user's own; None for tasks.
        metric: how the answers of `file` are judged, one of `metrics.KINDS`; None finds it out.
        as_published: the published test rows, faults included.
        limit: how many rows are drawn; None for all.
        seed: of the draw.
        max_new_tokens: longest answer; None takes the task's own.
        decode: `labels` or `generate`; None takes what suits the answers.
    """

    tasks: tuple[str, ...] = ()
    file: Path | None = None
    metric: str | None = None
    as_published: bool = False
    limit: int | None = None
    seed: int = SEED
    max_new_tokens: int | None = None
    decode: str | None = None


@dataclass(frozen=True)
class Question:
    """The rows of one evaluation.

    Args:
        task: its id, or the stem of the file's name.
        family: of the task; None for a file of the user's.
        kind: of the answers, one of `metrics.KINDS`.
        labels: the closed set of answers, as they are to be given; empty for open ones.
        source: the data file.
        source_sha256: its digest.
        rows: those that are asked, in the file's order.
        limit: how many were drawn; None for all.
        seed: of the draw.
        max_new_tokens: longest answer that is generated.
        decode: what the command line wants; None for what suits.
        as_published: the published rows, faults included.
        metric: the kind that the command line named; None where it was found out.
    """

    task: str
    family: str | None
    kind: str
    labels: tuple[str, ...]
    source: Path
    source_sha256: str
    rows: tuple[Row, ...]
    limit: int | None
    seed: int
    max_new_tokens: int
    decode: str | None
    as_published: bool = False
    metric: str | None = None

    def decode_for(self, kind: str, scorer: str) -> str:
        """Return how somebody is asked: `labels` or `generate`.

        Args:
            kind: of the respondent; a hosted model gives no likelihoods.
            scorer: the benchmark's own rule is made for generated text.

        Raises:
            UsageError: `labels` is wanted where there are none.
        """
        if self.decode == "labels" and not self.labels:
            raise UsageError(
                f"--decode labels: {self.task} has no closed set of at most {MOST_LABELS} answers; "
                "use --decode generate"
            )
        weighs = bool(self.labels) and kind != "endpoint" and scorer == "finlora"
        return self.decode or ("labels" if weighs else "generate")

    def stem(self, decode: str) -> str:
        """Return what the names of its files begin with."""
        parts = [self.task, *([self.metric] if self.metric else [])]
        parts += ["as_published"] * self.as_published
        parts += ["generate"] * (decode == "generate" and bool(self.labels))
        parts += [f"limit{self.limit}"] * (self.limit is not None)
        return ".".join(parts)

    def identity(self, decode: str) -> dict[str, Any]:
        """Return all of it that decides an answer, as JSON values."""
        asked = {"data": self.source_sha256, "rows": [row.line for row in self.rows], "decode": decode}
        how = {"labels": self.labels} if decode == "labels" else {"max_new_tokens": self.max_new_tokens}
        return {**asked, **how}


def read(asked: Asked, config: Path | None) -> list[Question]:
    """Read the rows of everything that is asked, before a model is loaded.

    Args:
        asked: what the command line names.
        config: the project's config file; None outside a project.

    Returns:
        A question for each task, or one for the file.

    Raises:
        UsageError: no such task; a task without test rows; nothing asked.
        DataError: a file is missing, or rows are faulty.
    """
    if bool(asked.tasks) == bool(asked.file):
        raise UsageError(
            "name what is to be scored: --task NAME (finlora data list shows them), or --data FILE"
        )
    registry = tasks.load(config)
    if asked.file is not None:
        return [_of_file(registry, asked.file, asked, config)]
    if asked.metric is not None:
        raise UsageError("--metric goes with --data; a task names its own")
    root = (project_root(config) if config else Path.cwd()) / "data"
    return [_of_task(tasks.pick(registry, name), root, asked) for name in dict.fromkeys(asked.tasks)]


def _of_task(task: tasks.Task, root: Path, asked: Asked) -> Question:
    if "test" not in task.files:
        with_tests = " They have test rows: " + ", ".join(task.parts) if task.parts else ""
        raise UsageError(f"the task {task.id} has no test rows to score.{with_tests}")
    path = task.path(root, "test", asked.as_published)
    if not path.exists():
        step = tasks.where_from(task) + " --as-published" * asked.as_published
        raise DataError([Problem("the test rows are not there", str(path))], step)
    return _question(task.id, task, path, asked)


def _of_file(registry: Mapping[str, tasks.Task], path: Path, asked: Asked, config: Path | None) -> Question:
    # A file that is called like a task's is judged like it; only the project's own is the task's test.
    task = None if asked.metric else tasks.of_file(registry, path)
    root = (project_root(config) if config else Path.cwd()) / "data"
    own = [task.path(root, "test", side) for side in (False, True)] if task and "test" in task.files else []
    is_test = any(path.resolve() == test.resolve() for test in own)
    return _question(task.id if task and is_test else path.stem, task, path, asked)


def _question(name: str, task: tasks.Task | None, path: Path, asked: Asked) -> Question:
    rows = data.read_rows(path)
    targets = [row.target.strip() for row in rows]
    kind = asked.metric or (task.answer if task else "label")
    labels = _labels(task, kind, targets, asked.metric, path)
    _check_golds(kind, labels, rows, path)
    if labels and asked.metric is None and all(letters.letter_of(label) for label in labels):
        kind = "letter"
    return Question(
        task=name,
        family=task.family if task else None,
        kind=kind,
        labels=labels,
        source=path,
        source_sha256=sha256(path),
        rows=_drawn(rows, asked, path),
        limit=asked.limit,
        seed=asked.seed,
        max_new_tokens=asked.max_new_tokens or (task and task.max_new_tokens) or _NEW_TOKENS,
        decode=asked.decode,
        as_published=path.stem.endswith("_as_published"),
        metric=asked.metric,
    )


def _labels(
    task: tasks.Task | None, kind: str, targets: list[str], metric: str | None, path: Path
) -> tuple[str, ...]:
    """Return the closed set of answers, in the task's order or by name; none for open answers."""
    if kind not in ("label", "letter"):
        return ()
    found = tuple(task.labels) if task and task.labels else tuple(sorted(set(targets)))
    if len(found) > MOST_LABELS:
        kinds = ", ".join(metrics.KINDS)
        raise UsageError(
            f"{path}: {len(found)} different targets, too many for closed labels (at most {MOST_LABELS})"
            + (f"; --metric {metric} does not fit" if metric else "")
            + f"\nSay what the answers are with --metric, one of: {kinds}"
        )
    return found


def _check_golds(kind: str, labels: tuple[str, ...], rows: list[Row], path: Path) -> None:
    known: dict[str, str] = {}
    for label in labels:
        twin = known.setdefault(label_answers.canonical(label), label)
        if twin != label:
            raise UsageError(
                f"{path}: the labels '{twin}' and '{label}' differ in case, brackets, quotes or marks alone, "
                "by which answers are not told apart; write one of them otherwise, or use --metric text"
            )
    problems = [
        Problem(f"the target '{row.target}' is none of the labels: {', '.join(labels)}", str(path), row.line)
        for row in rows
        if labels and label_answers.canonical(row.target) not in known
    ]
    if kind == "letter":
        problems += [
            Problem(f"the target '{row.target}' is no letter from A to E", str(path), row.line)
            for row in rows
            if letters.letter_of(row.target) is None
        ]
    if problems:
        raise DataError(problems[:20])


def _drawn(rows: list[Row], asked: Asked, path: Path) -> tuple[Row, ...]:
    """Return the rows to ask: all, or as many as wanted drawn at random, in the file's order."""
    if asked.limit is None:
        return tuple(rows)
    if asked.limit > len(rows):
        raise UsageError(f"--limit {asked.limit}: {path} has {len(rows)} rows; leave --limit away for all")
    chosen = random.Random(asked.seed).sample(range(len(rows)), asked.limit)
    return tuple(rows[i] for i in sorted(chosen))
