"""From Enter to the first training step: `finlora finetune` against `axolotl train` on the same YAML."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import report

from finlora import build, config, project, training_plan
from finlora.events import JOB_VARIABLE, EventReader
from finlora.files import write_json

REPEATS = 5
RUN = "launch"
FINLORA = "finlora finetune"
AXOLOTL = "axolotl train"
DIRECT = "axolotl train --launcher python"
WORDS = f"""Seconds from the start of the command until its first training step is done, {REPEATS} rounds
in turn after one that does not count. Every side trains the same YAML on the same CPU with the same
environment (threads, no telemetry, no network): a random two-layer Llama, 16 rows of the sentiment sample
in batches of 8, float32. `finlora finetune` reads and checks config, dataset and base model, writes that
YAML and job, and starts the training process; `axolotl train` starts it through `accelerate launch`, unless
told otherwise: with `--launcher python` it starts the same process as directly as FinLoRA does."""


def lay_out(folder: Path) -> config.ConfigFile:
    """Make a project with one short run on a tiny random base model."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.tiny import make_tiny_base

    project.init(folder)
    make_tiny_base(folder / "base", spread=0.02)
    sample, _ = build.dataset_files(folder, "sentiment_sample")
    rows = sample.read_text(encoding="utf-8").splitlines(keepends=True)[:16]
    (folder / "data" / "rows.jsonl").write_text("".join(rows), encoding="utf-8")
    run = {"base_model": "../base", "dataset_path": "../data/rows.jsonl", "batch_size": 8, "dtype": "float32"}
    path = folder / "configs" / config.CONFIG_NAME
    write_json(path, {RUN: run})
    return config.load(path)


def first_step(argv: Sequence[str], folder: Path, env: dict[str, str], events: Path) -> float:
    """Start a command, wait for its end, and return the seconds until its first step was reported."""
    seconds = None
    with (folder / "log").open("ab") as log:
        started = time.perf_counter()
        child = subprocess.Popen(
            argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        reader = EventReader(events)
        while seconds is None and child.poll() is None:
            if any(event["event"] == "step" for event in reader.new()):
                seconds = time.perf_counter() - started
            time.sleep(0.01)
        child.wait()
    if child.returncode or seconds is None:
        print((folder / "log").read_text(encoding="utf-8", errors="replace")[-3000:])
        raise SystemExit(f"{' '.join(argv)} ended with {child.returncode} and reported no step")
    return seconds


def sides(folder: Path) -> dict[str, Callable[[], float]]:
    """Return what is measured: each side starts from the same empty output folder."""
    # No GPU on any side, and the same threads for all.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    plan = training_plan.plan(lay_out(folder), RUN, training_plan.Options())
    programs = Path(sys.executable).parent
    # `axolotl train` looks for `accelerate` on the path, as in an activated environment.
    env = {**os.environ, **plan.environment(), "PATH": f"{programs}:{os.environ['PATH']}"}
    yaml, job, events = (folder / name for name in ("axolotl.yml", "job.json", "events.jsonl"))

    def finlora() -> float:
        shutil.rmtree(plan.folder, ignore_errors=True)
        argv = [str(programs / "finlora"), "finetune", RUN, "--overwrite", "--offline"]
        taken = first_step(argv, folder, env, plan.folder / "events.jsonl")
        shutil.copyfile(plan.folder / "axolotl.yml", yaml)
        written = json.loads((plan.folder / "job.json").read_text(encoding="utf-8"))
        write_json(job, {**written, "launcher": os.getpid(), "events": str(events)})
        return taken

    def axolotl(*options: str) -> float:
        shutil.rmtree(plan.folder, ignore_errors=True)
        events.unlink(missing_ok=True)
        argv = [str(programs / "axolotl"), "train", str(yaml), *options]
        return first_step(argv, folder, {**env, JOB_VARIABLE: str(job)}, events)

    # FinLoRA goes first: what the others train is what it wrote.
    return {FINLORA: finlora, AXOLOTL: axolotl, DIRECT: lambda: axolotl("--launcher", "python")}


def main() -> None:
    """Measure, print the table, write it to launch.md."""
    with tempfile.TemporaryDirectory() as name:
        seconds = report.take_turns(sides(Path(name).resolve()), REPEATS)
    columns = ["command", "median s", "fastest", "slowest", "times faster"]
    rows = report.lines(seconds, AXOLOTL)
    report.write("launch", "From Enter to the first training step", WORDS, columns, rows)


if __name__ == "__main__":
    main()
