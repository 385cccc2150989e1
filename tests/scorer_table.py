"""The same outputs under both scorers: the table in docs/scores.md, made from the shipped test rows."""

import json
from collections.abc import Callable
from pathlib import Path

from finlora import metrics
from finlora.metrics import reference

DATA = Path(__file__).parents[1] / "data" / "test"
LABELS = ("negative", "neutral", "positive")


def table() -> str:
    """Return the table."""
    rows = []
    labels = _golds("sentiment_sample_test.jsonl")
    # Amounts as the benchmark's file has them: 12.0 and 5.5, not 12.00 and 5.50.
    numbers = [str(float(gold)) for gold in _golds("formula_built_test.jsonl")]
    for what, form in _NUMBERS.items():
        rows.append(_line(f"amounts: {what}", "number", numbers, form))
    for what, form in _LABELS.items():
        rows.append(_line(f"labels: {what}", "label", labels, form))
    columns = ["output fed in", "FinLoRA", "benchmark's rule", "in any order", "in some order"]
    return "\n".join([f"| {' | '.join(columns)} |", "| --- | ---: | ---: | ---: | ---: |", *rows])


def _golds(name: str) -> list[str]:
    return [json.loads(line)["target"] for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def _line(what: str, kind: str, golds: list[str], form: Callable[[str], str]) -> str:
    outputs = [form(gold) for gold in golds]
    names = LABELS if kind == "label" else ()
    ours = [
        metrics.judge(kind, output, gold, names).score for output, gold in zip(outputs, golds, strict=True)
    ]
    theirs = [judged.score for judged in reference.judge_all(outputs, golds)]
    shares = [sum(ours) / len(golds), sum(theirs) / len(golds), *reference.accuracy_range(outputs, golds)]
    return f"| {what} | {' | '.join(f'{share:.1%}' for share in shares)} |"


def _other(label: str) -> str:
    return LABELS[(LABELS.index(label) + 1) % len(LABELS)]


_NUMBERS: dict[str, Callable[[str], str]] = {
    "each right answer, word for word": lambda gold: gold,
    "the same with thousands separators": lambda gold: f"{float(gold):,.2f}",
    "the same in a sentence, with a currency": lambda gold: f"The result is ${float(gold):,.2f}.",
    "the same without zeros at the end": lambda gold: gold.rstrip("0").rstrip("."),
    "wrong: the right answer plus 0.04": lambda gold: f"{float(gold) + 0.04:.2f}",
    "wrong: a 7 put in front": lambda gold: f"7{gold}",
    "wrong: a 7 put behind": lambda gold: f"{gold}7",
}
_LABELS: dict[str, Callable[[str], str]] = {
    "each right answer, word for word": lambda gold: gold,
    "the same in a sentence": lambda gold: f"The sentiment is **{gold.title()}**.",
    "the same after a denied one": lambda gold: f"It is not {_other(gold)}. Answer: {gold}",
    "wrong: denied": lambda gold: f"not {gold}",
    "wrong: two at once": lambda gold: f"{gold} or {_other(gold)}",
    "wrong: a word that holds the label": lambda gold: f"non-{gold}",
}
