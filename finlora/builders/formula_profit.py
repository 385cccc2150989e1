"""Formula kinds about profit: margins and returns, all in percent."""

from finlora.builders.formula_kinds import Kind, drifts, millions, money, templates

KINDS = (
    Kind(
        name="Gross Profit Margin",
        formula="Gross Profit Margin = (Revenue − Cost of Goods Sold) / Revenue × 100",
        explanation=(
            "Revenue: net sales of the year, Cost of Goods Sold: direct cost of what was sold, margin in "
            "percent"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: profitability ratios",
        inputs={"rev": millions("10", "400"), "cogs": millions("4", "300")},
        answer=lambda v: (v["rev"] - v["cogs"]) / v["rev"] * 100,
        sensible=lambda v: v["rev"] * 2 / 10 < v["cogs"] < v["rev"] * 9 / 10,
        train=templates("""
            {company} had revenue of {rev} and cost of goods sold of {cogs}. What is its gross margin in
            percent?

            Goods that cost {cogs} were sold by {company} for {rev} in all. Compute the gross profit margin as
            a percentage of sales.

            A bakery chain's net sales are {rev}; making the goods it sold cost {cogs}. What percentage of
            sales is gross profit?

            Cost of sales took {cogs} out of net sales of {rev} at {company}. Find the gross margin in
            percent.
        """),
        test=templates("""
            {company} invoiced customers {rev} for the year and spent {cogs} on producing what it sold. State
            gross profit as a percentage of those invoices.

            For a lamp factory the direct cost of the lamps sold was {cogs}, and sales came to {rev}. What
            gross margin, in percent, did it keep?
        """),
    ),
    Kind(
        name="Operating Margin",
        formula="Operating Margin = (Revenue − Cost of Goods Sold − Operating Expenses) / Revenue × 100",
        explanation=(
            "Revenue: net sales of the year, Cost of Goods Sold: direct cost of what was sold, Operating "
            "Expenses: all other costs of running the business, without interest and tax, margin in percent"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: profitability ratios",
        inputs={"rev": millions("10", "400"), "cogs": millions("4", "250"), "opex": millions("1", "120")},
        answer=lambda v: (v["rev"] - v["cogs"] - v["opex"]) / v["rev"] * 100,
        sensible=lambda v: (
            v["rev"] * 2 / 10 < v["cogs"]
            and v["rev"] * 5 / 100 < v["opex"]
            and v["rev"] * 2 / 100 < v["rev"] - v["cogs"] - v["opex"] < v["rev"] * 4 / 10
        ),
        train=templates("""
            {company} had revenue of {rev}, cost of goods sold of {cogs} and operating expenses of {opex}.
            What is its operating margin in percent?

            From net sales of {rev} a hardware wholesaler pays {cogs} for the goods sold and {opex} for
            running the business. Compute operating profit in percent of sales.

            Operating expenses, which exclude cost of goods sold, were {opex} at {company}; cost of goods sold
            was {cogs} and revenue {rev}. Find the operating margin in percent.

            What percentage of revenue is left as operating income if {company} took in revenue of {rev}, with
            cost of sales of {cogs} and other operating costs of {opex}?
        """),
        test=templates("""
            Ticket and souvenir revenue of a theme park was {rev}. The souvenirs and services sold cost
            {cogs}, and salaries, rent and depreciation, all operating, cost a further {opex}. What operating
            margin in percent remains?

            {company} turned over {rev}. Subtract {cogs} for cost of goods sold and {opex} for selling and
            administration, and give the operating result as a percentage of turnover.
        """),
    ),
    Kind(
        name="Net Profit Margin",
        formula="Net Profit Margin = Net Income / Revenue × 100",
        explanation=(
            "Net Income: profit after all costs, interest and tax, Revenue: net sales of the same year, "
            "margin in percent"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: profitability ratios",
        inputs={"ni": millions("1", "60"), "rev": millions("10", "400")},
        answer=lambda v: v["ni"] / v["rev"] * 100,
        sensible=lambda v: v["rev"] * 2 / 100 < v["ni"] < v["rev"] * 3 / 10,
        train=templates("""
            {company} earned net income of {ni} on revenue of {rev}. What is its net profit margin in percent?

            Net sales of {company} were {rev}, and the profit left after all costs, interest and tax was {ni}.
            Find the net margin in percent.

            What percentage of its {rev} in revenue does a dairy cooperative keep if its net income is {ni}?

            After tax, {ni} was left to the shareholders of {company} out of revenue of {rev}. Compute the net
            margin as a percentage.
        """),
        test=templates("""
            The bottom line of {company} shows {ni} for a year in which it sold services worth {rev}, its only
            income. Express the net profit margin in percent.

            A clinic group billed {rev}, and once every expense including tax had been met, a profit of {ni}
            remained. What percentage of billings is that?
        """),
    ),
    Kind(
        name="Return on Equity (ROE)",
        formula="ROE = Net Income / ((Opening Equity + Closing Equity) / 2) × 100",
        explanation=(
            "Net Income: profit after tax of the year, Opening Equity: shareholders' equity at the start of "
            "the year, Closing Equity: at its end, ROE: in percent"
        ),
        source=(
            "Brealey, Myers and Allen, Principles of Corporate Finance: return on equity, on average equity"
        ),
        inputs={"ni": millions("1", "40"), "start": millions("15", "180"), "end": millions("15", "180")},
        answer=lambda v: v["ni"] / ((v["start"] + v["end"]) / 2) * 100,
        sensible=lambda v: (
            drifts(v) and (v["start"] + v["end"]) * 2 / 100 < v["ni"] < (v["start"] + v["end"]) * 15 / 100
        ),
        train=templates("""
            {company} earned net income of {ni}. Shareholders' equity was {start} at the start and {end} at
            the end of the year. What is the return on average equity in percent?

            During a year in which shareholders' equity of {company} went from {start} to {end}, net income
            came to {ni}. Compute ROE in percent on the average of opening and closing equity.

            Opening equity of a media house: {start}. Closing equity: {end}. Net income for the year: {ni}.
            Find the return on average shareholders' equity in percent.

            If owners' equity stood at {start} a year ago and stands at {end} now, and the year's net income
            was {ni}, what percentage did {company} earn on average equity?
        """),
        test=templates("""
            The shareholders of {company} had book capital of {start} on the first day of the year and {end}
            on the last, and the company made {ni} after tax. What percentage return on their average capital
            is this?

            A glassworks made a net profit of {ni}. Its equity read {start} in the opening balance sheet and
            {end} in the closing one. Give return on equity, on the average of both, in percent.
        """),
    ),
    Kind(
        name="Return on Assets (ROA)",
        formula="ROA = Net Income / Average Total Assets × 100",
        explanation=(
            "Net Income: profit after tax of the year, Average Total Assets: mean of opening and closing "
            "total assets, ROA: in percent"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: profitability ratios",
        inputs={"ni": millions("1", "40"), "assets": millions("20", "400")},
        answer=lambda v: v["ni"] / v["assets"] * 100,
        sensible=lambda v: v["assets"] * 1 / 100 < v["ni"] < v["assets"] * 2 / 10,
        train=templates("""
            {company} has average total assets of {assets} and net income of {ni}. What is its return on
            assets in percent?

            Net income of {ni} was made by a tram operator with total assets averaging {assets} over the year.
            Compute ROA in percent.

            On average over the year {company} employed total assets of {assets}. With {ni} of net income,
            what percentage did the assets return?

            Find the return on average assets, in percent, of {company}, whose net income is {ni} and whose
            assets averaged {assets}.
        """),
        test=templates("""
            A regional bank closed the year {ni} in profit after tax. Its assets, taken as the mean of opening
            and closing totals, were {assets}. State the return on assets in percent.

            Everything {company} owned during the year was worth {assets} on average, and the year's profit
            after tax was {ni}. What percentage of these assets is the profit?
        """),
    ),
    Kind(
        name="Return on Investment (ROI)",
        formula="ROI = (Amount Returned − Cost) / Cost × 100",
        explanation=(
            "Amount Returned: everything got back, Cost: everything put in, ROI: in percent over the whole "
            "time, negative for a loss"
        ),
        source="CFA Institute curriculum, Quantitative Methods: holding period return",
        inputs={"cost": money("1000", "60000", "50"), "back": money("1000", "90000", "50")},
        answer=lambda v: (v["back"] - v["cost"]) / v["cost"] * 100,
        sensible=lambda v: v["cost"] * 6 / 10 < v["back"] < 2 * v["cost"],
        train=templates("""
            {person} bought shares for {cost} and later sold them for {back}, with no dividends or fees. What
            was the return on investment in percent?

            {company} spent {cost} on an advertising campaign that brought in {back} of extra profit before
            counting the cost of the campaign. Compute the ROI in percent.

            An antique clock that cost {cost} is resold at {back}. Find the return on investment as a
            percentage of the cost; there are no other expenses.

            A plot of land changes hands at {back}. The seller, {person}, had paid {cost} in total. What
            percentage return on the investment is that, counting a loss as negative?
        """),
        test=templates("""
            Counting all purchase costs, {person} put {cost} into a small vineyard and got {back} out of its
            sale, with nothing in between. State the ROI in percent, negative if money was lost.

            {company} invested {cost} in a patent and took back {back} in all before closing the project. What
            return on investment in percent did the patent give over its whole life?
        """),
    ),
)
