"""Formula kinds about yields, currencies and real interest."""

from finlora.builders.formula_kinds import Kind, growth, money, number, percent, templates, years

_SPOT = number("80.00", "160.00", "0.05")
_RATE = percent("0.5", "9", "0.1")

KINDS = (
    Kind(
        name="Current Yield",
        formula="Current Yield = Coupon Rate × Face Value / Market Price × 100",
        explanation=(
            "Coupon Rate: yearly interest as a fraction of the face value, Face Value: nominal amount of "
            "the bond, Market Price: what the bond costs now, yield in percent"
        ),
        source="Bodie, Kane and Marcus, Essentials of Investments: current yield",
        inputs={
            "c": percent("1.5", "9", "0.25"),
            "face": money("500", "2000", "500"),
            "price": money("400", "2400", "1"),
        },
        answer=lambda v: v["c"] * v["face"] / v["price"],
        sensible=lambda v: v["face"] * 8 / 10 < v["price"] < v["face"] * 12 / 10 and v["price"] != v["face"],
        train=templates("""
            A bond of {company} with a face value of {face} pays a coupon of {c} a year and trades at {price}.
            What is its current yield in percent?

            {person} buys a bond at {price}. Its face value is {face} and its yearly coupon rate {c}. Compute
            the current yield in percent.

            At a market price of {price}, find the current yield in percent of a note that pays {c} annually
            on a par value of {face}.

            A municipal bond promises {c} interest a year on its {face} face value. If it costs {price} today,
            what percentage of that cost comes in as interest each year?
        """),
        test=templates("""
            The loan stock of {company}, nominal value {face}, carries a fixed annual coupon of {c} and was
            last sold at {price}. State its current yield in percent.

            An investor pays {price} for a security of {face} nominal. The issuer pays {c} of the nominal
            amount every year. Leaving redemption aside, what running yield in percent does the price give?
        """),
    ),
    Kind(
        name="Interest Rate Parity (IRP)",
        formula="F = S × ((1 + i_q) / (1 + i_b))^T",
        explanation=(
            "S: spot rate in units of the quote currency for one unit of the base currency, i_q: yearly "
            "interest rate of the quote currency, i_b: yearly interest rate of the base currency, both "
            "compounded once a year, T: years until delivery, F: forward rate, quoted like S"
        ),
        source="Keynes (1923), A Tract on Monetary Reform: covered interest parity",
        inputs={"spot": _SPOT, "iq": _RATE, "ib": _RATE, "t": years(1, 5)},
        answer=lambda v: v["spot"] * (growth(v["iq"]) / growth(v["ib"])) ** v["t"],
        sensible=lambda v: v["iq"] != v["ib"],
        train=templates("""
            One {base} costs {spot} {quote} today. Yearly interest is {iq} in {quote} and {ib} in {base},
            compounded annually. By covered interest parity, how many {quote} should one {base} cost in a
            forward contract for delivery in {t}?

            The spot rate is {spot} {quote} per {base}. Deposits earn {ib} a year in {base} and {iq} a year in
            {quote}, with annual compounding. Find the parity forward rate for {t}, in {quote} per {base}.

            {company} sells {base} forward against {quote} with settlement in {t}. Spot stands at {spot}
            {quote} for one {base}; the {quote} interest rate is {iq} per year and the {base} interest rate
            {ib} per year, both compounded once a year. Which forward rate, in {quote} per {base}, rules out
            arbitrage?

            Given annual interest of {ib} on {base} and {iq} on {quote}, compounded yearly, and a spot price
            of {spot} {quote} for each {base}, compute the {quote} price of one {base} for delivery {t} ahead.
        """),
        test=templates("""
            {person} can swap one {base} for {spot} {quote} now. A bank pays {iq} annually on {quote} balances
            and {ib} annually on {base} balances, adding interest once a year. At which rate, in {quote} per
            {base}, must the bank deal forward for {t} if parity holds?

            An importer wants to fix, {t} ahead, the number of {quote} paid per {base}. Today it is {spot}.
            Yearly compounded rates are {ib} for {base} money and {iq} for {quote} money. What does interest
            rate parity say?
        """),
    ),
    Kind(
        name="Purchasing Power Parity (PPP)",
        formula="S_T = S_0 × ((1 + π_q) / (1 + π_b))^T",
        explanation=(
            "S_0: today's rate in units of the quote currency for one unit of the base currency, π_q: "
            "yearly inflation of prices in the quote currency, π_b: yearly inflation of prices in the base "
            "currency, T: years, S_T: expected rate, quoted like S_0"
        ),
        source=(
            "Cassel (1918), Abnormal Deviations in International Exchanges: relative purchasing power parity"
        ),
        inputs={"spot": _SPOT, "pq": _RATE, "pb": _RATE, "t": years(1, 6)},
        answer=lambda v: v["spot"] * (growth(v["pq"]) / growth(v["pb"])) ** v["t"],
        sensible=lambda v: v["pq"] != v["pb"],
        train=templates("""
            One {base} buys {spot} {quote} today. Prices are expected to rise by {pq} a year in the {quote}
            area and by {pb} a year in the {base} area. By relative purchasing power parity, how many {quote}
            should one {base} buy in {t}?

            The exchange rate is {spot} {quote} per {base}. Yearly inflation runs at {pb} where {base} is used
            and at {pq} where {quote} is used. Find the rate, in {quote} per {base}, that relative PPP
            predicts after {t}.

            {company} plans with relative PPP. Expected inflation is {pq} a year for {quote} prices and {pb} a
            year for {base} prices; today's rate is {spot} {quote} for one {base}. Which rate, in {quote} per
            {base}, should it plan for in {t}?

            If {quote} prices climb {pq} annually and {base} prices climb {pb} annually for {t}, and one
            {base} now costs {spot} {quote}, compute the PPP exchange rate at the end, in {quote} per {base}.
        """),
        test=templates("""
            A furniture exporter expects the cost of living to increase by {pb} each year in {base} terms and
            by {pq} each year in {quote} terms. It exchanges each {base} for {spot} {quote} at present. If
            relative purchasing power parity holds, how many {quote} will each {base} bring in {t}?

            {person} reads that {spot} {quote} are worth one {base}. With annual price rises of {pq} in the
            {quote} economy and {pb} in the {base} economy, what does relative PPP give for one {base}, in
            {quote}, {t} from now?
        """),
    ),
    Kind(
        name="Real Interest Rate (Fisher Equation)",
        formula="r = ((1 + i) / (1 + π) − 1) × 100",
        explanation=(
            "i: nominal yearly interest rate, π: yearly inflation, both as fractions, r: exact real rate in "
            "percent"
        ),
        source="Fisher (1930), The Theory of Interest",
        inputs={"i": percent("2", "15", "0.1"), "pi": percent("0.5", "10", "0.1")},
        answer=lambda v: (growth(v["i"]) / growth(v["pi"]) - 1) * 100,
        sensible=lambda v: v["i"] > v["pi"],
        train=templates("""
            A deposit pays {i} a year while inflation is {pi} a year. What is the exact real interest rate in
            percent?

            With yearly inflation of {pi}, compute by the exact Fisher equation the real return in percent on
            a bond of {company} that returns {i} a year in nominal terms.

            {person} earns a nominal {i} on savings over a year in which prices rise by {pi}. By what
            percentage does the buying power of the savings change?

            The nominal yearly rate is {i} and expected yearly inflation {pi}. Find the real rate in percent
            from the ratio of the two growth factors, not from the simple difference.
        """),
        test=templates("""
            Lenders in {country} receive {i} interest a year, yet the price level goes up by {pi} in that
            year. By what percentage, computed exactly, does the amount of goods they can buy increase?

            Price growth of {pi} a year eats into the nominal yearly gain of a pension fund, {i}. What exact
            real gain in percent remains by the Fisher relation?
        """),
    ),
)
