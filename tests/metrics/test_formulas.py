"""Formulas are compared as formulas; hostile text neither runs nor hangs."""

import time

import pytest

from finlora.metrics import formulas

MARGIN = "((us-gaap:Revenues - us-gaap:CostOfRevenue) / us-gaap:Revenues) * 100"
RIGHT = [
    MARGIN,
    MARGIN.replace(" ", ""),
    MARGIN.replace("us-gaap:", ""),
    MARGIN.lower(),
    MARGIN.upper(),
    f"({MARGIN})",
    "(us-gaap:Revenues - us-gaap:CostOfRevenue) / us-gaap:Revenues * 100",
    "100 * (Revenues - CostOfRevenue) / Revenues",
    "100 × (Revenues - CostOfRevenue) ÷ Revenues",
    "100 x (Revenues − CostOfRevenue) / Revenues",
    "(-CostOfRevenue + Revenues) * 100 / Revenues",
    "100 - 100 * CostOfRevenue / Revenues",
    "(1 - CostOfRevenue / Revenues) * 100",
    "[Revenues - CostOfRevenue] / {Revenues} * 100",
    "Gross Margin = " + MARGIN,
    "GrossMargin = " + MARGIN,
    "The formula is: " + MARGIN,
    "The formula is " + MARGIN,
    "Answer: " + MARGIN,
    MARGIN + ".",
    f"`{MARGIN}`",
    f"**{MARGIN}**",
    f"${MARGIN}$",
    "\\(" + MARGIN + "\\)",
    MARGIN + " = 46.2",
    MARGIN + "\nQuestion: Assets",
    MARGIN + "\nThis is the gross margin.",
    "Answer:\n" + MARGIN,
    "(Revenues - CostOfRevenue) \\times 100 / Revenues",
    "(Revenues - CostOfRevenue) / Revenues * 1e2",
    "(Revenues - CostOfRevenue) / Revenues * 10^2",
    "(Revenues - CostOfRevenue) / Revenues * 10 ** 2",
    "(Revenues - CostOfRevenue) / (Revenues / 100)",
    "(Revenues + Revenues - 2 * CostOfRevenue) / (2 * Revenues) * 100",
    "Revenues * 100 * (Revenues - CostOfRevenue) / Revenues ^ 2",
    "(Revenues - CostOfRevenue) / Revenues * 100.0",
]
WRONG = [
    "(Revenues - CostOfRevenue) / Revenues",
    "(Revenues + CostOfRevenue) / Revenues * 100",
    "Revenues - CostOfRevenue / Revenues * 100",
    "(CostOfRevenue - Revenues) / Revenues * 100",
    "(Revenues - CostOfRevenue) / CostOfRevenue * 100",
    "(Revenues - CostOfRevenues) / Revenues * 100",
    "(RevenuesNet - CostOfRevenue) / RevenuesNet * 100",
    "(Revenues - CostOfRevenue) * Revenues * 100",
    "(Revenues - CostOfRevenue) / Revenues * 10",
    "(Revenues - CostOfRevenue) / Revenues * 100.04",
    "(Revenues - CostOfRevenue) / Revenues * 1000",
    "(Revenues - CostOfRevenue) / Revenues / 100",
    "(jpm:Revenues - CostOfRevenue) / jpm:Revenues * 100",
    "(Revenues - CostOfRevenue - 1) / Revenues * 100",
    "Revenues",
    "46.2",
    "0",
    "(Revenues - CostOfRevenue) / Revenues ^ 2 * 100",
    "(Revenues - GrossProfit) / Revenues * 100",
    "CostOfRevenue / Revenues * 100",
]
UNREADABLE = [
    "",
    " ",
    "I do not know",
    "Revenues CostOfRevenue",
    "(Revenues - CostOfRevenue",
    "(Revenues - CostOfRevenue) / Revenues) * 100",
    "Revenues /",
    "/ Revenues",
    "Revenues * * 2",
    "()",
    "(Revenues)(Assets)",
    "Revenues - Net Income",
    "Revenues ^ Assets",
    "Revenues ^ 11",
    "Revenues ^ -1",
    "2 ^ 0.5",
    "Revenues / 0",
    "1 / (Assets - Assets)",
    "Revenues & Assets",
    "Revenues; import os",
    "1.2.3 + 4",
    "1,23 + 4",
    "__import__('os').system('x')",
    "lambda: 0 0",
    "Revenues if 1 else 2",
    "[x for x in y]",
    "5 million + 3",
    "Revenues % 2",
    "'a' * 9",
    "f(2)",
]
CALCULATION = "(211915000000 - 65863000000) / 211915000000 * 100"
CALCULATIONS = [
    (CALCULATION, 1),
    (CALCULATION.replace(" ", ""), 1),
    (f"({CALCULATION})", 1),
    ("(211,915,000,000 - 65,863,000,000) / 211,915,000,000 * 100", 1),
    ("($211,915,000,000 - $65,863,000,000) / $211,915,000,000 * 100", 1),
    ("146052000000 / 211915000000 * 100", 1),
    (CALCULATION + " = 68.92", 1),
    ("100 - 65863000000 / 211915000000 * 100", 1),
    ("68.92", 1),
    ("68.9", 1),
    ("68.920", 1),
    ("68.92%", 1),
    ("The answer is 68.92%.", 1),
    ("= 68.92", 1),
    ("69", 0),
    ("68", 0),
    ("70", 0),
    ("68.96", 0),
    ("68.93", 0),
    ("68.88", 0),
    ("168.92", 0),
    ("68.927", 0),
    ("0.6892", 0),
    ("0.69", 0),
    ("6892", 0),
    ("-68.92", 0),
    ("146052000000 / 211915000000", 0),
    ("(211915000000 - 65863000001) / 211915000000 * 100", 0),
    ("211915000000 - 65863000000", 0),
    ("(Revenues - 65863000000) / Revenues * 100", 0),
    ("", 0),
    ("1 / 0", 0),
    ("68.92 million", 0),
]


def test_the_tables_are_whole():
    assert (len(RIGHT), len(WRONG), len(UNREADABLE), len(CALCULATIONS)) == (36, 20, 30, 33)


@pytest.mark.parametrize("output", RIGHT)
def test_equal_formulas_are_right_and_look_the_same(output):
    judged = formulas.judge(output, MARGIN)
    assert judged.score == 1.0
    assert judged.parsed == judged.gold


@pytest.mark.parametrize("output", WRONG)
def test_other_formulas_stay_wrong(output):
    judged = formulas.judge(output, MARGIN)
    assert judged.score == 0.0
    assert judged.parsed not in (None, judged.gold)


@pytest.mark.parametrize("output", UNREADABLE)
def test_no_formula_can_be_read(output):
    assert formulas.judge(output, MARGIN).parsed is None


@pytest.mark.parametrize(("output", "score"), CALCULATIONS)
def test_calculations_are_compared_by_their_value(output, score):
    assert formulas.judge(output, CALCULATION).score == score


@pytest.mark.parametrize(
    ("output", "gold", "score"),
    [
        ("25%", "(50 / 200)", 1),
        ("0.25", "(50 / 200)", 1),
        ("0.2", "(50 / 200)", 0),
        ("1/4", "(50 / 200)", 1),
        ("0.0139", "50000000 / 3590000000", 1),
        ("0.014", "50000000 / 3590000000", 0),
        ("1.39%", "50000000 / 3590000000", 1),
        ("0", "50000000 / 3590000000", 0),
        ("0", "(5 - 5) / 7", 1),
        ("0.000", "1 / 99999", 0),
    ],
)
def test_rounded_values_need_three_digits(output, gold, score):
    assert formulas.judge(output, gold).score == score


@pytest.mark.parametrize("gold", ["", "the ratio", "(a + b", "1 / 0"])
def test_a_gold_that_is_no_formula_is_refused(gold):
    with pytest.raises(ValueError, match="is no formula"):
        formulas.judge("a / b", gold)


HOSTILE = [
    "9**9**9**9",
    "9^9^9^9",
    "9^10^10^10",
    "((((9^10)^10)^10)^10)",
    "(" * 10_000 + "1" + ")" * 10_000,
    "(" * 10_000,
    ")" * 10_000,
    "-" * 10_000 + "1",
    "(a+b)*" * 50 + "1",
    "(a+b+c+d)^10",
    "((a+b)^10)^10",
    "+".join(f"a{n}" for n in range(500)),
    "*".join(f"(a{n}+b{n})" for n in range(9)),
    "/".join(f"a{n}" for n in range(99)),
    "+".join(f"1/a{n}" for n in range(9)),
    "1e99*" * 99 + "1",
    "1e999999999",
    "1" * 5000,
    "1." + "1" * 5000,
    "a " * 10_000,
    "a:" * 10_000,
    "=" * 10_000,
    "1/" * 5000 + "1",
]


@pytest.mark.parametrize("output", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_ends_and_is_wrong(output):
    formulas.judge(MARGIN, MARGIN)
    began = time.perf_counter()
    assert formulas.judge(output, MARGIN).score == 0.0
    assert formulas.judge(output, CALCULATION).score == 0.0
    assert time.perf_counter() - began < 5
