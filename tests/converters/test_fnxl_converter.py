"""FNXL: the first number of each tag as published, every sure one when mended."""

import pytest

from finlora.converters import fnxl
from finlora.errors import DataError
from tests.converter_parts import make_records, make_task, reasons, seen_with_hash_seeds

PROMPT = "Choose the tags.\n{options}\n{questions}\n\nOutput US GAAP tags:"
TASK = make_task(
    "fnxl", PROMPT, answer_mark="Output US GAAP tags:", files={"test": "test/mini.jsonl"}, answer="tags"
)


def row(sentence, tags):
    return {"sentence": sentence, "numerals-tags": tags, "company": "Acme", "year": "21"}


ROWS = [
    row("Rent was 5 , 6 and 5 .", "{'us-gaap:Rent': ['5', '6', '5']}"),
    row("Debt was 7 .", "{'us-gaap:Debt': ['7'], 'us-gaap:None': []}"),
    row("No number .", "{}"),
    row("Broken .", "{'us-gaap:Rent': ["),
    row("Cash was 8 and 8 .", "{'us-gaap:Cash': ['8'], 'acme:Float': ['8']}"),
    row("Debt was 7 .", "{'us-gaap:Debt': ['7']}"),
    row("It fell by half , or a bit .", "{'us-gaap:Loss': ['half', 'a bit']}"),
]
UNREADABLE = "numerals-tags is no dictionary of tags and their numbers"


def convert(as_published, rows=ROWS):
    return fnxl.convert(TASK, {"test": make_records(rows, "test_sample.csv")}, as_published)


def everything():
    return [convert(published) for published in (True, False)]


def ask(entity, sentence):
    return f'What is the best us gaap tag for entity "{entity}" in sentence: "{sentence}"?\n'


def test_published_rows_to_the_letter():
    start = "Choose the tags.\nCash, Debt, Loss, Rent, acme:Float\n"
    end = "\nOutput US GAAP tags:"
    done = convert(True)
    assert done.rows == {
        "test": [
            {
                "context": start
                + ask("5", "Rent was 5 , 6 and 5 .")
                + ask("7", "Debt was 7 .")
                + ask("8", "Cash was 8 and 8 .") * 2
                + end,
                "target": "Rent,Debt,Cash,acme:Float",
            },
            {
                "context": start
                + ask("7", "Debt was 7 .")
                + ask("half", "It fell by half , or a bit .")
                + end,
                "target": "Debt,Loss",
            },
        ]
    }
    assert reasons(done) == [(3, UNREADABLE), (4, UNREADABLE)]
    assert done.mended == {}


def test_mended_rows_to_the_letter():
    done = convert(False)
    assert done.rows == {
        "test": [
            {
                "context": "Choose the tags.\nDebt, Loss, Rent\n"
                + ask("5", "Rent was 5 , 6 and 5 .")
                + ask("6", "Rent was 5 , 6 and 5 .")
                + ask("7", "Debt was 7 .")
                + ask("half", "It fell by half , or a bit .")
                + "\nOutput US GAAP tags:",
                "target": "Rent,Rent,Debt,Loss",
            }
        ]
    }
    assert reasons(done) == [
        (3, UNREADABLE),
        (4, UNREADABLE),
        (1, "repeats an earlier row"),
        (5, "its number stands twice in the sentence, with different tags"),
        (5, "its number stands twice in the sentence, with different tags"),
        (6, "repeats an earlier row"),
        (7, "what it asks about is no number"),
    ]
    assert done.mended == {"a further number of its tag, which the published rows don't ask about": 1}


@pytest.mark.parametrize(
    "tags",
    [
        "",
        "['5']",
        "{'us-gaap:Rent': '5'}",
        "{'us-gaap:Rent': [5]}",
        "{5: ['5']}",
        "{'a': [].append(1)}",
        "__import__('os').getcwd()",
        "{[]: 1}",
        "(" * 9000,
        "-" * 9000 + "1",
        "{'us-gaap:Rent': ['5']}" + " " * 20_000,
        "{'us-gaap:Rent': ['5']\0}",
    ],
)
def test_what_is_no_dictionary_of_numbers_is_left_out(tags):
    done = convert(True, [row("Rent was 5 .", tags), ROWS[1]])
    assert reasons(done) == [(1, UNREADABLE)]
    assert [found["target"] for found in done.rows["test"]] == ["Debt"]


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"sentence": "a", "tags": "{}"}, "no column 'numerals-tags'; columns found: sentence, tags"),
        ({"sentence": 5, "numerals-tags": "{}"}, "'sentence' is int; text is wanted"),
        ({"sentence": "a", "numerals-tags": {"a": ["5"]}}, "'numerals-tags' is dict; text is wanted"),
    ],
)
def test_a_table_of_another_form_is_refused(record, fault):
    with pytest.raises(DataError) as error:
        convert(True, [ROWS[0], record])
    assert str(error.value) == f"test_sample.csv:2: {fault}"


def test_hash_seeds_change_nothing():
    assert len(seen_with_hash_seeds("test_fnxl_converter")) == 1
