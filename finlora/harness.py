"""EleutherAI's lm-evaluation-harness: its benchmarks, and what a model scores on one. lm_eval's only user."""

import contextlib
import io
import logging
import math
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from finlora import hub_errors, privacy
from finlora.causes import INSTALL, NOT_INSTALLED
from finlora.errors import FinLoRAError, HubError, UsageError, did_you_mean

T = TypeVar("T")
# Requests answered at once: 8 of 2,048 tokens need 4 GB for the probabilities of a large vocabulary.
BATCH_SIZE = 8


@dataclass(frozen=True)
class Benchmark:
    """A task of the harness, or a group of them, with its dataset in memory.

    Args:
        name: as the harness knows it.
        tasks: what the harness loaded: a task by its name, or a group's tree.
    """

    name: str
    tasks: Mapping[Any, Any]


@dataclass(frozen=True)
class Part:
    """One task of a benchmark, as it was asked.

    Args:
        version: of the task, as its file says.
        hash: the harness's digest of its rows, prompts and targets.
        few_shot: solved examples before each question.
        rows: that were asked.
    """

    version: Any
    hash: str
    few_shot: int
    rows: int


@dataclass(frozen=True)
class Metric:
    """One number of a benchmark.

    Args:
        value: as the harness reports it.
        stderr: its standard error; None where the harness gives none.
        higher_is_better: as the task says; None where it does not.
        per_row: one value for each row; empty where the number is no mean over the rows.
    """

    value: float
    stderr: float | None
    higher_is_better: bool | None
    per_row: tuple[float, ...]


@dataclass(frozen=True)
class Scores:
    """What a model reached on one benchmark.

    Args:
        parts: by the name of the task.
        metrics: by `METRIC,FILTER`, as the harness names them.
    """

    parts: Mapping[str, Part]
    metrics: Mapping[str, Metric]


def load(names: Sequence[str], folder: Path | None, *, offline: bool) -> list[Benchmark]:
    """Load benchmarks with their datasets; the hub is asked here, and nowhere else.

    Args:
        names: tasks or groups of the harness, or of the folder, whose names come first.
        folder: with task files (YAML) of the user's own; these can name code, which is run.
        offline: take datasets from the hub's cache only.

    Raises:
        UsageError: there is no such benchmark, or the folder holds none.
        HubError: a dataset is not here, and the hub is out of reach.
        FinLoRAError: the harness is not installed, or a benchmark can't be loaded.
    """
    if offline:
        privacy.go_offline()
    try:
        from lm_eval.tasks import TaskManager
    except ImportError:
        raise FinLoRAError(f"lm-evaluation-harness: {NOT_INSTALLED}\nWhat to do: {INSTALL}") from None
    # What they log of failed tries we say once, in the end.
    for library in ("lm_eval", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    with _aside():
        manager = _manager(TaskManager, names, folder)
    for name in names:
        _check_name(name, manager.task_index)
    return [Benchmark(name, _load(manager, name)) for name in names]


def model(network: Any, tokenizer: Any) -> Any:
    """Return the harness's view of a loaded model; an adapter on it may be switched on and off."""
    from lm_eval.models.huggingface import HFLM

    # It ties the weights again, which fails on an adapted output layer; they were tied when they were loaded.
    network.tie_weights = lambda: None
    with _aside():
        return HFLM(pretrained=network, tokenizer=tokenizer, batch_size=BATCH_SIZE)


def score(asked: Any, benchmark: Benchmark, limit: int | None) -> Scores:
    """Score a model as `lm_eval` does with its own defaults: no chat template, the task's few-shot examples.

    Args:
        asked: what `model` returned.
        benchmark: what to ask.
        limit: rows of each task, from its first; None for all.

    Raises:
        FinLoRAError: the benchmark can't be computed.
    """
    import numpy
    import torch
    from lm_eval.defaults import DEFAULT_OTHER_SEED, DEFAULT_RANDOM_SEED
    from lm_eval.evaluator import evaluate

    random.seed(DEFAULT_RANDOM_SEED)
    numpy.random.seed(DEFAULT_OTHER_SEED)
    torch.manual_seed(DEFAULT_OTHER_SEED)
    for task in _leaves(benchmark.tasks).values():
        task.set_fewshot_seed(DEFAULT_OTHER_SEED)

    def compute() -> Any:
        return evaluate(lm=asked, task_dict=dict(benchmark.tasks), limit=limit)

    return _scores(benchmark.name, _told(benchmark.name, compute))


def _manager(task_manager: Any, names: Sequence[str], folder: Path | None) -> Any:
    """Index the tasks there are; of the harness's 14,000, which take 10 seconds, only where need be."""
    if folder is None:
        return task_manager()
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; --task-folder holds task files of your own (*.yaml)")
    own = _told(str(folder), lambda: task_manager(include_path=str(folder), include_defaults=False))
    if not own.task_index:
        raise UsageError(f"{folder}: no task file (*.yaml with a 'task:' in it) is in this folder")
    # A group may hold tasks of the harness.
    if all(own.task_index.get(name, {}).get("type") == "task" for name in names):
        return own
    return task_manager(include_path=str(folder))


def _check_name(name: str, index: Mapping[str, Any]) -> None:
    if name not in index:
        raise UsageError(
            f"no benchmark is called '{name}'{did_you_mean(name, sorted(index))}\n"
            "All names: lm_eval ls tasks; those of your own come with --task-folder"
        )
    if index[name]["type"] == "tag":
        members = ", ".join(index[name]["task"][:8])
        raise UsageError(f"'{name}' is a tag that several benchmarks share; name some of them: {members}")
    if Path(name).name != name or name.startswith("."):
        raise UsageError(f"'{name}' can't be the name of a file of results; rename the task")


def _load(manager: Any, name: str) -> Mapping[Any, Any]:
    tasks: Mapping[Any, Any] = _told(name, lambda: manager.load_task_or_group([name]))
    for leaf, task in _leaves(tasks).items():
        if getattr(task, "UNSAFE_CODE", False):
            raise UsageError(f"{name}: {leaf} runs code that the model writes; FinLoRA runs none")
    return tasks


def _leaves(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the tasks of a tree of groups, by name."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _leaves(value) if isinstance(value, dict) else {key: value}
    return found


def _told(name: str, action: Callable[[], T]) -> T:
    """Do something with task files, which anybody may write, and tell in a line what is wrong with them."""
    try:
        with _aside():
            return action()
    except Exception as error:
        if hub_errors.is_out_of_reach(error):
            raise HubError(_not_here(name)) from error
        line = " ".join(str(error).split())[:300]
        raise FinLoRAError(
            f"{name}: the harness can't do this benchmark: {type(error).__name__}: {line}\n"
            "What to do: mend the task file, or take another benchmark; FINLORA_DEBUG=1 shows where it failed"
        ) from error


def _not_here(name: str) -> str:
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    why = "offline work was asked for" if offline else f"{constants.ENDPOINT} can't be reached"
    instead = (
        "run once without --offline (and without HF_HUB_OFFLINE), or"
        if offline
        else "behind a firewall set HF_ENDPOINT to a mirror, or HTTPS_PROXY to a proxy; or"
    )
    return (
        f"{name}: its dataset is not in the hub's cache on this machine ({constants.HF_HOME}), and {why}\n"
        f"What to do: {instead} run this command on a machine that reaches the hub, copy its HF_HOME here "
        "and add --offline"
    )


@contextlib.contextmanager
def _aside() -> Iterator[None]:
    """Keep stdout for results; the harness's bars are for a terminal, and its warnings for nobody."""
    bars = sys.stderr if sys.stderr.isatty() else io.StringIO()
    with contextlib.redirect_stdout(bars), contextlib.redirect_stderr(bars):
        yield


def _scores(name: str, found: Mapping[str, Any]) -> Scores:
    better = found["higher_is_better"].get(name, {})
    samples = found["samples"]
    metrics = {}
    for key, value in found["results"][name].items():
        metric, _, chosen = key.partition(",")
        if metric.endswith("_stderr") or not isinstance(value, int | float):
            continue
        if not math.isfinite(value):
            raise FinLoRAError(f"{name}: {metric} is {value}, no number to compare; is the model damaged?")
        stderr = found["results"][name].get(f"{metric}_stderr,{chosen}")
        rows = [row for leaf in sorted(samples) for row in samples[leaf] if row["filter"] == chosen]
        metrics[key] = Metric(
            value=float(value),
            stderr=float(stderr) if isinstance(stderr, int | float) else None,
            higher_is_better=better.get(metric),
            per_row=_per_row([row.get(metric) for row in rows], float(value)),
        )
    return Scores({leaf: _part(leaf, found) for leaf in sorted(samples)}, metrics)


def _per_row(values: Sequence[Any], mean: float) -> tuple[float, ...]:
    """Return the rows' values where the harness's number is their mean, and not, say, a perplexity."""
    if not values or not all(isinstance(value, int | float) for value in values):
        return ()
    return tuple(map(float, values)) if abs(sum(values) / len(values) - mean) < 1e-9 else ()


def _part(leaf: str, found: Mapping[str, Any]) -> Part:
    from lm_eval.utils import hash_string

    rows = found["samples"][leaf]
    # As the harness's own tracker of evaluations composes it.
    digest = hash_string("".join(row["doc_hash"] + row["prompt_hash"] + row["target_hash"] for row in rows))
    return Part(
        version=found["versions"].get(leaf),
        hash=digest,
        few_shot=int(found["n-shot"][leaf] or 0),
        rows=found["n-samples"][leaf]["effective"],
    )
