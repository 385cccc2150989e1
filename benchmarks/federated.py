"""Does federating help? Clients alone, together, and all their rows in one place, scored by `finlora eval`.

It wants the Flower environment (`make federated`) and about half an hour on 2 quiet cores.

    python benchmarks/federated.py
    python benchmarks/federated.py --try    (does the script itself work? few rows, and no page)
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import report

from finlora import config, project
from finlora.axolotl_yaml import OUTPUT
from finlora.data import read_rows, write_rows
from finlora.federated import preparation
from finlora.files import write_json
from finlora.metrics.statistics import paired

RUN = "sentiment_smollm2_135m_fp16_r8"
TASK = "sentiment_sample"
CLIENTS, ROUNDS = 4, 3
# Name of the adapter to how the rows are divided.
DIVISIONS = {"federated_iid": "iid", "federated_dirichlet": "dirichlet:0.5"}
# Those whose clients train alone too; with the others' as well it would take longer than half an hour.
ALONE = "federated_iid"
TRY_ROWS, TRY_QUESTIONS = 48, 24
WORDS = f"""{CLIENTS} clients, {ROUNDS} rounds of weighted averaging (FedAvg), the run `{RUN}` of `make demo`
on the rows of its sample, none held out. A client alone is `finlora finetune` on the very file of rows that
it has in the federated training. Everybody passes once over the rows, so that all clients of a federated
training together take about as many steps as central training, each on its own rows; a client alone takes
those of its rows. Scores are those of `finlora eval --task {TASK}`.

Intervals are 95% ones; those of a difference come from the same questions, row by row. They hold the chance
of the questions only: everything was trained once, with one seed. Steps of a federated training are those of
its clients, over all rounds. MB are the adapter's tensors, to and from the server, over all clients and
rounds. Seconds are those of the whole command: in a federated training a process for each client and round,
and clients that take turns on one machine, as they would not elsewhere. Other work ran on the cores at the
same time, more of it beside some lines than beside others, so the seconds of two lines hardly compare.

Not alike besides the rows: central and alone have the run's 10 steps of warming up and its cosine; federated
has no warming up, a rate that falls from round to round, and a new optimiser in each. A third of a client's
training alone is warming up: part of what federating gains over it may be that. And the average of clients
that took their steps side by side has hardly come further than one of them, which is probably why federating
stays behind central training with its four times as many steps in a row. More rounds over more passes, and
clients alone with more passes, were not tried."""


@dataclass(frozen=True)
class Trained:
    """One training.

    Args:
        adapter: its name.
        rows: that were trained.
        steps: of each client, over all rounds; of a training of one, its own.
        seconds: of the whole command.
        sent: bytes from the server to the clients; 0 for a training of one.
        received: bytes from the clients to the server.
    """

    adapter: str
    rows: int
    steps: list[int]
    seconds: float
    sent: int = 0
    received: int = 0


@dataclass(frozen=True)
class Scored:
    """Who was asked.

    Args:
        score: accuracy.
        interval: its 95% interval.
        hits: 1 or 0 for each question.
        majority: accuracy of always giving the most frequent answer.
        seconds: that the answers took.
    """

    score: float
    interval: tuple[float, float]
    hits: list[float]
    majority: float
    seconds: float


def clients() -> list[str]:
    """Return the adapters of the clients that train alone."""
    return [f"{ALONE}_client_{number}" for number in range(1, CLIENTS + 1)]


def lay_out(folder: Path, rows: int | None) -> None:
    """Make a project whose config has the run, and one for each client alone."""
    if (folder / "configs" / config.CONFIG_NAME).exists():
        return
    project.init(folder)
    path = folder / "configs" / config.CONFIG_NAME
    run = {**json.loads(path.read_text(encoding="utf-8"))[RUN], "val_set_size": 0.0}
    if rows:
        sample = read_rows(path.parent / run["dataset_path"])[:rows]
        write_rows(folder / "few.jsonl", [{"context": row.context, "target": row.target} for row in sample])
        run["dataset_path"] = "../few.jsonl"
    runs = {RUN: run}
    for number, name in enumerate(clients(), 1):
        shard = f"../{OUTPUT}/{preparation.FOLDER}/{ALONE}/shards/client_{number}.jsonl"
        runs[name] = {**run, "dataset_path": shard}
    write_json(path, runs)


def finlora(folder: Path, *words: str) -> Any:
    """Run a command in a folder and return its JSON."""
    argv = [sys.executable, "-m", "finlora", *words, "--json"]
    return json.loads(subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.PIPE).stdout)


def together(folder: Path, adapter: str) -> Trained:
    """Train with all clients."""
    started = time.perf_counter()
    words = ["--clients", str(CLIENTS), "--rounds", str(ROUNDS), "--partition", DIVISIONS[adapter]]
    done = finlora(folder, "federate", RUN, *words, "--as", adapter, "--fresh", "--overwrite")
    seconds = time.perf_counter() - started
    told = [record["clients"] for record in done["rounds"]]
    return Trained(
        adapter,
        sum(counts["rows"] for one in told for counts in one.values()),
        [sum(one[client]["steps"] for one in told) for client in sorted(told[0])],
        seconds,
        sum(record["bytes"]["sent"] for record in done["rounds"]),
        sum(record["bytes"]["received"] for record in done["rounds"]),
    )


def alone(folder: Path, adapter: str) -> Trained:
    """Train the run of this name as any other."""
    started = time.perf_counter()
    manifest = finlora(folder, "finetune", adapter, "--fresh", "--overwrite")["manifest"]
    seconds = time.perf_counter() - started
    return Trained(adapter, manifest["dataset"]["train"], [manifest["steps"]], seconds)


def train(folder: Path) -> dict[str, Trained]:
    """Train everything that is not there yet; each is written down as it ends."""
    path = folder / "trained.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    done = {one["adapter"]: Trained(**one) for one in kept}
    # First the federated ones: they divide the rows.
    names = [*DIVISIONS, RUN, *clients()]
    for name in names:
        if name in done:
            continue
        print(f"{len(done) + 1} of {len(names)}: {name}", flush=True)
        done[name] = together(folder, name) if name in DIVISIONS else alone(folder, name)
        print(f"{name}: {done[name].seconds:.0f} s", flush=True)
        write_json(path, [asdict(one) for one in done.values()])
    return done


def score(folder: Path, adapters: Sequence[str], limit: int | None) -> dict[str, Scored]:
    """Ask all adapters and the base model; the base model's name is empty."""
    asked = [word for adapter in adapters for word in ("--adapter", adapter)]
    few = ["--limit", str(limit)] if limit else []
    found = {}
    for one in finlora(folder, "eval", *asked, "--task", TASK, "--baseline", *few):
        lines = Path(one["predictions"]).read_text(encoding="utf-8").splitlines()
        hits = [json.loads(line)["hit"] for line in lines]
        name = "" if one["respondent"]["kind"] == "base" else one["respondent"]["name"]
        found[name] = Scored(one["score"], tuple(one["interval"]), hits, one["majority"], one["seconds"])
    return found


def apart(before: Sequence[float], after: Sequence[float]) -> str:
    """Return in words how much better the second is, in points, with interval."""
    pair = paired(before, after)
    low, high = pair.interval
    return f"{100 * pair.difference:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"


def together_or_alone(scored: Mapping[str, Scored]) -> str:
    """Return in plain words what federating is worth beside training alone."""
    own, solo = scored[ALONE], [scored[name] for name in clients()]
    best = max(solo, key=lambda one: one.score)
    mean = [statistics.mean(hits) for hits in zip(*(one.hits for one in solo), strict=True)]
    over_best, over_mean = paired(best.hits, own.hits).interval, paired(mean, own.hits).interval
    if over_best[0] > 0:
        helps = "Federating helps every client, by more than chance explains."
    elif over_mean[0] > 0:
        helps = "Federating helps the average client; that it helps the best one, these questions don't show."
    elif over_mean[1] < 0:
        helps = "Federating is worse than the average client alone, by more than chance explains."
    else:
        helps = "That federating helps, these questions don't show."
    return (
        f"**Together or alone** ({DIVISIONS[ALONE]}): alone the clients reach "
        f"{min(one.score for one in solo):.1%} to {best.score:.1%}, on average {statistics.mean(mean):.1%}; "
        f"together {own.score:.1%}. Over the best of them that is {apart(best.hits, own.hits)}, over their "
        f"average {apart(mean, own.hits)}. {helps}"
    )


def together_or_central(federated: str, scored: Mapping[str, Scored]) -> str:
    """Return in plain words how far federating stays behind having all rows in one place."""
    own, central = scored[federated], scored[RUN]
    low, high = paired(central.hits, own.hits).interval
    if low <= 0 <= high:
        near = f"{len(own.hits)} questions don't tell the two apart."
    else:
        near = f"Federating is {'better' if low > 0 else 'worse'}, by more than chance explains."
    return (
        f"**Together or in one place** ({DIVISIONS[federated]}): federated {own.score:.1%}, central "
        f"{central.score:.1%}; that is {apart(central.hits, own.hits)}. {near}"
    )


def line(
    about: str, one: Scored, central: Scored, trained: Trained | None = None, *, is_central: bool = False
) -> list[str]:
    """Return a line of the table."""
    low, high = one.interval
    # Of central training there is nothing to subtract.
    less = ["-"] if is_central else [apart(central.hits, one.hits).replace(" points", "")]
    start = [about, "-", "-"]
    end = ["-", "-"]
    if trained:
        start = [about, f"{trained.rows:,}", " + ".join(map(str, trained.steps))]
        wire = f"{trained.sent / 1e6:.1f}, {trained.received / 1e6:.1f}" if trained.sent else "-"
        end = [wire, f"{trained.seconds:.0f}"]
    return [*start, f"{one.score:.1%}", f"{low:.1%} to {high:.1%}", *less, *end]


def table(done: Mapping[str, Trained], scored: Mapping[str, Scored]) -> list[list[str]]:
    """Return the lines of the page."""
    central = scored[RUN]
    lines = [line("base model", scored[""], central)]
    for number, name in enumerate(clients(), 1):
        lines.append(line(f"client {number} alone, {DIVISIONS[ALONE]}", scored[name], central, done[name]))
    for federated, how in DIVISIONS.items():
        lines.append(line(f"federated, {how}", scored[federated], central, done[federated]))
    return [*lines, line("central", central, central, done[RUN], is_central=True)]


def measure(folder: Path, is_try: bool) -> None:
    """Train and score in a folder; print the page, and write it where it is the real thing."""
    lay_out(folder, TRY_ROWS if is_try else None)
    done = train(folder)
    scored = score(folder, list(done), TRY_QUESTIONS if is_try else None)
    trained, answered = (sum(one.seconds for one in some.values()) / 60 for some in (done, scored))
    most = (
        f"Always giving the most frequent answer: {scored[''].majority:.1%}. All of it took {trained:.0f} "
        f"minutes of training and {answered:.0f} of answering."
    )
    found = [together_or_alone(scored), *(together_or_central(name, scored) for name in DIVISIONS)]
    words = "\n".join([WORDS, "", most, "", *(f"- {text}" for text in found)])
    columns = ["", "rows", "steps", "accuracy", "interval", "to central, points", "MB out, in", "seconds"]
    finish = report.page if is_try else report.write
    page = finish("federated", "Does federating help?", words, columns, table(done, scored))
    if is_try:
        print(page)


def main() -> None:
    """Measure in a project of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--try", action="store_true", dest="is_try", help="few rows, and no page is written")
    parser.add_argument("--folder", type=Path, help="work here, and go on with what an earlier go left")
    given = parser.parse_args()
    if given.folder:
        measure(given.folder.resolve(), given.is_try)
        return
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name).resolve() / "project", given.is_try)


if __name__ == "__main__":
    main()
