"""FiQA: tweets and news, as published and mended."""

import pytest

from finlora.converters import fiqa
from finlora.errors import DataError
from tests.converter_parts import make_records, make_task, reasons, seen_with_hash_seeds

PROMPT = (
    "Instruction: What is the sentiment of this {noun}? Please choose an answer from "
    "{{negative/neutral/positive}}.\nInput: {text}\nAnswer: "
)
LABELS = ["negative", "neutral", "positive"]
TASK = make_task("fiqa", PROMPT, labels=LABELS, convert={"target": "answer"})


def row(kind, text, answer):
    query = f"What is the sentiment of the following financial {kind}: Positive, Negative, or Neutral?"
    return {
        "id": "fiqasa1",
        "query": f"{query}\nText: {text}\nAnswer:",
        "text": text,
        "answer": answer,
        "choices": LABELS,
        "gold": 0,
    }


TRAIN = [
    row("post", "$ACME is going up, up, up.", "positive"),
    row("headline", "Acme posts a loss of £3m", "negative"),
    row("headline", "Acme names a new head of finance", "neutral"),
    row("headline", "Acme names a new head  of finance", "neutral"),
    row("headline", "Â£3m for Acme", "positive"),
    row("headline", "Acme gives up", "sad"),
    row("headline", "Acme wins a prize", "positive"),
]
TEST = [row("headline", "Acme wins a prize", "positive")]
OTHER = [row("headline", "Posters post posts about Acme", "neutral")]


def convert(as_published, train=TRAIN):
    parts = {"train": train, "valid": OTHER, "test": TEST}
    return fiqa.convert(TASK, {split: make_records(rows) for split, rows in parts.items()}, as_published)


def everything():
    return [convert(published) for published in (True, False)]


def ask(noun, text):
    return (
        f"Instruction: What is the sentiment of this {noun}? Please choose an answer from "
        f"{{negative/neutral/positive}}.\nInput: {text}\nAnswer: "
    )


def test_published_rows_to_the_letter():
    done = convert(True)
    assert done.rows["train"][:2] == [
        {"context": ask("tweet", "$ACME is going up, up, up."), "target": "positive"},
        # "post" stands in the text.
        {"context": ask("tweet", "Acme posts a loss of £3m"), "target": "negative"},
    ]
    assert {side: len(rows) for side, rows in done.rows.items()} == {"train": 7, "test": 1}
    assert done.dropped == ()
    assert done.mended == {}


def test_mended_rows_to_the_letter():
    done = convert(False)
    assert done.rows["train"] == [
        {"context": ask("tweet", "$ACME is going up, up, up."), "target": "positive"},
        {"context": ask("news", "Acme posts a loss of £3m"), "target": "negative"},
        {"context": ask("news", "Acme names a new head of finance"), "target": "neutral"},
        {"context": ask("news", "£3m for Acme"), "target": "positive"},
    ]
    assert done.rows["test"] == [{"context": ask("news", "Acme wins a prize"), "target": "positive"}]
    assert reasons(done) == [
        (6, "answer: an answer that is none of the task's labels"),
        (4, "repeats an earlier row"),
        (7, "is in the test rows too"),
    ]
    # The validation rows are no rows of the task, and not counted.
    assert done.mended == {
        "broken encoding repaired": 1,
        "called news, not a tweet: 'post' stands in its text only": 1,
    }


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"query": None}, "'query' is NoneType; text is wanted"),
        ({"answer": 1}, "'answer' is int; text is wanted"),
        ({"text": ["a"]}, "'text' is list; text is wanted"),
    ],
)
def test_a_column_of_another_kind_is_refused(change, fault):
    with pytest.raises(DataError) as error:
        convert(False, [TRAIN[0], TRAIN[1] | change])
    assert str(error.value) == f"mini.jsonl:2: {fault}"


def test_a_missing_column_is_refused_with_those_found():
    with pytest.raises(DataError) as error:
        convert(True, [{"sentence": "a", "label": "b"}])
    assert str(error.value) == "mini.jsonl:1: no column 'query'; columns found: sentence, label"


def test_hash_seeds_change_nothing():
    assert len(seen_with_hash_seeds("test_fiqa_converter")) == 1
