"""Which parser judges an answer: the one of its kind, or of the form its gold answer has."""

import re
from collections.abc import Sequence

from finlora.metrics import Judged, formula_reader, formulas, labels, letters, numbers, tags, texts

# A name that can only be a tag: with a namespace, or with a capital letter after a small one.
_TAG = re.compile(r"\w[\w-]*:\w+|[A-Z]\w*[a-z0-9][A-Z]\w*")
_NAME = re.compile(r"[A-Za-z][\w:-]*")
_NAMESPACE = re.compile(r"\b[A-Za-z][\w-]*:(?=\w)")
_OPERATOR = re.compile(r"[-+*/×÷^]")


def judge(kind: str, output: str, gold: str, names: Sequence[str]) -> Judged:
    """Judge an answer with the parser of its kind; where the gold does not fit it, with that of the gold's
    form.

    Args:
        kind: one of `finlora.metrics.KINDS`.
        output: the text a model wrote.
        gold: the right answer.
        names: the closed set of labels, or nothing.
    """
    kind = kind if kind != "mixed" and _fits(kind, gold, names) else form_of(gold, names)
    if kind == "label":
        return labels.judge(output, gold, names) if names else labels.judge_exact(output, gold)
    if kind == "exact":
        return labels.judge_exact(output, gold)
    parsers = {
        "letter": letters.judge,
        "number": numbers.judge,
        "tags": tags.judge,
        "formula": formulas.judge,
        "text": texts.judge,
    }
    return parsers[kind](output, gold)


def form_of(gold: str, names: Sequence[str] = ()) -> str:
    """Return the kind a gold answer has by its form: "label" if one of `names`, "exact" for mere text."""
    if names and _fits("label", gold, names):
        return "label"
    if numbers.read(gold) is not None:
        return "number"
    if _is_formula(gold):
        return "formula"
    entries = [entry.strip() for entry in gold.split(",")]
    if all(re.fullmatch(r"[\w:-]+", entry) for entry in entries) and any(map(_TAG.fullmatch, entries)):
        return "tags" if _fits("tags", gold, ()) else "exact"
    return "letter" if letters.letter_of(gold) else "exact"


def _is_formula(gold: str) -> bool:
    """Say whether a text holds an operator between numbers and tags; "non-performing" and "Yes/No" do not."""
    if not _OPERATOR.search(_NAMESPACE.sub("", gold)) or formula_reader.read(gold) is None:
        return False
    operands = [name for name in _NAME.findall(gold) if name.lower() != "x"]
    if operands:
        return any(map(_TAG.fullmatch, operands))
    return re.search(r"\d\s*\)*\s*[-+*/×÷^x]", gold) is not None


def _fits(kind: str, gold: str, names: Sequence[str]) -> bool:
    """Say whether a gold answer is of a kind."""
    if kind == "label":
        return not names or labels.canonical(gold) in map(labels.canonical, names)
    if kind == "tags":
        return not any(entry is None for entry in tags.entries(gold)) and numbers.read(gold) is None
    readers = {"number": numbers.read, "formula": formula_reader.read, "letter": letters.letter_of}
    return kind not in readers or readers[kind](gold) is not None
