"""What is asked of filings: items with the us-gaap tags that report them, and ratios of items.

Source: the element names of the US GAAP Financial Reporting Taxonomy; labels are this project's own. Ratios
as textbooks and the FinLoRA benchmark define them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One thing a company reports.

    Args:
        label: what people call it.
        tags: the us-gaap names that may report it; a filing with two of them is not asked about it.
    """

    label: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Ratio:
    """A ratio of items.

    Args:
        name: what people call it.
        above: items above the line, the second and later ones taken off the first.
        below: the item below the line.
        percent: whether it is given in percent.
    """

    name: str
    above: tuple[Item, ...]
    below: Item
    percent: bool


def _item(label: str, *tags: str) -> Item:
    return Item(label, tags)


REVENUE = _item(
    "Revenue",
    "Revenues",
    "RevenueFromContractWithCustomerExcludingAssessedTax",
    "RevenueFromContractWithCustomerIncludingAssessedTax",
    "SalesRevenueNet",
)
GROSS = _item("Gross Profit", "GrossProfit")
OPERATING = _item("Operating Income", "OperatingIncomeLoss")
NET = _item("Net Income", "NetIncomeLoss")
FROM_OPERATIONS = _item("Cash from Operating Activities", "NetCashProvidedByUsedInOperatingActivities")
ASSETS = _item("Total Assets", "Assets")
CURRENT_ASSETS = _item("Current Assets", "AssetsCurrent")
CURRENT_LIABILITIES = _item("Current Liabilities", "LiabilitiesCurrent")
INVENTORY = _item("Inventory", "InventoryNet")
EQUITY = _item(
    "Shareholders' Equity",
    "StockholdersEquity",
    "StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest",
)

ITEMS = (
    ASSETS,
    CURRENT_ASSETS,
    _item("Cash and Cash Equivalents", "CashAndCashEquivalentsAtCarryingValue"),
    _item("Short-term Investments", "ShortTermInvestments", "MarketableSecuritiesCurrent"),
    _item("Accounts Receivable", "AccountsReceivableNetCurrent", "ReceivablesNetCurrent"),
    INVENTORY,
    _item("Other Current Assets", "OtherAssetsCurrent"),
    _item("Property, Plant and Equipment", "PropertyPlantAndEquipmentNet"),
    _item("Goodwill", "Goodwill"),
    _item("Other Non-current Assets", "OtherAssetsNoncurrent"),
    _item("Total Liabilities", "Liabilities"),
    CURRENT_LIABILITIES,
    _item("Accounts Payable", "AccountsPayableCurrent"),
    _item("Other Current Liabilities", "OtherLiabilitiesCurrent"),
    _item("Long-term Debt without its Current Part", "LongTermDebtNoncurrent"),
    _item("Other Non-current Liabilities", "OtherLiabilitiesNoncurrent"),
    EQUITY,
    _item("Common Stock", "CommonStockValue"),
    _item("Retained Earnings", "RetainedEarningsAccumulatedDeficit"),
    REVENUE,
    _item("Cost of Revenue", "CostOfRevenue", "CostOfGoodsAndServicesSold"),
    GROSS,
    _item("Research and Development Expense", "ResearchAndDevelopmentExpense"),
    _item("Selling, General and Administrative Expense", "SellingGeneralAndAdministrativeExpense"),
    OPERATING,
    _item("Interest Expense", "InterestExpense"),
    _item("Income Tax Expense", "IncomeTaxExpenseBenefit"),
    NET,
    _item("Depreciation and Amortisation", "DepreciationDepletionAndAmortization"),
    FROM_OPERATIONS,
    _item("Cash from Investing Activities", "NetCashProvidedByUsedInInvestingActivities"),
    _item("Cash from Financing Activities", "NetCashProvidedByUsedInFinancingActivities"),
    _item("Capital Expenditure", "PaymentsToAcquirePropertyPlantAndEquipment"),
)

RATIOS = (
    Ratio("Current Ratio", (CURRENT_ASSETS,), CURRENT_LIABILITIES, False),
    Ratio("Quick Ratio", (CURRENT_ASSETS, INVENTORY), CURRENT_LIABILITIES, False),
    Ratio("Equity Multiplier", (ASSETS,), EQUITY, False),
    Ratio("Gross Profit Margin", (GROSS,), REVENUE, True),
    Ratio("Operating Profit Margin", (OPERATING,), REVENUE, True),
    Ratio("Net Profit Margin", (NET,), REVENUE, True),
    Ratio("Cash Flow Margin", (FROM_OPERATIONS,), REVENUE, True),
)


def formula(ratio: Ratio, above: tuple[str, ...], below: str) -> str:
    """Write a ratio with names or numbers in it, in the one form that answers have.

    Args:
        ratio: which one.
        above: one text for each item above the line.
        below: the text of the item below it.
    """
    top = above[0] if len(above) == 1 else f"({' - '.join(above)})"
    return f"({top} / {below}) * 100" if ratio.percent else f"{top} / {below}"
