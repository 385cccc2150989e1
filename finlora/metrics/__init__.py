"""Scoring, pure: text in, numbers out.

An answer is judged by its kind. Each kind has a module that parses an output and its gold answer to one
canonical form and compares these: `labels`, `letters`, `numbers`, `tags`, `formulas`, `texts`. `reference`
judges as the FinLoRA benchmark's own scorer does; `statistics` sums up many judged answers.
"""

from dataclasses import dataclass


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
