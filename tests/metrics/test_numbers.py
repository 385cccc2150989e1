"""Amounts: forms that say the same, wrong ones that stay wrong, and texts that say no amount."""

from decimal import Decimal

import pytest

from finlora.metrics import numbers

SAME = [
    "21462.58",
    " 21462.58 ",
    "21,462.58",
    "21 462.58",
    "21'462.58",
    "$21462.58",
    "$21,462.58",
    "$ 21,462.58",
    "21462.58 $",
    "USD 21,462.58",
    "21462.58 USD",
    "US$21,462.58",
    "21462.58 dollars",
    "€21,462.58",
    "£21,462.58",
    "Rs. 21,462.58",
    "+21462.58",
    "21462.58.",
    "**21462.58**",
    "`21462.58`",
    '"21462.58"',
    "\\boxed{21462.58}",
    "= 21462.58",
    "The answer is $21,462.58.",
    "The answer is 21462.58",
    "Answer: 21,462.58",
    "Answer:\n21462.58",
    "NPV = 21462.58",
    "The NPV is 21462.58 dollars.",
    "6000 * 3.57 = 21462.58",
    "NPV = 6000 / 1.08 = 21462.58",
    "NPV ≈ $21,462.58.",
    "2.146258e4",
    "2.146258E+04",
    "2.146258 × 10^4",
    "2.146258 x 10^4",
    "2.146258*10**4",
    "21.46258 thousand",
    "21.46258k",
    "21.46258K",
    "0.02146258 million",
    "$0.02146258M",
    "0.02146258 mn",
    "0.00002146258 billion",
    "0.00002146258bn",
    "21462.58\nQuestion: 7",
    "21462.58\nbecause 3 * 5",
    "#### 21462.58",
    "21462.5789",
    "21462.583",
    "21462.580",
    "21462.58, so 21462.58",
    "Step 1: 5\nStep 2: 6\nThe answer is 21462.58",
    "about 21462.58. Then 6 follows.",
    "<think>7</think>21462.58",
    "21462.575",
    "21462.585",
    "021462.58",
    "2146258 cents",
    "21462.58 (rounded)",
]
OTHER_FORMS = [
    ("(5.2)", "-5.2"),
    ("$(5.2)", "-5.2"),
    ("($5.2)", "-5.2"),
    ("−5.2", "-5.2"),
    ("-$5.2", "-5.2"),
    ("$-5.2", "-5.2"),
    ("- 5.2", "-5.2"),
    ("-5.20", "-5.2"),
    ("(5.2 million)", "-5200000"),
    ("$(5.2) million", "-5200000.0"),
    ("1,234,567", "1234567"),
    ("12,34,567", "1234567"),
    ("1 234 567", "1234567"),
    ("1234567.0", "1234567"),
    ("1234567", "1234567.0"),
    ("1.2 billion", "1200000000.0"),
    ("1.2B", "1200000000.0"),
    ("1.2 trillion", "1200000000000.0"),
    ("1200 million", "1.2 billion"),
    ("5 hundred", "500"),
    ("5 lakh", "500000"),
    ("2 crore", "20000000"),
    ("50 cents", "0.5"),
    (".5", "0.5"),
    ("0.5", ".5"),
    ("5.", "5"),
    ("14.0x", "14.0"),
    ("3 times", "3.0"),
    ("0", "0.0"),
    ("-0.0", "0"),
    ("0.00", "0.0"),
    ("5.2%", "5.2%"),
    ("5.2", "5.2%"),
    ("0.052", "5.2%"),
    ("5.2 percent", "5.2%"),
    ("5.2%", "0.052"),
    ("520 bps", "5.2%"),
    ("520 basis points", "0.052"),
    ("9.6%", "9.6"),
    ("25 %", "25.0"),
    ("3%", "0.03"),
    ("156%", "1.56"),
    ("(5.2%)", "-5.2%"),
    ("(5.2)%", "-5.2%"),
    ("$5", "5 USD"),
    ("5 euros", "€5"),
    ("0.034", "0.03"),
    ("0.1", "0.1"),
    ("12", "12.00"),
    ("1e5", "100000"),
    ("5,200,000", "5.2 million"),
    ("-1.5e-3", "-0.0015"),
    ("1_0", None),
    ("100%", "1"),
]
WRONG = [
    ("5.2", "-5.2"),
    ("(5.2)", "5.2"),
    ("-5.2", "5.2"),
    ("52", "5.2"),
    ("5200000", "5.2"),
    ("5.2 million", "5.2"),
    ("5.2 million", "5200"),
    ("5.24 million", "5.2 million"),
    ("5.2 billion", "5.2 million"),
    ("5.2%", "52"),
    ("520%", "5.2%"),
    ("0.52", "5.2%"),
    ("0.03%", "0.03"),
    ("5.3%", "5.2%"),
    ("3.6%", "0.03"),
    ("$5", "€5"),
    ("5 GBP", "5 USD"),
    ("5 cents", "5"),
    ("5 lakh", "5"),
    ("5 hundred", "5"),
    ("5k", "5"),
    ("5 bps", "5%"),
    ("0.14", "0.1"),
    ("0.036", "0.03"),
    ("12.04", "12"),
    ("12.04", "12.0"),
    ("12.4", "12"),
    ("125.0", "1257"),
    ("1257", "125"),
    ("1.0", "1.04"),
    ("100", "100000"),
    ("0.04", "0"),
    ("1234", "1.234"),
    ("1.234", "1234"),
    ("5.2 × 10^6", "5.2"),
    ("1e6", "1"),
    ("4.9%", "0.052"),
    ("x = 5, y = 6", "5"),
]
NO_AMOUNT = [
    "",
    " ",
    "abc",
    "none",
    "inf",
    "-inf",
    "nan",
    "NaN",
    "infinity",
    "5 or 7",
    "5 to 7",
    "5-7",
    "between 5 and 7",
    "3/4",
    "4/4",
    "5*5",
    "5 + 5",
    "5 - 5",
    "5 x 5",
    "1,23",
    "21462,58",
    "1.2.3",
    "1.234.567,89",
    "12,345,67",
    "1,2345",
    "2023-12-31",
    "Q3",
    "10-K",
    "3rd",
    "B2B",
    "5abc",
    "-(5)",
    "--5",
    "$5.2 million in 2023",
    "1e999999999",
    "1e-999999999",
    "9" * 61,
    "0." + "1" * 70,
    "1e61",
    "1e99 million",
    "The answer is unknown",
    "5, 6, 7",
    "1. 5\n2. 6\n",
    "$",
    "%",
    "-",
    "()",
    "1e5e5",
    "5-year",
    "0x10",
]


def test_the_tables_are_whole():
    assert (len(SAME), len(OTHER_FORMS), len(WRONG), len(NO_AMOUNT)) == (60, 54, 38, 50)


@pytest.mark.parametrize("output", SAME)
def test_forms_of_one_amount_are_right(output):
    judged = numbers.judge(output, "21462.58")
    assert judged.score == 1.0
    assert judged.gold == "21462.58"


@pytest.mark.parametrize(("output", "gold"), [case for case in OTHER_FORMS if case[1]])
def test_forms_are_right(output, gold):
    assert numbers.judge(output, gold).score == 1.0


@pytest.mark.parametrize(("output", "gold"), WRONG)
def test_wrong_amounts_stay_wrong(output, gold):
    judged = numbers.judge(output, gold)
    assert judged.score == 0.0
    assert judged.parsed is not None


@pytest.mark.parametrize("output", NO_AMOUNT)
def test_no_amount_can_be_read(output):
    assert numbers.judge(output, "5").parsed is None


# As published data writes them: two decimals, a zero dropped, whole, negative, large.
GOLDS = [
    "21462.58",
    "15092.44",
    "4662.8",
    "12201.9",
    "1232.0",
    "607.5",
    "0.03",
    "0.1",
    "0.0",
    "-0.02",
    "-1499.76",
    "94.29",
    "2600000.0",
    "1120000000000.0",
    "-200000000.0",
    "1.56",
    "125",
    "7",
    "-90",
    "1234567890",
]


def wrong_variants():
    for gold in GOLDS:
        value = Decimal(gold)
        whole = "." not in gold
        yield from (
            (str(value + step), gold) for step in (Decimal("0.04"), Decimal("-0.04"), Decimal(1), Decimal(-1))
        )
        yield f"7{gold.lstrip('-')}", gold
        yield gold.replace("-", "-7") if "-" in gold else f"7{gold}", gold
        yield from ((gold + digit, gold) for digit in ("0123456789" if whole else "6789"))
        yield from ((f"{value * factor:f}", gold) for factor in (10, 100, 1000, -1) if value)


WRONG_VARIANTS = list(wrong_variants())


def test_no_wrong_variant_was_left_out():
    assert len(GOLDS) == 20
    assert len(WRONG_VARIANTS) == 20 * 6 + 16 * 4 + 4 * 10 + 19 * 4


@pytest.mark.parametrize(("output", "gold"), WRONG_VARIANTS)
def test_a_changed_gold_is_wrong(output, gold):
    assert numbers.judge(output, gold).score == 0.0


@pytest.mark.parametrize("gold", GOLDS)
def test_the_gold_itself_is_right_however_it_is_grouped(gold):
    value = Decimal(gold)
    for text in (
        gold,
        f"{value:,}",
        f"${abs(value)}" if value >= 0 else f"(${abs(value)})",
        f"The answer is {gold}.",
    ):
        assert numbers.judge(text, gold).score == 1.0


@pytest.mark.parametrize("gold", ["", "nan", "positive", "1,23", "5 or 6", "1e999"])
def test_a_gold_that_is_no_number_is_refused(gold):
    with pytest.raises(ValueError, match="is no number"):
        numbers.judge("5", gold)


@pytest.mark.parametrize(
    "text", ["1 " * 50_000, "(" * 100_000, "1,2" * 50_000, "- " * 50_000, "1" * 100_000, "=1" * 50_000]
)
def test_long_outputs_end(text):
    assert numbers.judge(text, "5").score == 0.0


@pytest.mark.parametrize(
    "output",
    ["minus 5", "Negative 5", "–5", "—5", "‒5", "﹣5", "－5", "⁻5", "The result is –$5.", "= minus $5"],
)
def test_a_minus_in_words_or_as_another_dash_is_one(output):
    assert numbers.judge(output, "-5").score == 1.0
    assert numbers.judge(output, "5").score == 0.0


def test_a_dash_behind_a_figure_is_no_minus():
    assert numbers.judge("5–10", "-10").score == 0.0
