"""Formula kinds about streams of payments."""

from decimal import Decimal

from finlora.builders.formula_kinds import Kind, Values, growth, money, percent, templates, years

_FLOW = money("8000", "45000", "250")


def _inflows(values: Values) -> bool:
    """Keep projects that are neither hopeless nor too good."""
    total = values["c1"] + values["c2"] + values["c3"]
    return 9 * values["c0"] <= 10 * total <= 18 * values["c0"]


def _monthly_payment(values: Values) -> Decimal:
    monthly = growth(values["r"], Decimal(12))
    return values["loan"] * (monthly - 1) / (1 - monthly ** (-12 * values["n"]))


KINDS = (
    Kind(
        name="Net Present Value (NPV)",
        formula="NPV = −C_0 + C_1 / (1 + r) + C_2 / (1 + r)^2 + C_3 / (1 + r)^3",
        explanation=(
            "C_0: outlay today, not discounted, C_1, C_2, C_3: net cash inflows at the end of the first, "
            "second and third year, r: yearly discount rate"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: net present value",
        inputs={
            "c0": money("20000", "90000", "500"),
            "c1": _FLOW,
            "c2": _FLOW,
            "c3": _FLOW,
            "r": percent("3", "15", "0.5"),
        },
        answer=lambda v: sum((v[f"c{t}"] / growth(v["r"]) ** t for t in (1, 2, 3)), start=-v["c0"]),
        sensible=_inflows,
        train=templates("""
            {company} can buy a packaging line for {c0}, paid today. It expects net cash inflows of {c1} at
            the end of year one, {c2} at the end of year two and {c3} at the end of year three. At a discount
            rate of {r} a year, what is the net present value?

            A solar roof costs {c0} up front. The savings, counted at each year end, are {c1}, {c2} and {c3}
            for the first, second and third year. Find the NPV with a yearly discount rate of {r}.

            Today {person} spends {c0} on a food truck. One year later it yields {c1}, two years later {c2}
            and three years later {c3}, after which it is worthless. With money costing {r} per year, what net
            present value results?

            Discounting at {r} annually, calculate the NPV of a licence bought now for {c0} that returns {c1}
            in one year, {c2} in two years and {c3} in three years.
        """),
        test=templates("""
            The board of {company} weighs a warehouse robot: an immediate payment of {c0}, then cash gains of
            {c1} after one year, {c2} after two years and {c3} after three years, with no resale value. The
            required return is {r} a year. What is the net present value of the robot?

            For an outlay of {c0} today, an orchard gives net receipts of {c1}, then {c2}, then {c3} at the
            ends of the next three years. What is its net present value at an annual discount rate of {r}?
        """),
    ),
    Kind(
        name="Present Value of an Ordinary Annuity",
        formula="PV = PMT × (1 − (1 + r)^(−n)) / r",
        explanation=(
            "PMT: equal payment at the end of each year, the first one year from today, r: yearly interest "
            "rate, n: number of payments"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: annuities",
        inputs={"pmt": money("500", "20000", "50"), "r": percent("2", "12", "0.25"), "n": years(3, 25)},
        answer=lambda v: v["pmt"] * (1 - growth(v["r"]) ** -v["n"]) / (v["r"] / 100),
        train=templates("""
            A pension pays {person} {pmt} at the end of every year for {n}. What is it worth today at {r} a
            year, compounded annually?

            {company} leases a truck fleet for {n} and pays {pmt} each year, always at year end. Using a
            discount rate of {r} per year, compute the present value of the rentals.

            Which lump sum today equals {n} of yearly payments of {pmt}, the first falling due one year from
            now, if the interest rate is {r} annually?

            A prize is paid out as {pmt} at each year end over {n}. Value the prize now with a yearly discount
            rate of {r}.
        """),
        test=templates("""
            A landowner lets a field for {pmt} a year, paid in arrears on the last day of each year, under a
            contract that runs {n}. If {r} a year is the right discount rate, what is the contract worth at
            its start?

            {company} borrows today and will repay in equal instalments of {pmt} at the end of each of the
            next {n}. The lender charges {r} per year, compounded annually. How much does {company} receive
            now?
        """),
    ),
    Kind(
        name="Future Value of an Ordinary Annuity",
        formula="FV = PMT × ((1 + r)^n − 1) / r",
        explanation=(
            "PMT: equal payment at the end of each year, r: yearly interest rate, n: number of payments, "
            "FV: value right after the last payment"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: annuities",
        inputs={"pmt": money("500", "9000", "50"), "r": percent("2", "10", "0.25"), "n": years(3, 20)},
        answer=lambda v: v["pmt"] * (growth(v["r"]) ** v["n"] - 1) / (v["r"] / 100),
        train=templates("""
            {person} saves {pmt} at the end of every year for {n} in an account paying {r} a year, compounded
            annually. What is the balance right after the last deposit?

            {company} builds a fund to retire a bond by paying in {pmt} each year end. The fund earns {r} per
            year. How much is in it after {n}, counting the final payment?

            Year-end contributions of {pmt} go into a college plan for {n}. With an annual return of {r}, find
            the value of the plan on the day of the last contribution.

            What do {n} of deposits amount to at the end if {pmt} is paid in on the last day of each year and
            the yearly interest rate is {r}?
        """),
        test=templates("""
            A parish collects {pmt} a year for a new roof and banks it every year end at {r} annually,
            interest compounding each year. What has it gathered after {n}, just after the last banking?

            Starting one year from now, {company} credits {pmt} once a year to a reserve that yields {r}
            annually, and does so {n} in a row. Determine the reserve immediately after the last credit.
        """),
    ),
    Kind(
        name="Present Value of a Perpetuity",
        formula="PV = PMT / r",
        explanation=(
            "PMT: equal payment every year without end, the first one year from today, r: yearly discount "
            "rate"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: perpetuities",
        inputs={"pmt": money("500", "20000", "50"), "r": percent("2", "12", "0.05")},
        answer=lambda v: v["pmt"] / (v["r"] / 100),
        train=templates("""
            A charity is to receive {pmt} every year for ever, starting one year from today. What is this
            stream worth now at a discount rate of {r} a year?

            A block of preferred shares of {company} pays {pmt} in dividends once a year without end, the next
            payment being due in one year. If investors require {r} per year, what is the block worth today?

            {person} wants a fund that can award {pmt} each year in perpetuity, the first award one year after
            it is set up. With a yearly return of {r}, how much must be paid in at the start?

            Compute the present value of an endless annual ground rent of {pmt} when the first rent arrives in
            one year and the interest rate is {r} annually.
        """),
        test=templates("""
            An old government annuity has no maturity and hands its holder {pmt} at every year end; the next
            payment is a full year away. What price today gives a return of {r} a year?

            How large an endowment lets a museum spend {pmt} a year for all time, beginning a year from now,
            if the money earns {r} annually and the capital is never drawn down?
        """),
    ),
    Kind(
        name="Gordon Growth Model",
        formula="P_0 = D_1 / (r − g)",
        explanation=(
            "D_1: dividend per share paid one year from today, r: required yearly return, g: yearly growth "
            "of the dividend for ever, P_0: price of one share today"
        ),
        source="Gordon (1959), Dividends, Earnings, and Stock Prices",
        inputs={
            "d1": money("0.50", "8.00", "0.05"),
            "r": percent("6", "15", "0.1"),
            "g": percent("1", "6", "0.1"),
        },
        answer=lambda v: v["d1"] / ((v["r"] - v["g"]) / 100),
        sensible=lambda v: v["r"] - v["g"] >= 2,
        train=templates("""
            {company} is expected to pay a dividend of {d1} per share one year from now, growing by {g} a year
            for ever after. If shareholders require {r} per year, what is one share worth today?

            Value one share whose next annual dividend, due in one year, will be {d1}. The required return is
            {r} a year and dividends are set to grow at {g} annually without end.

            An analyst puts the next yearly dividend of {company}, payable twelve months from now, at {d1} a
            share, with perpetual growth of {g} a year. At a cost of equity of {r}, what share price follows?

            With a required yearly return of {r}, constant yearly dividend growth of {g} and a dividend of
            {d1} arriving in exactly one year, what should {person} pay for a share now?
        """),
        test=templates("""
            Next year's payout at {company}, received in a year's time, is forecast at {d1} per share and
            should rise by {g} every year from then on. Investors ask for {r} a year. What is a fair price per
            share today?

            Estimate today's price of a utility stock that will distribute {d1} a share one year ahead, lift
            that sum by {g} annually in perpetuity, and must return {r} a year to its owners.
        """),
    ),
    Kind(
        name="Loan Payment",
        formula="PMT = L × i / (1 − (1 + i)^(−m))",
        explanation=(
            "L: amount borrowed today, i: monthly interest rate, one twelfth of the nominal yearly rate, m: "
            "number of monthly payments, twelve a year, PMT: equal payment at the end of each month"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: amortising loans",
        inputs={"loan": money("5000", "400000", "500"), "r": percent("2", "12", "0.05"), "n": years(2, 30)},
        answer=_monthly_payment,
        train=templates("""
            {person} borrows {loan} to buy a flat and repays it in equal monthly payments over {n}. The
            nominal rate is {r} a year, charged monthly. How large is each payment, made at the end of the
            month?

            What monthly instalment, always due at month end, clears a loan of {loan} in {n} at a nominal
            yearly rate of {r} compounded monthly?

            {company} finances a press with {loan} from its bank: level payments at the end of each month for
            {n}, interest at one twelfth of {r} a month. Compute the payment.

            Find the level end-of-month payment on a mortgage of {loan} that runs {n}, the interest rate being
            {r} per year, added monthly.
        """),
        test=templates("""
            A car dealer advances {loan}; the buyer pays the same amount at each month's close throughout {n},
            after which nothing is owed. With {r} a year in nominal terms, one twelfth of it charged every
            month, state that amount.

            How much must a farm set aside for every monthly payment, in arrears, if its debt of {loan} is to
            be paid off evenly within {n} and carries {r} annual nominal interest, computed by the month?
        """),
    ),
    Kind(
        name="Present Value of a Growing Annuity",
        formula="PV = C_1 × (1 − ((1 + g) / (1 + r))^n) / (r − g)",
        explanation=(
            "C_1: first payment, one year from today, g: yearly growth of the payments, r: yearly discount "
            "rate, n: number of payments, one at the end of each year"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: growing annuities",
        inputs={
            "c1": money("500", "20000", "50"),
            "g": percent("0.5", "6", "0.25"),
            "r": percent("4", "13", "0.25"),
            "n": years(3, 25),
        },
        answer=lambda v: (
            v["c1"] * (1 - (growth(v["g"]) / growth(v["r"])) ** v["n"]) / ((v["r"] - v["g"]) / 100)
        ),
        sensible=lambda v: v["r"] - v["g"] >= 1,
        train=templates("""
            {person} will receive a first rent of {c1} one year from today, and each later yearly rent is {g}
            higher than the one before. The lease brings {n} of rent. At a discount rate of {r} a year, what
            is it worth today?

            {company} buys {n} of royalties: {c1} at the end of year one, growing by {g} a year after that.
            Discounted at {r} per year, find the present value.

            What are {n} of year-end pensions worth now, if the first pays {c1}, each next one rises by {g},
            and the yearly discount rate is {r}?

            Value today a stream that lasts {n}, pays {c1} at the first year end and then climbs at {g} a
            year, given a required return of {r} annually.
        """),
        test=templates("""
            A tenant farmer's profit is put at {c1} for the coming year, received at its end, and should swell
            {g} annually until the contract stops after {n}. Which price now leaves a buyer {r} a year?

            Insulation saves {company} an amount of {c1} twelve months ahead, and savings increase {g} with
            every further year; the insulation lasts {n}. Brought back with {r} as annual rate, how much is
            all of this today?
        """),
    ),
)
