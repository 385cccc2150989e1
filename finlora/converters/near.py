"""Groups of texts that share nearly all their words.

Exact, where `checks.near` may miss a pair to stay quick on any file: a pair missed here would leak a training
row into the test.
"""

import math
from collections import Counter
from collections.abc import Sequence


def clusters(texts: Sequence[frozenset[str]], share: float) -> list[int]:
    """Return a group for each text: texts are in one where a chain of near ones leads from each to each.

    Two texts are near when the words they share are at least `share` of the words of both together (the
    Jaccard index). Nothing near is missed, and few pairs are compared: if the words of all texts are put in
    one order, rare ones first, two near texts have a word in common among the first n - ceil(share * n) + 1
    of each, n being its number of words.

    Args:
        texts: the different words of each text.
        share: above 0, at most 1.

    Returns:
        For each text the 0-based number of the first text of its group.

    Source:
        Chaudhuri, Ganti and Kaushik, A Primitive Operator for Similarity Joins (ICDE 2006): prefix filtering.
    """
    often = Counter(word for text in texts for word in text)
    first = list(range(len(texts)))

    def root(number: int) -> int:
        while first[number] != number:
            first[number] = first[first[number]]
            number = first[number]
        return number

    holders: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        rarest = sorted(text, key=lambda word: (often[word], word))
        # The epsilon keeps 0.56 * 25 from being 14.000000000000002.
        rarest = rarest[: len(rarest) - math.ceil(share * len(rarest) - 1e-9) + 1]
        for other in {other for word in rarest for other in holders.get(word, ())}:
            if _near(text, texts[other], share):
                low, high = sorted((root(number), root(other)))
                first[high] = low
        for word in rarest:
            holders.setdefault(word, []).append(number)
    return [root(number) for number in range(len(texts))]


def _near(one: frozenset[str], other: frozenset[str], share: float) -> bool:
    small, large = sorted((len(one), len(other)))
    if small < share * large - 1e-9:
        return False
    shared = len(one & other)
    return shared >= share * (len(one) + len(other) - shared) - 1e-9
