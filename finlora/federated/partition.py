"""Which client has which rows: drawn evenly, drawn by label, or one file for each institution."""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from finlora.config import RUN_NAME
from finlora.data import Row, read_rows
from finlora.errors import DataError, Problem, UsageError, did_you_mean

Kind = Literal["iid", "dirichlet", "files"]

ALLOWED = (
    "Allowed: iid, dirichlet:ALPHA (as dirichlet:0.5; the smaller, the less alike the clients), "
    "files:FOLDER or files:A.jsonl,B.jsonl (one file for each client)"
)
_KINDS = ("iid", "dirichlet", "files")
# Above, numpy's draw overflows at some point, and clients are alike long before.
_MOST_ALPHA = 1e6
_MOST_LABELS = 100
_TRIES = 100


@dataclass(frozen=True)
class Partition:
    """How rows come to clients.

    Args:
        kind: `iid` (an even draw), `dirichlet` (an uneven draw of each label) or `files` (as they are).
        alpha: concentration of the Dirichlet distribution; None for other kinds.
        files: one for each client, by client name; empty for other kinds.
    """

    kind: Kind
    alpha: float | None = None
    files: tuple[Path, ...] = ()


def parse(text: str) -> Partition:
    """Read what `--partition` says: `iid`, `dirichlet:ALPHA`, `files:FOLDER` or `files:FILE,FILE`.

    A folder stands for each `*.jsonl` directly in it.

    Raises:
        UsageError: it says something else, or names files that can't be clients.
    """
    kind, colon, rest = text.partition(":")
    if kind == "iid" and not colon:
        return Partition("iid")
    if kind == "dirichlet":
        return Partition("dirichlet", alpha=_alpha(rest))
    if kind == "files":
        return Partition("files", files=_files(rest))
    near = did_you_mean(kind.lower(), _KINDS)
    if text and not near and _is(Path(text).exists):
        near = f", did you mean 'files:{text}'?"
    raise UsageError(f"--partition {text}: no such partition{near}\n{ALLOWED}")


def _alpha(text: str) -> float:
    try:
        alpha = float(text)
    except ValueError:
        alpha = math.nan
    if not 0 < alpha <= _MOST_ALPHA:
        raise UsageError(
            f"--partition dirichlet:{text}: ALPHA is a number above 0, at most {_MOST_ALPHA:,.0f}\n{ALLOWED}"
        )
    return alpha


def _files(text: str) -> tuple[Path, ...]:
    """Return the files that are named, by client name."""
    whole = _path(text)
    if text and _is(whole.is_dir):
        found = list(whole.glob("[!.]*.jsonl"))
        empty = f"{whole}: no *.jsonl file lies in this folder"
    else:
        # A comma may stand in a name too.
        found = [whole] if _is(whole.is_file) else [_path(part) for part in text.split(",") if part]
        empty = f"--partition files:{text}: names no file"
    if not found:
        raise UsageError(f"{empty}\n{ALLOWED}")
    faults = _file_faults(found)
    if faults:
        raise UsageError("\n".join(["--partition files:", *(f"  {fault}" for fault in faults), ALLOWED]))
    return tuple(sorted(found, key=lambda path: path.stem))


def _path(text: str) -> Path:
    try:
        # No shell does it behind `files:`.
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(f"--partition files:{text}: {error}") from None


def _file_faults(files: Sequence[Path]) -> list[str]:
    by_name: dict[str, list[Path]] = defaultdict(list)
    faults = []
    for path in files:
        by_name[path.stem].append(path)
        if not _is(path.is_file):
            faults.append(_missing(path))
        elif not RUN_NAME.fullmatch(path.stem):
            faults.append(
                f"{path}: the name becomes the client's: letters, digits, '.', '_' and '-', "
                "a letter or digit first"
            )
    for name, alike in by_name.items():
        if len(alike) > 1:
            faults.append(f"{', '.join(map(str, alike))}: each would be the client '{name}'; rename one")
    return faults


def _missing(path: Path) -> str:
    if _is(path.is_dir):
        return f"{path}: is a folder, not a JSONL file"
    beside = path.parent.glob("*.jsonl") if _is(path.parent.is_dir) else ()
    return f"{path}: no such file{did_you_mean(path.name, sorted(other.name for other in beside))}"


def _is(check: Callable[[], bool]) -> bool:
    """Return what a path says of itself; a list of files is too long for a name, which is an error."""
    try:
        return check()
    except OSError:
        return False


def of_files(partition: Partition, clients: int | None = None) -> dict[str, list[Row]]:
    """Return the rows of each client of a `files` partition; a client has the name of its file.

    Args:
        partition: of `parse`.
        clients: how many are asked for; None for as many as there are files.

    Raises:
        UsageError: there are more or fewer files.
        DataError: files are empty or hold faulty rows, each named with its line.
    """
    files = partition.files
    if clients is not None and clients != len(files):
        names = ", ".join(path.stem for path in files)
        raise UsageError(
            f"--clients {clients}: each file of --partition files is a client, {len(files)} in all: {names}\n"
            f"Leave --clients out, or name {clients} files"
        )
    parts: dict[str, list[Row]] = {}
    problems: list[Problem] = []
    for path in files:
        try:
            parts[path.stem] = read_rows(path)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return parts


def shares(
    rows: Sequence[Row], partition: Partition, clients: int, seed: int, least: int = 1
) -> dict[str, list[Row]]:
    """Draw which client has which rows of one dataset; each row comes to exactly one.

    Args:
        rows: the dataset.
        partition: of kind `iid` or `dirichlet`.
        clients: how many.
        seed: decides the draw.
        least: rows that every client needs.

    Returns:
        Rows in the dataset's order by client: `client_1`, … with zeros before, so that names sort as
        numbers do.

    Raises:
        UsageError: there are too few rows, targets that are no labels, or no draw gives all clients rows.
    """
    if partition.kind == "files":
        raise ValueError("files have their clients already: of_files")
    if not 1 <= clients <= len(rows) // least:
        raise UsageError(
            f"--clients {clients}: the dataset has {len(rows):,} rows, and a client needs {least:,} or more\n"
            f"Allowed: 1 to {max(len(rows) // least, 1):,} clients, or a larger dataset"
        )
    if partition.alpha is not None:
        parts = _by_label(rows, partition.alpha, clients, seed, least)
    else:
        order = random.Random(seed).sample(range(len(rows)), len(rows))
        parts = [order[first::clients] for first in range(clients)]
    digits = len(str(clients))
    return {
        f"client_{number:0{digits}}": [rows[i] for i in sorted(part)] for number, part in enumerate(parts, 1)
    }


def label_rows(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Return the places of the rows of each label, by label; empty where targets are no labels.

    Targets are labels where there are at most 100 different ones, and half as many as rows.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[row.target.strip()].append(place)
    closed = len(places) <= _MOST_LABELS and 2 * len(places) <= len(rows)
    return {label: places[label] for label in sorted(places)} if closed else {}


def _by_label(rows: Sequence[Row], alpha: float, clients: int, seed: int, least: int) -> list[list[int]]:
    """Return the places of each client's rows: each label spread by a Dirichlet draw of its own.

    Source: the rule by which Yurochkin et al. 2019 (arXiv 1905.12022, section 4) make unlike clients;
    Hsu et al. 2019 (arXiv 1909.06335) draw labels for each client instead.
    """
    import numpy as np

    labels = label_rows(rows)
    if not labels:
        distinct = len({row.target.strip() for row in rows})
        raise UsageError(
            f"--partition dirichlet: spreads rows by their label, and these {len(rows):,} rows have "
            f"{distinct:,} different targets; labels are at most {_MOST_LABELS}, and half as many as rows\n"
            "Take: --partition iid"
        )
    chance = np.random.default_rng(seed)
    for _ in range(_TRIES):
        parts: list[list[int]] = [[] for _ in range(clients)]
        for places in labels.values():
            mixed = iter(chance.permutation(places).tolist())
            counts = _counts(chance.dirichlet([alpha] * clients).tolist(), len(places))
            for part, count in zip(parts, counts, strict=True):
                part += islice(mixed, count)
        if min(map(len, parts)) >= least:
            return parts
    raise UsageError(
        f"--partition dirichlet:{alpha:g} --clients {clients}: in each of {_TRIES} draws a client got fewer "
        f"rows than {least:,}, of {len(rows):,}\nTake fewer clients, a greater ALPHA, or --partition iid"
    )


def _counts(portions: Sequence[float], total: int) -> list[int]:
    """Return whole numbers in these portions, `total` in all; the largest remainders are rounded up."""
    exact = [portion * total for portion in portions]
    counts = [math.floor(part) for part in exact]
    largest = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in largest[: total - sum(counts)]:
        counts[i] += 1
    return counts
