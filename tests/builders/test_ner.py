"""Questions after the type of a name: form, balance, two sides kept apart, and types by another rule."""

import re
from collections import Counter, defaultdict

import pytest

from finlora.builders.material import MAX_ROWS, words
from finlora.builders.ner import TYPES, build, items, occurrences
from finlora.errors import UsageError
from tests.builders.texts import (
    FAULTS,
    built_elsewhere,
    names_of,
    naming,
    on_both_sides,
    sections,
    twice_in_a_section,
    wrong_articles,
)

TRAIN, TEST = build()
TRAIN_ITEMS, TEST_ITEMS = items("train", 3000, 42), items("test", 600, 42)
ITEMS = TRAIN_ITEMS + TEST_ITEMS
SIDES = [(TRAIN_ITEMS, "train"), (TEST_ITEMS, "test")]
CONTEXT = re.compile(r"Instruction: (.+)\nOptions: (\w+, \w+, \w+)\nInput: (.+)\nAnswer: ")
ROLES = r"(?i)\b(?:borrower|lender|agent|guarantor|bank|trustee|company|corporation|undersigned|spokesman)\b"
# Rules of this test's own. What a company's full name holds, and what stands around a bare name of each type.
COMPANY = re.compile(
    r"\b(?:Inc|Ltd|LLC|Corporation|plc|Holdings|Bank|Company|LLP|L\.P|Brothers|Co|S\.A|AG|Bancorp|Works|Sons)\b"
)
PERSON_CUE = re.compile(
    r"(?:Mr\.|Ms\.|Dr\.|Messrs\.|Messrs\. \w+ and|Lieutenant Colonel|rights of|[Nn]eighbours of|When) SPAN\b"
    r"|SPAN (?:signed the agreement in his|was born|told analysts|said after she|and his wife)|SPAN, who is"
    r"|Messrs\. SPAN"
)
PLACE_CUE = re.compile(
    r"\b(?:in|of|at|near|outside|from|to|between|around|and|exchange in|telephone in|live in|trains to"
    r"|Street,|laws of|port of|harbour of|resident of|mayor of|bank of) SPAN\b"
)
COMPANY_CUE = re.compile(
    r"^SPAN (?:shall deliver|licensed|competes|reported|raised its|cut its|shares rose|warrants|filed"
    r"|is our largest)|^SPAN, together|^SPAN \(the|released SPAN from|^Shares of SPAN|[Ss]pokesman for SPAN"
    r"|undertakings of SPAN|\"SPAN has never"
)


def type_of(item, side):
    """Work out the type of a span anew: from the name where it tells, else from what stands around it."""
    if item.span.split()[0] in words("names", side, "first"):
        return "person"
    if COMPANY.search(item.span):
        return "organization"
    if " " in item.span:
        places = words("names", side, "city") + words("names", side, "country")
        return "location" if item.span in places else "organization"
    around = re.sub(rf"(?<!\w){re.escape(item.span)}(?!\w)", "SPAN", item.sentence)
    for cue, found in ((COMPANY_CUE, "organization"), (PERSON_CUE, "person"), (PLACE_CUE, "location")):
        if cue.search(around):
            return found
    return None


def test_another_process_with_another_hash_seed_builds_the_same():
    assert built_elsewhere("ner") == [TRAIN, TEST]


@pytest.mark.parametrize("sizes", [(0, 0), (1, 1), (101, 37), (7, 300)])
def test_sizes_are_as_asked_and_seeds_differ(sizes):
    made = build(seed=43, train_rows=sizes[0], test_rows=sizes[1])
    assert tuple(map(len, made)) == sizes
    assert made[1] == build(seed=43, train_rows=9, test_rows=sizes[1])[1]
    assert not sizes[0] or made[0] != TRAIN[: sizes[0]]


@pytest.mark.parametrize("sizes", [(-1, 1), (1, -1), (MAX_ROWS + 1, 1), (1, MAX_ROWS + 1)])
def test_more_rows_than_there_can_be_are_refused_with_the_maximum(sizes):
    with pytest.raises(UsageError, match=r"t(?:rain|est)_rows is .*; give 0 to 100,000"):
        build(train_rows=sizes[0], test_rows=sizes[1])


def test_rows_hold_question_options_and_sentence():
    assert (len(TRAIN), len(TEST)) == (3000, 600)
    for row, item in zip(TRAIN + TEST, ITEMS, strict=True):
        assert list(row) == ["context", "target"]
        hit = CONTEXT.fullmatch(row["context"])
        assert hit is not None, row
        assert f"'{item.span}'" in hit[1]
        assert sorted(hit[2].split(", ")) == sorted(TYPES)
        assert (hit[3], row["target"]) == (item.sentence, item.target)


@pytest.mark.parametrize(("made", "side"), SIDES, ids=["train", "test"])
def test_types_option_orders_and_instructions_are_balanced(made, side):
    assert Counter(item.target for item in made) == dict.fromkeys(TYPES, len(made) // 3)
    orders = Counter(item.options for item in made)
    assert len(orders) == 6
    assert min(orders.values()) > len(made) / 10
    assert {item.asked for item in made} == set(sections("ner")[side, "instruction"])
    templates = Counter(item.template for item in made)
    assert set(templates) == set(sections("ner")[side, "sentence"])
    assert len(templates) == {"train": 80, "test": 26}[side]


def test_rows_differ_and_the_sides_share_no_template_instruction_or_name():
    assert len({(item.sentence, item.span) for item in ITEMS}) == len(ITEMS) == 3600
    assert on_both_sides("ner") == set()
    assert twice_in_a_section("ner") == set()
    twins = {side: set(words("ner", side, "twin")) for side in ("train", "test")}
    assert not (names_of("train") | twins["train"]) & (names_of("test") | twins["test"])
    assert naming([item.sentence for item in TEST_ITEMS], names_of("train") | twins["train"]) == []
    assert naming([item.sentence for item in TRAIN_ITEMS], names_of("test") | twins["test"]) == []
    named = [{name for item in made for _, name in item.names} for made, _ in SIDES]
    assert len(named[0]) > 2500
    assert len(named[1]) > 500
    assert not named[0] & named[1]


def test_a_span_stands_once_in_its_sentence_and_others_beside_it():
    assert all(occurrences(item.span, item.sentence) == 1 for item in ITEMS)
    assert sum(len(item.names) > 1 for item in ITEMS) > 0.85 * len(ITEMS)
    # The occurrences inside of another name count.
    assert occurrences("Kent", "Kent sued Bank of Kent, not Kentucky") == 2


@pytest.mark.parametrize(("made", "side"), SIDES, ids=["train", "test"])
def test_types_follow_from_name_and_sentence_too(made, side):
    for item in made:
        assert type_of(item, side) == item.target, item


@pytest.mark.parametrize(("made", "side"), SIDES, ids=["train", "test"])
def test_twins_are_of_every_type_so_that_the_sentence_must_decide(made, side):
    types = defaultdict(set)
    for item in made:
        types[item.span].add(item.target)
    twins = words("ner", side, "twin")
    assert sum(len(types[twin]) == 3 for twin in twins) > 0.5 * len(twins)
    bare = [item for item in made if item.span in twins]
    assert len(bare) > 0.1 * len(made)


@pytest.mark.parametrize(("made", "side"), SIDES, ids=["train", "test"])
def test_people_and_places_stand_inside_names_of_companies(made, side):
    asked = [item.span for item in made if item.target == "organization"]
    inside = {"surname": words("names", side, "surname"), "city": words("names", side, "city")}
    for names in inside.values():
        assert (
            sum(span not in names and any(name in span for name in names) for span in asked) > len(asked) / 12
        )


def test_no_role_is_asked_for_as_a_person():
    people = [item.span for item in ITEMS if item.target == "person"]
    assert len(people) == 1200
    assert [span for span in people if re.search(ROLES, span)] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_sentences_are_whole(fault):
    assert [item.sentence for item in ITEMS if re.search(FAULTS[fault], item.sentence)] == []


def test_articles_agree_with_what_follows():
    found, wrong = wrong_articles([item.sentence for item in ITEMS])
    assert wrong == []
    assert found > 1000
