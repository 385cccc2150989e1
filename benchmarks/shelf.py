"""How long it takes to list a full shelf."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import report

REPEATS = 7
ADAPTERS = 1000
STEPS = 200
BASELINE = "finlora --help"
COMMANDS = (BASELINE, "finlora adapters list", "finlora adapters list --json")
WORDS = f"""Seconds from start to end of a command, {REPEATS} rounds in turn after one that does not count.
The shelf holds {ADAPTERS:,} adapters, each with a manifest of {STEPS} steps; the weights are not read. Goal:
half a second. `finlora --help` reads no shelf."""


def timed(command: str, folder: Path) -> Callable[[], float]:
    """Return a function that runs a command in a folder once and returns its seconds."""
    argv = [sys.executable, "-m", *command.split()]

    def measure() -> float:
        started = time.perf_counter()
        subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    return measure


def main() -> None:
    """Fill a shelf, measure, print the table, write it to shelf.md."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.conftest import RUN, shelve, write_project

    with tempfile.TemporaryDirectory() as name:
        project = write_project(Path(name) / "project", {"first_run": RUN})
        for i in range(ADAPTERS):
            shelve(project, f"run_{i:04}", losses=[(step, 2 - step / 1000) for step in range(1, STEPS + 1)])
        seconds = report.take_turns({text: timed(text, project.root) for text in COMMANDS}, REPEATS)
    columns = ["command", "median s", "fastest", "slowest", "times faster"]
    report.write("shelf", "Listing a full shelf", WORDS, columns, report.lines(seconds, BASELINE))


if __name__ == "__main__":
    main()
