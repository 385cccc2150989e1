"""Formula kinds about whole economies."""

from decimal import Decimal

from finlora.builders.formula_kinds import Kind, billions, number, percent, templates

KINDS = (
    Kind(
        name="Gross Domestic Product (GDP)",
        formula="GDP = C + I + G + (X − M)",
        explanation=(
            "C: private consumption, I: gross investment, G: government purchases of goods and services, X: "
            "exports, M: imports, all for one year and in billions"
        ),
        source="Mankiw, Macroeconomics: national income identity",
        inputs={
            "c": billions("60.00", "600.00", "0.05"),
            "i": billions("15.00", "200.00", "0.05"),
            "g": billions("15.00", "200.00", "0.05"),
            "x": billions("10.00", "180.00", "0.05"),
            "m": billions("10.00", "180.00", "0.05"),
        },
        answer=lambda v: v["c"] + v["i"] + v["g"] + v["x"] - v["m"],
        sensible=lambda v: v["c"] / 5 < min(v["i"], v["g"]) and max(v["i"], v["g"], v["x"], v["m"]) < v["c"],
        train=templates("""
            In {country} households consumed {c}, firms invested {i}, the government purchased {g}, exports
            were {x} and imports {m}. What is GDP in billions?

            Consumption {c}, investment {i}, government purchases {g}, exports {x}, imports {m}: compute the
            gross domestic product of {country} by the expenditure approach, in billions.

            Imports of {country} cost {m} and its exports earned {x}. Private consumption was {c}, gross
            investment {i} and government spending on goods and services {g}. Find GDP in billions.

            The national accounts of {country} list government purchases of {g}, gross investment of {i},
            household consumption of {c}, exports of {x} and imports of {m}. What GDP, in billions, do they
            imply?
        """),
        test=templates("""
            Families in {country} bought goods and services worth {c}; public bodies bought {g}; businesses
            added {i} in buildings, machines and stocks. Foreigners bought {x} of home output, and {m} of all
            the spending at home went on foreign output. State GDP in billions.

            With {x} of exports set against {m} of imports, {g} of public purchases, {i} of capital formation
            and {c} of household spending, how many billions does the economy of {country} produce?
        """),
    ),
    Kind(
        name="Unemployment Rate",
        formula="Unemployment Rate = Unemployed / (Unemployed + Employed) × 100",
        explanation=(
            "Unemployed: people without work who are looking for it, Employed: people with work, the two "
            "together being the labour force, rate in percent"
        ),
        source="International Labour Organization definition; Mankiw, Macroeconomics",
        inputs={"u": number("20000", "900000", "500"), "e": number("400000", "9000000", "500")},
        answer=lambda v: v["u"] / (v["u"] + v["e"]) * 100,
        sensible=lambda v: v["e"] * 2 / 100 < v["u"] < v["e"] * 25 / 100,
        train=templates("""
            {country} counts {e} employed people and {u} unemployed people. What is its unemployment rate in
            percent?

            In a survey {u} people are without work and looking for it, and {e} have a job. Compute the
            unemployment rate in percent of the labour force.

            The labour force of {country} is made up of {e} people in work and {u} people seeking work. What
            percentage of it is unemployed?

            Job seekers without work in {country} number {u}; people with jobs number {e}. Find the
            unemployment rate in percent, the labour force being the sum of the two.
        """),
        test=templates("""
            After a harvest {e} residents of {country} hold a job, while {u} have none and are searching. What
            percentage of the labour force is unemployed?

            A statistics office in {country} registers {u} jobless persons hunting for work next to {e}
            workers; everyone else is outside the labour force. State the unemployment rate in percent.
        """),
    ),
    Kind(
        name="Inflation Rate",
        formula="Inflation Rate = (CPI_now − CPI_before) / CPI_before × 100",
        explanation=(
            "CPI_now: consumer price index at the end of the year, CPI_before: the index one year earlier, "
            "rate in percent"
        ),
        source="Mankiw, Macroeconomics: inflation from the consumer price index",
        inputs={"c0": number("90.0", "260.0", "0.1"), "c1": number("90.0", "290.0", "0.1")},
        answer=lambda v: (v["c1"] - v["c0"]) / v["c0"] * 100,
        sensible=lambda v: v["c0"] * 1005 / 1000 < v["c1"] < v["c0"] * 115 / 100,
        train=templates("""
            The consumer price index of {country} rose from {c0} to {c1} within a year. What was the inflation
            rate in percent?

            A year ago the CPI stood at {c0}; now it stands at {c1}. Compute the yearly inflation in percent.

            Find inflation over the year, in percent, if the price index of {country} reads {c1} at its end
            and {c0} at its beginning.

            The basket that {person} tracks gives an index of {c0} last year and {c1} this year. By what
            percentage did prices change?
        """),
        test=templates("""
            With an index value of {c1} in December and one of {c0} in the December before, by what percentage
            did consumer prices in {country} go up over the twelve months?

            {country} publishes a CPI of {c1}, after {c0} in the same month of the previous year. State the
            annual rate of inflation in percent.
        """),
    ),
    Kind(
        name="GDP Deflator",
        formula="GDP Deflator = 100 × Nominal GDP / Real GDP",
        explanation=(
            "Nominal GDP: output of one year at the prices of that year, Real GDP: the same output at the "
            "prices of the base year, GDP Deflator: an index that is 100 in the base year"
        ),
        source="Mankiw, Macroeconomics: the GDP deflator",
        inputs={"nom": billions("60.00", "900.00", "0.05"), "real": billions("60.00", "800.00", "0.05")},
        answer=lambda v: 100 * v["nom"] / v["real"],
        sensible=lambda v: v["real"] * 9 / 10 < v["nom"] < v["real"] * 16 / 10 and v["nom"] != v["real"],
        train=templates("""
            Nominal GDP of {country} is {nom} and real GDP {real}. What is the GDP deflator, with the base
            year at one hundred?

            At current prices the output of {country} is worth {nom}; at base-year prices it is worth {real}.
            Compute the deflator as an index with base one hundred.

            Find the GDP deflator (base year one hundred) of an economy that produces {real} in constant
            prices and {nom} in current prices.

            The statistics of {country} put GDP at {real} in prices of the base year and at {nom} in prices of
            this year. To what index value, base one hundred, has the price level of output moved?
        """),
        test=templates("""
            Valued with this year's price tags, everything made in {country} came to {nom}; with those of the
            reference year it would have come to {real}. Give the implicit price index, reference year one
            hundred.

            What deflator, on a scale that reads one hundred for base prices, turns a nominal GDP of {nom}
            into a real GDP of {real}?
        """),
    ),
    Kind(
        name="Money Multiplier",
        formula="m = (1 + c) / (c + r)",
        explanation=(
            "c: currency held by the public as a fraction of deposits, r: reserves held by banks as a "
            "fraction of deposits, m: money supply over monetary base"
        ),
        source="Mankiw, Macroeconomics: a model of the money supply",
        inputs={"c": percent("2", "40", "0.1"), "r": percent("1", "20", "0.1")},
        answer=lambda v: (1 + v["c"] / 100) / ((v["c"] + v["r"]) / 100),
        sensible=lambda v: v["c"] != v["r"],
        train=templates("""
            In {country} the public holds currency equal to {c} of deposits, and banks hold reserves equal to
            {r} of deposits. What is the money multiplier?

            With a reserve ratio of {r} and a currency-to-deposit ratio of {c}, compute the money multiplier.

            How many times the monetary base is the money supply of {country}, if cash in circulation is {c}
            of deposits and banks keep {r} of deposits as reserves?

            Banks in {country} set aside {r} of their deposits, and people carry notes and coins worth {c} of
            deposits. Find the ratio of money supply to monetary base.
        """),
        test=templates("""
            For each deposit in {country} the saver keeps another {c} of it in the purse while the bank parks
            {r} of it at the central bank. By what factor does one unit of central bank money raise the stock
            of money?

            A central bank sees cash outside banks at {c} and bank reserves at {r}, each measured against
            deposits. Which multiplier links base money to the money stock?
        """),
    ),
    Kind(
        name="Taylor Rule",
        formula="i = r* + π + 0.5 × (π − π*) + 0.5 × y",
        explanation=(
            "r*: neutral real interest rate, π: inflation, π*: inflation target, y: output gap, negative "
            "where output lies below potential, all in percent, i: nominal policy rate in percent a year"
        ),
        source="Taylor (1993), Discretion versus Policy Rules in Practice",
        inputs={
            "rn": percent("0.5", "3", "0.1"),
            "pi": percent("0.5", "8", "0.1"),
            "goal": percent("1", "4", "0.25"),
            "gap": percent("-4", "4", "0.1"),
        },
        answer=lambda v: v["rn"] + v["pi"] + (v["pi"] - v["goal"] + v["gap"]) / 2,
        sensible=lambda v: (
            v["pi"] != v["goal"]
            and v["gap"] != 0
            and v["rn"] + v["pi"] + (v["pi"] - v["goal"] + v["gap"]) / 2 >= Decimal("0.5")
        ),
        train=templates("""
            Inflation in {country} is {pi} against a target of {goal}, the neutral real rate is {rn} and the
            output gap is {gap}. What policy rate in percent does the Taylor rule give?

            The central bank of {country} follows the Taylor rule. With a neutral real rate of {rn}, an
            inflation target of {goal}, inflation of {pi} and an output gap of {gap}, compute its rate in
            percent.

            Output of {country} differs from potential by {gap}. Prices rise by {pi} a year, while {goal} a
            year is aimed at. If the real rate that keeps the economy in balance is {rn}, what nominal rate in
            percent does the Taylor rule ask for?

            Find the rate in percent that Taylor's rule sets at a gap between output and potential of {gap}, a
            neutral real rate of {rn}, inflation of {pi} and an inflation goal of {goal}.
        """),
        test=templates("""
            A rate setter in {country} reads these figures: price growth {pi}, desired price growth {goal},
            real equilibrium interest {rn}, production relative to capacity {gap}. Which nominal rate, in
            percent, does Taylor's formula recommend?

            What should money cost, in percent a year, by Taylor's reckoning, when capacity use leaves a
            gap of {gap}, consumer prices go up {pi} instead of the wished-for {goal}, and the natural real
            rate stands at {rn}?
        """),
    ),
)
