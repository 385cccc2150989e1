"""Formula kinds about one share: what it earns, costs and pays."""

from finlora.builders.formula_kinds import Kind, millions, money, number, templates

KINDS = (
    Kind(
        name="Earnings Per Share (EPS)",
        formula="EPS = (Net Income − Preferred Dividends) / Average Common Shares",
        explanation=(
            "Net Income: profit after tax of the year, Preferred Dividends: part of it due to preferred "
            "shareholders, Average Common Shares: weighted average number outstanding"
        ),
        source="IAS 33 Earnings per Share: basic earnings per share",
        inputs={
            "ni": millions("5", "120"),
            "pref": millions("0.5", "8"),
            "shares": number("2", "60", "0.1", unit=" million"),
        },
        answer=lambda v: (v["ni"] - v["pref"]) / v["shares"],
        sensible=lambda v: v["pref"] < v["ni"] * 3 / 10 and v["shares"] / 2 < v["ni"] - v["pref"],
        train=templates("""
            {company} earned net income of {ni}, declared preferred dividends of {pref} and had a weighted
            average of {shares} common shares outstanding. What are its earnings per share?

            With {shares} common shares outstanding all year, net income of {ni} and dividends of {pref} to
            preferred holders, compute basic EPS of {company}.

            Preferred shareholders of {company} are entitled to {pref} out of net income of {ni}. The rest
            belongs to {shares} common shares. How much is that per common share?

            Find basic earnings per share of a toll-road company: net income {ni}, preferred dividends {pref},
            average common shares {shares}.
        """),
        test=templates("""
            The year ends with {ni} of profit after tax at {company}. Holders of preferred stock receive
            {pref}; what is left is split over {shares} ordinary shares, a number that did not change during
            the year. Give EPS.

            On average {shares} ordinary shares of a paper mill were in issue. After-tax profit was {ni}, from
            which {pref} goes to preference shares. What did one ordinary share earn?
        """),
    ),
    Kind(
        name="Price-to-Earnings Ratio (P/E Ratio)",
        formula="P/E = Share Price / Earnings Per Share",
        explanation="Share Price: market price of one share, Earnings Per Share: of the past year",
        source="Bodie, Kane and Marcus, Essentials of Investments: price-earnings ratio",
        inputs={"price": money("8.00", "250.00", "0.05"), "eps": money("0.50", "12.00", "0.01")},
        answer=lambda v: v["price"] / v["eps"],
        sensible=lambda v: 6 * v["eps"] < v["price"] < 40 * v["eps"],
        train=templates("""
            Shares of {company} trade at {price}, and earnings per share of the past year were {eps}. What is
            the price-earnings ratio?

            {company} earned {eps} per share over the last four quarters taken together. Its share costs
            {price}. Compute the trailing P/E.

            How many times its yearly earnings of {eps} per share does an investor pay for {company} at a
            share price of {price}?

            At a market price of {price}, find the P/E ratio of a software stock with earnings of {eps} per
            share for the past year.
        """),
        test=templates("""
            {person} can buy a share of {company} for {price}; the company made {eps} for every share last
            year. Which earnings multiple is being paid?

            A railway stock closed at {price} after reporting {eps} in annual EPS. What P/E does the close
            imply?
        """),
    ),
    Kind(
        name="Dividend Yield",
        formula="Dividend Yield = Annual Dividend Per Share / Share Price × 100",
        explanation=(
            "Annual Dividend Per Share: all dividends of one year on one share, Share Price: market price "
            "of one share, yield in percent"
        ),
        source="Bodie, Kane and Marcus, Essentials of Investments: dividend yield",
        inputs={"div": money("0.40", "9.00", "0.02"), "price": money("8.00", "250.00", "0.05")},
        answer=lambda v: v["div"] / v["price"] * 100,
        sensible=lambda v: v["price"] * 1 / 100 < v["div"] < v["price"] * 9 / 100,
        train=templates("""
            {company} pays dividends totalling {div} per share each year, and its share price is {price}. What
            is the dividend yield in percent?

            At a price of {price}, a share of {company} entitles its owner to yearly dividends of {div}.
            Compute the dividend yield in percent.

            {person} pays {price} for a share that distributes {div} a year in total. What dividend yield in
            percent is that?

            Total dividends over the past year were {div} a share for a water utility quoted at {price}. Find
            the yield in percent.
        """),
        test=templates("""
            The stock of {company} last changed hands at {price}. Over the year it paid out {div} on every
            share. What percentage of the price is the payout?

            An income fund screens shares for yield. What percentage should it record for {company}, with a
            yearly payout of {div} per share and a quotation of {price}?
        """),
    ),
    Kind(
        name="Enterprise Multiple (EV/EBITDA)",
        formula="EV/EBITDA = (Market Capitalisation + Debt − Cash) / EBITDA",
        explanation=(
            "Market Capitalisation: market value of all shares, Debt: all borrowings, Cash: cash held, "
            "EBITDA: earnings of the past year before interest, taxes, depreciation and amortisation"
        ),
        source="CFA Institute curriculum, Equity Investments: enterprise value multiples",
        inputs={
            "cap": millions("20", "600"),
            "debt": millions("5", "200"),
            "cash": millions("1", "80"),
            "ebitda": millions("4", "80"),
        },
        answer=lambda v: (v["cap"] + v["debt"] - v["cash"]) / v["ebitda"],
        sensible=lambda v: (
            3 * v["cash"] < v["cap"]
            and v["debt"] < v["cap"] * 15 / 10
            and 4 * v["ebitda"] < v["cap"] + v["debt"] - v["cash"] < 18 * v["ebitda"]
        ),
        train=templates("""
            {company} has a market capitalisation of {cap}, debt of {debt} and cash of {cash}. EBITDA is
            {ebitda}. What is EV/EBITDA?

            All shares of {company} together are worth {cap}. It owes {debt} in loans, holds {cash} in cash
            and earned EBITDA of {ebitda}. Compute the enterprise multiple.

            How many times its EBITDA of {ebitda} does a buyer pay for a cable maker, with the equity at
            {cap}, borrowings taken over of {debt} and cash received of {cash}?

            At an EBITDA of {ebitda}, what EV/EBITDA multiple does the market give {company}: equity {cap},
            debt {debt}, cash {cash}?
        """),
        test=templates("""
            Add lenders' claims of {debt} to a stock-market value of {cap}, take off the {cash} lying in the
            bank, and relate the result to operating earnings before depreciation (EBITDA) of {ebitda}. Which
            multiple does {company} reach?

            Bidders for a parcel service look at enterprise value over EBITDA. Its stock is valued at {cap},
            its bonds at {debt}, its cash pile at {cash}, and EBITDA came in at {ebitda}. State the multiple.
        """),
    ),
    Kind(
        name="Holding Period Return (HPR)",
        formula="HPR = (P_1 − P_0 + D) / P_0 × 100",
        explanation=(
            "P_0: price of one share at the start, P_1: its price at the end, D: dividends per share in "
            "between, not reinvested, HPR: in percent over the whole time, negative for a loss"
        ),
        source="Bodie, Kane and Marcus, Essentials of Investments: holding-period return",
        inputs={
            "p0": money("8.00", "250.00", "0.05"),
            "p1": money("8.00", "300.00", "0.05"),
            "d": money("0.10", "9.00", "0.05"),
        },
        answer=lambda v: (v["p1"] - v["p0"] + v["d"]) / v["p0"] * 100,
        sensible=lambda v: (
            v["p0"] * 7 / 10 < v["p1"] < v["p0"] * 15 / 10
            and v["p1"] != v["p0"]
            and v["d"] < v["p0"] * 8 / 100
        ),
        train=templates("""
            {person} bought a share of {company} at {p0}, received dividends of {d} and sold it at {p1}. What
            was the holding period return in percent?

            A share that cost {p0} is now quoted at {p1} and has paid {d} in dividends meanwhile. Find the
            return over the whole period in percent, with a minus sign for a loss.

            Counting price change and dividends, what percentage did an owner of {company} gain on a purchase
            price of {p0}, given dividends per share of {d} and a final price of {p1}?

            The price of a stock moved from {p0} to {p1} while its owner collected {d} per share. Compute the
            total return in percent of the opening price, negative if money was lost.
        """),
        test=templates("""
            {company} closed one year at {p0} and the next at {p1}; between the two dates it distributed {d}
            on every share. Express price gain or loss plus distribution in percent of the earlier close.

            An investor gets {p1} for one share acquired for {p0} and has pocketed {d} of payouts along the
            way. State, signed, what percentage of the outlay this made.
        """),
    ),
)
