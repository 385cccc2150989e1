"""Formula kinds about the risk of portfolios. Returns, risks and rates are percentages throughout."""

from decimal import Decimal

from finlora.builders.formula_kinds import Kind, Values, number, percent, templates

_RISK = percent("5", "35", "0.1")


def _mixed_risk(values: Values) -> Decimal:
    first = values["w"] / 100 * values["s1"]
    second = (1 - values["w"] / 100) * values["s2"]
    return (first**2 + second**2 + 2 * values["rho"] * first * second).sqrt()


KINDS = (
    Kind(
        name="Two-Asset Portfolio Risk",
        formula="σ_p = √(w_1² × σ_1² + w_2² × σ_2² + 2 × w_1 × w_2 × ρ × σ_1 × σ_2)",
        explanation=(
            "w_1, w_2: shares of the portfolio's value, adding up to one, σ_1, σ_2: standard deviations of "
            "yearly returns in percent, ρ: correlation of the two returns, σ_p: standard deviation of the "
            "portfolio in percent"
        ),
        source="Markowitz (1952), Portfolio Selection",
        inputs={
            "w": percent("10", "90", "5"),
            "s1": _RISK,
            "s2": _RISK,
            "rho": number("-0.60", "0.90", "0.05"),
        },
        answer=_mixed_risk,
        sensible=lambda v: v["rho"] != 0 and v["s1"] != v["s2"],
        train=templates("""
            {person} holds {w} in shares with a standard deviation of {s1} and the rest in bonds with a
            standard deviation of {s2}. The correlation is {rho}. What is the standard deviation of the
            portfolio in percent?

            A fund puts {w} into gold (volatility {s1}) and everything else into property (volatility {s2}),
            whose returns correlate at {rho}. Compute the volatility of the fund in percent.

            Two stocks have standard deviations of {s1} and {s2} and a correlation of {rho}. Find the standard
            deviation, in percent, of a mix with {w} in the first stock and the remainder in the second.

            Given a correlation of {rho} between assets A and B, with yearly risk of {s1} for A and {s2} for
            B, what percentage risk has a portfolio that is {w} A and otherwise B?
        """),
        test=templates("""
            {company} splits its pension money: {w} follows a world index that varies by {s1} a year, and what
            remains follows a loan index that varies by {s2}. If the two indices move together with a
            coefficient of {rho}, how much, in percent, does the money vary?

            Combine a timber fund, risk {s1}, with a wind farm, risk {s2}, correlation coefficient {rho}, so
            that {w} of the value is timber and the balance is wind. State the combined risk as a standard
            deviation in percent.
        """),
    ),
    Kind(
        name="Information Ratio",
        formula="Information Ratio = (R_p − R_b) / TE",
        explanation=(
            "R_p: average yearly return of the portfolio, R_b: average yearly return of its benchmark, TE: "
            "tracking error, the standard deviation of the yearly differences, all three in percent"
        ),
        source="Grinold and Kahn, Active Portfolio Management",
        inputs={
            "rp": percent("4", "18", "0.1"),
            "rb": percent("3", "15", "0.1"),
            "te": percent("1", "10", "0.1"),
        },
        answer=lambda v: (v["rp"] - v["rb"]) / v["te"],
        sensible=lambda v: v["te"] * 25 / 100 < v["rp"] - v["rb"] < 2 * v["te"],
        train=templates("""
            A fund returned {rp} a year on average against {rb} for its benchmark, with a tracking error of
            {te}. What is its information ratio?

            {person} beat a benchmark that made {rb} a year by earning {rp}. The yearly differences have a
            standard deviation of {te}. Compute the information ratio.

            For a tracking error of {te}, find the information ratio of an active portfolio with a mean return
            of {rp} when the index returned {rb}.

            How much return above its benchmark did the plan of {company} earn per unit of tracking error,
            with {rp} for the plan, {rb} for the benchmark and {te} for the tracking error?
        """),
        test=templates("""
            Since launch a stock picker's clients have made {rp} per year and the index behind it {rb}; the
            gap between the two varied with a standard deviation of {te}. Work out the information ratio.

            Which information ratio should {company} report on mandates that gained {rp} annually, if passive
            investing would have given {rb} and active risk was {te}?
        """),
    ),
)
