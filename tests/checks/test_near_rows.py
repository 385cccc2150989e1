"""Near repetitions: found, verified, and never made by the instruction that all rows share."""

import random
from itertools import pairwise

import numpy as np
import pytest

from finlora.checks import near
from tests.checks.parts import asked, codes, only, rows

WORDS = [f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in "nprst"]
FRAME = "Instruction: What is the sentiment of this news? Please choose one of these answers. Input: "


def sentences(count, seed=1, length=20):
    chance = random.Random(seed)
    return [chance.sample(WORDS, length) for _ in range(count)]


def text(words):
    return " ".join(words)


def jaccard(a, b):
    return len(set(a) & set(b)) / len(set(a) | set(b))


def test_a_near_copy_is_found_and_a_cousin_is_not():
    kept = sentences(40)
    one_changed = [*kept[3][:19], "Changed"]  # 19 of 21 words
    two_changed = [*kept[4][:18], "new", "words"]  # 18 of 22
    four_changed = [*kept[5][:16], "a", "b", "c", "d"]  # 16 of 24: under 0.8
    file = asked(*(FRAME + text(words) for words in [*kept, one_changed, two_changed, four_changed]))
    found = only(near.inside(file, set()), "near-repeated")
    assert (found.lines, found.against_lines) == ((41, 42), (4, 5))
    assert found.figures == {"near": 2, "nearer": 1, "rows": 43}
    assert found.severity == "note"


def test_rows_that_are_told_already_are_not_told_again():
    kept = sentences(30)
    file = asked(*(text(words) for words in [*kept, kept[0]]))
    assert codes(near.inside(file, {31}), notes=True) == {}
    assert codes(near.inside(file, set()), notes=True) == {"near-repeated": [31]}


def test_the_instruction_makes_no_rows_alike():
    short = [FRAME + text(words) for words in sentences(30, length=3)]
    assert jaccard(short[0].split(), short[1].split()) > 0.6
    assert near.inside(asked(*short), set()) == []
    # A few rows without it change nothing.
    assert near.inside(asked(*short, "something else"), set()) == []


def test_the_words_of_a_template_are_those_of_nearly_all_rows():
    texts = [f"Question {i} of all" for i in range(20)]
    assert near.template(texts) == {"question", "of", "all"}
    assert near.template([*texts, "x", "y", "z"]) == set()
    assert near.template(texts[:19]) == set()


def test_a_file_from_a_few_moulds_is_a_warning():
    moulds = [text(words) for words in sentences(4)]
    file = asked(*(f"{mould} {i}" for i in range(10) for mould in moulds))
    found = only(near.inside(file, set()), "near-repeated")
    assert (found.severity, found.count) == ("warning", 36)


def test_case_and_punctuation_do_not_count():
    kept = sentences(30)
    shouted = ", ".join(kept[7]).upper() + "!"
    found = near.inside(asked(*(text(words) for words in kept), shouted), set())
    assert only(found, "near-repeated").figures["nearer"] == 1


def test_signatures_tell_how_near_texts_are():
    # 126 places: a standard deviation of 0.045 at most for each pair, 0.005 for the mean of 100.
    chance = random.Random(5)
    errors = []
    for words in sentences(100):
        other = [*words[:15], *chance.sample(WORDS, 5)]
        found = near.sketch([text(words), text(other)])
        assert {len(found.of(0)), found.size(0)} == {20}
        shared = len(found.of(0) & found.of(1)) / len(found.of(0) | found.of(1))
        errors.append(shared - jaccard(words, other))
    assert max(map(abs, errors)) < 1e-9


def test_all_near_pairs_are_found_in_a_large_file():
    kept = sentences(400, seed=2)
    copies = [[*words[:19], f"x{i}"] for i, words in enumerate(kept)]
    found = near.nearest_inside(near.sketch([text(words) for words in [*kept, *copies]]))
    expected = {400 + i for i in range(400)}
    assert len(expected & set(found)) == 400
    assert all(found[400 + i][0] == i for i in range(400))


def test_what_is_found_is_what_comparing_all_with_all_finds():
    chance = random.Random(3)
    train = sentences(150, seed=4)
    test = [[*chance.choice(train)[: chance.randint(12, 20)], *chance.sample(WORDS, 2)] for _ in range(150)]
    best = [max(jaccard(words, other) for other in train) for words in test]
    found = near.nearest_between(*(near.sketch([text(words) for words in side]) for side in (train, test)))
    expected = {i for i, index in enumerate(best) if index >= near.NEAR}
    assert len(expected) > 40
    assert set(found) == expected
    assert [found[i][1] for i in sorted(found)] == pytest.approx([best[i] for i in sorted(expected)])


@pytest.mark.parametrize("texts", [[], ["one"], ["", ""], ["...", "!!!"]])
def test_nothing_to_compare(texts):
    sketches = near.sketch(texts)
    assert len(sketches) == len(texts)
    assert near.nearest_inside(sketches) == {}
    assert near.nearest_between(sketches, sketches) == ({0: (0, 1.0)} if texts == ["one"] else {})


def test_equal_files_give_equal_bands():
    texts = [text(words) for words in sentences(3000)]
    first, second = near.sketch(texts), near.sketch(texts)
    assert np.array_equal(first.bands, second.bands)
    # And a text's bands do not depend on the texts around it.
    assert np.array_equal(near.sketch(texts[2500:]).bands, first.bands[2500:])
    assert first.bands.nbytes + first.words.nbytes < 500 * len(texts)


def test_pairs_grow_with_the_rows_and_not_with_their_square(monkeypatch):
    counted = []
    monkeypatch.setattr(near, "_best", lambda mine, others, pairs: counted.append(len(pairs)) or {})
    for count in (500, 1000, 2000):
        sketches = near.sketch([f"the same words in every row but for {i}" for i in range(count)])
        near.nearest_inside(sketches)
        near.nearest_between(sketches, sketches)
    inside, between = counted[::2], counted[1::2]
    assert all(after < 2.3 * before for before, after in [*pairwise(inside), *pairwise(between)])


def test_answers_in_words_are_compared_and_labels_are_not():
    definitions = [text(words) for words in sentences(30, seed=6)]
    train = rows([(f"Explain {i}.", answer) for i, answer in enumerate(definitions)])
    near_copy = definitions[8].rsplit(" ", 1)[0] + " other"
    test = rows([("Define thing.", near_copy), ("Tell more.", text(sentences(1, seed=9)[0]))], "test.jsonl")
    found = only(near.between(train, test), "near-answer")
    assert (found.lines, found.against_lines, found.severity) == ((1,), (9,), "warning")
    assert found.figures == {"near": 1, "nearer": 1, "test_rows": 2}
    labels = rows([(f"{i} {words}", "mildly positive") for i, words in enumerate(definitions)])
    assert "near-answer" not in codes(near.between(labels, labels), notes=True)


def test_rows_that_are_only_rather_near_are_a_note():
    kept = sentences(30, seed=7)
    cousin = [*kept[2][:18], "new", "words"]  # 18 of 22
    test = rows([(text(cousin), "up")], "test.jsonl")
    found = only(near.between(asked(*(text(words) for words in kept)), test), "near-question")
    assert (found.severity, found.figures["near"], found.figures["nearer"]) == ("note", 1, 0)
    assert (found.lines, found.against_lines) == ((1,), (3,))


def test_an_equal_question_is_told_of_elsewhere():
    kept = [text(words) for words in sentences(30, seed=7)]
    cousin = kept[5].rsplit(" ", 1)[0] + " other"
    test = rows([(kept[2], "up"), (cousin, "up")], "test.jsonl")
    found = only(near.between(asked(*kept), test), "near-question")
    assert (found.lines, found.against_lines, found.figures["near"]) == ((2,), (6,), 1)
