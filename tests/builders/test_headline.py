"""Questions about commodity headlines: form, balance, two sides kept apart, and answers by another rule."""

import re
from collections import Counter

import pytest

from finlora.builders.headline import QUESTIONS, build, headlines
from finlora.builders.material import MAX_ROWS, lines, slots
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
TRAIN_MADE, TEST_MADE = headlines("train", 1000, 42), headlines("test", 200, 42)
MADE = TRAIN_MADE + TEST_MADE
CONTEXT = re.compile(r"Instruction: (.+\?) Please choose an answer from \{Yes/No\}\.\nInput: (.+)\nAnswer: ")
PRICED = ("past_up", "past_down", "past_flat", "past_level", "next_up", "next_down", "next_flat")
# Rules of this test's own: words of the future, and of each direction.
COMING = re.compile(
    r"\b(?:may|will|could|should|seen|forecasts?|expects?|expected|outlook|likely|unlikely|set (?:for|to)"
    r"|poised|predicts?|on course|within reach|plans?|threaten|next (?:year|week)|intends?|considers"
    r"|going to)\b|\bto (?:shut|reopen|vote|ban|rise|fall|grow|reach|buy|start|hold|launch|decide|host"
    r"|gain|lose|stay|remain|meet)\b"
)
UP = re.compile(
    r"\b(?:rise|rising|rose|climb|gain|jump|higher|up|high|rebound|recover|soar|add\}|costlier|advance|surge"
    r"|upward|bounce|above|firmer|past|lift|rally|rallied|stronger|dearer)"
    r"|\{price_hi\}[^.]*, from \{price_lo\}"
)
DOWN = re.compile(
    r"\b(?:fall|fell|drop|los[es]|lower|down|low|retreat|slip|plunge|shed\}|cheaper|decline|tumble|sink|below"
    r"|weaker|under|drag|slump|softer|slide|crash|give\} back)"
    r"|\{price_lo\}[^.]*, from \{price_hi\}"
)
FLAT = re.compile(
    r"steady|little changed|flat|unchanged|tight range|tread\} water|stick\} at|sideways|no change|barely"
    r"|mark\} time|hover|neither|quiet day|stay|calm|same|remain|pause|stable|keeps its|leave range|all began"
)
COMPARING = re.compile(r"\{other\}")


def way(phrase):
    """Return the direction a price phrase speaks of, by the words of the end of the move."""
    if FLAT.search(phrase):
        return "flat"
    phrase = re.sub(r"after early \w+|from \{weekday\}'s \w+|erase\} \w+", "", phrase)
    found = [name for name, pattern in (("up", UP), ("down", DOWN)) if pattern.search(phrase)]
    if len(found) == 2:  # both sides of a figure: what stands first is the new one
        found = ["up" if phrase.index("{price_hi}") < phrase.index("{price_lo}") else "down"]
    return found[0] if found else "level"


def answers(parts):
    """Work out the nine answers anew, from the words of a headline's phrases."""
    price = [phrase for kind, phrase in parts if kind in PRICED]
    news = [phrase for kind, phrase in parts if kind in ("event", "plan")]
    return {
        "price": bool(price),
        **{name: any(way(phrase) == name for phrase in price) for name in ("up", "flat", "down")},
        "past_price": any(not COMING.search(phrase) for phrase in price),
        "next_price": any(COMING.search(phrase) for phrase in price),
        "past_news": any(not COMING.search(phrase) for phrase in news),
        "next_news": any(COMING.search(phrase) for phrase in news),
        "compare": any(COMPARING.search(phrase) for _, phrase in parts),
    }


def test_another_process_with_another_hash_seed_builds_the_same():
    assert built_elsewhere("headline") == [TRAIN, TEST]


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


@pytest.mark.parametrize(("rows", "made"), [(TRAIN, TRAIN_MADE), (TEST, TEST_MADE)], ids=["train", "test"])
def test_every_headline_is_asked_nine_questions_and_answered_as_it_was_made(rows, made):
    assert len(rows) == 9 * len(made)
    asked = {}
    for row in rows:
        hit = CONTEXT.fullmatch(row["context"])
        assert hit is not None, row
        asked[hit[2], hit[1]] = row["target"]
    assert len(asked) == len(rows)
    for one in made:
        found = [asked[one.text, question.format(com=one.com)] for question in QUESTIONS.values()]
        assert found == ["Yes" if holds else "No" for holds in one.answers().values()]


def test_answers_follow_from_the_words_too():
    assert len(MADE) == 1200
    for one in MADE:
        assert one.answers() == answers(one.parts), one


def test_every_phrase_is_read_as_its_heading_says():
    checked = Counter()
    for (side, kind), found in sections("headline").items():
        for line in found:
            if kind in PRICED:
                assert kind == f"{'next' if COMING.search(line) else 'past'}_{way(line)}", line
            elif kind in ("event", "plan"):
                assert (kind == "plan") == bool(COMING.search(line)), line
            elif kind in ("compare", "rivals"):
                assert COMPARING.search(line), line
            checked[side] += kind in (*PRICED, "event", "plan", "compare", "rivals")
            assert kind in ("compare", "rivals") or not COMPARING.search(line), line
    assert checked["train"] > 220
    assert checked["test"] > 50


def test_every_part_stands_in_the_headline():
    for one in MADE:
        for _, phrase in one.parts:
            for chunk in re.split(r"\{.*?\}", phrase):
                assert re.sub(r"\bann? ", "a ", chunk).strip().lower() in one.text.lower(), (one, chunk)


@pytest.mark.parametrize("rows", [TRAIN, TEST], ids=["train", "test"])
def test_no_question_has_one_answer_in_more_than_four_of_five_rows(rows):
    made = TRAIN_MADE if rows is TRAIN else TEST_MADE
    shares = {name: sum(one.answers()[name] for one in made) / len(made) for name in QUESTIONS}
    assert len(shares) == 9
    assert {name: share for name, share in shares.items() if not 0.2 <= share <= 0.8} == {}


def test_headlines_differ_and_the_sides_share_no_phrase_or_name():
    assert len({one.text.lower() for one in MADE}) == len(MADE)
    assert on_both_sides("headline") == set()
    assert twice_in_a_section("headline") == set()
    train, test = (set().union(*(one.names for one in made)) for made in (TRAIN_MADE, TEST_MADE))
    assert len(train) > 300
    assert len(test) > 80
    assert not train & test
    assert naming([one.text for one in TEST_MADE], names_of("train")) == []
    assert naming([one.text for one in TRAIN_MADE], names_of("test")) == []


def test_several_commodities_are_asked_about_some_of_them_in_test_rows_only():
    train, test = ({one.com for one in made} for made in (TRAIN_MADE, TEST_MADE))
    assert len(train) == len(lines("headline", "train", "commodity")) == 13
    assert len(test) == len(lines("headline", "test", "commodity")) == 8
    assert test - train == {"palladium", "zinc", "diesel", "corn", "cotton"}


def test_phrases_use_only_slots_that_are_filled():
    known = {slot for one in MADE for _, phrase in one.parts for slot in slots(phrase)}
    assert {"sub", "com", "other", "pct", "price_hi", "price_lo", "unit", "site", "workers"} <= known


@pytest.mark.parametrize("fault", FAULTS)
def test_headlines_are_whole(fault):
    assert [one.text for one in MADE if re.search(FAULTS[fault], one.text)] == []


def test_articles_agree_with_what_follows():
    found, wrong = wrong_articles([one.text for one in MADE])
    assert wrong == []
    assert found > 200
