"""Named entities: every wording as published, each span once when mended."""

import itertools
import random

import pytest

from finlora.converters import ner
from finlora.errors import DataError, UsageError
from tests.converter_parts import make_records, make_task, reasons, seen_with_hash_seeds

PROMPT = "Instruction: {instruction}\nInput: {input}\nAnswer: "
LABELS = ["person", "location", "organization"]
TASK = make_task("ner", PROMPT, labels=LABELS, convert={"target": "output"})
WORDINGS = (
    "What kind of thing is '{}'?",
    "Say what '{}' is in the input sentence.",
    "Isn't '{}' a name? Type it.",
)
LOAN = 'Acme \'s Bank ( " Bank " ) of 7 Elm St lends to Rowe ( " Borrower " ) .'
LEASE = "The Lender , O'Neil & Co , rents 7 Elm St ."


def ask(span, sentence, label, wording=0, order=0):
    options = ", ".join(list(itertools.permutations(LABELS))[order])
    return {
        "input": sentence,
        "output": label,
        "instruction": WORDINGS[wording].format(span) + f"\nOptions: {options}",
    }


TRAIN = [ask("Bank", LOAN, "organization", wording, wording) for wording in range(3)]
TRAIN += [
    ask("Borrower", LOAN, "person"),
    ask("Acme 's Bank", LOAN, "organization"),
    ask("Rowe", LOAN, "person"),
    ask("Rowe", LOAN, "organization", 1),
    ask("7 Elm St", LEASE, "location"),
    ask("Elm\ufffd", "Elm\ufffd Street .", "location"),
    ask("Nobody", LOAN, "person"),
    ask("Rowe", LOAN, "company"),
]
TEST = [
    ask("O'Neil & Co", LEASE, "organization", 1, 5),
    ask("O'Neil & Co", LEASE, "organization", 1, 3),
    ask("Lender", LEASE, "person", 2),
]


def convert(as_published, train=TRAIN, task=TASK):
    return ner.convert(task, {"train": make_records(train), "test": make_records(TEST)}, as_published)


def everything():
    return [convert(published) for published in (True, False)]


def test_published_rows_to_the_letter():
    done = convert(True)
    assert done.rows["train"][1] == {
        "context": "Instruction: Say what 'Bank' is in the input sentence.\n"
        "Options: person, organization, location\n"
        f"Input: {LOAN}\nAnswer: ",
        "target": "organization",
    }
    assert {side: len(rows) for side, rows in done.rows.items()} == {"train": 11, "test": 3}
    assert done.dropped == ()
    assert done.mended == {}


def test_mended_rows_to_the_letter():
    done = convert(False)
    assert done.rows["test"] == [
        {
            "context": "Instruction: Say what 'O'Neil & Co' is in the input sentence.\n"
            f"Options: person, location, organization\nInput: {LEASE}\nAnswer: ",
            "target": "organization",
        },
        {
            "context": "Instruction: Isn't 'Lender' a name? Type it.\n"
            f"Options: person, location, organization\nInput: {LEASE}\nAnswer: ",
            "target": "person",
        },
    ]
    asked = [
        row["context"].split("\nOptions: person, location, organization\n")[0] for row in done.rows["train"]
    ]
    assert len(asked) == 3
    assert asked[0] in ["Instruction: " + wording.format("Bank") for wording in WORDINGS]
    assert asked[1:] == [
        "Instruction: What kind of thing is 'Borrower'?",
        "Instruction: What kind of thing is 'Acme 's Bank'?",
    ]


def test_what_is_left_out_is_listed():
    found = reasons(convert(False))
    assert sorted(found, key=lambda pair: pair[1]) == [
        *[pair for pair in found if pair[1] == "asks again about the same words of the same sentence"],
        (9, "input: a replacement character (U+FFFD) where a letter was lost"),
        (8, "its sentence is in the test rows too"),
        (10, "no words of its sentence in quotes"),
        (11, "output: an answer that is none of the task's labels"),
        (6, "the same words of the same sentence have another label elsewhere"),
        (7, "the same words of the same sentence have another label elsewhere"),
    ]
    # Two of three wordings of Bank, one of two of O'Neil & Co.
    assert len(found) == 9


def test_roles_are_kept_and_counted():
    assert convert(False).mended == {
        "options in one order": 5,
        "asks about Borrower or Lender, which the source calls a person: kept": 2,
    }


def test_wordings_vary_and_do_not_hang_on_the_order_of_rows():
    spans = [f"Bank{n}" for n in range(40)]
    rows = [ask(span, f"{span} lends .", "organization", w) for span in spans for w in range(3)]
    shuffled = random.Random(1).sample(rows, len(rows))
    one, other = (
        sorted(row["context"] for row in convert(False, some).rows["train"]) for some in (rows, shuffled)
    )
    assert one == other
    assert len(one) == 40
    used = [
        sum(context.startswith(f"Instruction: {w.split(chr(39))[0]}") for context in one) for w in WORDINGS
    ]
    assert sum(used) >= 40
    assert min(used) > 3


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"input": "a", "output": "person"}, "no column 'instruction'; columns found: input, output"),
        (ask("a", "a", None), "'output' is NoneType; text is wanted"),
        (ask("a", "a", "person") | {"input": 3.5}, "'input' is float; text is wanted"),
    ],
)
def test_a_table_of_another_form_is_refused(row, fault):
    with pytest.raises(DataError) as error:
        convert(False, [TRAIN[0], row])
    assert str(error.value) == f"mini.jsonl:2: {fault}"


def test_a_task_without_labels_is_refused():
    task = make_task("ner", PROMPT, convert={"target": "output"})
    with pytest.raises(UsageError, match="ner needs labels"):
        convert(False, task=task)


def test_hash_seeds_change_nothing():
    assert len(seen_with_hash_seeds("test_ner_converter")) == 1
