"""From raw answers to a score: each is judged, and all are summed up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from finlora import metrics
from finlora.metrics import Judged, labels, letters, reference, statistics
from finlora.questions import MOST_LABELS, Question

# The packages that decide a score, beside those that answered.
_SCORERS = ("finlora", "numpy", "sympy", "rouge-score", "bert-score")


@dataclass(frozen=True)
class Scored:
    """Judged answers and what they come to.

    Args:
        judged: one for each row, in order.
        summary: of all of them.
        metric: what the score is, one of `results.METRICS`.
        weighted_f1: by the scorer's own definition; None for free text.
        also: further scores by name.
        names: canonical form of a label to the label as the data has it.
    """

    judged: tuple[Judged, ...]
    summary: statistics.Summary
    metric: str
    weighted_f1: float | None
    also: Mapping[str, float]
    names: Mapping[str, str]

    def shown(self, answer: str) -> str:
        """Return a canonical answer as the data has it."""
        return self.names.get(answer, answer)

    def classes(self) -> dict[str, dict[str, Any]]:
        """Return each label's scores; none where there are too many for a table."""
        if len(self.summary.classes) > MOST_LABELS:
            return {}
        return {
            self.shown(label): {
                "rows": one.rows,
                "precision": one.precision,
                "recall": one.recall,
                "f1": one.f1,
            }
            for label, one in self.summary.classes.items()
        }

    def confusion(self) -> list[tuple[str, str | None, int]]:
        """Return right answer, given answer (None: unparsed), rows; none where `classes` is empty."""
        if len(self.summary.classes) > MOST_LABELS:
            return []
        return [
            (self.shown(gold), None if answer is None else self.shown(answer), rows)
            for gold, answers in self.summary.confusion.items()
            for answer, rows in answers.items()
        ]


def score(
    question: Question,
    outputs: Sequence[str],
    decode: str,
    scorer: str,
    seed: int,
    bert_f1: Sequence[float] | None = None,
) -> Scored:
    """Judge answers.

    Args:
        question: what was asked.
        outputs: raw answers, one for each row; empty where there is none.
        decode: `labels` where the outputs are labels, which need no parsing.
        scorer: `finlora`, or `reference` for the benchmark's own rule.
        seed: of the bootstrap.
        bert_f1: BERTScore of each row, for free text; without it free text is scored by ROUGE-L.
    """
    golds = [row.target for row in question.rows]
    if question.kind == "text":
        return _texts(outputs, golds, seed, bert_f1)
    if scorer == "reference":
        return _reference(question, outputs, golds, seed)
    pairs = zip(outputs, golds, strict=True)
    if decode == "labels":
        judged = [_weighed(question.kind, output, gold) for output, gold in pairs]
    else:
        judged = [metrics.judge(question.kind, output, gold, question.labels) for output, gold in pairs]
    names = {_canonical(question.kind, label): label for label in question.labels}
    known = list(names) or sorted({answer.gold for answer in judged})
    summary = statistics.summarise(judged, known, seed)
    return Scored(tuple(judged), summary, "accuracy", summary.weighted_f1, {}, names)


def _weighed(kind: str, output: str, gold: str) -> Judged:
    right, given = _canonical(kind, gold), _canonical(kind, output) if output else None
    return Judged(given, right, float(given == right))


def _canonical(kind: str, label: str) -> str:
    return letters.letter_of(label) or label if kind == "letter" else labels.canonical(label)


def _texts(
    outputs: Sequence[str], golds: Sequence[str], seed: int, bert_f1: Sequence[float] | None
) -> Scored:
    judged = [metrics.judge("text", output, gold) for output, gold in zip(outputs, golds, strict=True)]
    rouge = statistics.summarise(judged, [], seed)
    if bert_f1 is None:
        return Scored(tuple(judged), rouge, "rouge_l", None, {}, {})
    # A value of BERTScore may be below 0; a score is not.
    judged = [Judged(j.parsed, j.gold, min(1.0, max(0.0, f))) for j, f in zip(judged, bert_f1, strict=True)]
    summary = statistics.summarise(judged, [], seed)
    return Scored(tuple(judged), summary, "bertscore_f1", None, {"rouge_l": rouge.score}, {})


def _reference(question: Question, outputs: Sequence[str], golds: Sequence[str], seed: int) -> Scored:
    """Judge by the benchmark's own rule; lists of tags are taken apart first, as it does."""
    raw, wanted, parts = list(outputs), list(golds), [1] * len(golds)
    if question.kind == "tags":
        raw, wanted = reference.one_by_one(outputs, golds)
        parts = [len(gold.split(",")) for gold in golds]
    judged = reference.judge_all(raw, wanted)
    summary = statistics.summarise(judged, sorted(set(wanted)), seed)
    always, sometimes = reference.accuracy_range(raw, wanted)
    also = {"right_in_any_order": always, "right_in_some_order": sometimes}
    return Scored(_joined(judged, parts), summary, "accuracy", reference.weighted_f1(judged, raw), also, {})


def _joined(judged: Sequence[Judged], parts: Sequence[int]) -> tuple[Judged, ...]:
    """Put the parts of each row's answer together again; its score is the share of them that is right."""
    rows, start = [], 0
    for count in parts:
        own = judged[start : start + count]
        start += count
        found = [one.parsed for one in own if one.parsed is not None]
        rows.append(
            Judged(
                ", ".join(found) or None,
                ", ".join(one.gold for one in own),
                sum(one.score for one in own) / count,
            )
        )
    return tuple(rows)


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide a score (those that are installed)."""
    found = {}
    for package in _SCORERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
