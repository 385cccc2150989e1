"""Rows on their way into training: labels, order, and rows that are too long."""

import pytest

from finlora import prompts
from finlora.data import Row
from finlora.errors import DataError
from finlora.prepared_rows import IGNORED, prepare
from tests.tiny import make_tiny_tokenizer

SETTINGS = {"val_set_size": 0.1, "step_rows": 4, "seed": 42, "allow_dropped_rows": False}


@pytest.fixture(scope="module")
def tokenizer():
    return make_tiny_tokenizer("chatml")


@pytest.fixture(scope="module")
def prompt(tokenizer):
    return prompts.prompt_for(tokenizer, "chat")


def rows(count=40, long=0):
    short = [Row(f"sales rose {'again ' * (i % 5)}{i}", "positive", i + 1) for i in range(count - long)]
    return [*short, *(Row("long " * 200, "neutral", count - long + i + 1) for i in range(long))]


def test_only_the_answer_and_its_end_are_trained(tokenizer, prompt):
    made = prepare(rows(), "rows.jsonl", tokenizer, prompt, sequence_len=128, **SETTINGS)
    assert (len(made.train), len(made.validation)) == (36, 4)
    for row in made.train + made.validation:
        trained = [label for label in row["labels"] if label != IGNORED]
        assert tokenizer.decode(trained) == "positive<|im_end|>"
        assert row["labels"][-len(trained) :] == row["input_ids"][-len(trained) :]
        assert len(row["input_ids"]) == len(row["labels"]) == len(row["attention_mask"])
    assert made.report["trained_tokens"] == sum(
        label != IGNORED for row in made.train for label in row["labels"]
    )


def test_the_same_seed_gives_the_same_order_and_another_seed_another(tokenizer, prompt):
    first, second = (prepare(rows(), "f", tokenizer, prompt, sequence_len=128, **SETTINGS) for _ in range(2))
    other = prepare(rows(), "f", tokenizer, prompt, sequence_len=128, **{**SETTINGS, "seed": 7})
    assert first.train == second.train
    assert first.train != other.train
    assert sorted(map(str, first.train + first.validation)) == sorted(
        map(str, other.train + other.validation)
    )


def test_too_many_long_rows_are_an_error_with_lines(tokenizer, prompt):
    with pytest.raises(DataError) as caught:
        prepare(rows(long=3), "data/rows.jsonl", tokenizer, prompt, sequence_len=128, **SETTINGS)
    text = str(caught.value)
    assert "3 of 40 rows (7.5%) are longer than sequence_len 128" in text
    assert "data/rows.jsonl:38: " in text
    assert "--allow-dropped-rows" in text
    assert len(caught.value.problems) == 3


def test_long_rows_are_dropped_and_reported_when_allowed(tokenizer, prompt):
    settings = {**SETTINGS, "allow_dropped_rows": True}
    made = prepare(rows(long=3), "f", tokenizer, prompt, sequence_len=128, **settings)
    assert made.report["dropped"] == {
        "count": 3,
        "reason": "longer than sequence_len 128",
        "lines": [38, 39, 40],
    }
    assert made.report["train"] + made.report["validation"] == 37


def test_one_percent_may_go_unasked(tokenizer, prompt):
    made = prepare(rows(count=100, long=1), "f", tokenizer, prompt, sequence_len=128, **SETTINGS)
    assert made.report["dropped"]["count"] == 1


def test_no_row_left_is_an_error_even_when_dropping_is_allowed(tokenizer, prompt):
    settings = {**SETTINGS, "allow_dropped_rows": True}
    with pytest.raises(DataError, match="2 of 2 rows"):
        prepare(rows(count=2, long=2), "f", tokenizer, prompt, sequence_len=128, **settings)
