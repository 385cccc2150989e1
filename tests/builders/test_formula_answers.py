"""A second computation of every answer, from the text of the question and in another way than the builder's.

Numbers are found by the words around them (`formula_readings.yaml`); the sums are done by following the money
year by year, by bisection or by adding up flows, never with the closed formula that the builder uses.
"""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from finlora.builders.formula import KINDS, Row, build

ROOT = Path(__file__).parents[2]
READINGS = yaml.safe_load(Path(__file__).with_name("formula_readings.yaml").read_text(encoding="utf-8"))
FILES = ("data/train/formula_built_train.jsonl", "data/test/formula_built_test.jsonl")
# Beside the committed rows 40 more of each kind's training questions and 20 of its test questions.
MORE = build(seed=11, train_rows=40 * len(KINDS), test_rows=20 * len(KINDS))
ROWS: list[Row] = [
    *(json.loads(line) for file in FILES for line in (ROOT / file).read_text(encoding="utf-8").splitlines()),
    *(row for side in MORE for row in side),
]
CONTEXT = re.compile(r'^Use formula (?P<kind>.+?) to answer .* Question: "(?P<question>.*)"\. Answer:$')
# A whole number as people write it: no digit, comma or point of it left out at either end.
NUMBER = r"(?<![\d.,])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\d]|[.,]\d)"
UNITS = {"million": 1e6, "billion": 1e9}
Read = dict[str, float]


def pattern(phrase: str) -> str:
    unit = f"(?: (?:{'|'.join(UNITS)}))?"
    signs = {"#": f"({NUMBER}){unit}", "~": f"{NUMBER}{unit}", "…": r"[^\d]*?"}
    return "".join(signs.get(part, re.escape(part)) for part in re.split("([#~…])", phrase))


def plain(question: str) -> str:
    """Write every currency as "$", and the two of an exchange rate as BASE and QUOTE."""
    text = re.sub("[€£]", "$", question)
    base = set(re.findall(r"\b(?:per|one|each) ([A-Z]{3})\b", text))
    if base and "$" not in text:
        (code,) = base
        text = re.sub(r"\b(?!PPP)[A-Z]{3}\b", lambda found: "BASE" if found[0] == code else "QUOTE", text)
    return text


def read(kind: str, question: str) -> Read:
    text = plain(question)
    values: Read = {}
    places = []
    for name, phrases in READINGS[kind].items():
        if isinstance(phrases, dict):
            (values[name],) = [value for words, value in phrases.items() if words in text]
            continue
        hits = [hit for phrase in phrases for hit in re.finditer(pattern(phrase), text, re.IGNORECASE)]
        found = {hit.span(1): hit[1] for hit in hits}
        assert len(found) == 1, f"{name}: {found} in {text}"
        ((place, digits),) = found.items()
        unit = re.match(r" (million|billion)\b", text[place[1] :])
        values[name] = float(digits.replace(",", "")) * (UNITS[unit[1]] if unit else 1)
        places.append(place)
    assert sorted(places) == [hit.span() for hit in re.finditer(NUMBER, text)], text
    return values


def grow(amount: float, rate: float, periods: float) -> float:
    """Add interest period by period."""
    for _ in range(int(periods)):
        amount += amount * rate / 100
    return amount


def worth(flows: list[float], rate: float) -> float:
    """Value flows at the ends of the coming years, from the last one back to today."""
    value = 0.0
    for flow in reversed(flows):
        value = (value + flow) / (1 + rate / 100)
    return value


def save_up(payment: float, rate: float, years: float) -> float:
    balance = 0.0
    for _ in range(int(years)):
        balance = grow(balance, rate, 1) + payment
    return balance


def solve(reaches: Callable[[float], float], goal: float, high: float) -> float:
    """Find by bisection where a rising function reaches its goal."""
    low = 0.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if reaches(middle) < goal else (low, middle)
    return low


def share_price(q: Read) -> float:
    dividends = [q["dividend"]]
    for _ in range(2500):
        dividends.append(grow(dividends[-1], q["growth"], 1))
    return worth(dividends, q["required"])


def replicated_call(q: Read) -> float:
    """Buy share and put, borrow what the strike will repay: the cost of the call's own payoff."""
    loan = solve(lambda sum_: sum_ * math.e ** (q["rate"] / 100 * q["months"] / 12), q["strike"], 1e4)
    return q["share"] + q["put"] - loan


def swap_forward(q: Read) -> float:
    """Quote currency per base, once one base and its price in quote have both grown for the years."""
    return grow(q["spot"], q["quote rate"], q["years"]) / grow(1.0, q["base rate"], q["years"])


def replicated_put(q: Read) -> float:
    """Buy call, lend what becomes the strike, sell the share: the cost of the put's own payoff."""
    deposit = solve(lambda sum_: sum_ * math.e ** (q["rate"] / 100 * q["months"] / 12), q["strike"], 1e4)
    return q["call"] + deposit - q["share"]


def locked_in(q: Read) -> float:
    """The rate at which share and put, less the call, grow into the strike."""
    cost = q["share"] + q["put"] - q["call"]
    return solve(lambda rate: cost * math.e ** (rate / 100 * q["months"] / 12), q["strike"], 100)


def growing_payments(q: Read) -> float:
    payments = [q["payment"]]
    while len(payments) < q["years"]:
        payments.append(grow(payments[-1], q["growth"], 1))
    return worth(payments, q["rate"])


def monthly_payment(q: Read) -> float:
    """The payment that, saved up at the loan's own rate, grows as large as the loan left alone."""
    monthly, months = q["rate"] / 12, q["years"] * 12
    return solve(lambda payment: save_up(payment, monthly, months), grow(q["sum"], monthly, months), q["sum"])


def bond(q: Read, extra: float = 0.0) -> float:
    """Price of a bond, its yield moved by `extra` percentage points."""
    face = q.get("face", 100.0)
    coupons = [face * q["coupon"] / 100] * int(q["years"])
    return worth([*coupons[1:], coupons[0] + face], q["yield"] + extra)


def duration(q: Read) -> float:
    """How the price of a bond reacts to its yield."""
    step = 1e-4
    slope = (bond(q, step) - bond(q, -step)) / (2 * step / 100)
    return -slope / bond(q) * (1 + q["yield"] / 100)


def forward(q: Read) -> float:
    """The rate that takes the shorter deposit to where the longer one ends."""
    short, rest = grow(1.0, q["short rate"], q["short years"]), q["long years"] - q["short years"]
    long = grow(1.0, q["long rate"], q["long years"])
    return solve(lambda rate: grow(short, rate, rest), long, 100)


def joint_risk(q: Read) -> float:
    """Length of two risks put end to end as arrows, the cosine between them being their correlation."""
    one, other = q["weight"] * q["risk 1"] / 100, (100 - q["weight"]) * q["risk 2"] / 100
    across = math.sqrt(1 - q["correlation"] ** 2)
    return math.hypot(one + other * q["correlation"], other * across)


def owners_gain(q: Read) -> float:
    """Return on equity of a firm with 1000 of equity, from its balance sheet and its sales."""
    sales = q["turnover"] * q["leverage"] * 1000
    return part(grow(sales, q["margin"], 1) - sales, 1000)


def money_created(q: Read) -> float:
    """Lend one unit of base money on and on, part of it leaking into purses and reserves every time."""
    lent, money = 1.0, 0.0
    for _ in range(2500):
        money += lent
        deposited = lent / (1 + q["cash"] / 100)
        lent = deposited * (1 - q["reserves"] / 100)
    return money


def cash_cycle(q: Read) -> float:
    """Days of stock and of customers' debts, less days of debts to suppliers."""
    cost, sales = q["cost"] / 365, q["sales"] / 365
    return math.fsum([q["stock"] / cost, q["owed"] / sales, -q["owing"] / cost])


def average(q: Read) -> float:
    return math.fsum([q["opening"], q["closing"]]) / 2


def part(piece: float, whole: float) -> float:
    return 100 / (whole / piece)


def fair(q: Read) -> float:
    """Return that a mix of the safe asset and the market with this beta earns."""
    return (1 - q["beta"]) * q["safe"] + q["beta"] * q["market"]


def after_tax_wacc(q: Read) -> float:
    owners = q["equity"] * q["equity cost"] / 100
    lenders = q["debt"] * q["debt cost"] / 100
    return part(owners + lenders - lenders * q["tax"] / 100, q["equity"] + q["debt"])


SECOND: dict[str, Callable[[Read], float]] = {
    "Future Value (FV)": lambda q: grow(q["sum"], q["rate"], q["years"]),
    "Present Value (PV)": lambda q: worth([0.0] * (int(q["years"]) - 1) + [q["payment"]], q["rate"]),
    "Compound Interest": lambda q: grow(q["sum"], q["rate"] / q["times"], q["years"] * q["times"]),
    "Effective Annual Rate (EAR)": lambda q: grow(100, q["rate"] / q["times"], q["times"]) - 100,
    "Doubling Time": lambda q: solve(lambda n: math.exp(n * math.log1p(q["rate"] / 100)), 2, 200),
    "Compound Annual Growth Rate (CAGR)": lambda q: solve(
        lambda rate: grow(q["first"], rate, q["years"]), q["last"], 100
    ),
    "Net Present Value (NPV)": lambda q: (
        worth([q["year one"], q["year two"], q["year three"]], q["rate"]) - q["outlay"]
    ),
    "Present Value of an Ordinary Annuity": lambda q: worth([q["payment"]] * int(q["years"]), q["rate"]),
    "Future Value of an Ordinary Annuity": lambda q: save_up(q["payment"], q["rate"], q["years"]),
    "Present Value of a Perpetuity": lambda q: worth([q["payment"]] * 2500, q["rate"]),
    "Gordon Growth Model": share_price,
    "Current Ratio": lambda q: part(q["assets"], q["liabilities"]) / 100,
    "Quick Ratio (Acid-Test Ratio)": lambda q: part(q["assets"] - q["stock"], q["liabilities"]) / 100,
    "Debt-to-Equity Ratio": lambda q: part(q["debt"], q["equity"]) / 100,
    "Interest Coverage Ratio": lambda q: part(q["earnings"], q["interest"]) / 100,
    "Inventory Turnover": lambda q: part(q["cost"], average(q)) / 100,
    "Total Asset Turnover": lambda q: part(q["sales"], average(q)) / 100,
    "Gross Profit Margin": lambda q: 100 - part(q["cost"], q["sales"]),
    "Operating Margin": lambda q: 100 - part(q["cost"], q["sales"]) - part(q["running"], q["sales"]),
    "Net Profit Margin": lambda q: part(q["profit"], q["sales"]),
    "Return on Equity (ROE)": lambda q: part(q["profit"], average(q)),
    "Return on Assets (ROA)": lambda q: part(q["profit"], q["assets"]),
    "Return on Investment (ROI)": lambda q: part(q["got"], q["paid"]) - 100,
    "Earnings Per Share (EPS)": lambda q: q["profit"] / q["shares"] - q["preferred"] / q["shares"],
    "Price-to-Earnings Ratio (P/E Ratio)": lambda q: part(q["price"], q["earnings"]) / 100,
    "Dividend Yield": lambda q: part(q["dividend"], q["price"]),
    "Capital Asset Pricing Model (CAPM)": fair,
    "Sharpe Ratio": lambda q: q["return"] / q["spread"] - q["safe"] / q["spread"],
    "Treynor Ratio": lambda q: q["return"] / q["beta"] - q["safe"] / q["beta"],
    "Jensen's Alpha": lambda q: q["return"] - fair(q),
    "Portfolio Return": lambda q: part(
        math.fsum(grow(q[f"weight {n}"], q[f"return {n}"], 1) - q[f"weight {n}"] for n in (1, 2, 3)), 100
    ),
    "WACC (Weighted Average Cost of Capital)": after_tax_wacc,
    "Current Yield": lambda q: part(grow(q["face"], q["coupon"], 1) - q["face"], q["price"]),
    "Interest Rate Parity (IRP)": swap_forward,
    "Purchasing Power Parity (PPP)": swap_forward,
    "Real Interest Rate (Fisher Equation)": lambda q: part(
        q["nominal"] - q["inflation"], 100 + q["inflation"]
    ),
    "Put-Call Parity": replicated_call,
    "Gross Domestic Product (GDP)": lambda q: (
        math.fsum([q["private"], q["investment"], q["government"], q["exports"], -q["imports"]]) / 1e9
    ),
    "Unemployment Rate": lambda q: 100 - part(q["busy"], q["busy"] + q["idle"]),
    "Inflation Rate": lambda q: part(q["now"], q["before"]) - 100,
    "Continuous Compounding": lambda q: solve(
        lambda sum_: math.log(sum_ / q["sum"]) if sum_ else 0, q["rate"] / 100 * q["years"], 1e7
    ),
    "Time to Reach a Goal": lambda q: solve(
        lambda n: q["first"] * math.exp(n * math.log1p(q["rate"] / 100)), q["goal"], 200
    ),
    "Loan Payment": monthly_payment,
    "Present Value of a Growing Annuity": growing_payments,
    "Days Sales Outstanding (DSO)": lambda q: q["owed"] / (q["sales"] / 365),
    "Cash Conversion Cycle (CCC)": cash_cycle,
    "DuPont Return on Equity": owners_gain,
    "Break-Even Point": lambda q: solve(
        lambda units: units * q["price"] - units * q["variable"], q["fixed"], 1e7
    ),
    "Enterprise Multiple (EV/EBITDA)": lambda q: math.fsum(
        part(q[claim], q["earnings"]) / 100 * sign
        for claim, sign in (("equity", 1), ("debt", 1), ("cash", -1))
    ),
    "Holding Period Return (HPR)": lambda q: part(q["sold"] + q["paid"], q["bought"]) - 100,
    "Two-Asset Portfolio Risk": joint_risk,
    "Information Ratio": lambda q: q["return"] / q["spread"] - q["benchmark"] / q["spread"],
    "Bond Price": bond,
    "Macaulay Duration": duration,
    "Forward Rate": forward,
    "Put-Call Parity (Put Price)": replicated_put,
    "Put-Call Parity (Implied Rate)": locked_in,
    "GDP Deflator": lambda q: solve(lambda index: q["real"] * index / 100, q["nominal"], 1000),
    "Money Multiplier": money_created,
    # From the neutral nominal rate, a step of one and a half for prices and of a half for output.
    "Taylor Rule": lambda q: math.fsum(
        [q["neutral"], q["target"], 1.5 * (q["inflation"] - q["target"]), q["gap"] / 2]
    ),
}


def by_kind(rows: list[Row]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in SECOND}
    for row in rows:
        hit = CONTEXT.match(row["context"])
        assert hit, row
        found[hit["kind"]].append((hit["question"], row["target"]))
    return found


ASKED = by_kind(ROWS)


def test_every_row_belongs_to_a_kind_with_a_second_computation() -> None:
    assert len(SECOND) == len(KINDS) == 60
    assert set(SECOND) == set(READINGS) == {kind.name for kind in KINDS}
    assert sum(map(len, ASKED.values())) == len(ROWS) == 1000 + 3600


@pytest.mark.parametrize("kind", SECOND)
def test_answers_agree_with_a_second_computation(kind: str) -> None:
    rows = ASKED[kind]
    assert len(rows) >= 60 + 16
    wrong = []
    for question, target in rows:
        second = SECOND[kind](read(kind, question))
        # Half a cent for the rounding of the answer, and a little for floats.
        if abs(float(target) - second) > 0.005 + 1e-6:
            wrong.append((question, target, second))
    assert wrong == []


def test_each_weight_of_a_portfolio_counts_once() -> None:
    sums = [
        sum(value for name, value in read("Portfolio Return", question).items() if "weight" in name)
        for question, _ in ASKED["Portfolio Return"]
    ]
    assert sums == [100.0] * len(sums)
    assert len(sums) >= 76
