"""Free text by ROUGE-L: how much of the right answer does an output say, in its order?

Source: Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries"; computed by the package
rouge-score, F1 over the longest common subsequence of words, without stemming. It knows letters a to z and
digits only.
"""

from functools import lru_cache
from typing import Any

from finlora.metrics import Judged

# Words beyond these are left out on both sides: the work grows with the product of the lengths.
_WORDS = 1000


def judge(output: str, gold: str) -> Judged:
    """Judge a free text by ROUGE-L F1.

    Args:
        output: the text a model wrote.
        gold: the right answer.

    Returns:
        score between 0.0 and 1.0; `parsed` is the output without space at its ends, None where nothing is
        left.
    """
    parsed, right = output.strip(), gold.strip()
    if not parsed:
        return Judged(None, right, 0.0)
    scores = _scorer().score(_cut(right), _cut(parsed))
    return Judged(parsed, right, float(scores["rougeL"].fmeasure))


def _cut(text: str) -> str:
    """Return the first words of a text."""
    return " ".join(text.split()[:_WORDS])


@lru_cache(maxsize=1)
def _scorer() -> Any:
    """Return the package's scorer."""
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"])
