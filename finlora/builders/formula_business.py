"""Formula kinds about running a business: working capital, the sources of its return, breaking even."""

from decimal import Decimal

from finlora.builders.formula_kinds import Kind, Values, millions, money, number, percent, templates


def _cash_cycle(values: Values) -> Decimal:
    tied = (values["inv"] - values["pay"]) / values["cogs"] + values["rec"] / values["rev"]
    return tied * 365


def _trades(values: Values) -> bool:
    """Keep balances that a year's sales and costs can leave behind, and a cycle of some days."""
    return (
        values["rev"] * 4 / 10 < values["cogs"] < values["rev"] * 9 / 10
        and values["cogs"] * 5 / 100 < values["inv"] < values["cogs"] * 35 / 100
        and values["rev"] * 3 / 100 < values["rec"] < values["rev"] * 3 / 10
        and values["cogs"] * 3 / 100 < values["pay"] < values["cogs"] * 3 / 10
        and _cash_cycle(values) >= 5
    )


KINDS = (
    Kind(
        name="Days Sales Outstanding (DSO)",
        formula="DSO = Accounts Receivable / Credit Sales × 365",
        explanation=(
            "Accounts Receivable: owed by customers at the end of the year, Credit Sales: sales on credit "
            "during the year, a year having 365 days, DSO: in days"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: days' sales in receivables",
        inputs={"rec": millions("1", "80"), "sales": millions("10", "600")},
        answer=lambda v: v["rec"] / v["sales"] * 365,
        sensible=lambda v: v["sales"] * 3 / 100 < v["rec"] < v["sales"] * 3 / 10,
        train=templates("""
            {company} made credit sales of {sales} in the year and was owed {rec} by customers at its end. How
            many days of sales are outstanding?

            Accounts receivable of {company} stand at {rec} at year end, after yearly sales on credit of
            {sales}. Compute the collection period in days.

            A parts wholesaler sells everything on credit: {sales} over the year. Its year-end receivables are
            {rec}. Find DSO in days.

            How long, in days, does {company} wait for its money on average, if receivables at the close are
            {rec} and credit sales for the year {sales}?
        """),
        test=templates("""
            Unpaid invoices in the books of {company} come to {rec} on the last day of the year; what it
            billed on credit in those twelve months came to {sales}. Express the invoices as days of billing.

            Out of {sales} sold on account over a year, a printing house has yet to collect {rec} when the
            year closes. State its receivable days.
        """),
    ),
    Kind(
        name="Cash Conversion Cycle (CCC)",
        formula="CCC = Inventory / COGS × 365 + Receivables / Revenue × 365 − Payables / COGS × 365",
        explanation=(
            "Inventory, Receivables, Payables: balances at the end of the year, COGS: cost of goods sold in "
            "the year, Revenue: sales of the year, a year having 365 days, CCC: in days"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: operating and cash cycle",
        inputs={
            "inv": millions("4", "45"),
            "rec": millions("4", "50"),
            "pay": millions("3", "40"),
            "rev": millions("60", "300"),
            "cogs": millions("40", "240"),
        },
        answer=_cash_cycle,
        sensible=_trades,
        train=templates("""
            {company} has inventory of {inv}, receivables of {rec} and payables of {pay}. For the year,
            revenue is {rev} and cost of goods sold {cogs}. How many days is its cash conversion cycle?

            From revenue of {rev} and cost of goods sold of {cogs} in the year, and from year-end balances of
            {inv} in inventory, {rec} owed by customers and {pay} owed to suppliers, compute the cash
            conversion cycle of {company} in days.

            A shoe maker owes suppliers {pay}, is owed {rec} by shops and stores goods that cost {inv}. Sales
            of the year were {rev}, their cost {cogs}. Find its cash cycle in days.

            Year-end inventory {inv}, receivables {rec}, payables {pay}; yearly sales {rev}, cost of goods
            sold {cogs}: for how many days is the cash of {company} tied up, net of supplier credit?
        """),
        test=templates("""
            Days of stock plus days of customer credit minus days of supplier credit: what does that make for
            {company}, with stock of {inv}, debtors of {rec}, trade creditors of {pay}, turnover of {rev} and
            cost of sales of {cogs}?

            A tile importer turned over {rev} in twelve months on goods costing it {cogs}. When the books
            closed it held {inv} of tiles, customers still had {rec} to pay, and the importer itself still had
            {pay} to pay. Over how many days did its cash come round?
        """),
    ),
    Kind(
        name="DuPont Return on Equity",
        formula="ROE = Net Profit Margin × Asset Turnover × Equity Multiplier",
        explanation=(
            "Net Profit Margin: net income over revenue of the year, in percent, Asset Turnover: revenue "
            "over total assets, Equity Multiplier: total assets over equity, ROE: in percent"
        ),
        source="Ross, Westerfield and Jaffe, Corporate Finance: the DuPont identity",
        inputs={
            "margin": percent("1", "20", "0.1"),
            "turns": number("0.40", "2.50", "0.05"),
            "lever": number("1.20", "4.00", "0.05"),
        },
        answer=lambda v: v["margin"] * v["turns"] * v["lever"],
        sensible=lambda v: 2 < v["margin"] * v["turns"] * v["lever"] < 50,
        train=templates("""
            {company} has a net profit margin of {margin}, an asset turnover of {turns} and an equity
            multiplier of {lever}. What is its return on equity in percent by the DuPont identity?

            Total assets of {company} are {lever} times its equity, its revenue is {turns} times its assets,
            and {margin} of revenue is left as net income. Compute ROE in percent.

            Split by DuPont, the return on equity of a ceramics group comes from a margin of {margin}, a
            turnover of {turns} and leverage (assets to equity) of {lever}. Find the return in percent.

            With a turnover of assets of {turns}, an equity multiplier of {lever} and a net margin of
            {margin}, what percentage does {company} earn on its equity?
        """),
        test=templates("""
            Profit of {margin} on sales, sales of {turns} per unit of assets, and {lever} units of assets on
            each unit of equity: multiply out, in percent, what the owners of {company} make on their capital.

            An analyst notes for a toll bridge operator: income to sales {margin}, sales to assets {turns},
            assets to equity {lever}. Which ROE, in percent, follows from the three?
        """),
    ),
    Kind(
        name="Break-Even Point",
        formula="Break-Even Units = Fixed Costs / (Price − Variable Cost)",
        explanation=(
            "Fixed Costs: of the whole period, whatever is sold, Price: of one unit, Variable Cost: of one "
            "unit, Break-Even Units: units sold in the period, fractions allowed"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: break-even analysis",
        inputs={
            "fixed": money("20000", "900000", "500"),
            "price": money("5.00", "200.00", "0.05"),
            "var": money("1.00", "150.00", "0.05"),
        },
        answer=lambda v: v["fixed"] / (v["price"] - v["var"]),
        sensible=lambda v: v["price"] * 2 / 10 < v["var"] < v["price"] * 85 / 100,
        train=templates("""
            {company} sells a lamp for {price}. Each costs {var} in material and wages, and fixed costs are
            {fixed} a year. How many lamps a year, fractions allowed, does it take to break even?

            Fixed costs of {fixed} a year must be covered by a product that sells at {price} with variable
            costs of {var} a unit. Compute the yearly break-even quantity of {company}, not rounded to whole
            units.

            How many units, with decimals, must {person} sell in a year so that a price of {price} less
            variable cost of {var} each pays fixed costs of {fixed}?

            Find the break-even volume in units, fractions included, of a bottling line: unit price {price},
            unit variable cost {var}, yearly fixed costs {fixed}.
        """),
        test=templates("""
            A theatre takes in {price} a ticket and spends {var} on each guest. Rent and salaries, which stay
            the same whatever the audience, are {fixed} for the season. At which number of tickets, left
            unrounded, is there neither profit nor loss?

            Before a single box leaves the plant of {company}, the year's overhead is {fixed}. Every box
            brings {price} and uses up {var}. Give, without rounding to whole boxes, the number that just
            covers everything.
        """),
    ),
)
