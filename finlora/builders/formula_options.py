"""Formula kinds about options: put-call parity, solved for each price and for the interest rate."""

from decimal import Decimal

from finlora.builders.formula_kinds import Input, Kind, Values, money, percent, templates

_SOURCE = (
    "Stoll (1969), The Relationship Between Put and Call Option Prices; Hull, Options, Futures, and Other "
    "Derivatives"
)
_PREMIUM = money("0.50", "20.00", "0.05")
_SHARE = money("20.00", "150.00", "0.25")
_STRIKE = money("20", "150", "1")
_RATE = percent("1", "8", "0.25")
_MONTHS = Input(tuple(map(Decimal, (2, 3, 4, 6, 9, 12))), lambda value: f"{value} months")


def _strike_today(values: Values) -> Decimal:
    return values["k"] * (-values["r"] / 100 * values["t"] / 12).exp()


def _call(values: Values) -> Decimal:
    return values["p"] + values["s"] - _strike_today(values)


def _put(values: Values) -> Decimal:
    return values["c"] - values["s"] + _strike_today(values)


def _implied_rate(values: Values) -> Decimal:
    return (values["k"] / (values["p"] + values["s"] - values["c"])).ln() / values["t"] * 12 * 100


def _near(values: Values) -> bool:
    """Keep strikes near the share price."""
    return Decimal("0.8") < values["k"] / values["s"] < Decimal("1.2")


def _fair_put(values: Values) -> bool:
    """Keep puts that are neither exploitable nor absurdly dear."""
    floor = max(_strike_today(values) - values["s"], Decimal(0))
    return floor + Decimal("0.5") <= values["p"] <= floor + values["s"] / 10


def _fair_call(values: Values) -> bool:
    """Keep calls that are neither exploitable nor absurdly dear."""
    floor = max(values["s"] - _strike_today(values), Decimal(0))
    return floor + Decimal("0.5") <= values["c"] <= floor + values["s"] / 10


def _fair_rate(values: Values) -> bool:
    """Keep pairs of prices that a usual interest rate explains, and that both options can have."""
    if not _near(values) or not Decimal("0.8") < (values["p"] + values["s"] - values["c"]) / values["k"] < 1:
        return False
    known = {**values, "r": _implied_rate(values)}
    return 1 <= known["r"] <= 9 and _fair_put(known) and _fair_call(known)


KINDS = (
    Kind(
        name="Put-Call Parity",
        formula="C = P + S − K × e^(−r × T)",
        explanation=(
            "C, P: prices of a European call and a European put with the same strike and expiry, S: price "
            "of the share, which pays no dividend until expiry, K: strike price, r: risk-free rate a year, "
            "continuously compounded, T: time to expiry in years"
        ),
        source=_SOURCE,
        inputs={"p": _PREMIUM, "s": _SHARE, "k": _STRIKE, "r": _RATE, "t": _MONTHS},
        answer=_call,
        sensible=lambda v: _near(v) and _fair_put(v) and _call(v) >= 1,
        train=templates("""
            A European put on {company} with a strike of {k} and {t} to expiry costs {p}. The share trades at
            {s} and pays no dividend. With a risk-free rate of {r} a year, continuously compounded, what
            should the European call with the same strike and expiry cost?

            Given a stock price of {s}, a strike price of {k}, a put premium of {p}, {t} until expiry and a
            continuously compounded risk-free rate of {r} per year, find the premium of the matching European
            call; no dividends are paid.

            {person} owns one share at {s} that pays no dividend and buys a European put for {p} struck at
            {k}, expiring in {t}. Interest is {r} a year, continuously compounded. At which price must the
            European call of the same strike and expiry trade to prevent arbitrage?

            Both a European call and a European put on a stock without dividends are struck at {k} and expire
            in {t}. The put is worth {p}, the stock {s}, and riskless money earns {r} a year with continuous
            compounding. Compute the call price.
        """),
        test=templates("""
            A dealer quotes {p} for the European put on {company}, exercise price {k}, which ends in {t}. The
            stock, currently {s}, will pay nothing until then, and cash grows at a continuously compounded {r}
            a year. Which quote for the European call with identical terms is consistent with parity?

            What is a European call worth if the European put with the same exercise price of {k} and the same
            {t} of remaining life sells for {p}, the underlying share without dividends stands at {s}, and the
            risk-free rate is {r} annually under continuous compounding?
        """),
    ),
    Kind(
        name="Put-Call Parity (Put Price)",
        formula="P = C − S + K × e^(−r × T)",
        explanation=(
            "P, C: prices of a European put and a European call with the same strike and expiry, S: price "
            "of the share, which pays no dividend until expiry, K: strike price, r: risk-free rate a year, "
            "continuously compounded, T: time to expiry in years"
        ),
        source=_SOURCE,
        inputs={"c": _PREMIUM, "s": _SHARE, "k": _STRIKE, "r": _RATE, "t": _MONTHS},
        answer=_put,
        sensible=lambda v: _near(v) and _fair_call(v) and _put(v) >= Decimal("0.5"),
        train=templates("""
            A European call on {company} with a strike of {k} and {t} to expiry costs {c}. The share, which
            pays no dividend, trades at {s}. At a continuously compounded risk-free rate of {r} a year, what
            should the European put with the same strike and expiry cost?

            Find the premium of a European put from that of the matching European call, {c}: stock price {s}
            without dividends, strike price {k}, {t} until expiry, risk-free rate {r} a year with continuous
            compounding.

            {person} sees a European call priced at {c} on a share worth {s} that pays no dividend. It is
            struck at {k} and ends in {t}; riskless interest is {r} a year, continuously compounded. At which
            price must the European put of the same strike and expiry trade to rule out arbitrage?

            With {t} left, a stock without dividends at {s}, a risk-free rate of {r} (yearly, continuously
            compounded) and a European call struck at {k} that sells for {c}, compute the price of the put
            with the same terms.
        """),
        test=templates("""
            The right to buy one share of {company} for {k} in {t}, and not earlier, is quoted at {c}. The
            share stands at {s}, will pay nothing until then, and safe money grows continuously at {r} per
            year. By put-call parity, what is the right to sell at the same price on the same day worth?

            An insurer prices protection by parity: European call {c}, share {s} (no payouts), exercise price
            {k}, remaining life {t}, riskless yearly rate {r} under continuous growth. How dear is the
            European put?
        """),
    ),
    Kind(
        name="Put-Call Parity (Implied Rate)",
        formula="r = ln(K / (P + S − C)) / T × 100",
        explanation=(
            "P, C: prices of a European put and a European call with the same strike and expiry, S: price "
            "of the share, which pays no dividend until expiry, K: strike price, T: time to expiry in "
            "years, ln: natural logarithm, r: risk-free rate in percent a year, continuously compounded"
        ),
        source=_SOURCE,
        inputs={"c": _PREMIUM, "p": _PREMIUM, "s": _SHARE, "k": _STRIKE, "t": _MONTHS},
        answer=_implied_rate,
        sensible=_fair_rate,
        train=templates("""
            On {company} a European call costs {c} and the European put with the same strike of {k} and {t} to
            expiry costs {p}. The share trades at {s} and pays no dividend. Which continuously compounded
            interest rate, in percent a year, do these prices imply?

            A stock without dividends stands at {s}. European options on it, struck at {k} and expiring in
            {t}, sell for {c} (call) and {p} (put). Compute the implied yearly rate in percent, continuously
            compounded.

            From a call premium of {c}, a put premium of {p}, a strike price of {k}, a share price of {s} and
            {t} until expiry, find the continuously compounded riskless rate in percent a year at which
            put-call parity holds; the options are European, dividends there are none.

            {person} buys one share at {s}, which pays nothing, buys a European put at {p} and sells a
            European call at {c}. In {t} all this is worth the common strike, {k}, for certain. What return in
            percent a year, continuously compounded, is locked in?
        """),
        test=templates("""
            Traders read funding costs off options. With a strike of {k}, an expiry {t} away, the share at {s}
            and no payout ahead, calls at {c} and puts at {p} (both European), what cost in percent per annum,
            under continuous compounding, do they find?

            Whoever holds the share of {company} ({s}, no dividends) together with a put worth {p}, and owes a
            call worth {c}, owns {k} due in {t}; both rights are European and have that exercise price. At
            what continuous percentage per year does the position grow?
        """),
    ),
)
