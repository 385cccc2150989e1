"""What the tests of converters share: a task, records, and a look from processes with other hash seeds."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finlora.converters import Converted, Record
from finlora.tasks import Task

ROOT = Path(__file__).parents[1]
SCRIPT = "from tests.converters.{name} import everything; print(everything())"


def make_task(how: str, prompt: str, **more: Any) -> Task:
    """Return a task that is converted in a certain way."""
    entry = {
        "id": "miniature",
        "name": "Miniature",
        "description": "A few rows.",
        "family": "general",
        "answer": "text",
        "prompt": prompt,
        "max_new_tokens": 10,
        "metrics": ["accuracy"],
        "source": {"kind": "bring", "where": "here", "files": {"all": [{"path": "mini.jsonl"}]}},
        "licence": {"stated": "MIT", "terms": "free"},
        "split": {"rule": "at random", "seed": 42, "test_share": 0.25},
        "files": {"train": "train/mini.jsonl", "test": "test/mini.jsonl"},
    }
    convert = {"how": how, **more.pop("convert", {})}
    return Task.model_validate({**entry, **more, "convert": convert})


def make_records(rows: Sequence[dict[str, Any]], file: str = "mini.jsonl") -> list[Record]:
    """Return rows as the records of a file, from line 1 on."""
    return [Record(row, file, line) for line, row in enumerate(rows, 1)]


def reasons(done: Converted) -> list[tuple[int, str]]:
    """Return line and reason of all that was dropped."""
    return [(dropped.line, dropped.why) for dropped in done.dropped]


def seen_with_hash_seeds(name: str) -> set[str]:
    """Return what `everything()` of a test module gives in three processes, each with another hash seed."""
    return {
        subprocess.run(
            [sys.executable, "-c", SCRIPT.format(name=name)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
