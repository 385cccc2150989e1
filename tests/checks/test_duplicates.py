"""Repeated rows and contradictions, inside a file and between two."""

from finlora.checks import duplicates
from tests.checks.parts import codes, only, rows

SENTENCE = "What did Acme earn? Answer:"


def test_rows_are_repeated_to_the_letter_or_nearly():
    found, repeated = duplicates.inside(
        rows(
            [
                (SENTENCE, "5"),
                ("another", "5"),
                (SENTENCE, "5"),
                ("what did  ACME earn? answer:", "5"),
                (SENTENCE, "5"),
                ("Another", "5."),
                # Near misses: a word, a sign and a number more.
                ("What did Acme Inc earn? Answer:", "5"),
                ("What did Acme earn! Answer:", "5"),
            ]
        )
    )
    assert codes(found) == {"repeated": [3, 5], "repeated-alike": [4, 6]}
    assert only(found, "repeated").against_lines == (1, 1)
    assert only(found, "repeated-alike").against_lines == (1, 2)
    assert repeated == {3, 4, 5, 6}


def test_a_full_width_letter_is_the_same_letter():
    found, _ = duplicates.inside(rows([("ＡＣＭＥ earned", "5"), ("acme earned", "5")]))
    assert codes(found) == {"repeated-alike": [2]}


def test_two_answers_to_one_question():
    found, repeated = duplicates.inside(
        rows([("q", "5"), ("Q ", "6"), ("q", "7"), ("r", "5"), ("r", "5."), ("s", "-5"), ("t", "5")])
    )
    contradiction = only(found, "contradiction")
    assert contradiction.severity == "error"
    assert (contradiction.lines, contradiction.against_lines) == ((2, 3), (1, 1))
    assert contradiction.figures == {"questions": 1}
    assert repeated == {5}


def test_only_the_first_ten_lines_are_named_and_all_are_counted():
    found, _ = duplicates.inside(rows([("q", "a")] * 30))
    repeated = only(found, "repeated")
    assert (repeated.count, repeated.lines) == (29, tuple(range(2, 12)))
    assert len(repeated.against_lines) == 10


def test_a_test_question_that_training_has():
    train = rows([("q one", "a"), ("q two", "b"), ("q three", "c")])
    test = rows([("Q  one", "A"), ("q two", "x"), ("q four", "a"), ("q three", "c")], "test.jsonl")
    found = duplicates.between(train, test)
    assert codes(found) == {"test-in-train": [1, 4], "contradiction-between": [2]}
    shared = only(found, "test-in-train")
    assert (shared.file, shared.against, shared.against_lines) == ("test.jsonl", "train.jsonl", (1, 3))
    assert shared.figures == {"verbatim": 2, "test_rows": 4}
    assert {one.severity for one in found} == {"error"}


def test_different_questions_may_have_one_answer():
    assert duplicates.between(rows([("q one", "a")]), rows([("q two", "a")])) == []
