"""Lays out a new project: config with examples, folders, the sample data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finlora import adapters, config, data, deepspeed
from finlora.builders import formula, sentiment
from finlora.errors import UsageError
from finlora.files import write_atomic, write_json

# Dataset name: what builds its training and test rows.
BUILDERS = {"sentiment_sample": sentiment.build, "formula_built": formula.build}


@dataclass(frozen=True)
class Laid:
    """What `init` made: the project folder and the files, relative to it."""

    folder: Path
    files: tuple[str, ...]


def init(folder: Path) -> Laid:
    """Lay out a project: nothing that is there is touched.

    Args:
        folder: the project's folder; made if need be.

    Raises:
        UsageError: it holds a config already.
    """
    target = folder / "configs" / config.CONFIG_NAME
    if target.exists():
        raise UsageError(
            f"{target} exists already: this folder is a project. See it with: finlora configs list"
        )
    examples = Path(__file__).parent / "files" / config.CONFIG_NAME
    write_json(target.with_name("finetune_configs.schema.json"), config.json_schema())
    made = [target.with_name("finetune_configs.schema.json")]
    for name in BUILDERS:
        missing = [path for path in dataset_files(folder, name) if not path.exists()]
        if missing:
            _build(folder, name, missing)
        made += missing
    report = deepspeed.write_shipped(folder / "deepspeed_configs")
    made += [report.folder / name for name in report.new]
    (folder / adapters.SHELF).mkdir(parents=True, exist_ok=True)
    # The config comes last: with it the folder is a project.
    write_atomic(target, examples.read_bytes())
    return Laid(folder, tuple(str(path.relative_to(folder)) for path in [target, *made]))


def dataset_files(root: Path, name: str) -> tuple[Path, Path]:
    """Return the training and the test file of a built dataset."""
    return root / "data" / "train" / f"{name}_train.jsonl", root / "data" / "test" / f"{name}_test.jsonl"


def build_dataset(root: Path, name: str) -> tuple[Path, Path]:
    """Build a dataset from this project's own material and write its two files.

    Args:
        root: the project.
        name: one of BUILDERS.

    Raises:
        UsageError: no such dataset.
    """
    if name not in BUILDERS:
        raise UsageError(f"no dataset '{name}' is built here; there are: {', '.join(BUILDERS)}")
    paths = dataset_files(root, name)
    _build(root, name, paths)
    return paths


def _build(root: Path, name: str, wanted: Sequence[Path]) -> None:
    for path, rows in zip(dataset_files(root, name), BUILDERS[name](), strict=True):
        if path in wanted:
            data.write_rows(path, rows)
