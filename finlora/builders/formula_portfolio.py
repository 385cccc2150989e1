"""Formula kinds about portfolios and the cost of capital. Returns and rates are percentages throughout."""

from finlora.builders.formula_kinds import Kind, millions, number, percent, templates

_SAFE = percent("0.5", "5", "0.1")
_RETURN = percent("4", "18", "0.1")
_BETA = number("0.40", "2.00", "0.05")
_WEIGHT = percent("10", "70", "5")

KINDS = (
    Kind(
        name="Capital Asset Pricing Model (CAPM)",
        formula="E(R) = R_f + β × (R_m − R_f)",
        explanation=(
            "R_f: risk-free return, β: beta of the asset, R_m: expected return of the whole market, not its "
            "premium, all returns in percent a year"
        ),
        source="Sharpe (1964), Capital Asset Prices; Lintner (1965)",
        inputs={"rf": _SAFE, "beta": _BETA, "rm": percent("5", "14", "0.1")},
        answer=lambda v: v["rf"] + v["beta"] * (v["rm"] - v["rf"]),
        sensible=lambda v: v["rm"] - v["rf"] >= 2 and v["beta"] != 1,
        train=templates("""
            The risk-free rate is {rf}, the expected market return is {rm} and {company} has a beta of {beta}.
            What return does the CAPM expect, in percent?

            With a beta of {beta}, treasury bills at {rf} and the market expected to return {rm}, compute the
            cost of equity of {company} in percent.

            {person} values a stock with the capital asset pricing model, using {rm} for the expected return
            of the market, {rf} for the risk-free return and {beta} for beta. What required return in percent
            results?

            A share moves with a beta of {beta} against an index expected to return {rm}. Safe bonds yield
            {rf}. Find the expected return of the share in percent.
        """),
        test=templates("""
            Government bills pay {rf}; the broad market should earn {rm} in total over the same year (not as a
            premium). Given a beta of {beta}, what should investors in {company} expect, in percent?

            What hurdle rate in percent does the CAPM set for a mine project of beta {beta} when the market as
            a whole is expected to deliver {rm} and lending without risk earns {rf}?
        """),
    ),
    Kind(
        name="Sharpe Ratio",
        formula="Sharpe Ratio = (R_p − R_f) / σ_p",
        explanation=(
            "R_p: average yearly return of the portfolio, R_f: risk-free return, σ_p: standard deviation of "
            "the portfolio's yearly returns, all three in percent"
        ),
        source="Sharpe (1966), Mutual Fund Performance",
        inputs={"rp": _RETURN, "rf": _SAFE, "sd": percent("4", "25", "0.1")},
        answer=lambda v: (v["rp"] - v["rf"]) / v["sd"],
        sensible=lambda v: v["sd"] * 3 / 10 < v["rp"] - v["rf"] < 2 * v["sd"],
        train=templates("""
            A portfolio returned {rp} a year on average with a standard deviation of {sd}, while the risk-free
            rate was {rf}. What is its Sharpe ratio?

            {person} runs a fund with an average yearly return of {rp} and yearly volatility of {sd}. Treasury
            bills return {rf} a year. Compute the Sharpe ratio.

            For a risk-free return of {rf}, find the Sharpe ratio of a mixed fund that earned {rp} a year at a
            standard deviation of {sd}.

            The standard deviation of yearly returns is {sd} and their mean is {rp}. Cash earns {rf} a year.
            How much excess return per unit of standard deviation does the portfolio give?
        """),
        test=templates("""
            Over a decade the pension plan of {company} gained {rp} a year on average; the gains varied with a
            standard deviation of {sd}. A riskless deposit would have paid {rf} a year. Work out the Sharpe
            ratio.

            Which Sharpe ratio belongs to a strategy with yearly volatility of {sd} and a mean yearly return
            of {rp}, if riskless lending earns {rf}?
        """),
    ),
    Kind(
        name="Treynor Ratio",
        formula="Treynor Ratio = (R_p − R_f) / β_p",
        explanation=(
            "R_p: return of the portfolio, R_f: risk-free return, both in percent a year, β_p: beta of the "
            "portfolio, ratio in percentage points per unit of beta"
        ),
        source="Treynor (1965), How to Rate Management of Investment Funds",
        inputs={"rp": _RETURN, "rf": _SAFE, "beta": _BETA},
        answer=lambda v: (v["rp"] - v["rf"]) / v["beta"],
        sensible=lambda v: v["rp"] - v["rf"] >= 1 and v["beta"] != 1,
        train=templates("""
            A portfolio with a beta of {beta} returned {rp}. The risk-free rate was {rf}. What is its Treynor
            ratio in percentage points?

            Compute the Treynor ratio of a fund run by {person} in percentage points per unit of beta: the
            fund returned {rp}, the risk-free rate is {rf} and the beta is {beta}.

            How many percentage points of return above a risk-free {rf} did a growth portfolio earn per unit
            of beta, given a beta of {beta} and a return of {rp}?

            Risk-free bills paid {rf}. The staff fund of {company} made {rp} with a market beta of {beta}.
            Give the Treynor measure in percentage points.
        """),
        test=templates("""
            {person} wants to rank managers by reward per unit of market risk. One manager returned {rp} at a
            beta of {beta} in a year when cash paid {rf}. What Treynor score, in percentage points, does that
            manager get?

            In a year of {rf} on safe deposits, a fund of small companies gained {rp}; its sensitivity to the
            market (beta) was {beta}. State its return above the safe rate per unit of beta, in percentage
            points.
        """),
    ),
    Kind(
        name="Jensen's Alpha",
        formula="α = R_p − (R_f + β_p × (R_m − R_f))",
        explanation=(
            "R_p: return of the portfolio, R_f: risk-free return, R_m: return of the whole market, all in "
            "percent a year, β_p: beta of the portfolio, α: in percentage points, negative when the "
            "portfolio did worse than its risk asks"
        ),
        source="Jensen (1968), The Performance of Mutual Funds",
        inputs={"rp": _RETURN, "rf": _SAFE, "beta": _BETA, "rm": percent("5", "14", "0.1")},
        answer=lambda v: v["rp"] - (v["rf"] + v["beta"] * (v["rm"] - v["rf"])),
        sensible=lambda v: (
            v["rm"] - v["rf"] >= 2
            and v["beta"] != 1
            and abs(v["rp"] - v["rf"] - v["beta"] * (v["rm"] - v["rf"])) < 6
        ),
        train=templates("""
            A portfolio returned {rp} with a beta of {beta}. The risk-free rate was {rf} and the market
            returned {rm}. What is Jensen's alpha in percentage points?

            The market gained {rm} and risk-free bills paid {rf} in a year when the fund of {person}, with a
            beta of {beta}, earned {rp}. Compute Jensen's alpha in percentage points.

            By how many percentage points did a fund returning {rp} beat the return that the CAPM asks for, if
            its beta is {beta}, the market return {rm} and the risk-free rate {rf}? Use a minus sign if it
            fell short.

            Find Jensen's alpha, in percentage points and with its sign, for the endowment of {company}: beta
            {beta}, return {rp}, risk-free rate {rf}, market return {rm}.
        """),
        test=templates("""
            Measured against a market return of {rm} and a safe rate of {rf}, what alpha in percentage points
            (negative when the manager lagged) did a fund with a beta of {beta} and a gain of {rp} produce?

            {person} delivered {rp} to clients while taking market risk of beta {beta}. The index made {rm},
            cash {rf}. Give the Jensen measure in percentage points, signed.
        """),
    ),
    Kind(
        name="Portfolio Return",
        formula="R_p = w_1 × R_1 + w_2 × R_2 + w_3 × R_3",
        explanation=(
            "w_1, w_2, w_3: shares of the portfolio's value, adding up to one, R_1, R_2, R_3: returns of "
            "its three parts in percent"
        ),
        source="Markowitz (1952), Portfolio Selection",
        inputs={"w1": _WEIGHT, "w2": _WEIGHT, "w3": _WEIGHT, "r1": _RETURN, "r2": _RETURN, "r3": _RETURN},
        answer=lambda v: (v["w1"] * v["r1"] + v["w2"] * v["r2"] + v["w3"] * v["r3"]) / 100,
        sensible=lambda v: v["w1"] + v["w2"] + v["w3"] == 100 and len({v["r1"], v["r2"], v["r3"]}) == 3,
        train=templates("""
            A portfolio holds {w1} in shares returning {r1}, {w2} in bonds returning {r2} and {w3} in property
            returning {r3}. What is the portfolio return in percent?

            {person} expects {r1} from equities, {r2} from bonds and {r3} from gold, and holds them in
            proportions of {w1}, {w2} and {w3}, in that order. Compute the expected return of the whole in
            percent.

            The reserves of {company} are split {w1} to {w2} to {w3} between bills, notes and loans, which
            yield {r1}, {r2} and {r3} respectively. Find the overall yield in percent.

            Weights: {w1} in fund A, {w2} in fund B, {w3} in fund C. Expected returns: {r1} for fund A, {r2}
            for fund B, {r3} for fund C. What return in percent should the combination bring?
        """),
        test=templates("""
            With {w1} of its assets in timber earning {r1}, {w2} in roads earning {r2} and {w3} in harbours
            earning {r3}, what weighted return in percent does an infrastructure fund make?

            {person} splits savings over three accounts: {w1} goes to one paying {r1}, {w2} to one paying {r2}
            and {w3} to one paying {r3}. What interest, in percent of the whole, do the savings earn in a
            year?
        """),
    ),
    Kind(
        name="WACC (Weighted Average Cost of Capital)",
        formula="WACC = E / (E + D) × R_e + D / (E + D) × R_d × (1 − T)",
        explanation=(
            "E: market value of equity, D: market value of debt, R_e: cost of equity, R_d: cost of debt "
            "before tax, both in percent a year, T: tax rate as a fraction, WACC: in percent"
        ),
        source="Brealey, Myers and Allen, Principles of Corporate Finance: after-tax WACC",
        inputs={
            "e": millions("10", "300"),
            "d": millions("5", "200"),
            "re": percent("7", "16", "0.1"),
            "rd": percent("3", "9", "0.1"),
            "t": percent("15", "35", "1"),
        },
        answer=lambda v: (v["e"] * v["re"] + v["d"] * v["rd"] * (1 - v["t"] / 100)) / (v["e"] + v["d"]),
        sensible=lambda v: v["e"] / 5 < v["d"] < 2 * v["e"] and v["re"] >= v["rd"] + 2,
        train=templates("""
            {company} is financed with {e} of equity at a cost of {re} and {d} of debt at a pre-tax cost of
            {rd}. The tax rate is {t}. What is its WACC in percent?

            Equity of {company} has a market value of {e}, debt one of {d}. Shareholders require {re}, lenders
            {rd} before tax, and profits are taxed at {t}. Compute the weighted average cost of capital in
            percent.

            Find the after-tax WACC, in percent, of a shipping firm: cost of equity {re}, pre-tax cost of debt
            {rd}, tax rate {t}, equity {e}, debt {d}, both at market value.

            At a corporate tax rate of {t}, {company} pays {rd} interest before tax on its debt of {d}, and
            its equity of {e} must earn {re}. What is its weighted average cost of capital in percent?
        """),
        test=templates("""
            The capital of {company} consists of loans worth {d}, costing {rd} before the tax shield, and
            stock worth {e}, on which owners demand {re}. With tax at {t}, what average cost of capital in
            percent must a new project beat?

            A telecom group's shares are worth {e} and its bonds {d}. The bonds yield {rd} pre-tax, the cost
            of equity is {re} and the tax rate {t}. State the WACC in percent.
        """),
    ),
)
