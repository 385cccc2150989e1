"""Terms and definitions: as pandas and scikit-learn left them, and mended."""

import math

import numpy
import pytest

from finlora.converters import xbrl_term
from finlora.errors import DataError, UsageError
from tests.converter_parts import make_records, make_task, reasons, seen_with_hash_seeds

PROMPT = "Explain this XBRL term briefly in one sentence: {Term}. Answer:"
TASK = make_task("xbrl_term", PROMPT, split={"rule": "a tenth", "seed": 42, "test_share": 0.1})
NEAR = "Amount due in year {} of leases of ships, planes, trucks, cranes, and of land, from today on, in all."
ROWS = [
    {"Term": " Goodwill", "Explanation": "What was paid above the value of what was bought. "},
    {"Term": None, "Explanation": "A meaning without a term."},
    {"Term": "Ballast", "Explanation": None},
    {"Term": "N/A", "Explanation": "NULL"},
    {"Term": "Sea lease, year one", "Explanation": NEAR.format("one")},
    {"Term": "Sea lease, year two", "Explanation": NEAR.format("two")},
    {"Term": "Sea lease, year three", "Explanation": NEAR.format("three")},
    {"Term": "goodwill", "Explanation": "What was paid  above the value of what was bought."},
    {"Term": "Goodwill", "Explanation": "A good name, in money."},
    {"Term": 2007, "Explanation": "A year."},
]
ROWS += [{"Term": f"Filler {n}", "Explanation": f"word{n} thing{n} matter{n}"} for n in range(10)]


def both():
    return {
        published: xbrl_term.convert(TASK, {"all": make_records(ROWS)}, published)
        for published in (True, False)
    }


def everything():
    return both()


def test_published_rows_stand_in_the_order_of_the_published_split():
    # Written out: permutation, the first ceil(0.1 n) test, the rest train.
    order = numpy.random.RandomState(42).permutation(len(ROWS)).tolist()
    texts = ["nan" if row["Term"] in (None, "N/A") else str(row["Term"]) for row in ROWS]
    expected = [PROMPT.replace("{Term}", texts[i]) for i in order]
    rows = both()[True].rows
    assert [row["context"] for row in rows["test"] + rows["train"]] == expected
    assert len(rows["test"]) == math.ceil(0.1 * len(ROWS)) == 2


def test_published_rows_to_the_letter():
    done = both()[True]
    rows = {row["context"]: row["target"] for side in ("train", "test") for row in done.rows[side]}
    start = "Explain this XBRL term briefly in one sentence: "
    assert rows[start + " Goodwill. Answer:"] == "What was paid above the value of what was bought. "
    assert rows[start + "Ballast. Answer:"] == "nan"
    assert [row["target"] for row in done.rows["train"] + done.rows["test"]].count("nan") == 2
    assert sum(len(found) for found in done.rows.values()) == 20
    assert done.dropped == ()
    assert done.mended == {}


def test_mended_rows_have_whole_cells_and_each_term_once():
    done = both()[False]
    assert reasons(done) == [
        (2, "Term: 'nan' instead of a text"),
        (3, "Explanation: 'nan' instead of a text"),
        (4, "Term: 'nan' instead of a text"),
        (8, "repeats an earlier row"),
        (9, "an earlier row defines the same term otherwise"),
    ]
    assert sum(len(found) for found in done.rows.values()) == 15
    assert {
        "context": "Explain this XBRL term briefly in one sentence: Goodwill. Answer:",
        "target": "What was paid above the value of what was bought.",
    } in done.rows["train"] + done.rows["test"]


@pytest.mark.parametrize("seed", range(12))
def test_near_definitions_stay_on_one_side(seed):
    task = make_task("xbrl_term", PROMPT, split={"rule": "a half", "seed": seed, "test_share": 0.5})
    done = xbrl_term.convert(task, {"all": make_records(ROWS)}, False)
    sides = [side for side, rows in done.rows.items() for row in rows if "Sea lease" in row["context"]]
    assert len(sides) == 3
    assert len(set(sides)) == 1
    assert done.mended == {"its definition is nearly another's; both are on one side": 3}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"Term": "a"}, "no column 'Explanation'; columns found: Term"),
        ({"term": "a", "explanation": "b"}, "no column 'Term'; columns found: term, explanation"),
        ({"Term": ["a"], "Explanation": "b"}, "'Term' is list; text or a number is wanted"),
        ({"Term": True, "Explanation": "b"}, "'Term' is bool; text or a number is wanted"),
    ],
)
def test_a_table_of_another_form_is_refused(row, fault):
    with pytest.raises(DataError) as error:
        xbrl_term.convert(TASK, {"all": make_records([ROWS[0], row], "terms.xlsx")}, False)
    assert str(error.value) == f"terms.xlsx:2: {fault}"


def test_at_most_twenty_faults_are_listed():
    with pytest.raises(DataError) as error:
        xbrl_term.convert(TASK, {"all": make_records([{"Term": ["a"], "Explanation": "b"}] * 50)}, False)
    assert len(error.value.problems) == 20


def test_a_task_without_a_share_is_refused():
    task = make_task("xbrl_term", PROMPT, split={"rule": "none"})
    with pytest.raises(UsageError, match="split needs test_share and seed"):
        xbrl_term.convert(task, {"all": make_records(ROWS)}, True)


def test_a_prompt_that_names_another_column_is_refused():
    task = make_task("xbrl_term", "Explain {Word}. Answer:")
    with pytest.raises(UsageError, match=r"can't be filled \('Word'\).*fills \{Term\}"):
        xbrl_term.convert(task, {"all": make_records(ROWS)}, True)


def test_hash_seeds_change_nothing():
    assert len(seen_with_hash_seeds("test_xbrl_term_converter")) == 1
