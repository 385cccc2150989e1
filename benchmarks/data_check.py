"""How long `finlora data check FILE` takes, and what memory, as files grow."""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import report

from finlora import builtin

SIZES = (10_000, 30_000, 100_000)
MOULDS = 8
GOAL_SECONDS, GOAL_BYTES = 60, 4096
TOKENIZER = "was" if (builtin.model_folder() / "tokenizer.json").is_file() else "was not"
WORDS = f"""`finlora data check FILE` on generated rows of sentence length: an instruction, a sentence of
12 to 28 words, one of three labels. Two kinds of file:

- varied: words drawn at random from 8,000, one row in a hundred repeated to the letter, one in twenty with
  one word changed
- moulds: {MOULDS} sentences, with another number and amount in every row, so that a row is near an eighth of
  all: what would take quadratic time if all pairs were compared

Seconds are those of the check in a process of its own, reading included; CPU seconds are those of all its
threads. Memory is the peak of the process (`VmHWM`) over that of a check of ten rows, so it holds the rows'
own text. Growth is CPU seconds a row over those of the line above. Wanted: under {GOAL_SECONDS} s for
{SIZES[-1]:,} rows on 2 cores, and at most {GOAL_BYTES:,} bytes a row.

The built-in model's tokenizer {TOKENIZER} on the machine; without it, tokens are estimated, which takes
less time and memory. Other work ran on the two cores at the same time."""
CHILD = """
import json, sys, time
from pathlib import Path
from finlora import data_check
from finlora.data_targets import Asked
started, cpu = time.perf_counter(), time.process_time()
report = data_check.check(None, Asked(sys.argv[1]))
seconds = time.perf_counter() - started
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
found = {f.code: f.count for f in report.files[0].findings}
cpu, size = time.process_time() - cpu, int(peak.split()[1]) * 1024
print(json.dumps({"seconds": seconds, "cpu": cpu, "bytes": size, "found": found}))
"""
FRAME = (
    "Instruction: What is the sentiment of this news? Please choose an answer from "
    "{negative/neutral/positive}.\nInput: "
)
LABELS = ("negative", "neutral", "positive")


def varied(count: int) -> Iterator[str]:
    """Yield sentences of random words, some of them repeated or nearly so."""
    chance = random.Random(1)
    letters = "abcdefghijklmnoprstuvwz"
    words = ["".join(chance.choices(letters, k=chance.randint(3, 9))) for _ in range(8000)]
    before = chance.sample(words, 20)
    for number in range(count):
        if number % 100 == 99:
            sentence = list(before)
        elif number % 20 == 19:
            sentence = [*before[:-1], chance.choice(words)]
        else:
            sentence = chance.choices(words, k=chance.randint(12, 28))
        before = sentence
        yield " ".join(sentence)


def moulds(count: int) -> Iterator[str]:
    """Yield eight sentences in many variations."""
    chance = random.Random(2)
    fixed = [list(varied(20))[number] for number in range(MOULDS)]
    for number in range(count):
        yield f"{fixed[number % MOULDS]} company {number} {chance.randint(1, 10**6)}"


def write(path: Path, sentences: Iterator[str]) -> None:
    """Write rows of sentences."""
    chance = random.Random(3)
    with path.open("w", encoding="utf-8") as file:
        for sentence in sentences:
            row = {"context": f"{FRAME}{sentence}\nAnswer: ", "target": chance.choice(LABELS)}
            file.write(json.dumps(row) + "\n")


def measured(path: Path) -> tuple[float, float, int]:
    """Check a file in a process of its own, and return seconds, CPU seconds and peak bytes."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, path.name],
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        check=True,
        capture_output=True,
        text=True,
    )
    print(path.name, done.stdout.strip(), flush=True)
    one = json.loads(done.stdout)
    return one["seconds"], one["cpu"], one["bytes"]


def main() -> None:
    """Measure, print the table, write it to data_check.md."""
    kinds: dict[str, Callable[[int], Iterator[str]]] = {"varied": varied, "moulds": moulds}
    rows = []
    with tempfile.TemporaryDirectory() as name:
        few = Path(name) / "few.jsonl"
        write(few, varied(10))
        _, _, base = measured(few)
        for kind, sentences in kinds.items():
            slower = None
            for size in SIZES:
                path = Path(name) / f"{kind}_{size}.jsonl"
                write(path, sentences(size))
                seconds, cpu, peak = measured(path)
                rate = cpu / size
                growth = "" if slower is None else f"{rate / slower:.2f}"
                slower = rate
                text = path.stat().st_size / size
                rows.append(
                    [
                        kind,
                        f"{size:,}",
                        f"{seconds:.1f}",
                        f"{cpu:.1f}",
                        growth,
                        f"{(peak - base) / size:,.0f}",
                        f"{text:,.0f}",
                    ]
                )
    columns = ["file", "rows", "seconds", "CPU seconds", "growth", "bytes a row", "of them in the file"]
    report.write("data_check", "Checking data", WORDS, columns, rows)


if __name__ == "__main__":
    main()
