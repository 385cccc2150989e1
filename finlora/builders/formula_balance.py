"""Formula kinds that read a balance sheet: liquidity, debt, turnover. Their answers are plain multiples."""

from finlora.builders.formula_kinds import Kind, drifts, millions, templates

KINDS = (
    Kind(
        name="Current Ratio",
        formula="Current Ratio = Current Assets / Current Liabilities",
        explanation=(
            "Current Assets: cash and what becomes cash within a year, Current Liabilities: what must be "
            "paid within a year"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: liquidity ratios",
        inputs={"ca": millions("2", "90"), "cl": millions("2", "60")},
        answer=lambda v: v["ca"] / v["cl"],
        sensible=lambda v: v["cl"] / 2 < v["ca"] < 4 * v["cl"],
        train=templates("""
            {company} reports current assets of {ca} and current liabilities of {cl}. What is its current
            ratio?

            At year end the short-term assets of {company} total {ca}, while debts due within a year come to
            {cl}. Compute the current ratio.

            A lender asks {company} for its current ratio. The firm has {cl} of current liabilities and {ca}
            of current assets. What figure should it report?

            How many times do the current assets of a shipyard, {ca}, cover its current liabilities of {cl}?
        """),
        test=templates("""
            The interim balance sheet of {company} lists {ca} that will turn into cash within twelve months
            and {cl} that must be paid within twelve months. Find the current ratio.

            With {cl} falling due inside a year and {ca} in assets convertible to cash inside a year, which
            current ratio does a hotel group show?
        """),
    ),
    Kind(
        name="Quick Ratio (Acid-Test Ratio)",
        formula="Quick Ratio = (Current Assets − Inventory) / Current Liabilities",
        explanation=(
            "Current Assets: total, inventory included, Inventory: goods and materials held, Current "
            "Liabilities: what must be paid within a year"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: liquidity ratios",
        inputs={"ca": millions("4", "90"), "inv": millions("1", "40"), "cl": millions("2", "50")},
        answer=lambda v: (v["ca"] - v["inv"]) / v["cl"],
        sensible=lambda v: (
            v["inv"] < v["ca"] * 6 / 10 and v["cl"] * 4 / 10 < v["ca"] - v["inv"] < 3 * v["cl"]
        ),
        train=templates("""
            {company} has current assets of {ca}, of which {inv} is inventory, and current liabilities of
            {cl}. What is its quick ratio?

            A grocer's stock on the shelves is carried at {inv} inside total current assets of {ca}. Current
            liabilities are {cl}. Compute the quick ratio, leaving the stock out.

            Current liabilities of {company} stand at {cl}. Current assets stand at {ca} and include
            inventories of {inv} and no prepaid items. Find the acid-test ratio.

            Strip inventories of {inv} out of current assets of {ca} and compare the rest with current
            liabilities of {cl}. What quick ratio does {company} have?
        """),
        test=templates("""
            A toy maker enters the holidays with {inv} of unsold goods. All its current assets, those goods
            included, come to {ca}, and it owes {cl} within the year. What is the quick ratio?

            {company} owes suppliers and banks {cl} in the short term and nobody else. Its short-term assets
            of {ca} consist of cash, receivables and {inv} of raw materials and finished products. Which quick
            ratio results?
        """),
    ),
    Kind(
        name="Debt-to-Equity Ratio",
        formula="Debt-to-Equity Ratio = Total Debt / Shareholders' Equity",
        explanation=(
            "Total Debt: all borrowings, short and long, Shareholders' Equity: book value belonging to the "
            "owners"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: leverage ratios",
        inputs={"debt": millions("3", "120"), "equity": millions("5", "120")},
        answer=lambda v: v["debt"] / v["equity"],
        sensible=lambda v: v["equity"] * 3 / 10 < v["debt"] < 4 * v["equity"],
        train=templates("""
            {company} has total debt of {debt} and shareholders' equity of {equity}. What is its
            debt-to-equity ratio?

            The owners' equity of {company} is {equity}; its bonds and bank loans together amount to {debt}
            and it has no other debt. Calculate debt to equity.

            A covenant looks at total debt over shareholders' equity. With equity of {equity} and debt of
            {debt}, what ratio does a brewery report?

            How much debt does {company} carry for each unit of shareholders' equity, if borrowings total
            {debt} and equity is {equity}?
        """),
        test=templates("""
            After a refinancing {company} owes lenders {debt} in all, and its shareholders' funds stand at
            {equity}. Determine the debt-to-equity ratio.

            Shareholders have {equity} of book capital in a cement producer, and creditors have lent it
            {debt}, which is its entire debt. How large is debt relative to equity?
        """),
    ),
    Kind(
        name="Interest Coverage Ratio",
        formula="Interest Coverage Ratio = EBIT / Interest Expense",
        explanation="EBIT: earnings before interest and taxes, Interest Expense: interest for the same year",
        source="Brealey, Myers and Allen, Principles of Corporate Finance: times interest earned",
        inputs={"ebit": millions("3", "80"), "interest": millions("1", "20")},
        answer=lambda v: v["ebit"] / v["interest"],
        sensible=lambda v: v["interest"] < v["ebit"] < 20 * v["interest"],
        train=templates("""
            {company} earned {ebit} before interest and taxes and had interest expense of {interest}. What is
            its interest coverage ratio?

            Interest expense at {company} was {interest} last year, against operating profit (EBIT) of {ebit}.
            How many times was the interest earned?

            EBIT of a ferry operator is {ebit}. Its loans cost {interest} in interest for the same year.
            Compute times interest earned.

            A bank checks whether EBIT covers interest. For {company} the figures are EBIT of {ebit} and an
            interest bill of {interest}. Find the coverage ratio.
        """),
        test=templates("""
            Before charging {interest} for interest on its loans and before any tax, {company} made {ebit} in
            the year. By what multiple did these earnings cover that interest?

            The year's interest charge of a cinema chain came to {interest}; earnings ahead of interest and
            tax came to {ebit}. Which interest cover does this give?
        """),
    ),
    Kind(
        name="Inventory Turnover",
        formula="Inventory Turnover = Cost of Goods Sold / ((Opening Inventory + Closing Inventory) / 2)",
        explanation=(
            "Cost of Goods Sold: for the year, Opening Inventory: at the start of the year, Closing "
            "Inventory: at its end"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: turnover ratios, on average inventory",
        inputs={"cogs": millions("10", "150"), "start": millions("2", "30"), "end": millions("2", "30")},
        answer=lambda v: v["cogs"] / ((v["start"] + v["end"]) / 2),
        sensible=lambda v: drifts(v) and v["start"] + v["end"] < v["cogs"] < 7 * (v["start"] + v["end"]),
        train=templates("""
            {company} had cost of goods sold of {cogs} for the year. Inventory was {start} at the start and
            {end} at the end of the year. What is the inventory turnover, using average inventory?

            A furniture dealer opened the year with stock of {start} and closed it with {end}. Goods sold
            during the year had cost {cogs}. How often did the average stock turn over?

            Opening inventory {start}, closing inventory {end}, cost of sales {cogs}: compute the yearly
            inventory turnover of {company} on the average of the two inventory figures.

            Take the mean of an opening inventory of {start} and a closing inventory of {end}. How many times
            does it go into a yearly cost of goods sold of {cogs}?
        """),
        test=templates("""
            Over twelve months {company} sold wares that had cost it {cogs}. Its warehouse held {start} of
            goods on the first day and {end} on the last. Find the turnover of the average inventory.

            By the year's end inventories at a bicycle importer had moved from {start} to {end}, and the
            year's cost of goods sold was {cogs}. Based on average inventory, what was the turnover?
        """),
    ),
    Kind(
        name="Total Asset Turnover",
        formula="Total Asset Turnover = Net Sales / ((Opening Total Assets + Closing Total Assets) / 2)",
        explanation=(
            "Net Sales: revenue of the year, Opening Total Assets: at the start of the year, Closing Total "
            "Assets: at its end"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: turnover ratios, on average assets",
        inputs={"sales": millions("20", "250"), "start": millions("20", "180"), "end": millions("20", "180")},
        answer=lambda v: v["sales"] / ((v["start"] + v["end"]) / 2),
        sensible=lambda v: (
            drifts(v) and (v["start"] + v["end"]) / 5 < v["sales"] < (v["start"] + v["end"]) * 15 / 10
        ),
        train=templates("""
            {company} made net sales of {sales}. Total assets were {start} on the first day of the year and
            {end} on the last. Compute asset turnover on average total assets.

            With total assets of {start} at the beginning and {end} at the end of the year, and revenue of
            {sales} in between, what is the total asset turnover of {company} (use the average)?

            An airline's balance sheet total went from {start} to {end} during a year in which it earned
            revenue of {sales}. How much revenue did each unit of average assets bring?

            Revenue for the year: {sales}. Opening total assets: {start}. Closing total assets: {end}. Find
            the asset turnover of {company}, based on average assets.
        """),
        test=templates("""
            Billings to customers of {company} reached {sales} this year, while everything it owns was booked
            at {start} when the year began and {end} when it closed. What asset turnover does the average of
            those two bookings imply?

            A quarry group used assets of {start} at the opening date and {end} at the closing date of the
            year to produce net sales of {sales}. Work out sales over average total assets.
        """),
    ),
)
