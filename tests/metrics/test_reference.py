"""The benchmark's own rule, faults included, with an order that nothing changes."""

import random
import re
from pathlib import Path

import pytest
from sklearn.metrics import f1_score

from finlora.metrics import Judged
from finlora.metrics.reference import accuracy_range, judge_all, one_by_one, weighted_f1
from finlora.metrics.statistics import summarise

PAGE = Path(__file__).parents[2] / "docs" / "scores.md"
# The labels among which each row of the page was judged, besides its gold.
OTHERS = {"0.57": ["0.5"], "B": ["A", "C", "D"], "DebtInstrumentFaceAmount": ["DebtInstrument"]}
OTHERS |= {"negative": ["neutral", "positive"]}


def verdict(output, gold, others):
    """Return how one output is judged among other golds, which are answered by nothing."""
    return judge_all([output, *([""] * len(others))], [gold, *others])[0]


def shown():
    table = PAGE.read_text(encoding="utf-8").partition("<!-- reference:begin -->")[2]
    rows = re.findall(r"^\| (.*) \|$", table.partition("<!-- reference:end -->")[0], re.MULTILINE)
    return [tuple(row.split(" | ")[:3]) for row in rows[2:]]


def test_the_page_shows_enough():
    assert len(shown()) == 8
    assert {gold for gold, _, _ in shown()} >= OTHERS.keys()


@pytest.mark.parametrize(("gold", "output", "judged"), shown())
def test_the_page_shows_what_the_rule_does(gold, output, judged):
    score = verdict(output, gold, OTHERS.get(gold, [])).score
    assert {1.0: "right", 0.0: "wrong"}[score] == judged


def test_what_was_found_is_kept_and_nothing_found_is_none():
    golds = ["positive", "negative", "neutral"]
    outputs = ["Positive, I think", "neutral or negative", "no idea"]
    assert judge_all(outputs, golds) == [
        Judged("positive", "positive", 1.0),
        Judged("neutral", "negative", 0.0),
        Judged(None, "neutral", 0.0),
    ]


def test_a_tie_goes_to_the_shortest_and_the_range_covers_any_order():
    golds = ["0.5", "0.57", "0.575", "3"]
    outputs = ["0.575", "0.575", "0.575", "3"]
    assert [j.parsed for j in judge_all(outputs, golds)] == ["0.5", "0.5", "0.5", "3"]
    assert accuracy_range(outputs, golds) == (0.25, 1.0)
    # Verbatim, only the shortest of the three is always right.
    assert accuracy_range(golds, golds) == (0.5, 1.0)


def test_labels_that_differ_in_capitals_only_have_one_order():
    found = {judge_all(["net sales", "x"], golds)[0].parsed for golds in (["Net", "net"], ["net", "Net"])}
    assert found == {"Net"}


@pytest.mark.parametrize("seed", range(20))
def test_row_order_changes_nothing(seed):
    chance = random.Random(seed)
    golds = [f"{chance.randint(0, 30) / 10}" for _ in range(40)]
    outputs = [gold + chance.choice(["", "4", " or so", "\n"]) for gold in golds]
    order = chance.sample(range(40), 40)
    mixed_outputs, mixed_golds = [outputs[i] for i in order], [golds[i] for i in order]
    judged, mixed = judge_all(outputs, golds), judge_all(mixed_outputs, mixed_golds)
    assert mixed == [judged[i] for i in order]
    assert weighted_f1(mixed, mixed_outputs) == weighted_f1(judged, outputs)
    low, high = accuracy_range(outputs, golds)
    assert low <= sum(j.score for j in judged) / 40 <= high


@pytest.mark.parametrize("seed", range(50))
def test_its_f1_is_scikit_learns_with_raw_texts_as_classes(seed):
    chance = random.Random(seed)
    labels = ["positive", "negative", "neutral"]
    golds = chance.choices(labels, k=50)
    outputs = [chance.choice([*labels, f"{gold}!", "it is positive", "?"]) for gold in golds]
    judged = judge_all(outputs, golds)
    entered = [j.gold if j.score else output for j, output in zip(judged, outputs, strict=True)]
    theirs = f1_score(golds, entered, average="weighted", zero_division=0)
    assert weighted_f1(judged, outputs) == pytest.approx(theirs, abs=1e-12)


def test_its_f1_hides_wrong_labels_and_ours_does_not():
    golds = ["positive"] * 50 + ["negative"] * 50
    wrong = {"positive": "negative, I'd say", "negative": "positive, I'd say"}
    outputs = [gold if i % 5 else wrong[gold] for i, gold in enumerate(golds)]
    judged = judge_all(outputs, golds)
    assert sum(j.score for j in judged) / 100 == 0.8
    assert weighted_f1(judged, outputs) == pytest.approx(2 * 0.8 / 1.8)
    assert summarise(judged, ["negative", "positive"]).weighted_f1 == pytest.approx(0.8)


def test_lists_are_taken_apart_by_position():
    outputs, golds = one_by_one(["A, B", "C,D , E", "F"], ["A,C", "C, D", "F, G"])
    assert golds == ["A", "C", "C", "D", "F", "G"]
    assert outputs == ["A", "B", "C", "D", "F", ""]
    assert [j.score for j in judge_all(outputs, golds)] == [1, 0, 1, 1, 1, 0]


def test_as_many_outputs_as_golds():
    with pytest.raises(ValueError, match="zip"):
        judge_all(["a"], ["a", "b"])
