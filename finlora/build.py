"""Builds datasets: the table of builders, and writing what they make where a project keeps its data.

Each file comes with a card (`cards`) that says of what, with which seed and in which size it was made.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from finlora import __version__, cards, data, files
from finlora.builders import formula, headline, ner, sentiment, sentiment_news, xbrl_extract
from finlora.converters import Dropped
from finlora.errors import UsageError, did_you_mean

SEED = 42
Rows = Sequence[dict[str, Any]]
# What to do about files that hold other rows, and what became of a file.
Existing = Literal["refuse", "replace", "keep"]
State = Literal["new", "unchanged", "replaced", "kept"]


class Sides(NamedTuple):
    """What a builder makes: training rows, test rows, and what it passed over in a folder it read."""

    train: Rows
    test: Rows
    skipped: Sequence[Dropped] = ()


@dataclass(frozen=True)
class Builder:
    """How one dataset is made.

    Args:
        build: makes the fields of `Sides`, as a tuple, from `seed`, `train_rows` and `test_rows`, and from
            `folder` where it can read one.
        train_rows: how many training rows there are by default; None: all there are.
        test_rows: the same of test rows.
        stem: what its files are called, before `_train.jsonl` and `_test.jsonl`.
        rule: what training and test rows do not share, for the card.
        reads: what the folder of --from holds; empty where rows come of this project's own material alone.
        fixed: whether it is one set of rows, which has no other size and no other seed.
    """

    build: Callable[..., tuple[Any, ...]]
    train_rows: int | None
    test_rows: int | None
    stem: str
    rule: str
    reads: str = ""
    fixed: bool = False


_NAMES = "training and test rows share no template and no name"
BUILDERS: Mapping[str, Builder] = {
    "sentiment_sample": Builder(sentiment.build, 960, 240, "sentiment_sample", _NAMES, fixed=True),
    "formula": Builder(
        formula.build, 800, 200, "formula_built", f"{_NAMES}, and of a kind no set of numbers"
    ),
    "sentiment": Builder(sentiment_news.build, 6000, 1200, "sentiment_built", _NAMES),
    "headline": Builder(headline.build, 9000, 1800, "headline_built", _NAMES),
    "ner": Builder(ner.build, 3000, 600, "ner_built", _NAMES),
    "xbrl_extract": Builder(
        xbrl_extract.build,
        None,
        None,
        "xbrl_extract_built",
        "by company and year: no company stands on both sides, and test rows are of the last year",
        reads="10-K and 10-Q filings (XBRL instances or inline XBRL)",
    ),
}


# On what terms rows may be used: those made of this project's own words, and those made of a user's files.
_OWN = {"stated": "Apache-2.0", "terms": "free"}
_FROM_FILES = {"stated": "that of the files they were made from", "terms": "unstated"}


@dataclass(frozen=True)
class Order:
    """What to build.

    Args:
        name: one of BUILDERS.
        train_rows: how many training rows, at least 1; None: the builder's default.
        test_rows: how many test rows, at least 1; None: the builder's default.
        seed: the same seed gives the same rows; None: 42.
        folder: what the builder is to read; None: this project's own material.
    """

    name: str
    train_rows: int | None = None
    test_rows: int | None = None
    seed: int | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class BuiltFile:
    """One file of a built dataset.

    Args:
        path: where it lies.
        rows: how many rows were built for it.
        sha256: the digest of those rows as a file.
        state: new, unchanged (it held them already), replaced or kept (it holds others).
    """

    path: Path
    rows: int
    sha256: str
    state: State

    @property
    def is_written(self) -> bool:
        """Whether this build wrote the file, and its card."""
        return self.state in ("new", "replaced")


@dataclass(frozen=True)
class Built:
    """A built dataset: its name, the seed, its training and test file, and what was passed over."""

    name: str
    seed: int
    files: tuple[BuiltFile, BuiltFile]
    skipped: tuple[Dropped, ...] = ()


def build(root: Path, order: Order, existing: Existing = "refuse") -> Built:
    """Build a dataset and write its two files, each with its card.

    Args:
        root: the project.
        order: what to build.
        existing: files that hold other rows are replaced, or kept, or refused: then nothing at all is
            written.

    Raises:
        UsageError: no such builder, something it does not take, more rows than it can make, or files
            that hold other rows.
        FinLoRAError: a file can't be written.
    """
    paths = dataset_files(root, order.name)
    seed = SEED if order.seed is None else order.seed
    made = _make(order, seed)
    contents = data.jsonl(made.train), data.jsonl(made.test)
    states = [_state(path, content, existing) for path, content in zip(paths, contents, strict=True)]
    files = []
    for path, content, state, rows in zip(paths, contents, states, made[:2], strict=True):
        files.append(BuiltFile(path, len(rows), hashlib.sha256(content).hexdigest(), state))
    train, test = files
    built = Built(order.name, seed, (train, test), tuple(made.skipped))
    for file, content in zip(files, contents, strict=True):
        if file.is_written:
            cards.publish(file.path, content, _card(built, file, order.folder))
    return built


def dataset_files(root: Path, name: str) -> tuple[Path, Path]:
    """Return the training and the test file of a built dataset.

    Raises:
        UsageError: no builder of this name; the message names the nearest.
    """
    stem = _pick(name).stem
    return root / "data" / "train" / f"{stem}_train.jsonl", root / "data" / "test" / f"{stem}_test.jsonl"


def _pick(name: str) -> Builder:
    if name not in BUILDERS:
        raise UsageError(
            f"no dataset '{name}' is built here{did_you_mean(name, list(BUILDERS))}; there are: "
            f"{', '.join(BUILDERS)}"
        )
    return BUILDERS[name]


def _make(order: Order, seed: int) -> Sides:
    name, builder = order.name, _pick(order.name)
    if builder.fixed and (order.train_rows, order.test_rows, order.seed) != (None, None, None):
        raise UsageError(f"{name} is one fixed sample: it takes no --rows, --test-rows or --seed")
    if order.folder and not builder.reads:
        raise UsageError(f"{name} is made from this project's own material: it takes no --from")
    if order.folder and not order.folder.is_dir():
        raise UsageError(f"{order.folder}: no such folder; --from is for {builder.reads}")
    source = {"folder": order.folder} if order.folder else {}
    train_rows = builder.train_rows if order.train_rows is None else order.train_rows
    test_rows = builder.test_rows if order.test_rows is None else order.test_rows
    made = Sides(*builder.build(seed=seed, train_rows=train_rows, test_rows=test_rows, **source))
    for side, rows in (("training", made.train), ("test", made.test)):
        if not rows:
            raise UsageError(f"{name}: no {side} row could be made{_from(order.folder)}")
    return made


def _card(built: Built, file: BuiltFile, folder: Path | None) -> dict[str, Any]:
    builder, (train, test) = BUILDERS[built.name], built.files
    return {
        "schema": cards.SCHEMA,
        "task": builder.stem,
        "form": "built",
        "side": "train" if file is train else "test",
        "sha256": file.sha256,
        "source": {
            "kind": "built",
            "builder": built.name,
            "seed": built.seed,
            "rows": {"train": train.rows, "test": test.rows},
            # The folder's name only: a card may travel with its file.
            "folder": folder.resolve().name if folder else None,
        },
        "licence": _FROM_FILES if folder else _OWN,
        "rule": {"rule": builder.rule, "seed": built.seed},
        "counts": {"rows": file.rows, "skipped": dict(Counter(item.why for item in built.skipped))},
        "date": datetime.now(UTC).date().isoformat(),
        "finlora": __version__,
    }


def _from(folder: Path | None) -> str:
    return f" from what lies in {folder}" if folder else ""


def _state(path: Path, content: bytes, existing: Existing) -> State:
    if path.is_file() and path.read_bytes() == content:
        return "unchanged"
    if path.exists() and existing == "keep":
        return "kept"
    if path.is_file() and existing == "refuse":
        raise UsageError(
            f"{path} holds other rows; nothing was written. To replace them, add --overwrite; to keep them, "
            "move the file away first"
        )
    # Found out before the first of two files is written: that the second can't be.
    files.check_writable(path)
    return "replaced" if path.exists() else "new"
