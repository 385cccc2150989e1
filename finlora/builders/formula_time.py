"""Formula kinds about one sum of money and time."""

from decimal import Decimal

from finlora.builders.formula_kinds import Kind, growth, millions, money, often, percent, templates, years

KINDS = (
    Kind(
        name="Future Value (FV)",
        formula="FV = PV × (1 + r)^n",
        explanation=(
            "PV: sum invested today, r: yearly interest rate, interest being added once at the end of each "
            "year, n: number of years"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: future values",
        inputs={"pv": money("1000", "60000", "250"), "r": percent("1.5", "12", "0.25"), "n": years(2, 15)},
        answer=lambda v: v["pv"] * growth(v["r"]) ** v["n"],
        train=templates("""
            {person} puts {pv} into a savings certificate that pays {r} a year, with interest added once at
            the end of every year. What is the certificate worth after {n}?

            {company} parks a surplus of {pv} in a deposit earning {r} per year, compounded annually, and
            touches nothing for {n}. How large is the balance at the end?

            A scholarship endowment begins with {pv} and receives no further gifts. If it grows by {r} every
            year, what will it hold after {n}?

            Find the value in {n} of {pv} invested now when the yearly return is {r} and each year's interest
            stays invested.
        """),
        test=templates("""
            A city sets aside {pv} today to replace a bridge. The money earns {r} annually, credited once a
            year and left in the account. How much will be available in {n}?

            What sum will {person} collect {n} from now on a loan of {pv} to {company}, if interest at {r} a
            year is compounded yearly and everything is repaid in one go at the end?
        """),
    ),
    Kind(
        name="Present Value (PV)",
        formula="PV = FV / (1 + r)^n",
        explanation=(
            "FV: single payment due in the future, r: yearly discount rate, compounded once a year, n: "
            "years until the payment"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: present values",
        inputs={"fv": money("2000", "90000", "500"), "r": percent("2", "13", "0.25"), "n": years(2, 15)},
        answer=lambda v: v["fv"] / growth(v["r"]) ** v["n"],
        train=templates("""
            {person} will receive a single payment of {fv} in {n}. Using a discount rate of {r} a year,
            compounded annually, what is that payment worth today?

            A zero-coupon note issued by {company} repays {fv} after {n} and nothing before. What is its price
            today if investors require {r} per year, compounded once a year?

            How much must be deposited now, at {r} a year with annual compounding, so that the account holds
            exactly {fv} after {n}?

            {company} must pay a one-off settlement of {fv} in {n}. Discount it at an annual rate of {r} and
            report the amount owed in today's money.
        """),
        test=templates("""
            A buyer offers {person} {fv} for a workshop, payable in one amount {n} from now. If money earns
            {r} annually (compounded each year), which amount today would be equivalent?

            Work out today's value of a trust that hands over {fv} in a lump sum when {n} have passed, given a
            required yearly return of {r}.
        """),
    ),
    Kind(
        name="Compound Interest",
        formula="A = P × (1 + r / m)^(m × t)",
        explanation=(
            "P: principal at the start, r: nominal yearly interest rate, m: how many times a year interest "
            "is added, t: number of years, A: principal and interest together at the end"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: compounding periods",
        inputs={
            "p": money("1000", "60000", "250"),
            "r": percent("2", "12", "0.25"),
            "m": often(),
            "t": years(2, 12),
        },
        answer=lambda v: v["p"] * growth(v["r"], v["m"]) ** (v["m"] * v["t"]),
        train=templates("""
            {person} deposits {p} for {t} at a nominal {r} a year, with interest added {m}. What will the
            account contain at the end?

            {company} borrows {p} at a nominal annual rate of {r}, compounded {m}, and repays nothing until
            the end of {t}. What total is then owed?

            Find the maturity value of a certificate of {p} running {t} if the stated yearly rate is {r} and
            compounding takes place {m}.

            An escrow account opens with {p}. Interest at {r} per year (nominal) is credited {m} and stays
            there. How much does it hold after {t}?
        """),
        test=templates("""
            A school foundation lends {p} for {t}; the borrower is charged a nominal {r} annually, compounded
            {m}, and pays everything at the end. Which amount, interest included, falls due?

            What does {p} grow to in {t} when a bank pays {r} a year in nominal terms and capitalises the
            interest {m}?
        """),
    ),
    Kind(
        name="Effective Annual Rate (EAR)",
        formula="EAR = ((1 + APR / m)^m − 1) × 100",
        explanation=(
            "APR: nominal yearly rate as a fraction, m: how many times a year interest is added, EAR: in "
            "percent"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: stated and effective annual rates",
        inputs={"apr": percent("3", "24", "0.01"), "m": often()},
        answer=lambda v: (growth(v["apr"], v["m"]) ** v["m"] - 1) * 100,
        train=templates("""
            {company} is offered a credit line with a nominal rate of {apr} a year, compounded {m}. What is
            the effective annual rate in percent?

            A card issuer quotes {apr} per year and adds interest {m}. Express the true yearly cost of an
            unpaid balance in percent.

            Convert a stated annual rate of {apr} with interest compounded {m} into an effective annual rate,
            in percent.

            {person} compares savings accounts. One advertises {apr} nominal interest a year, credited {m}.
            What percentage does it really yield over one year?
        """),
        test=templates("""
            A bridging loan carries a headline yearly rate of {apr}; interest is charged and capitalised {m}.
            By what percentage does a balance on which nothing is paid grow in a year?

            If {apr} is the nominal yearly rate on a margin account of {person} and compounding happens {m},
            what equivalent once-a-year rate, in percent, applies?
        """),
    ),
    Kind(
        name="Doubling Time",
        formula="n = ln(2) / ln(1 + r)",
        explanation=(
            "r: growth rate per year, compounded once a year, ln: natural logarithm, n: years, fractions of "
            "a year allowed"
        ),
        source="Bodie, Kane and Marcus, Essentials of Investments: compound growth solved for time",
        inputs={"r": percent("1", "30", "0.005")},
        answer=lambda v: Decimal(2).ln() / growth(v["r"]).ln(),
        train=templates("""
            {person} earns {r} a year on a balanced fund and reinvests everything. After how many years,
            allowing fractions, will the money have doubled?

            Sales of {company} rise by a steady {r} every year. How many years does it take until they are
            twice today's level?

            At {r} annual compound growth, find the number of years in which an investment becomes twice as
            large, from logarithms and not from a rule of thumb.

            The balance of a retirement account grows at {r} per year, compounded annually. Give the time in
            years for it to double.
        """),
        test=templates("""
            Consumer prices in {country} climb by {r} annually without a pause. How many years pass before the
            price level is two times what it is now?

            A royalty trust compounds at {r} a year. Using logarithms, work out how long, in years, it needs
            to turn any sum into double that sum.
        """),
    ),
    Kind(
        name="Compound Annual Growth Rate (CAGR)",
        formula="CAGR = ((End / Begin)^(1 / n) − 1) × 100",
        explanation=(
            "Begin: value at the start, End: value n years later, n: number of years between the two, CAGR: "
            "in percent"
        ),
        source="CFA Institute curriculum, Quantitative Methods: compounded growth rates",
        inputs={"b": millions("2", "90"), "e": millions("3", "250"), "n": years(2, 12)},
        answer=lambda v: ((v["e"] / v["b"]) ** (1 / v["n"]) - 1) * 100,
        sensible=lambda v: growth(Decimal(1)) ** v["n"] < v["e"] / v["b"] < growth(Decimal(30)) ** v["n"],
        train=templates("""
            Revenue of {company} rose from {b} to {e} over {n}. What was the compound annual growth rate in
            percent?

            A property portfolio was valued at {b} and, {n} later, at {e}. Find its CAGR in percent.

            Starting from {b}, the order book of {company} reached {e} after {n}. At what steady yearly rate,
            in percent, did it grow?

            {n} ago a family trust held {b}; today it holds {e}, with nothing paid in or out. Compute the
            compound yearly growth rate in percent.
        """),
        test=templates("""
            {company} counted {b} of subscription income in its first full year and {e} in the year that ended
            {n} after that one. Which constant annual growth, in percent, links the two figures?

            Exports of {country} expanded to {e} from {b} within {n}. State the average compounded growth per
            year in percent.
        """),
    ),
    Kind(
        name="Continuous Compounding",
        formula="A = P × e^(r × t)",
        explanation=(
            "P: principal at the start, r: nominal yearly interest rate, compounded continuously, t: number "
            "of years, A: principal and interest together at the end"
        ),
        source="Hull, Options, Futures, and Other Derivatives: continuous compounding",
        inputs={"p": money("1000", "60000", "250"), "r": percent("1", "12", "0.05"), "t": years(2, 15)},
        answer=lambda v: v["p"] * (v["r"] / 100 * v["t"]).exp(),
        train=templates("""
            {person} leaves {p} for {t} in an account whose nominal {r} a year is compounded continuously.
            What does it hold at the end?

            {company} lends {p} at {r} a year with continuous compounding; principal and interest are repaid
            together after {t}. How much comes back?

            Under continuous compounding at a yearly rate of {r}, to what amount does {p} grow in {t}?

            A model of a pension fund lets {p} accumulate at every instant at {r} per year. Without payments
            in or out, find its value after {t}.
        """),
        test=templates("""
            Interest at the nominal annual rate of {r} is credited without interruption, moment by moment, on
            a legacy of {p}. What is the legacy worth when {t} have gone by?

            Suppose a treasury's cash, {p} to begin with, earns {r} annually on a continuously compounded
            basis and none of it is spent. State the cash on hand {t} later.
        """),
    ),
    Kind(
        name="Time to Reach a Goal",
        formula="n = ln(FV / PV) / ln(1 + r)",
        explanation=(
            "PV: value today, FV: value to be reached, r: growth rate per year, compounded once a year, ln: "
            "natural logarithm, n: years, fractions of a year allowed"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: finding the number of periods",
        inputs={
            "pv": money("1000", "60000", "250"),
            "fv": money("2000", "200000", "500"),
            "r": percent("2", "12", "0.25"),
        },
        answer=lambda v: (v["fv"] / v["pv"]).ln() / growth(v["r"]).ln(),
        sensible=lambda v: v["pv"] * 11 / 10 < v["fv"] < v["pv"] * 4,
        train=templates("""
            {person} has {pv} in a fund that earns {r} a year, compounded annually. In how many years,
            allowing fractions, will it hold {fv}?

            {company} wants its reserve to grow from {pv} to {fv}. With a return of {r} per year, reinvested,
            how many years does that take? Use logarithms.

            At a yearly growth rate of {r}, find the number of years, not rounded to whole ones, after which
            {pv} has become {fv}.

            A trust may be opened once it is worth {fv}. It is worth {pv} now and gains {r} annually. Give the
            waiting time in years, with decimals.
        """),
        test=templates("""
            Tuition will cost {fv}. An aunt's gift of {pv} compounds at {r} a year. By logarithms, how long,
            measured in years, until the gift covers the bill?

            Debt of {pv} on which nobody pays anything swells by {r} each year. After what span, in years and
            parts of a year, does the debt reach {fv}?
        """),
    ),
)
