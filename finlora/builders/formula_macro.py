"""Formula kinds about whole economies."""

from finlora.builders.formula_kinds import Kind, billions, number, templates

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
)
