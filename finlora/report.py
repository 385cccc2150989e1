"""All results of a project, brought together for a reader: `finlora report`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import __version__, compare, federated_facts, published, record_checks, report_sources, tasks
from finlora.differences import Fact
from finlora.errors import UsageError
from finlora.files import digest
from finlora.forgetting import Forgetting
from finlora.loss_plot import Curve
from finlora.published import Published, PublishedTask
from finlora.report_sources import Entry, Found, Respondent
from finlora.report_tables import FAMILIES, Family, families, family_of

# Labels of the largest table of confusions that is drawn; the encoder that the benchmark names.
_MOST_LABELS = 20
_PUBLISHED_ENCODER = "ProsusAI/finbert"


@dataclass(frozen=True)
class Confusion:
    """How the labels of one task were told apart by one respondent.

    Args:
        entry: the result.
        title: the task's name for people.
        labels: right answers, in the result's order.
        answers: given answers: the labels, then, where they occur, None for all others together.
        counts: rows for each label and answer; the last column is of unparsed ones.
        classes: for each label its rows, precision, recall and F1; None where undefined.
    """

    entry: Entry
    title: str
    labels: tuple[str, ...]
    answers: tuple[str | None, ...]
    counts: tuple[tuple[int, ...], ...]
    classes: tuple[tuple[int, float | None, float | None, float | None], ...]


@dataclass(frozen=True)
class Speed:
    """What the answers of one respondent took.

    Args:
        who: answered.
        results: of which this is the sum.
        rows: answered.
        seconds: of answering.
        settings: how it was asked, by name: device, dtype and so on; several values with commas.
        costs: what the results state as cost, by their own words.
    """

    who: Respondent
    results: int
    rows: int
    seconds: float
    settings: Mapping[str, str]
    costs: Mapping[str, float]


@dataclass(frozen=True)
class Training:
    """What trainings reached and cost.

    Args:
        names: of the adapters.
        facts: each with a value for each adapter, the size on disk the last.
        curves: their losses, of those that tell them.
        federated: whether some of them are federated, which makes figures mean something else.
    """

    names: tuple[str, ...]
    facts: tuple[Fact, ...]
    curves: tuple[Curve, ...]
    federated: bool


@dataclass(frozen=True)
class Beside:
    """Published numbers of one task with what was reached here.

    Args:
        task: the published row.
        ours: every result on that task here, with the reasons why it does not compare; none where it does.
    """

    task: PublishedTask
    ours: tuple[tuple[Entry, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Report:
    """All that is shown.

    Args:
        version: of FinLoRA.
        digest: over all results; equal for equal ones.
        entries: every result that can be read.
        without: adapters on the shelf that have no result.
        damaged: file or folder, and what is wrong with it.
        families: the leaderboard.
        titles: names of the tasks for people, by id.
        compared: results that were paired with a baseline, by family, task and name.
        confusions: by task and name.
        speeds: by name.
        training: of the adapters on the shelf.
        forgotten: general benchmarks of adapters and their bases.
        published: the benchmark's table.
        beside: its rows of which there are results here.
    """

    version: str
    digest: str
    entries: tuple[Entry, ...]
    without: tuple[str, ...]
    damaged: tuple[tuple[str, str], ...]
    families: tuple[Family, ...]
    titles: Mapping[str, str]
    compared: tuple[Entry, ...]
    confusions: tuple[Confusion, ...]
    speeds: tuple[Speed, ...]
    training: Training
    forgotten: tuple[Forgetting, ...]
    published: Published
    beside: tuple[Beside, ...]

    @property
    def respondents(self) -> tuple[Respondent, ...]:
        """Everybody who was scored, by name."""
        return tuple(sorted({entry.who for entry in self.entries}, key=lambda who: who.name))


def build(root: Path) -> Report:
    """Bring together all results of a project.

    Args:
        root: the project.

    Raises:
        UsageError: neither results nor adapters are there.
    """
    found = report_sources.gather(root)
    if not (found.entries or found.trained or found.forgotten or found.damaged):
        raise UsageError(
            f"nothing to report: {root} has no results and no adapters.\n"
            "Score an adapter first: finlora eval --adapter NAME --task TASK --baseline"
        )
    entries = found.entries
    known = published.load()
    titles = {name: task.name for name, task in tasks.load().items()}
    order = list(FAMILIES)

    def place(entry: Entry) -> tuple[int, str, str, str]:
        title = titles.get(entry.result.task, entry.result.task)
        return (order.index(family_of(entry)), title, entry.who.name, entry.path)

    placed = sorted(entries, key=place)
    return Report(
        version=__version__,
        digest=digest([[entry.path, entry.result.key, entry.result.score] for entry in entries]),
        entries=entries,
        without=_without(found),
        damaged=found.damaged,
        families=families(entries, titles),
        titles=titles,
        compared=tuple(entry for entry in placed if entry.result.against),
        confusions=tuple(filter(None, (_confusion(entry, titles) for entry in placed))),
        speeds=_speeds(entries),
        training=_training(found),
        forgotten=found.forgotten,
        published=known,
        beside=tuple(filter(None, (_beside(task, placed) for task in known.tasks))),
    )


def _without(found: Found) -> tuple[str, ...]:
    scored = {entry.who.place for entry in found.entries}
    return tuple(one.name for one in found.trained if (one.variant, one.run) not in scored)


def _confusion(entry: Entry, titles: Mapping[str, str]) -> Confusion | None:
    """Return the confusions of a full result on closed questions with few labels; None for any other."""
    result = entry.result
    labels = tuple(dict.fromkeys([*result.classes, *(gold for gold, _, _ in result.confusion)]))
    closed = result.kind in ("label", "letter") and 0 < len(labels) <= _MOST_LABELS
    if entry.apart or not closed or not result.confusion:
        return None
    others = any(answer is not None and answer not in labels for _, answer, _ in result.confusion)
    answers: tuple[str | None, ...] = (*labels, None) if others else labels
    place = {answer: i for i, answer in enumerate(answers)}
    counts = [[0] * (len(answers) + 1) for _ in labels]
    for gold, answer, rows in result.confusion:
        column = len(answers) if answer is None else place.get(answer, len(labels))
        counts[place[gold]][column] += rows
    return Confusion(
        entry=entry,
        title=titles.get(result.task, result.task),
        labels=labels,
        answers=answers,
        counts=tuple(map(tuple, counts)),
        classes=tuple(
            (sum(row), *_scores_of(result.classes.get(label, {})))
            for label, row in zip(labels, counts, strict=True)
        ),
    )


def _scores_of(one: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    found = [one.get(name) for name in ("precision", "recall", "f1")]
    precision, recall, f1 = (value if record_checks.number(value) else None for value in found)
    return precision, recall, f1


def _speeds(entries: Sequence[Entry]) -> tuple[Speed, ...]:
    by_who: dict[Respondent, list[Entry]] = {}
    for entry in entries:
        by_who.setdefault(entry.who, []).append(entry)
    return tuple(
        Speed(
            who=who,
            results=len(own),
            rows=sum(entry.result.rows for entry in own),
            seconds=sum(max(entry.result.seconds, 0.0) for entry in own),
            settings={name: _values(own, name) for name in ("device", "dtype", "batch_tokens")},
            costs=_costs(own),
        )
        for who, own in by_who.items()
    )


def _values(entries: Sequence[Entry], name: str) -> str:
    values = [entry.result.settings.get(name) for entry in entries]
    return ", ".join(sorted({str(value) for value in values if isinstance(value, str | int)}))


def _costs(entries: Sequence[Entry]) -> dict[str, float]:
    """Return the sums of what settings call a cost."""
    costs: dict[str, float] = {}
    for entry in entries:
        for name, value in entry.result.settings.items():
            if "cost" in name and record_checks.number(value):
                costs[name] = costs.get(name, 0.0) + value
    return costs


def _training(found: Found) -> Training:
    known = [(one, one.manifest) for one in found.trained if one.manifest is not None]
    manifests = [manifest for _, manifest in known]
    facts = compare.facts(manifests) if manifests else []
    size = Fact("size on disk", "bytes", tuple(one.bytes for one, _ in known))
    return Training(
        names=tuple(one.name for one, _ in known),
        facts=(*facts, size) if known else (),
        curves=compare.curves([one.name for one, _ in known], manifests),
        federated=any(map(federated_facts.is_federated, manifests)),
    )


def _beside(task: PublishedTask, entries: Sequence[Entry]) -> Beside | None:
    own = [(entry, _why_not(entry)) for entry in entries if entry.result.task == task.task]
    return Beside(task, tuple(own)) if own else None


def _why_not(entry: Entry) -> tuple[str, ...]:
    """Return why a result does not compare with a published number; nothing where rule and rows do."""
    result = entry.result
    free = result.kind == "text"
    encoder = str(result.settings.get("bert_model"))
    reasons = {
        "mended rows": not entry.as_published,
        "our own scorer": not free and result.scorer != "reference",
        "ROUGE-L is not published": result.metric == "rouge_l",
        "another encoder": result.metric == "bertscore_f1" and _PUBLISHED_ENCODER not in encoder,
        "a part of the rows": result.limit is not None,
        "weights replaced since": entry.who.weights == report_sources.REPLACED,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)
