"""Formula kinds about bonds: their price, how long their money is out, and the rates between two dates."""

from decimal import Decimal

from finlora.builders.formula_kinds import Kind, Values, growth, money, percent, templates, years

_COUPON = percent("1", "9", "0.25")
_YIELD = percent("1", "10", "0.1")
_SPOT_RATE = percent("0.5", "8", "0.05")


def _worth(values: Values) -> list[Decimal]:
    """Return today's worth of what a bond of face value 100 pays at each year end."""
    last = int(values["n"])
    return [
        (values["c"] + (100 if year == last else 0)) / growth(values["y"]) ** year
        for year in range(1, last + 1)
    ]


def _duration(values: Values) -> Decimal:
    worth = _worth(values)
    return sum((year * part for year, part in enumerate(worth, 1)), start=Decimal(0)) / sum(worth)


def _forward(values: Values) -> Decimal:
    gain = growth(values["long"]) ** values["b"] / growth(values["short"]) ** values["a"]
    return (gain ** (1 / (values["b"] - values["a"])) - 1) * 100


KINDS = (
    Kind(
        name="Bond Price",
        formula="P = C × (1 − (1 + y)^(−n)) / y + F × (1 + y)^(−n)",
        explanation=(
            "F: face value, repaid with the last coupon, C: coupon at the end of each year, the coupon rate "
            "times F, y: yield to maturity a year, n: years to maturity, P: price today"
        ),
        source="Bodie, Kane and Marcus, Essentials of Investments: bond pricing",
        inputs={"face": money("500", "5000", "500"), "c": _COUPON, "y": _YIELD, "n": years(2, 30)},
        answer=lambda v: v["face"] * sum(_worth(v)) / 100,
        sensible=lambda v: v["c"] != v["y"],
        train=templates("""
            A bond of {company} with a face value of {face} pays a yearly coupon of {c} and matures in {n}. At
            a yield to maturity of {y}, what is its price?

            {person} wants to earn {y} a year on a bond that pays {c} of its {face} face value at each year
            end for {n} and the face value with the last coupon. How much may it cost?

            Find the price of a note with {n} to run, face value {face}, annual coupons of {c} and a yield of
            {y}.

            Investors require {y} a year on bonds of {company}. One such bond repays {face} after {n} and
            bears a coupon of {c} at every year end. Compute its value today.
        """),
        test=templates("""
            A cathedral issues paper of {face} nominal: interest of {c} of the nominal amount once a year in
            arrears, redemption at par after {n}. What should lenders pay who ask for {y} a year?

            The market discounts every payment of a railway loan at {y} annually. The railway owes {c} yearly
            in interest on {face}, and that principal itself when {n} are over. State the loan's fair price.
        """),
    ),
    Kind(
        name="Macaulay Duration",
        formula="D = (1 × PV_1 + 2 × PV_2 + … + n × PV_n) / (PV_1 + PV_2 + … + PV_n)",
        explanation=(
            "PV_t: present value, at the yearly yield, of what the bond pays at the end of year t, namely "
            "the coupon and in year n also the face value, D: in years"
        ),
        source="Macaulay (1938), Some Theoretical Problems Suggested by the Movements of Interest Rates",
        inputs={"c": _COUPON, "y": _YIELD, "n": years(2, 12)},
        answer=_duration,
        train=templates("""
            A bond pays a coupon of {c} of its face value at each year end, has {n} to maturity and yields
            {y}. What is its Macaulay duration in years?

            Compute the Macaulay duration, in years, of a bond of {company} with annual coupons of {c}, {n}
            left to run and a yield to maturity of {y}.

            At a yearly yield of {y}, find the average time in years, weighted by present value, of the
            payments of a note: coupons of {c} a year for {n}, and the face value with the last of them.

            {person} hedges a bond: yield {y}, coupon {c} once a year, maturity in {n}. Which Macaulay
            duration in years should the hedge have?
        """),
        test=templates("""
            Every year end a waterworks pays its creditors {c} of the nominal amount, and after {n} the
            nominal amount as well. Discount at {y} annually. How many years, on the present-value average, do
            creditors wait for their money?

            Give the duration (Macaulay, years) of a loan redeemed at par that bears {c} per annum and runs
            {n}, while the market asks {y}.
        """),
    ),
    Kind(
        name="Forward Rate",
        formula="f = (((1 + s_2)^b / (1 + s_1)^a)^(1 / (b − a)) − 1) × 100",
        explanation=(
            "s_1: yearly spot rate for a years, s_2: yearly spot rate for b years, both compounded once a "
            "year, f: yearly rate for the time from the end of year a to the end of year b, in percent"
        ),
        source="Hull, Options, Futures, and Other Derivatives: forward rates",
        inputs={"short": _SPOT_RATE, "long": _SPOT_RATE, "a": years(1, 5), "b": years(2, 10)},
        answer=_forward,
        sensible=lambda v: v["a"] < v["b"] and abs(v["long"] - v["short"]) < 2 and _forward(v) >= 1,
        train=templates("""
            The spot rate is {short} a year for {a} and {long} a year for {b}, compounded annually. What
            forward rate in percent a year do they imply for the time between?

            Zero-coupon bonds of {a} yield {short} and those of {b} yield {long} per year. Compute, in
            percent, the implied yearly forward rate from the end of the shorter to the end of the longer.

            {company} can borrow for {b} at {long} a year or for {a} at {short} a year. At which yearly rate
            in percent, fixed today for what remains of the longer term, would borrowing for the shorter term
            first cost the same?

            With money for {a} at {short} and money for {b} at {long}, both yearly compounded rates, find the
            break-even rate in percent a year for a loan that begins when the first term ends and ends with
            the second.
        """),
        test=templates("""
            {person} may lock savings away for {b} and get {long} annually, or for {a} and get {short}
            annually, then renew. Which annual renewal rate in percent, up to the later date, makes both plans
            end with equal sums?

            Today's curve of {country} shows {short} at a maturity of {a} and {long} at a maturity of {b}
            (annual compounding). State in percent per annum what it says about lending between these two
            maturities.
        """),
    ),
)
