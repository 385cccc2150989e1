"""Groups of near texts, against a comparison of every pair."""

import itertools
import random

import pytest

from finlora.converters.near import clusters


def by_every_pair(texts, share):
    """Return groups by merging every near pair until nothing changes."""
    group = list(range(len(texts)))
    changed = True
    while changed:
        changed = False
        for a, b in itertools.combinations(range(len(texts)), 2):
            both = texts[a] | texts[b]
            if len(texts[a] & texts[b]) * 100 >= round(share * 100) * len(both) and group[a] != group[b]:
                low = min(group[a], group[b])
                group[a] = group[b] = low
                changed = True
    return group


@pytest.mark.parametrize("share", [0.5, 0.7, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_none_is_missed_and_none_is_made_up(share, seed):
    rng = random.Random(seed)
    texts = []
    for _ in range(60):
        words = set(rng.sample(range(40), rng.randint(1, 14)))
        texts += [frozenset(map(str, words)), frozenset(map(str, words ^ {rng.randint(0, 39)} or {0}))]
    groups = clusters(texts, share)
    assert groups == by_every_pair(texts, share)
    assert 1 < len(set(groups)) < len(texts) + (share == 1.0)


def test_nine_of_ten_words_are_nine_tenths():
    one, other = frozenset("abcdefghij"), frozenset("abcdefghi")
    assert clusters([one, other], 0.9) == [0, 0]
    assert clusters([one, frozenset("abcdefgh")], 0.9) == [0, 1]


def test_a_share_that_no_float_holds_misses_nothing():
    # 0.56 * 25 is 14.000000000000002; the eleven words of one text alone are its rarest.
    words = [f"word{n}" for n in range(25)]
    assert clusters([frozenset(words), frozenset(words[11:])], 0.56) == [0, 0]


def test_a_chain_is_one_group():
    chain = [frozenset("abcdefghi") - {"abc"[i]} | {"xyz"[i]} for i in range(3)]
    assert clusters([chain[0], frozenset("q"), chain[1], chain[2]], 0.6) == [0, 1, 0, 0]


def test_texts_without_words_stand_alone():
    assert clusters([frozenset(), frozenset(), frozenset("a")], 0.8) == [0, 1, 2]
    assert clusters([], 0.8) == []
