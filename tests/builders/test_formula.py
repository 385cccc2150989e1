"""The built financial-maths rows: form, balance, repeatability, and what training and test must not share.

Whether the answers are right is tested in `test_formula_answers`.
"""

import itertools
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from decimal import Context, Decimal, localcontext
from pathlib import Path
from random import Random

import pytest

from finlora.builders import formula
from finlora.builders.formula import KINDS, SETS, Row, build, is_plain, two_decimals
from finlora.builders.formula_kinds import Kind
from finlora.builders.formula_words import TEST_WORDS, TRAIN_WORDS
from finlora.errors import UsageError

ROOT = Path(__file__).parents[2]
TRAIN_FILE = ROOT / "data/train/formula_built_train.jsonl"
TEST_FILE = ROOT / "data/test/formula_built_test.jsonl"
TRAIN, TEST = build()
CONTEXT = re.compile(
    r"Use formula (?P<kind>.+?) to answer the question\. Answer with a numerical answer with 2 decimal "
    r"places and with no explanations or other text\. Formula: (?P<formula>.+), "
    r'Explanation: (?P<explanation>.+)\. Question: "(?P<question>[^"\n]+[.?])"\. Answer:'
)

WORDS = (TRAIN_WORDS, TEST_WORDS)
NUMBERS = r"-?\d[\d,.]*\d|-?\d|every (?:half-year|quarter|two months|month)"


def parts(rows: list[Row], name: str) -> list[str]:
    found = [CONTEXT.fullmatch(row["context"]) for row in rows]
    return [hit[name] for hit in found if hit]


def as_file(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def is_usable(kind: Kind, values: dict[str, Decimal]) -> bool:
    return kind.sensible(values) and is_plain(kind.answer(values))


def words(template: str) -> set[str]:
    return set(re.findall(r"[a-z']+", re.sub(r"{\w+}", " ", template.lower())))


def test_committed_files_are_what_build_makes() -> None:
    assert TRAIN_FILE.read_bytes() == as_file(TRAIN)
    assert TEST_FILE.read_bytes() == as_file(TEST)


def test_rows_are_spread_evenly_over_60_kinds() -> None:
    names = {kind.name for kind in KINDS}
    assert len(names) == len(KINDS) == 60
    for rows, size, few in ((TRAIN, 800, 13), (TEST, 200, 3)):
        asked = Counter(parts(rows, "kind"))
        assert sum(asked.values()) == len(rows) == size
        assert set(asked) == names
        assert set(asked.values()) == {few, few + 1}


def test_every_row_has_the_shape_of_the_task() -> None:
    rows = TRAIN + TEST
    texts = {kind.name: (kind.formula, kind.explanation) for kind in KINDS}
    shown = zip(*(parts(rows, name) for name in ("kind", "formula", "explanation")), strict=True)
    assert [texts[kind] == (formula, explanation) for kind, formula, explanation in shown] == [True] * 1000
    assert {tuple(row) for row in rows} == {("context", "target")}
    assert [row["target"] for row in rows if not re.fullmatch(r"-?\d+\.\d\d", row["target"])] == []
    assert [row["target"] for row in rows if not 0.25 <= abs(float(row["target"])) < 1e6] == []


def test_every_kind_has_templates_enough_and_a_source() -> None:
    assert [kind.name for kind in KINDS if len(kind.train) < 4 or len(kind.test) < 2] == []
    assert [kind.name for kind in KINDS if len(kind.source) < 10] == []


def test_an_answer_in_percent_is_asked_for_in_percent() -> None:
    # These divide one percentage by another: their answer is a bare number.
    bare = {"Sharpe Ratio", "Information Ratio"}
    in_percent = [
        kind
        for kind in KINDS
        if ("× 100" in kind.formula or "in percent" in kind.explanation) and kind.name not in bare
    ]
    asked = [template for kind in in_percent for template in kind.train + kind.test]
    assert len(asked) == 24 * 6
    assert [template for template in asked if "percent" not in template] == []


def test_train_and_test_share_no_template_and_no_close_one() -> None:
    train = [template for kind in KINDS for template in kind.train]
    test = [template for kind in KINDS for template in kind.test]
    assert len(set(train)) == 240
    assert len(set(test)) == 120
    assert len(set(train + test)) == 360
    close = [
        (one, other)
        for one in train
        for other in test
        if len(words(one) & words(other)) > 0.6 * len(words(one) | words(other))
    ]
    assert close == []


def test_train_and_test_share_no_question_and_no_name() -> None:
    train, test = parts(TRAIN, "question"), parts(TEST, "question")
    assert len(set(train) | set(test)) == 1000
    masked_train, masked_test = ({re.sub(r"[\d.,]+", "0", text) for text in side} for side in (train, test))
    assert masked_train & masked_test == set()
    train_names, test_names = ({name for some in table.values() for name in some} for table in WORDS)
    assert train_names & test_names == set()
    assert [name for name in test_names if any(name in question for question in train)] == []


def test_no_set_of_numbers_comes_twice_in_a_kind() -> None:
    # Ten times the rows, so that a chance repeat would be sure to show.
    train, test = build(train_rows=8000, test_rows=2000)
    rows = train + test
    asked = zip(parts(rows, "kind"), parts(rows, "question"), strict=True)
    numbers = [(kind, *sorted(re.findall(NUMBERS, question))) for kind, question in asked]
    assert len(set(numbers)) == len(numbers) == 10_000


def test_every_kind_has_more_sets_of_numbers_than_rows_may_ask_for() -> None:
    counted = 0
    with localcontext(Context(prec=40)):
        for kind in KINDS:
            grids = [given.values for given in kind.inputs.values()]
            assert all(len(set(grid)) == len(grid) for grid in grids)
            if math.prod(map(len, grids)) < 50_000:
                sets = [dict(zip(kind.inputs, numbers, strict=True)) for numbers in itertools.product(*grids)]
                assert sum(is_usable(kind, values) for values in sets) > SETS, kind.name
                counted += 1
            else:
                rng = Random(1)
                usable = sum(is_usable(kind, kind.draw(rng)) for _ in range(3000))
                # At least four times as many as are promised, since this is but a sample.
                assert usable >= 30, kind.name
                assert usable / 3000 * math.prod(map(len, grids)) > 4 * SETS, kind.name
    assert counted == 4


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_rows_are_the_same_in_another_process(hash_seed: str) -> None:
    code = "import sys, json; from finlora.builders.formula import build; json.dump(build(), sys.stdout)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == [TRAIN, TEST]


def test_seed_and_sizes_do_what_they_say() -> None:
    other_train, other_test = build(seed=43)
    assert {row["context"] for row in TRAIN + TEST}.isdisjoint(
        row["context"] for row in other_train + other_test
    )
    few_train, same_test = build(train_rows=7)
    assert len(few_train) == 7
    assert same_test == TEST
    assert build(train_rows=0, test_rows=0) == ([], [])


def test_the_callers_decimal_precision_does_not_matter() -> None:
    with localcontext(Context(prec=3)):
        assert build() == (TRAIN, TEST)


def test_halves_round_away_from_zero() -> None:
    values = ("0.125", "-0.125", "2.675", "1.005", "7", "15092.444999")
    rounded = [two_decimals(Decimal(value)) for value in values]
    assert rounded == ["0.13", "-0.13", "2.68", "1.01", "7.00", "15092.44"]


def test_as_many_rows_as_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formula, "SETS", 30)
    train, test = build(train_rows=1680, test_rows=100)
    assert (len(train), len(test)) == (1680, 100)
    with pytest.raises(UsageError, match="at most 1,680 training rows beside 100 test rows"):
        build(train_rows=1681, test_rows=100)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((800, -1), "800 training rows, -1 test rows: give 0 or more of each"),
        ((298_981, 1_000), "298,981 training rows .* make at most 298,980 training rows beside 1,000 test"),
        ((0, 300_001), "300,001 test rows are too many.* at most 300,000 rows, test rows included"),
        ((10**30, 0), "at most 300,000 training rows beside 0 test rows"),
    ],
)
def test_impossible_sizes_are_refused_with_the_reason(sizes: tuple[int, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(1, *sizes)
