"""The published numbers of the FinLoRA benchmark, with what has to be known about them."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).parent / "files" / "published.json"


@dataclass(frozen=True)
class PublishedTask:
    """One row of the benchmark's table.

    Args:
        task: its id here.
        name: its name there.
        family: of the task.
        scores: for each model accuracy in percent (None: BERTScore alone) and F1 or BERTScore F1, 0 to 1.
        caveats: what is known to be wrong with the row.
    """

    task: str
    name: str
    family: str
    scores: tuple[tuple[float | None, float], ...]
    caveats: tuple[str, ...]

    def percent(self, model: int) -> float:
        """Return the number that the benchmark averages: accuracy in percent, else BERTScore F1 times 100."""
        accuracy, f1 = self.scores[model]
        return 100 * f1 if accuracy is None else accuracy


@dataclass(frozen=True)
class Published:
    """The benchmark's table.

    Args:
        source: `repository`, `commit`, `date`, `place`.
        models: their names, and how each was made.
        overall: the averages as published, in percent.
        caveats: what is known to be wrong with all of it.
        tasks: the rows, family by family.
    """

    source: Mapping[str, str]
    models: tuple[tuple[str, str], ...]
    overall: tuple[float, ...]
    caveats: tuple[str, ...]
    tasks: tuple[PublishedTask, ...]

    def averages(self, family: str | None = None) -> tuple[float, ...]:
        """Return each model's average in percent, computed again from its cells.

        Args:
            family: the only tasks to count; None for all.
        """
        rows = [task for task in self.tasks if family in (None, task.family)]
        return tuple(
            math.fsum(row.percent(model) for row in rows) / len(rows) for model in range(len(self.models))
        )


def load() -> Published:
    """Return the published numbers.

    Source:
        The public FinLoRA repository, commit 7e1cf82 (2025-08-06), the results block of its README.
    """
    value = json.loads(_FILE.read_text(encoding="utf-8"))
    return Published(
        source=value["source"],
        models=tuple((model["name"], model["how"]) for model in value["models"]),
        overall=tuple(value["overall"]),
        caveats=tuple(value["caveats"]),
        tasks=tuple(
            PublishedTask(
                task["task"],
                task["name"],
                task["family"],
                tuple((accuracy, f1) for accuracy, f1 in task["scores"]),
                tuple(task["caveats"]),
            )
            for task in value["tasks"]
        ),
    )
