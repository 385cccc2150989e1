"""Rows that nearly repeat others, found by MinHash in linear time and verified by what they share.

Two texts are as near as their sets of words (Jaccard: words in both over words in either, case aside).
MinHash signatures are cut into bands; texts that agree in a band are candidates, and each candidate is
verified on the words themselves. A row is compared with a few candidates of each band alone, so that a
file of one sentence in a hundred thousand variations takes no longer than others.

Source: A. Broder, "On the resemblance and containment of documents" (1997); bands: J. Leskovec,
A. Rajaraman, J. Ullman, "Mining of Massive Datasets", chapter 3.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finlora.checks import Finding, Rows, finding, rows_of
from finlora.checks.duplicates import normalised

if TYPE_CHECKING:
    import numpy

NEAR, NEARER = 0.8, 0.9
# A pair with Jaccard 0.8 shares a band with a probability of 0.998, one with 0.9 surely, one with 0.4
# with 0.08.
_BANDS, _BAND_ROWS = 21, 6
_SEED = 42
_BATCH = 512
# Candidates of a band that a row of another file is compared with.
_MOST_CANDIDATES = 4
_WORD = re.compile(r"\w+")
# Words that so many rows have are the template's; in fewer rows than this none are taken for one.
_TEMPLATE_SHARE, _TEMPLATE_ROWS = 0.9, 20
# Answers shorter than this are labels, numbers or names, which repeat by nature.
_ANSWER_WORDS = 4


@dataclass(frozen=True)
class Sketches:
    """What is kept of texts: hashes of their words, and of their bands.

    Args:
        words: hashes of the distinct words of all texts, one text after the other, 8 bytes each.
        starts: where each text begins in `words`, and the end.
        bands: one hash for each text and band, 8 bytes each.
    """

    words: "numpy.ndarray[Any, Any]"
    starts: "numpy.ndarray[Any, Any]"
    bands: "numpy.ndarray[Any, Any]"

    def __len__(self) -> int:
        return len(self.starts) - 1

    def size(self, text: int) -> int:
        """Return how many distinct words a text has."""
        return int(self.starts[text + 1] - self.starts[text])

    def of(self, text: int) -> set[int]:
        """Return the hashes of a text's words."""
        return set(self.words[self.starts[text] : self.starts[text + 1]].tolist())


def template(texts: Iterable[str]) -> frozenset[str]:
    """Return the words that nearly all texts have: the instruction, which must not make all alike."""
    counts: Counter[str] = Counter()
    total = 0
    for text in texts:
        total += 1
        counts.update(_words(text))
    if total < _TEMPLATE_ROWS:
        return frozenset()
    return frozenset(word for word, count in counts.items() if count >= _TEMPLATE_SHARE * total)


def sketch(texts: Sequence[str], left_out: frozenset[str] = frozenset()) -> Sketches:
    """Return sketches of texts, without the words of a template.

    Args:
        texts: any number of them.
        left_out: words that don't count.
    """
    import numpy as np
    from rensa import RMinHash

    words, bands, sizes = [], [], [0]
    for start in range(0, len(texts), _BATCH):
        sets = [list(_words(text) - left_out) for text in texts[start : start + _BATCH]]
        hashes = RMinHash.hash_token_sets(sets)
        matrix = RMinHash.digest_matrix_from_token_hash_sets(hashes, _BANDS * _BAND_ROWS, _SEED)
        sizes += [len(these) for these in hashes]
        words.append(np.array([number for these in hashes for number in these], dtype=np.uint64))
        bands.append(_band_hashes(np.array(matrix.to_rows(), dtype=np.uint64)))
    empty = np.zeros((0, _BANDS), dtype=np.uint64)
    return Sketches(np.concatenate([empty[:, 0], *words]), np.cumsum(sizes), np.concatenate([empty, *bands]))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _band_hashes(signatures: "numpy.ndarray[Any, Any]") -> "numpy.ndarray[Any, Any]":
    """Return one number for each row and band (FNV-1a over the band's values; overflow is meant)."""
    import numpy as np

    cut = signatures.reshape(len(signatures), _BANDS, _BAND_ROWS)
    mixed = np.full(cut.shape[:2], 0xCBF29CE484222325, dtype=np.uint64)
    for column in range(_BAND_ROWS):
        mixed = (mixed ^ cut[:, :, column]) * np.uint64(0x100000001B3)
    return mixed


def nearest_inside(sketches: Sketches) -> dict[int, tuple[int, float]]:
    """Return for each text that is near an earlier one: that one and the Jaccard index of the two."""
    import numpy as np

    pairs = []
    for band in range(_BANDS):
        order = np.argsort(sketches.bands[:, band], kind="stable")
        hashes = sketches.bands[order, band]
        begins = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]])) if len(hashes) else order
        first = np.repeat(order[begins], np.diff(np.append(begins, len(hashes))))
        # The first of those that agree, and the one before: both stand earlier in the file.
        before = np.concatenate([first[:1], order[:-1]])
        before = np.where(np.isin(np.arange(len(order)), begins), first, before)
        for earlier in (first, before):
            pairs.append(np.stack([order, earlier], axis=1)[order != earlier])
    return _best(sketches, sketches, np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=np.int64))


def nearest_between(train: Sketches, test: Sketches) -> dict[int, tuple[int, float]]:
    """Return for each text of `test` that is near one of `train`: that one and the Jaccard index."""
    import numpy as np

    pairs = []
    for band in range(_BANDS):
        order = np.argsort(train.bands[:, band], kind="stable")
        hashes = train.bands[order, band]
        left = np.searchsorted(hashes, test.bands[:, band], side="left")
        right = np.searchsorted(hashes, test.bands[:, band], side="right")
        for step in range(_MOST_CANDIDATES):
            mine = np.flatnonzero(left + step < right)
            pairs.append(np.stack([mine, order[left[mine] + step]], axis=1))
    return _best(test, train, np.concatenate(pairs))


def _best(mine: Sketches, others: Sketches, pairs: "numpy.ndarray[Any, Any]") -> dict[int, tuple[int, float]]:
    """Verify pairs (text of mine, text of others), each once, and keep the nearest of each text."""
    import numpy as np

    best: dict[int, tuple[int, float]] = {}
    # A pair as one number: sorting these is many times faster than sorting pairs.
    for number in np.unique(pairs[:, 0] * len(others) + pairs[:, 1]).tolist():
        text, other = divmod(number, len(others))
        known = best.get(text, (0, 0.0))[1]
        small, large = sorted((mine.size(text), others.size(other)))
        if known == 1 or not small or small < NEAR * large:
            continue
        a, b = mine.of(text), others.of(other)
        shared = len(a & b)
        index = shared / (len(a) + len(b) - shared)
        if index >= NEAR and index > known:
            best[text] = (other, index)
    return best


def inside(rows: Rows, repeated: set[int]) -> list[Finding]:
    """Look for questions that nearly repeat an earlier one of their file.

    Args:
        rows: the file.
        repeated: lines of rows that repeat one to the letter, which are told already.
    """
    kept = [row for row in rows.rows if row.line not in repeated]
    texts = [row.context for row in kept]
    near = nearest_inside(sketch(texts, template(texts)))
    if not near:
        return []
    partners = {kept[i].line: kept[other].line for i, (other, _) in near.items()}
    nearer = sum(index >= NEARER for _, index in near.values())
    words = (
        f"{rows_of(len(near), 'share')} at least {NEAR:.0%} of their words with an earlier question; "
        f"{nearer:,} at least {NEARER:.0%}"
    )
    advice = "Look at some: rows from one mould teach less than their number says"
    return [
        finding(
            "warning" if len(near) * 10 > len(rows.rows) else "note",
            "near-repeated",
            rows.file,
            partners,
            words,
            advice,
            pairs=(rows.file, partners),
            figures={"near": len(near), "nearer": nearer, "rows": len(rows.rows)},
        )
    ]


def between(train: Rows, test: Rows) -> list[Finding]:
    """Look for questions, and for answers in words, of the test file that training has nearly alike.

    Equal questions are left out: `duplicates` tells of them.
    """
    if not train.rows or not test.rows:
        return []
    contexts = [[row.context for row in rows.rows] for rows in (train, test)]
    equal = {normalised(text) for text in contexts[0]}
    left_out = template([*contexts[0], *contexts[1]])
    sides: dict[str, tuple[list[str], list[str], frozenset[str]]] = {
        "question": (contexts[0], contexts[1], left_out)
    }
    targets = [[row.target for row in rows.rows] for rows in (train, test)]
    if sum(len(_words(text)) for text in targets[1]) >= _ANSWER_WORDS * len(test.rows):
        sides["answer"] = (targets[0], targets[1], frozenset())
    found = []
    for what, (there, here, words) in sides.items():
        near = nearest_between(sketch(there, words), sketch(here, words))
        if what == "question":
            near = {i: pair for i, pair in near.items() if normalised(here[i]) not in equal}
        if near:
            found.append(_between(what, train, test, near))
    return found


def _between(what: str, train: Rows, test: Rows, near: dict[int, tuple[int, float]]) -> Finding:
    nearer = {i: pair for i, pair in near.items() if pair[1] >= NEARER}
    share = [len(these) / len(test.rows) for these in (nearer, near)]
    words = (
        f"{rows_of(len(nearer))} of the test ({share[0]:.1%}) with at least {NEARER:.0%} of the {what}'s "
        f"words in common with one in training; {len(near):,} ({share[1]:.1%}) at least {NEAR:.0%}"
    )
    advice = "Score those rows apart, or put rows that are near each other on one side of the split"
    shown = nearer or near
    partners = {test.rows[i].line: train.rows[other].line for i, (other, _) in shown.items()}
    return finding(
        "warning" if nearer else "note",
        f"near-{what}",
        test.file,
        partners,
        words,
        advice,
        pairs=(train.file, partners),
        figures={"near": len(near), "nearer": len(nearer), "test_rows": len(test.rows)},
    )
