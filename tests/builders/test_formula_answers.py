"""A second computation of every answer, from the text of the question and in another way than the builder's.

Numbers are found by the words around them (`formula_readings.yaml`); the sums are done by following the money
year by year, by bisection or by adding up flows, never with the closed formula that the builder uses.
"""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
READINGS = yaml.safe_load(Path(__file__).with_name("formula_readings.yaml").read_text(encoding="utf-8"))
FILES = ("data/train/formula_built_train.jsonl", "data/test/formula_built_test.jsonl")
ROWS = [json.loads(line) for file in FILES for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
CONTEXT = re.compile(r'^Use formula (?P<kind>.+?) to answer .* Question: "(?P<question>.*)"\. Answer:$')
# A whole number as people write it: no digit, comma or point of it left out at either end.
NUMBER = r"(?<![\d.,])\d+(?:,\d{3})*(?:\.\d+)?(?![\d]|[.,]\d)"
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
}


def rows_of(kind: str) -> list[tuple[str, str]]:
    found = [(CONTEXT.match(row["context"]), row["target"]) for row in ROWS]
    return [(hit["question"], target) for hit, target in found if hit and hit["kind"] == kind]


def test_every_row_belongs_to_a_kind_with_a_second_computation() -> None:
    assert len(SECOND) == 40
    assert set(SECOND) == set(READINGS)
    assert sum(len(rows_of(kind)) for kind in SECOND) == len(ROWS) == 1000


@pytest.mark.parametrize("kind", SECOND)
def test_answers_agree_with_a_second_computation(kind: str) -> None:
    rows: list[Any] = rows_of(kind)
    assert len(rows) == 25
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
        for question, _ in rows_of("Portfolio Return")
    ]
    assert sums == [100.0] * 25
