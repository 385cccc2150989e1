"""What tuning cost in general ability: benchmarks of lm-evaluation-harness, with an adapter and without.

Kept in `results/forgetting/VARIANT/RUN/TASK.json`, apart from the scores on finance tasks: another program
asks here, in prompts of its own.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from finlora import adapters, answering, harness, inference, record_checks, results
from finlora.config import project_root
from finlora.errors import FinLoRAError, UsageError
from finlora.files import check_writable, write_json
from finlora.manifest import without_folder
from finlora.metrics import statistics
from finlora.models import BaseModel

FOLDER = f"{results.FOLDER}/forgetting"
SCHEMA = 1
_PACKAGES = ("lm_eval", "datasets", "torch", "transformers", "peft")

_number_or_none = record_checks.optional(record_checks.number)
_SHAPE: dict[str, record_checks.Check] = {
    "schema": record_checks.one_of(SCHEMA),
    "adapter.name": record_checks.text,
    "adapter.adapter_sha256": record_checks.text,
    "adapter.base_model": record_checks.text,
    "adapter.base_identity": record_checks.text,
    "task": record_checks.text,
    "rows": record_checks.positive,
    "limit": record_checks.optional(record_checks.positive),
    "parts": record_checks.values_of(record_checks.record),
    "metrics": record_checks.values_of(record_checks.record),
    "settings": record_checks.record,
    "seconds": record_checks.values_of(record_checks.number),
    "versions": record_checks.values_of(record_checks.text),
}
_METRIC: dict[str, record_checks.Check] = {
    **dict.fromkeys(["adapter", "base", "difference"], record_checks.number),
    **dict.fromkeys(["adapter_stderr", "base_stderr", "p_value"], _number_or_none),
    "interval": record_checks.optional(record_checks.pair_of(record_checks.number, record_checks.number)),
    **dict.fromkeys(["better", "worse"], record_checks.optional(record_checks.count)),
    "higher_is_better": record_checks.optional(record_checks.flag),
}


@dataclass(frozen=True)
class Change:
    """One number of a benchmark, with the adapter and without.

    Args:
        adapter: as the harness reports it with the adapter.
        base: the same of the untuned base.
        adapter_stderr: standard error, by the harness; None where it gives none.
        base_stderr: the same of the base.
        difference: adapter less base.
        interval: 95% bootstrap interval of the difference, rows paired; None where the number is no mean over
            the rows.
        p_value: of McNemar's exact test; None where rows are not right or wrong.
        better: rows that score higher with the adapter; None as for the interval.
        worse: rows that score lower with it.
        higher_is_better: as the task says.
    """

    adapter: float
    base: float
    adapter_stderr: float | None
    base_stderr: float | None
    difference: float
    interval: tuple[float, float] | None
    p_value: float | None
    better: int | None
    worse: int | None
    higher_is_better: bool | None


@dataclass(frozen=True)
class Forgetting:
    """A benchmark with an adapter and with its untuned base; no date, so that equal runs are equal files.

    Args:
        adapter: `name`, `variant` (None off the shelf), `adapter_sha256`, `base_model`, `base_identity`,
            `quant_bits`.
        task: the benchmark.
        rows: questions that both were asked.
        limit: questions of each part; None for all.
        parts: the tasks it is made of: `version`, `hash`, `few_shot`, `rows`.
        metrics: by `METRIC,FILTER`, as the harness names them.
        settings: `dtype`, `device`, `batch_size`, `chat_template`.
        seconds: that `adapter` and `base` took.
        versions: of the packages that asked and answered.
    """

    adapter: Mapping[str, Any]
    task: str
    rows: int
    limit: int | None
    parts: Mapping[str, Mapping[str, Any]]
    metrics: Mapping[str, Change]
    settings: Mapping[str, Any]
    seconds: Mapping[str, float]
    versions: Mapping[str, str]

    def to_record(self) -> dict[str, Any]:
        """Return what is written, and what `--json` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def measure(
    wanted: answering.Wanted,
    tasks: Sequence[str],
    config: Path | None,
    *,
    folder: Path | None = None,
    limit: int | None = None,
    say: Callable[[str], None],
) -> Iterator[Forgetting]:
    """Run benchmarks with an adapter and with the untuned base; each is kept as soon as it is done.

    The base model is loaded once; the adapter on it is switched off for the base's turn.

    Args:
        wanted: the adapter.
        tasks: benchmarks of the harness, or of the folder.
        config: the project's config file; None outside a project.
        folder: with task files of the user's own.
        limit: rows of each task, from its first; None for all.
        say: takes lines for the user.

    Raises:
        UsageError, AdapterError, BaseModelError, HubError, FinLoRAError: with the next step.
    """
    adapter, base = answering.find(wanted, config, say)
    if adapter is None:
        raise UsageError("name what was tuned: --adapter NAME")
    root = project_root(config) if config else None
    target, word = _target(adapter, base, root)
    if target is not None:
        check_writable(target / "x.json")
    benchmarks = harness.load(tuple(dict.fromkeys(tasks)), folder, offline=wanted.offline)
    say(f"loading {base.name} with {adapter.folder}")
    bits = adapter.manifest["run"]["quant_bits"] if adapter.manifest else 16
    answerer, tuned = inference.load_parts(
        adapter, base, None, bits, allow_other_base=wanted.base_model is not None
    )
    facts = {**_facts(adapter, base, root), "quant_bits": bits}
    settings = {
        "dtype": str(answerer.model.dtype).removeprefix("torch."),
        "device": answerer.model.device.type,
        "batch_size": harness.BATCH_SIZE,
        "chat_template": False,
    }
    asked = harness.model(answerer.model, answerer.tokenizer)
    for benchmark in benchmarks:
        found = _compare(asked, tuned, benchmark, limit, facts, settings, say)
        if target is not None:
            path = target / f"{found.task}{f'.limit{limit}' if limit else ''}.json"
            write_json(path, found.to_record())
            word = f"kept: {path}"
        say(word)
        yield found


def kept(root: Path) -> list[Forgetting]:
    """Return what was measured in a project, by adapter and task.

    Args:
        root: the project.

    Raises:
        FinLoRAError: a file is damaged; it and the key are named.
    """
    return [read(path) for path in files(root)]


def files(root: Path) -> list[Path]:
    """Return the files of a project that hold what was measured, by adapter and task."""
    return sorted((root / FOLDER).glob("*/*/[!.]*.json"))


def read(path: Path) -> Forgetting:
    """Read one record; errors as in `kept`."""
    again = f"Remove the file, or measure again: finlora forgetting --adapter {path.parent.name}"
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError, OSError) as error:
        raise FinLoRAError(f"{path}: can't be read: {error}\n{again}") from None
    damaged = record_checks.faults(value, _SHAPE)
    if not damaged:
        damaged = [
            f"metrics.{name}.{key}"
            for name, metric in value["metrics"].items()
            for key in record_checks.faults(metric, _METRIC)
        ]
    if damaged:
        raise FinLoRAError(f"{path}: {', '.join(damaged)} missing or damaged\n{again}")
    entries = {field.name: value[field.name] for field in fields(Forgetting)}
    return Forgetting(**{**entries, "metrics": {n: _change_of(m) for n, m in value["metrics"].items()}})


def _change_of(record: Mapping[str, Any]) -> Change:
    entries: dict[str, Any] = {field.name: record.get(field.name) for field in fields(Change)}
    return Change(**{**entries, "interval": tuple(entries["interval"]) if entries["interval"] else None})


def _target(adapter: adapters.Adapter, base: BaseModel, root: Path | None) -> tuple[Path | None, str]:
    """Return the folder that the record goes to, or why it is not kept."""
    if root is None:
        return None, "not kept: there is no project around"
    trained = (adapter.manifest or {}).get("base_model", {}).get("identity", base.identity)
    if trained != base.identity:
        return None, "not kept: it was measured on another base model than the adapter's own"
    variant, run = adapters.shelved(adapter.folder, root) or (results.ELSEWHERE, adapter.name)
    return root / FOLDER / variant / run, ""


def _facts(adapter: adapters.Adapter, base: BaseModel, root: Path | None) -> dict[str, Any]:
    place = adapters.shelved(adapter.folder, root) if root else None
    return {
        "name": adapter.name,
        "variant": place[0] if place else None,
        "adapter_sha256": adapter.weights_sha256(),
        "base_model": without_folder(base.name),
        "base_identity": base.identity,
    }


def _compare(
    asked: Any,
    tuned: Any,
    benchmark: harness.Benchmark,
    limit: int | None,
    facts: Mapping[str, Any],
    settings: Mapping[str, Any],
    say: Callable[[str], None],
) -> Forgetting:
    """Ask both the same rows: first the base, then the adapter."""
    say(f"{benchmark.name}: asking the base model")
    started = time.monotonic()
    with tuned.disable_adapter():
        before = harness.score(asked, benchmark, limit)
    halfway = time.monotonic()
    say(f"{benchmark.name}: asking the adapter")
    after = harness.score(asked, benchmark, limit)
    return Forgetting(
        adapter=facts,
        task=benchmark.name,
        rows=sum(part.rows for part in after.parts.values()),
        limit=limit,
        parts={name: asdict(part) for name, part in after.parts.items()},
        metrics={name: _change(before.metrics[name], after.metrics[name]) for name in after.metrics},
        settings=settings,
        seconds={"adapter": round(time.monotonic() - halfway, 1), "base": round(halfway - started, 1)},
        versions={name: version(name) for name in _PACKAGES},
    )


def _change(before: harness.Metric, after: harness.Metric) -> Change:
    whole = len(before.per_row) == len(after.per_row) > 0
    paired = statistics.paired(before.per_row, after.per_row) if whole else None
    return Change(
        adapter=after.value,
        base=before.value,
        adapter_stderr=after.stderr,
        base_stderr=before.stderr,
        difference=after.value - before.value,
        interval=paired.interval if paired else None,
        p_value=paired.p_value if paired else None,
        better=paired.better if paired else None,
        worse=paired.worse if paired else None,
        higher_is_better=after.higher_is_better,
    )
