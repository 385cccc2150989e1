"""FiNER-139: tokens asked about one by one as published, whole numbers when mended."""

import itertools
import random

import numpy
import pytest

from finlora.converters import finer
from finlora.errors import DataError, UsageError
from tests.converter_parts import make_records, make_task, reasons, seen_with_hash_seeds

PROMPT = "Tags: {options}. Answer the following 4 questions.\n{questions}\nOutput US GAAP tags:"
LABELS = ["Rent", "Debt", "Term", "Rate"]
TASK = make_task("finer", PROMPT, labels=LABELS, answer_mark="Output US GAAP tags:")


def say(text, **tags):
    """Return a record in which every token named has its tag."""
    tokens = text.split()
    return {"id": "0", "tokens": tokens, "ner_tags": [tags.get(token, "O") for token in tokens]}


TRAIN = [
    say("Rent is 5 for two years .", **{"5": "B-Rent", "two": "B-Term", "years": "I-Term"}),
    say("Nothing here ."),
    say("1 2 3 4 in a row", **{"1": "B-Rent", "2": "B-Debt", "3": "B-Term", "4": "B-Rate"}),
    say("Debt of 7 or none .", **{"7": "B-Debt", "none": "B-Debt"}),
    {
        "id": "4",
        "tokens": ["9", "here", "and", "9", "there"],
        "ner_tags": ["B-Rent", "O", "O", "B-Debt", "O"],
    },
    say("Debt of 7 or none .", **{"7": "B-Debt"}),
    say("A rate of 3 % .", **{"3": "B-Rate"}),
    say("Two rates , 4 and 4 .", **{"4": "B-Rate"}),
    say("Until May 2030 , 6 and 8", **{"May": "B-Term", "2030": "I-Term", "6": "B-Debt", "8": "B-Rent"}),
]
TEST = [
    say("a rate of  3 % .", **{"3": "B-Rate"}),
    say("Rents are 1 and 2 and 3 .", **{"1": "B-Rent", "2": "B-Rent", "3": "B-Rent"}),
]


def convert(as_published, train=TRAIN, test=TEST, task=TASK):
    return finer.convert(task, {"train": make_records(train), "test": make_records(test)}, as_published)


def everything():
    return [convert(published) for published in (True, False)]


def question(number, entity, sentence):
    return f'{number}. What is best tag for entity "{entity}" in sentence: "{sentence}?"'


def asked(rows):
    """Return entity, sentence and tag of every question of rows."""
    found = []
    for row in rows:
        lines = [line for line in row["context"].split("\n") if "What is best tag" in line]
        words = [line.split('"')[1::2] for line in lines]
        found += [
            (entity, sentence[:-1], tag)
            for (entity, sentence), tag in zip(words, row["target"].split(","), strict=True)
        ]
    return found


def test_a_published_row_to_the_letter():
    first, second = "Rents are 1 and 2 and 3 .", "a rate of 3 % ."
    done = convert(True, test=TEST[1:] + TEST[:1])
    order = numpy.random.default_rng(42).permutation(2).tolist()
    entities = [("1", first), ("2", first), ("3", first)], [("3", second)]
    lines = [question(n, *one) for n, one in enumerate(itertools.chain(*(entities[i] for i in order)), 1)]
    tags = (["Rent"] * 3, ["Rate"])
    assert done.rows["test"] == [
        {
            # The empty tag is the published list's, the order is ours.
            "context": "Tags: ,Debt,Rate,Rent,Term. Answer the following 4 questions.\n"
            + "\n".join(lines)
            + "\nOutput US GAAP tags:",
            "target": ",".join(itertools.chain(*(tags[i] for i in order))),
        }
    ]


def test_published_questions_are_the_first_three_tagged_tokens_in_the_published_order():
    done = convert(True)
    expected = []
    for i in numpy.random.default_rng(42).permutation(len(TRAIN)).tolist():
        tokens, tags = TRAIN[i]["tokens"], TRAIN[i]["ner_tags"]
        tagged = [
            (token, " ".join(tokens), tag[2:]) for token, tag in zip(tokens, tags, strict=True) if tag != "O"
        ]
        expected += tagged[:3]
    batches = [expected[start : start + 4] for start in range(0, len(expected), 4)]
    random.Random(42).shuffle(batches)
    assert len(expected) == 17
    assert asked(done.rows["train"]) == list(itertools.chain(*batches))
    assert [len(row["target"].split(",")) for row in done.rows["train"]].count(1) == 1
    assert done.dropped == ()
    assert done.mended == {}


def test_published_rows_stop_after_the_prompt_that_passes_the_limit(monkeypatch):
    monkeypatch.setattr(finer, "_MOST_PROMPTS", 2)
    rows = convert(True).rows["train"]
    # Three whole prompts, and what was waiting when the third was made.
    assert sorted(len(row["target"].split(",")) for row in rows)[-3:] == [4, 4, 4]
    assert 3 <= len(rows) <= 4


def test_mended_questions():
    done = convert(False)
    order = numpy.random.default_rng(42).permutation(len(TRAIN)).tolist()
    of_each = {
        0: [("5", "Rent"), ("two years", "Term")],
        2: [("1", "Rent"), ("2", "Debt"), ("3", "Term")],
        3: [("7", "Debt")],
        7: [("4", "Rate")],
        8: [("May 2030", "Term"), ("6", "Debt"), ("8", "Rent")],
    }
    # Of the two equal sentences the first in the shuffled order is asked about.
    if order.index(5) < order.index(3):
        of_each[5] = of_each.pop(3)
    expected = [
        (entity, " ".join(TRAIN[i]["tokens"]), tag) for i in order for entity, tag in of_each.get(i, [])
    ]
    assert len(expected) == 10
    assert asked(done.rows["train"]) == expected[:8]
    assert len(asked(done.rows["test"])) == 4
    assert all(row["context"].startswith("Tags: Debt,Rate,Rent,Term. ") for row in done.rows["train"])
    whole = sum(" " in entity for entity, _, _ in expected[:8])
    assert done.mended == {
        "a whole entity asked about, not each of its words": whole,
        "the empty tag taken out of the options": 3,
    }


def test_what_is_left_out_is_listed():
    found = reasons(convert(False))
    assert sorted(why for _, why in found) == [
        "its number stands twice in the sentence, with different tags",
        "its number stands twice in the sentence, with different tags",
        "its sentence is in the test rows too",
        "left over: a prompt asks 4 questions",
        "left over: a prompt asks 4 questions",
        "repeats an earlier row",
        "repeats an earlier row",
        "what it asks about is no number",
    ]
    assert (7, "its sentence is in the test rows too") in found
    assert (8, "repeats an earlier row") in found
    assert (4, "what it asks about is no number") in found


def test_mended_rows_keep_to_the_limit(monkeypatch):
    monkeypatch.setattr(finer, "_MOST_PROMPTS", 1)
    for done in (convert(False), convert(False, train=TEST, test=TRAIN)):
        assert [len(rows) for side, rows in sorted(done.rows.items())] == [1, 1]


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ("B-Rent I-Rent O", ["a b"]),
        ("B-Rent B-Rent I-Rent", ["a", "b c"]),
        ("I-Rent I-Rent B-Debt", ["a b", "c"]),
        ("O B-Rent I-Debt", ["b", "c"]),
        ("O O O", []),
        ("B-Rent I-Rent I-Rent", ["a b c"]),
    ],
)
def test_an_entity_is_where_it_begins_and_goes_on(tags, entities):
    (record,) = make_records([{"tokens": ["a", "b", "c"], "ner_tags": tags.split()}])
    assert [question.entity for question in finer._entities(record)] == entities


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"words": ["a"], "ner_tags": ["O"]}, "no column 'tokens'; columns found: words, ner_tags"),
        ({"tokens": "a b", "ner_tags": ["O"]}, "'tokens' is str; a list is wanted"),
        ({"tokens": ["a", "b"], "ner_tags": ["O"]}, "2 tokens and 1 ner_tags; each token has one"),
        ({"tokens": ["a"], "ner_tags": [0]}, "tokens and ner_tags hold text, not int"),
        ({"tokens": [None], "ner_tags": ["O"]}, "tokens and ner_tags hold text, not NoneType"),
        (
            {"tokens": ["7"], "ner_tags": ["B-Lease"]},
            "tag 'B-Lease' is neither O nor B- or I- and one of the task's 4 labels",
        ),
        (
            {"tokens": ["7"], "ner_tags": ["Rent"]},
            "tag 'Rent' is neither O nor B- or I- and one of the task's 4 labels",
        ),
    ],
)
@pytest.mark.parametrize("as_published", [True, False])
def test_records_of_another_form_are_refused(record, fault, as_published):
    with pytest.raises(DataError) as error:
        convert(as_published, train=[TRAIN[0], record])
    assert str(error.value) == f"mini.jsonl:2: {fault}"


@pytest.mark.parametrize("missing", [{"labels": []}, {"split": {"rule": "none"}}])
def test_a_task_without_labels_or_seed_is_refused(missing):
    task = make_task("finer", PROMPT, **({"labels": LABELS} | missing))
    with pytest.raises(UsageError, match=r"finer needs labels, .* and split\.seed"):
        convert(True, task=task)


def test_hash_seeds_change_nothing():
    assert len(seen_with_hash_seeds("test_finer_converter")) == 1
