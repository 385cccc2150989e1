"""Free text by ROUGE-L: known values of the longest common subsequence."""

import pytest

from finlora.metrics import texts

# F1 = 2 * common / (words of the output + words of the gold).
CASES = [
    ("the cat sat", "the cat sat", 1.0),
    ("The Cat sat.", "the cat sat", 1.0),
    ("the cat", "the cat sat down", 2 * 2 / 6),
    ("sat cat the", "the cat sat", 2 * 1 / 6),
    ("a b c d", "a x c y", 2 * 2 / 8),
    ("dogs run", "the cat sat", 0.0),
    ("$1,577.00", "1577.00", 2 * 1 / 5),
    ("?!", "the cat", 0.0),
    ("net income rose", "net income fell", 2 * 2 / 6),
]


@pytest.mark.parametrize(("output", "gold", "score"), CASES)
def test_the_score_is_the_f1_of_common_words_in_order(output, gold, score):
    assert len(CASES) == 9
    judged = texts.judge(f" {output}\n", gold)
    assert judged.score == pytest.approx(score)
    assert (judged.parsed, judged.gold) == (output, gold)


@pytest.mark.parametrize("output", ["", " ", "\n\t "])
def test_nothing_is_unparsed(output):
    assert texts.judge(output, "the cat") == texts.Judged(None, "the cat", 0.0)


def test_words_beyond_a_thousand_are_left_out():
    assert texts.judge("a " * 1000 + "b " * 100_000, "a " * 1000).score == 1.0
