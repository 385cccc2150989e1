"""Scoring, pure: text in, numbers out.

An answer is judged by its kind. Each kind has a module that parses an output and its gold answer to one
canonical form and compares these: `labels`, `letters`, `numbers`, `tags`, `formulas`, `texts`. `reference`
judges as the FinLoRA benchmark's own scorer does; `statistics` sums up many judged answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# The kinds of answers; `mixed` judges each row by the form of its own gold answer.
KINDS = ("label", "letter", "number", "tags", "formula", "text", "mixed")


@dataclass(frozen=True)
class Judged:
    """One answer and what it is worth.

    Args:
        parsed: the canonical form of what the output answers; None where no answer could be read from it.
        gold: the canonical form of the right answer.
        score: 1.0 for right, 0.0 for wrong or unparsed; between them for free text.
    """

    parsed: str | None
    gold: str
    score: float


def judge(kind: str, output: str, gold: str, labels: Sequence[str] = ()) -> Judged:
    """Judge an answer by its kind.

    A gold answer that is not of its kind (an amount among tags, as published data has them) is judged by its
    own form, as `mixed` does: a number, a formula, tags, a choice's letter; anything else must be equal as
    text, but for case, quotes and end marks.

    Args:
        kind: one of `KINDS`.
        output: the text a model wrote.
        gold: the right answer.
        labels: the closed set of answers, for `label`; where it is empty, the answer must equal the gold's
        text.

    Raises:
        ValueError: `kind` is none of `KINDS`.
    """
    from finlora.metrics import forms

    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of answer: {', '.join(KINDS)}")
    return forms.judge(kind, output, gold, labels)
