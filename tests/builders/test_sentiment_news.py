"""Sentiment rows of five registers: form, what the two sides must not share, and labels by another rule."""

import re
from collections import Counter

import pytest

from finlora.builders import sentiment
from finlora.builders.material import MAX_ROWS, words
from finlora.builders.news_slots import cashtag
from finlora.builders.sentiment_news import REGISTERS, build, items
from finlora.builders.sentiment_slots import CITIES, COUNTRIES, PEOPLE, REGIONS
from finlora.errors import UsageError
from tests.builders.texts import (
    FAULTS,
    built_elsewhere,
    names_of,
    naming,
    on_both_sides,
    plain,
    sections,
    twice_in_a_section,
    wrong_articles,
)

OWN = ("reports", "headlines", "notes", "posts", "markets")
FILES = [f"sentiment_{register}" for register in OWN]
TRAIN, TEST = build()
TRAIN_ITEMS, TEST_ITEMS = items("train", 6000, 42), items("test", 1200, 42)
ITEMS = TRAIN_ITEMS + TEST_ITEMS
MADE_HERE = [item for item in ITEMS if item.register != "wire"]
CONTEXT = re.compile(
    r"Instruction: What is the sentiment of this (news|tweet)\? Please choose an answer from "
    r"\{negative/neutral/positive\}\.\nInput: (.+)\nAnswer: "
)
# Rules of this test's own: what nobody wants more of, and words that say which way a thing moved.
UNWANTED = re.compile(
    r"loss|cost|debt|expense|charge|complaint|accident|vacancy|gearing|scrap|turnover rate|receivables|bill"
    r"|write-offs|default|cancellations|needs|leverage|churn|provisions|burn|opex|short interest|refunds"
    r"|unemployment|claims|bankruptcies|insolvencies|deficit|arrears|bad loans|repossessions|poverty|strikes"
)
UPWARD = re.compile(
    r"\b(?:rose|ris(?:e|ing)|increased?|gr(?:e|o)w(?:ing)?|up|upwards|higher|climb(?:ed|ing)?|jump(?:ed)?"
    r"|doubled?|high|highest|reached|above|swell(?:ed)?|advanced?|exceed(?:ed)?|surge|soar|bounce|rocket"
    r"|improve|mount|north|popp(?:ing|ed)|pump(?:ing|ed)|accelerated)\b"
)
DOWNWARD = re.compile(
    r"\b(?:fell|fall(?:ing)?|decreased?|shr(?:ank|ink|inking)|down|downwards|lower|dropp?(?:ed)?|halved?"
    r"|low|lowest|below|contracted|declined?|plunged?|receded|slackened|undersh(?:ot|oot)|sink|sank"
    r"|tumble|slump|dwindle|retreat(?:ed)?|crash|slid(?:e|ing)|slip|subside|south|dipp(?:ing|ed)"
    r"|cool(?:ing|ed))\b"
)
NEITHER = re.compile(
    r"unchanged|remain|same|flat|not change|on a par|in both|steady|no change|stay|hold|little changed"
    r"|where it (?:had been|began)|as (?:in|it did)|level with|mark\} time|neither|be flat|repeat|sideways"
    r"|stuck|budge|not up|did not move"
)
# What a figure is compared with stands behind one of these.
BASE = re.compile(
    r"(?:from|revised|against|vs|with|after|of|earlier|be|\{prev\}:|the|following|was|on) \{(hi|lo)\}"
)


def direction(move):
    """Return which way a move goes: by the figure it is compared with if there is one, else by its words."""
    if "{hi}" in move and "{lo}" in move:
        (base,) = BASE.findall(move)
        return 1 if base == "lo" else -1
    if NEITHER.search(move):
        return 0
    (way,) = (way for way, words in ((1, UPWARD), (-1, DOWNWARD)) if words.search(move))
    return way


def test_another_process_with_another_hash_seed_builds_the_same():
    assert built_elsewhere("sentiment_news") == [TRAIN, TEST]


def test_another_seed_builds_other_rows_and_test_rows_do_not_hang_on_training_rows():
    train, test = build(seed=43, train_rows=90, test_rows=60)
    assert train != build(train_rows=90, test_rows=0)[0]
    assert test == build(seed=43, train_rows=7, test_rows=60)[1]


@pytest.mark.parametrize("sizes", [(0, 0), (1, 1), (101, 37), (7, 300)])
def test_sizes_are_as_asked(sizes):
    assert tuple(map(len, build(train_rows=sizes[0], test_rows=sizes[1]))) == sizes


@pytest.mark.parametrize("sizes", [(-1, 1), (1, -1), (MAX_ROWS + 1, 1), (1, MAX_ROWS + 1)])
def test_more_rows_than_there_can_be_are_refused_with_the_maximum(sizes):
    with pytest.raises(UsageError, match=r"t(?:rain|est)_rows is .*; give 0 to 100,000"):
        build(train_rows=sizes[0], test_rows=sizes[1])


def test_rows_hold_the_prompt_and_one_of_three_labels():
    assert (len(TRAIN), len(TEST)) == (6000, 1200)
    for row, item in zip(TRAIN + TEST, ITEMS, strict=True):
        assert list(row) == ["context", "target"]
        hit = CONTEXT.fullmatch(row["context"])
        assert hit is not None, row
        noun = "tweet" if item.register == "posts" else "news"
        assert (hit[1], hit[2], row["target"]) == (noun, item.sentence, item.target)


@pytest.mark.parametrize(("made", "side"), [(TRAIN_ITEMS, "train"), (TEST_ITEMS, "test")])
def test_every_register_and_class_has_its_share(made, side):
    registers = Counter(item.register for item in made)
    assert {name: round(100 * n / len(made)) for name, n in registers.items()} == REGISTERS[side]
    classes = Counter(item.target for item in made)
    assert max(classes.values()) < 0.55 * len(made)
    assert min(classes.values()) > 0.17 * len(made)
    for register in registers:
        of = Counter(item.target for item in made if item.register == register)
        assert len(of) == 3
        assert min(of.values()) > 0.1 * registers[register]


def test_no_sentence_stands_twice():
    assert len({re.sub(r"\W", "", item.sentence).lower() for item in ITEMS}) == len(ITEMS) == 7200


def test_there_are_three_times_the_templates_of_the_sample():
    for side, rows in (("train", 960), ("test", 240)):
        of_sample = {item.template for item in sentiment.items(side, rows, 42)}
        made = [item for item in MADE_HERE if (item in TRAIN_ITEMS) == (side == "train")]
        assert len({part for item in made for part in (item.frame, item.clause)}) >= 3 * len(of_sample) > 160


@pytest.mark.parametrize("file", FILES)
def test_no_line_serves_both_sides_or_two_classes(file):
    assert on_both_sides(file) == set()
    assert twice_in_a_section(file) == set()
    of_class = [
        plain(line)
        for (_, kind), found in sections(file).items()
        for line in found
        if kind in "positive negative neutral"
    ]
    assert len(of_class) == len(set(of_class)) > 80


def test_the_sides_share_no_company_place_or_person():
    train, test = (set().union(*(item.names for item in made)) for made in (TRAIN_ITEMS, TEST_ITEMS))
    assert len(train) > 2000
    assert len(test) > 800
    assert not train & test
    assert not names_of("train") & names_of("test")
    assert naming([item.sentence for item in TEST_ITEMS], names_of("train")) == []
    assert naming([item.sentence for item in MADE_HERE if item in TRAIN_ITEMS], names_of("test")) == []


def test_the_wire_trains_only_and_its_places_are_no_test_places():
    assert {item.register for item in TEST_ITEMS} == set(OWN)
    assert not names_of("test") & {*CITIES, *COUNTRIES, *PEOPLE, *REGIONS}


def test_every_company_has_a_cashtag_of_its_own():
    stems = words("names", "train", "stem") + words("names", "test", "stem")
    assert len({cashtag(stem) for stem in stems}) == len(stems) == 180


@pytest.mark.parametrize("fault", FAULTS)
def test_sentences_are_whole(fault):
    assert [item.sentence for item in MADE_HERE if re.search(FAULTS[fault], item.sentence)] == []


def test_sentences_begin_with_a_capital_but_posts_as_they_like():
    small = [item.sentence for item in MADE_HERE if item.sentence[0].islower() and item.register != "posts"]
    assert small == []


def test_articles_agree_with_what_follows():
    found, wrong = wrong_articles([item.sentence for item in MADE_HERE])
    assert wrong == []
    assert found > 1000


def test_items_and_moves_mean_what_their_tables_say():
    moves = {"up": 1, "down": -1, "flat": 0}
    checked = Counter()
    for file in FILES:
        for (_, kind), found in sections(file).items():
            for line in found:
                if kind in moves:
                    assert direction(line) == moves[kind], line
                    checked[kind] += 1
                if kind == "items":
                    name, worth, *_ = line.split(", ")
                    assert bool(UNWANTED.search(name)) == (worth == "bad"), line
                    checked[kind] += 1
    assert checked["items"] > 120
    assert min(checked["up"], checked["down"]) > 90
    assert checked["flat"] > 30


def test_labels_of_trends_follow_from_item_and_direction():
    labels = {1: "positive", 0: "neutral", -1: "negative"}
    trends = [item for item in ITEMS if item.trend]
    for item in trends:
        sign = direction(item.trend.move) * (-1 if UNWANTED.search(item.trend.item) else 1)
        assert item.target == labels[sign], item
    assert len(trends) > 1500
    assert sum(item.target == "positive" and item.trend.direction == "down" for item in trends) > 100
    assert sum(item.target == "negative" and item.trend.direction == "up" for item in trends) > 100


def test_a_concession_speaks_against_and_an_addition_for():
    sides = Counter()
    for item in ITEMS:
        if item.beside:
            sign, other = (
                direction(t.move) * (-1 if UNWANTED.search(t.item) else 1) for t in (item.trend, item.beside)
            )
            if "{agree}" in item.clause:
                assert other == sign, item
                sides["agree"] += 1
            else:
                assert other == -sign or (sign == 0 and other), item
                sides["side"] += 1
    assert min(sides["agree"], sides["side"]) > 100


def test_figures_move_the_way_the_words_say():
    compared = 0
    for item in MADE_HERE:
        hit = re.search(
            r"\b(rose|increased|jumped|advanced|fell|decreased|dropped|sank|plunged) to "
            r"\D*([\d,.]*\d)\D+? from \D*([\d,.]*\d)",
            item.sentence,
        )
        if hit:
            now, before = (float(figure.replace(",", "")) for figure in hit.groups()[1:])
            assert (now > before) == (hit[1] in ("rose", "increased", "jumped", "advanced")), item.sentence
            compared += 1
    assert compared > 30
