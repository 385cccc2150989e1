"""Cards: what a dataset file is made of, beside each, and their list in the data folder's README.

A file and its card are two files, and a crash may come between them. The new card is written first, under
a name of its own; then the rows are replaced; then the card takes its place. A card speaks for its file only
while the digest in it is the file's, and a reader finishes the last step where a crash prevented it.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finlora.converters import Dropped
from finlora.errors import FinLoRAError
from finlora.files import hold, sha256, sweep, write_atomic, write_json

SCHEMA = 1
_BEGIN = "<!-- finlora data: begin -->"
_END = "<!-- finlora data: end -->"


@dataclass(frozen=True)
class Look:
    """What lies where a task's rows belong.

    Args:
        state: `missing`; `made`, by a fetch, as the card says; `changed` since; `unknown`, without a card.
        card: the file's card; where the state is not `made`, the last one there was, if any.
    """

    state: Literal["missing", "made", "changed", "unknown"]
    card: Mapping[str, Any] | None


def path_of(rows: Path) -> Path:
    """Return where the card of a dataset file lies."""
    return rows.with_suffix(".card.json")


def publish(rows: Path, content: bytes, card: Mapping[str, Any]) -> None:
    """Put a dataset file and its card in their places, so that neither ever speaks for another.

    The caller holds a lock on what it makes.

    Args:
        rows: the dataset file.
        content: its rows.
        card: with the digest of `content` as `sha256`.

    Raises:
        FinLoRAError: the disk is full or the folder can't be written; what was there is there.
    """
    for path in (rows, _pending(rows)):
        sweep(path)
    write_json(_pending(rows), card)
    try:
        write_atomic(rows, content)
    except FinLoRAError:
        _pending(rows).unlink(missing_ok=True)
        raise
    _settle(rows)


def look(rows: Path) -> Look:
    """Return what lies at the place of a dataset file; finishes what a crash left half done."""
    card, pending = _read(path_of(rows)), _read(_pending(rows))
    if not rows.is_file():
        return Look("missing", card)
    digest = sha256(rows)
    if pending is not None and pending.get("sha256") == digest:
        _settle(rows)
        return Look("made", pending)
    if card is None:
        return Look("unknown", None)
    return Look("made" if card.get("sha256") == digest else "changed", card)


def index(data: Path) -> Path:
    """List all cards of a data folder in its README, between marks; the text around them is kept.

    Args:
        data: the project's data folder.

    Returns:
        The README.
    """
    readme = data / "README.md"
    with hold(data / ".readme.lock"):
        sweep(readme)
        lines = [
            _line(data, path) for path in sorted(data.rglob("*.card.json")) if not path.name.startswith(".")
        ]
        head = [
            "| file | rows | task | source | licence | date |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        block = "\n".join([_BEGIN, "", *head, *filter(None, lines), "", _END])
        text = readme.read_text(encoding="utf-8") if readme.is_file() else "# Data\n\n" + _BEGIN + _END + "\n"
        before, begin, rest = text.partition(_BEGIN)
        after = rest.partition(_END)[2] if begin else "\n"
        if not begin:
            before = before.rstrip("\n") + "\n\n"
        if (new := before + block + after) != text:
            write_atomic(readme, new)
    return readme


def listed(dropped: Sequence[Dropped]) -> dict[str, dict[str, str]]:
    """Return dropped records as reason, file and lines, runs of lines drawn together: `3-7, 9`."""
    lines: dict[str, dict[str, list[int]]] = {}
    for drop in dropped:
        lines.setdefault(drop.why, {}).setdefault(drop.file, []).append(drop.line)
    return {why: {file: _runs(sorted(found)) for file, found in by.items()} for why, by in lines.items()}


def _runs(numbers: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number <= runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _line(data: Path, path: Path) -> str | None:
    card = _read(path)
    if card is None:
        return None
    try:
        rows, source, licence = (
            card["counts"]["rows"],
            card["source"],
            card["licence"]["stated"].replace("|", "/"),
        )
        origin = {"hub": f"{source.get('repo')} at {str(source.get('revision'))[:12]}"}.get(
            source["kind"], source["kind"]
        )
        name = path.relative_to(data).as_posix().removesuffix(".card.json") + ".jsonl"
        task = f"{card['task']} ({card['form'].replace('_', ' ')})"
        return f"| `{name}` | {rows:,} | {task} | {origin} | {licence} | {card['date']} |".replace("\n", " ")
    except (KeyError, TypeError, AttributeError, ValueError):
        # A card of another version, or one that somebody edited, is passed over.
        return None


def _settle(rows: Path) -> None:
    """Give the new card its place, unless whoever looked at the same time has done it."""
    with suppress(FileNotFoundError):
        _pending(rows).replace(path_of(rows))


def _pending(rows: Path) -> Path:
    return rows.with_name(f".{path_of(rows).name}.new")


def _read(path: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError, RecursionError):
        card = json.loads(path.read_bytes())
        if isinstance(card, dict) and card.get("schema") == SCHEMA:
            return card
    return None
