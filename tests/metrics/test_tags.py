"""Tag lists: order, length, names that begin others, namespaces."""

import pytest

from finlora import tasks
from finlora.metrics import tags

FOUR = ["DebtInstrumentFaceAmount", "Goodwill", "LineOfCredit", "Revenues"]
GOLD = ",".join(FOUR)
RIGHT = [
    GOLD,
    ", ".join(FOUR),
    " , ".join(FOUR),
    GOLD.lower(),
    GOLD.upper(),
    GOLD + ".",
    GOLD + ",",
    f'"{GOLD}"',
    f"`{GOLD}`",
    "; ".join(FOUR),
    ",".join(f"us-gaap:{t}" for t in FOUR),
    ", ".join(f"US-GAAP:{t}" for t in FOUR),
    "\n".join(FOUR),
    ",\n".join(FOUR),
    "\n".join(f"{n}. {t}" for n, t in enumerate(FOUR, 1)),
    ", ".join(f"{n}. {t}" for n, t in enumerate(FOUR, 1)),
    "\n".join(f"- {t}" for t in FOUR),
    f"Output US GAAP tags: {GOLD}",
    f"Output US GAAP tags:\n{GOLD}",
    f"The tags are {', '.join(FOUR)}.",
    f"{GOLD}\nQuestion: next\nAssets",
    f"{GOLD}\n\nI chose these.",
    ",".join(f"<us-gaap:{t}>" for t in FOUR),
    ", ".join(f"**{t}**" for t in FOUR),
    ",".join([FOUR[0], "us-gaap:Goodwill", *FOUR[2:]]),
]
# An output and which of the four places it has right.
WRONG = [
    ("", "0000"),
    (" ", "0000"),
    ("I do not know", "0000"),
    ("Goodwill", "0000"),
    (",".join(FOUR[:3]), "1110"),
    (",".join(FOUR[:1]), "1000"),
    (",".join([*FOUR, "Assets"]), "1111"),
    (",".join(["Assets", *FOUR]), "0000"),
    (",".join(FOUR[::-1]), "0000"),
    (",".join([FOUR[1], FOUR[0], *FOUR[2:]]), "0011"),
    ("DebtInstrumentFaceAmounts,Goodwill,LineOfCredit,Revenues", "0111"),
    ("DebtInstrumentFace,Goodwill,LineOfCredit,Revenues", "0111"),
    (GOLD.replace("LineOfCredit", "LineOfCreditFacility"), "1101"),
    (GOLD.replace("Goodwill", "GoodwillImpairmentLoss"), "1011"),
    (GOLD.replace("Revenues", "Revenue"), "1110"),
    (GOLD.replace("Goodwill", ""), "1011"),
    (GOLD.replace("Goodwill", "the Goodwill of it"), "1011"),
    (GOLD.replace("Goodwill", "jpm:Goodwill"), "1011"),
    (" ".join(FOUR), "0000"),
    ("|".join(FOUR), "0000"),
    (GOLD.replace("LineOfCredit", "Line Of Credit"), "1101"),
    (GOLD.replace("Revenues", "x" + "Revenues"), "1110"),
    ("12,34,56,78", "0000"),
    (
        "DebtInstrumentFaceAmount,DebtInstrumentFaceAmount,DebtInstrumentFaceAmount,DebtInstrumentFaceAmount",
        "1000",
    ),
]
SINGLE = [
    ("us-gaap:Revenues", 1),
    ("Revenues", 1),
    ("revenues", 1),
    ("The US GAAP tag is us-gaap:Revenues.", 1),
    ("Answer: Revenues", 1),
    ("<us-gaap:Revenues>", 1),
    ("us-gaap:Revenues\nBecause sales are asked for.", 1),
    ("**us-gaap:Revenues**", 1),
    ("us-gaap:Revenue", 0),
    ("us-gaap:RevenuesNet", 0),
    ("us-gaap:CostOfRevenues", 0),
    ("jpm:Revenues", 0),
    ("Total Revenues", 0),
    ("Revenues, Goodwill", 0),
    ("Revenues\nGoodwill", 0),
    ("not Revenues", 0),
    ("Revenues or Goodwill", 0),
    ("", 0),
    ("100", 0),
]


def finer_labels():
    return tasks.load()["finer"].labels


def prefix_pairs():
    names = finer_labels()
    return [(short, long) for short in names for long in names if short != long and long.startswith(short)]


def test_the_tables_are_whole():
    assert (len(RIGHT), len(WRONG), len(SINGLE)) == (25, 24, 19)
    assert len(finer_labels()) == 139
    assert len(prefix_pairs()) == 24


@pytest.mark.parametrize("output", RIGHT)
def test_a_list_is_right_in_many_forms(output):
    assert tags.judge(output, GOLD).score == 1.0
    assert [judged.score for judged in tags.judge_each(output, GOLD)] == [1.0] * 4


@pytest.mark.parametrize(("output", "places"), WRONG)
def test_a_wrong_list_stays_wrong_and_its_places_count(output, places):
    assert tags.judge(output, GOLD).score == 0.0
    assert "".join(str(int(judged.score)) for judged in tags.judge_each(output, GOLD)) == places


@pytest.mark.parametrize(("output", "score"), SINGLE)
def test_a_single_tag(output, score):
    assert tags.judge(output, "us-gaap:Revenues").score == score


@pytest.mark.parametrize(("short", "long"), prefix_pairs())
def test_a_tag_that_begins_another_is_another(short, long):
    assert tags.judge(short, long).score == tags.judge(long, short).score == 0.0
    assert tags.judge(short, short).score == tags.judge(f"us-gaap:{long}", long).score == 1.0


def test_no_two_known_tags_differ_in_case_only():
    names = finer_labels()
    assert len({name.lower() for name in names}) == len(names)


def test_what_was_read_is_shown_in_one_spelling():
    judged = tags.judge("us-gaap:Goodwill, something else", "Goodwill,Revenues")
    assert (judged.parsed, judged.gold) == ("goodwill,?", "goodwill,revenues")
    assert [each.parsed for each in tags.judge_each("Goodwill", "Goodwill,Revenues")] == ["goodwill", None]


@pytest.mark.parametrize("gold", ["", "125", "Total Revenues", "A,,B", "Goodwill, 12"])
def test_a_gold_that_is_no_tag_is_refused(gold):
    with pytest.raises(ValueError, match="is no list of tags"):
        tags.judge("Goodwill", gold)


@pytest.mark.parametrize("text", ["A," * 50_000, "is " * 50_000, ":" * 100_000, "A\n" * 50_000])
def test_long_outputs_end(text):
    assert tags.judge(text, GOLD).score == 0.0
