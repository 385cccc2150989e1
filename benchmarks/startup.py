"""How long the light commands take to start and end, against `axolotl --help`."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import report

from finlora import project
from finlora.privacy import OFFLINE, QUIET

REPEATS = 7
RUN = "formula_llama_3_1_8b_8bits_r8"
DEMO = "sentiment_smollm2_135m_fp16_r8"
BASELINE = "axolotl --help"
# Command: how many times faster than the baseline it is meant to be.
GOALS = {
    "finlora --help": 20,
    "finlora configs list": 10,
    f"finlora render {RUN}": 10,
    f"finlora plan {DEMO} --gpu a5000": 10,
    "finlora fetch-deepspeed": 10,
    "finlora compare one two": 10,
    "finlora data list": 10,
    "finlora data show tfns": 10,
}
WORDS = f"""Seconds from start to end of a command, {REPEATS} rounds in turn after one that does not count.
All run in a project that `finlora init` laid out; `fetch-deepspeed` writes its files anew each time;
the two adapters are ones of a few steps.
`axolotl --help` loads the training libraries, and its telemetry is off."""


def timed(command: str, folder: Path) -> Callable[[], float]:
    """Return a function that runs a command in a folder once and returns its seconds."""
    program, *arguments = command.split()
    argv = [str(Path(sys.executable).with_name(program)), *arguments]

    def measure() -> float:
        shutil.rmtree(folder / "deepspeed_configs", ignore_errors=True)
        started = time.perf_counter()
        subprocess.run(
            argv, cwd=folder, env={**os.environ, **QUIET, **OFFLINE}, check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - started

    return measure


def main() -> None:
    """Measure, print the table, write it to startup.md."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.conftest import Project, shelve

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project.init(folder)
        for run in ("one", "two"):
            shelve(Project(folder), run)
        sides = {command: timed(command, folder) for command in (BASELINE, *GOALS)}
        seconds = report.take_turns(sides, REPEATS)
    rows = [
        [*line, str(goal)]
        for line, goal in zip(report.lines(seconds, BASELINE), ("", *GOALS.values()), strict=True)
    ]
    columns = ["command", "median s", "fastest", "slowest", "times faster", "goal"]
    report.write("startup", "Start of the light commands", WORDS, columns, rows)


if __name__ == "__main__":
    main()
