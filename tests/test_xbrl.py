"""Reading filings: what is in them, and what is refused."""

import tracemalloc
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finlora import xbrl, xbrl_formats
from finlora.errors import DataError
from finlora.xbrl import Fact, Filing

EXAMPLES = sorted((Path(xbrl.__file__).parent / "files" / "filings").iterdir())

INSTANCE = """<?xml version="1.0" encoding="UTF-8"?>
<xbrl xmlns="http://www.xbrl.org/2003/instance" xmlns:dei="http://xbrl.sec.gov/dei/2023"
 xmlns:iso4217="http://www.xbrl.org/2003/iso4217" xmlns:gaap="http://fasb.org/us-gaap/2023"
 xmlns:own="http://example.com/own" xmlns:xbrldi="http://xbrl.org/2006/xbrldi"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<context id="D"><entity><identifier scheme="http://www.sec.gov/CIK">1</identifier></entity>
<period><startDate>2023-01-01</startDate><endDate>2023-12-31</endDate></period></context>
<context id="I"><entity><identifier scheme="http://www.sec.gov/CIK">1</identifier></entity>
<period><instant>2023-12-31</instant></period></context>
<context id="S"><entity><identifier scheme="http://www.sec.gov/CIK">1</identifier><segment>
<xbrldi:explicitMember dimension="gaap:SegmentsAxis">own:RailMember</xbrldi:explicitMember></segment></entity>
<period><instant>2023-12-31</instant></period></context>
<unit id="usd"><measure>iso4217:USD</measure></unit>
<unit id="each"><divide><unitNumerator><measure>iso4217:USD</measure></unitNumerator>
<unitDenominator><measure>shares</measure></unitDenominator></divide></unit>
<dei:EntityRegistrantName contextRef="D">Acme &amp; Sons</dei:EntityRegistrantName>
<dei:DocumentType contextRef="D">10-K</dei:DocumentType>
<dei:DocumentFiscalYearFocus contextRef="D">2023</dei:DocumentFiscalYearFocus>
<dei:DocumentPeriodEndDate contextRef="D">2023-12-31</dei:DocumentPeriodEndDate>
<gaap:Assets contextRef="I" unitRef="usd" decimals="-6">394328000000</gaap:Assets>
<gaap:Assets contextRef="S" unitRef="usd" decimals="-6">100000000</gaap:Assets>
<gaap:ProfitLoss contextRef="D" unitRef="usd" decimals="0">-12.50</gaap:ProfitLoss>
<gaap:EarningsPerShareBasic contextRef="D" unitRef="each" decimals="2">6.10</gaap:EarningsPerShareBasic>
<gaap:Goodwill contextRef="I" unitRef="usd" xsi:nil="true"/>
<gaap:PolicyTextBlock contextRef="D">long</gaap:PolicyTextBlock>
</xbrl>
"""

INLINE = """<html xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/2013/inlineXBRL"
 xmlns:ixt="http://www.xbrl.org/inlineXBRL/transformation/2020-02-12"
 xmlns:old="http://www.xbrl.org/inlineXBRL/transformation/2015-02-26"
 xmlns:sec="http://www.sec.gov/inlineXBRL/transformation/2015-08-31" xmlns:odd="http://example.com/odd"
 xmlns:xbrli="http://www.xbrl.org/2003/instance" xmlns:iso4217="http://www.xbrl.org/2003/iso4217"
 xmlns:dei="http://xbrl.sec.gov/dei/2023" xmlns:us-gaap="http://fasb.org/us-gaap/2023"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><body><ix:header><ix:hidden>
<ix:nonNumeric name="dei:DocumentType" contextRef="D">10-Q</ix:nonNumeric>
<ix:nonNumeric name="dei:DocumentFiscalYearFocus" contextRef="D">2023</ix:nonNumeric></ix:hidden>
<ix:resources><xbrli:context id="D"><xbrli:entity><xbrli:identifier scheme="x">7</xbrli:identifier>
</xbrli:entity><xbrli:period><xbrli:startDate>2023-07-01</xbrli:startDate>
<xbrli:endDate>2023-09-30</xbrli:endDate></xbrli:period></xbrli:context>
<xbrli:unit id="usd"><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unit></ix:resources></ix:header>
<p><ix:nonNumeric name="dei:EntityRegistrantName" contextRef="D">Acme
 <ix:exclude>page 3</ix:exclude><!-- a remark -->Inc</ix:nonNumeric></p>
<p><ix:nonNumeric name="dei:DocumentPeriodEndDate" contextRef="D" format="ixt:date-monthname-day-year-en"
>September 30, 2023</ix:nonNumeric></p>
<p>{fact}</p></body></html>
"""
NUMBER = (
    '<ix:nonFraction name="us-gaap:Revenues" contextRef="D" unitRef="usd" decimals="0"{more}>{text}'
    "</ix:nonFraction>"
)


def instance(old: str = "", new: str = "") -> bytes:
    assert old in INSTANCE
    return INSTANCE.replace(old, new, 1).encode()


def inline(more: str = "", text: str = "1") -> bytes:
    return INLINE.replace("{fact}", NUMBER.format(more=more, text=text)).encode()


def parsed(content: bytes) -> Filing:
    return xbrl.parse_filing(content, "f.xml")


def fault(content: bytes) -> str:
    with pytest.raises(DataError) as caught:
        parsed(content)
    return str(caught.value)


def one(filing: Filing, name: str) -> Fact:
    (fact,) = [fact for fact in filing.facts if fact.tag.endswith(f":{name}")]
    return fact


def test_an_instance_is_read_whole() -> None:
    filing = parsed(instance())
    assert (filing.company, filing.entity, filing.year) == ("Acme & Sons", "1", 2023)
    assert (filing.document_type, filing.period_end, filing.file) == ("10-K", date(2023, 12, 31), "f.xml")
    assert [fact.tag for fact in filing.facts][4:] == [
        "us-gaap:Assets",
        "us-gaap:ProfitLoss",
        "us-gaap:EarningsPerShareBasic",
    ]
    assert one(filing, "Assets") == Fact(
        "us-gaap:Assets",
        Decimal(394328000000),
        "USD",
        "I",
        None,
        None,
        date(2023, 12, 31),
        -6,
        20,
    )
    assert str(one(filing, "Assets").value) == "394328000000"
    assert str(one(filing, "ProfitLoss").value) == "-12.5"
    assert one(filing, "ProfitLoss").start == date(2023, 1, 1)
    assert one(filing, "EarningsPerShareBasic").unit == "USD/shares"


def test_facts_about_parts_are_kept_apart_and_nil_says_nothing() -> None:
    filing = parsed(instance())
    assert [(fact.tag, str(fact.value), fact.dimensions) for fact in filing.segments] == [
        ("us-gaap:Assets", "100000000", (("us-gaap:SegmentsAxis", "own:RailMember"),))
    ]
    assert "us-gaap:Goodwill" not in [fact.tag for fact in filing.facts]


@pytest.mark.parametrize(
    ("more", "text", "value"),
    [
        ("", "1234", "1234"),
        (' format="ixt:num-dot-decimal"', "1,234,567.50", "1234567.5"),
        (' format="ixt:num-dot-decimal" scale="6"', "394,328", "394328000000"),
        (' format="ixt:num-dot-decimal" scale="6" sign="-"', "1.5", "-1500000"),
        (' format="ixt:num-dot-decimal" scale="-2"', "12.3", "0.123"),
        (' format="ixt:num-dot-decimal"', "1\u00a0234.5", "1234.5"),
        (' format="ixt:num-comma-decimal" scale="3"', "1.234,5", "1234500"),
        (' format="ixt:num-comma-decimal"', "1 234,56", "1234.56"),
        (' format="ixt:num-unit-decimal"', "1,234 dollars 5 cents", "1234.05"),
        (' format="ixt:fixed-zero"', "nothing", "0"),
        (' format="old:zerodash"', "\u2014", "0"),
        (' format="old:numdotdecimal"', "1,000", "1000"),
        (' format="old:numcommadecimal"', "1.000", "1000"),
        (' format="sec:numwordsen" scale="0"', "two hundred and forty-one thousand", "241000"),
        (' format="sec:numwordsen"', "no", "0"),
        ("", NUMBER.format(more="", text="77"), "77"),
        ("", " <b>1</b>".replace("<b>", "").replace("</b>", "") + "\n", "1"),
        (' format="ixt:num-dot-decimal"', "1,2<!-- a remark -->34", "1234"),
        (
            ' format="ixt:num-dot-decimal" scale="9"',
            "12345678901234567890123456789.125",
            "12345678901234567890123456789125000000",
        ),
    ],
)
def test_inline_numbers_mean_what_they_show(more: str, text: str, value: str) -> None:
    filing = parsed(inline(more, text))
    assert filing.company == "Acme Inc"
    assert filing.period_end == date(2023, 9, 30)
    assert str(one(filing, "Revenues").value) == value


@pytest.mark.parametrize("shown", ["", " ", "\u2014", "-"])
def test_a_nil_number_shows_nothing_or_a_dash(shown: str) -> None:
    assert "us-gaap:Revenues" not in [fact.tag for fact in parsed(inline(' xsi:nil="true"', shown)).facts]


def test_a_fact_of_another_target_document_is_passed_over() -> None:
    assert "us-gaap:Revenues" not in [fact.tag for fact in parsed(inline(' target="other"')).facts]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-09-28", date(2024, 9, 28)),
        ("September 28, 2024", date(2024, 9, 28)),
        ("28 Sept. 2024", date(2024, 9, 28)),
        ("9/28/2024", date(2024, 9, 28)),
    ],
)
def test_dates_as_filings_write_them(text: str, day: date) -> None:
    assert xbrl_formats.day(text) == day


@pytest.mark.parametrize(
    "text", ["", "28", "2024-02-30", "Septembre", "28.9.24.1", "Mai Mai 2024", "0000-01-01"]
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|day|month|year"):
        xbrl_formats.day(text)


def test_midnight_is_the_end_of_the_day_before() -> None:
    filing = parsed(instance("<instant>2023-12-31</instant>", "<instant>2024-01-01T00:00:00</instant>"))
    assert one(filing, "Assets").instant == date(2023, 12, 31)


ASSETS = '<gaap:Assets contextRef="I" unitRef="usd" decimals="-6">394328000000</gaap:Assets>'


def test_the_same_fact_in_rounder_figures_is_kept_once_in_the_exact_ones() -> None:
    rounder = ASSETS.replace('"-6">394328', '"-9">394000')
    filing = parsed(instance(ASSETS, rounder + ASSETS))
    assert str(one(filing, "Assets").value) == "394328000000"


def test_a_date_may_stand_there_in_two_forms() -> None:
    second = '<dei:DocumentPeriodEndDate contextRef="D">December 31, 2023</dei:DocumentPeriodEndDate></xbrl>'
    assert parsed(instance("</xbrl>", second)).period_end == date(2023, 12, 31)


def test_a_filing_may_name_no_fiscal_year() -> None:
    assert (
        parsed(
            instance("dei:DocumentFiscalYearFocus", "dei:Other").replace(
                b"/dei:DocumentFiscalYearFocus", b"/dei:Other"
            )
        ).year
        is None
    )


def entities(count: int) -> str:
    chain = (f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, count))
    return f'<!ENTITY e0 "lol">{"".join(chain)}'


BAD_INSTANCES = {
    "billion laughs": (
        f"<!DOCTYPE xbrl [{entities(10)}]><xbrl>&e9;</xbrl>".encode(),
        "f.xml:1: not well-formed XML: Maximum entity amplification",
    ),
    "a small bomb": (
        f"<!DOCTYPE xbrl [{entities(3)}]><xbrl>&e2;</xbrl>".encode(),
        "f.xml:1: declares entities",
    ),
    "a bomb in an attribute": (
        f'<!DOCTYPE xbrl [{entities(3)}]><xbrl id="&e2;"/>'.encode(),
        "f.xml:1: declares entities",
    ),
    "a file outside": (
        b'<!DOCTYPE xbrl [<!ENTITY x SYSTEM "file:///etc/hostname">]><xbrl>&x;</xbrl>',
        "f.xml:1: declares entities",
    ),
    "a parameter entity": (
        b'<!DOCTYPE xbrl [<!ENTITY % x SYSTEM "file:///etc/hostname"> %x;]><xbrl/>',
        "f.xml:1: declares entities",
    ),
    "an entity of a DTD elsewhere": (
        b'<!DOCTYPE xbrl SYSTEM "http://127.0.0.1:9/x.dtd"><xbrl>\n&nbsp;</xbrl>',
        "f.xml:2: uses the entity &nbsp;",
    ),
    "too deep": (b"<a>" * 300, "f.xml:1: not well-formed XML: Excessive depth"),
    "invalid UTF-8": (
        INSTANCE.replace("Acme", "Ac\u00e9").encode("latin-1"),
        "f.xml:16: not well-formed XML: Inv",
    ),
    "an unknown encoding": (b'<?xml version="1.0" encoding="klingon"?><x/>', "f.xml:1: not well-formed XML"),
    "nothing": (b"", "f.xml:1: not well-formed XML: Document is empty"),
    "JSON": (b"{}", "f.xml:1: not well-formed XML: Start tag expected"),
    "cut off": (INSTANCE[:-60].encode(), "f.xml:25: not well-formed XML"),
    "another root": (b"<r/>", "f.xml:1: its root is <r>"),
    "xbrl of no namespace": (b"<xbrl/>", "f.xml:1: its root is <xbrl>"),
    "a linkbase": (
        b'<linkbase xmlns="http://www.xbrl.org/2003/linkbase"/>',
        "f.xml:1: its root is <{http://www.xbrl.org/2003/linkbase}linkbase>",
    ),
    "a page without tags": (
        b'<html xmlns="http://www.w3.org/1999/xhtml"><p>1</p></html>',
        "a page without inline XBRL",
    ),
    "no context at all": (
        b'<xbrl xmlns="http://www.xbrl.org/2003/instance"/>',
        "has no context; facts need one",
    ),
}

# What is replaced in the good instance, by what, and what is then said.
EDITS = {
    "an undefined context": (
        'contextRef="I" unitRef="usd" decimals',
        'contextRef="X" unitRef="usd" decimals',
        "f.xml:20: us-gaap:Assets: there is no context 'X'",
    ),
    "an undefined unit": (
        'unitRef="usd" decimals',
        'unitRef="eur" decimals',
        "f.xml:20: us-gaap:Assets: there is no unit 'eur'",
    ),
    "a context twice": (
        '<context id="I">',
        '<context id="D">',
        "f.xml:8: context 'D': an id is needed, and only once",
    ),
    "a context without id": ('<context id="I">', "<context>", "f.xml:8: context '': an id is needed"),
    "no identifier": (
        '<identifier scheme="http://www.sec.gov/CIK">1</identifier>',
        "",
        "f.xml:6: context 'D': has no entity identifier",
    ),
    "no period": (
        "<period><instant>2023-12-31</instant></period>",
        "",
        "f.xml:8: context 'I': has no period",
    ),
    "an empty period": ("<instant>2023-12-31</instant>", "", "context 'I': its period has nothing"),
    "half a period": ("<startDate>2023-01-01</startDate>", "", "context 'D': its period has endDate"),
    "a period backwards": (
        "2023-01-01",
        "2024-01-01",
        "context 'D': its period ends (2023-12-31) before it starts",
    ),
    "no day": (
        "<instant>2023-12-31",
        "<instant>2023-02-30",
        "context 'I': '2023-02-30' is no day of the calendar",
    ),
    "no date": ("<instant>2023-12-31", "<instant>last year", "context 'I': 'last year' is no date"),
    "a time of day": (
        "<instant>2023-12-31",
        "<instant>2023-12-31T12:00:00",
        "context 'I': '2023-12-31T12:00:00' is no date",
    ),
    "an unknown axis": (
        'dimension="gaap:',
        'dimension="nope:',
        "f.xml:10: context 'S': 'nope:SegmentsAxis' is no name",
    ),
    "a unit twice": ('<unit id="each">', '<unit id="usd">', "unit 'usd': an id is needed, and only once"),
    "a unit of nothing": ("<measure>iso4217:USD</measure></unit>", "</unit>", "unit 'usd': has no measure"),
    "a number in words": (">394328000000<", ">a lot<", "f.xml:20: Assets: 'a lot' is no number"),
    "a number with commas": (">394328000000<", ">394,328<", "Assets: '394,328' is no number"),
    "a number with an exponent": (">394328000000<", ">1E999999999<", "'1E999999999' is no number"),
    "not a number": (">394328000000<", ">NaN<", "'NaN' is no number"),
    "an empty number": (">394328000000<", "><", "'' is no number"),
    "a number of a thousand digits": (">394328000000<", f">{'9' * 1000}<", "is no number"),
    "no decimals": (' decimals="-6"', "", "Assets: a number needs decimals or precision"),
    "decimals and precision": (
        'decimals="-6"',
        'decimals="-6" precision="3"',
        "a number needs decimals or precision",
    ),
    "bad decimals": ('decimals="-6"', 'decimals="six"', "decimals or precision is 'six'"),
    "a tuple": ('<gaap:PolicyTextBlock contextRef="D">', "<gaap:PolicyTextBlock>", "tuples are not read"),
    "nil with a value": (
        'xsi:nil="true"/>',
        'xsi:nil="true">5</gaap:Goodwill>',
        "f.xml:24: a fact is nil and has a value",
    ),
    "a contradiction": (
        ASSETS,
        ASSETS + "\n" + ASSETS.replace("394328", "394330"),
        "f.xml:21: us-gaap:Assets is 394330000000 here and 394328000000 in line 20",
    ),
    "two kinds of document": (
        "</xbrl>",
        '<dei:DocumentType contextRef="D">10-Q</dei:DocumentType></xbrl>',
        "f.xml:17: dei:DocumentType has 2 values",
    ),
    "no company": (
        'dei:EntityRegistrantName contextRef="D">Acme &amp; Sons</dei:EntityRegistrantName',
        'dei:X contextRef="D">x</dei:X',
        "f.xml: dei:EntityRegistrantName is missing",
    ),
    "an empty company": ("Acme &amp; Sons", " ", "f.xml:16: dei:EntityRegistrantName: is empty"),
    "a bad year": (
        'Focus contextRef="D">2023',
        'Focus contextRef="D">23',
        "dei:DocumentFiscalYearFocus: '23' is no year",
    ),
    "two years": (
        "</xbrl>",
        '<dei:DocumentFiscalYearFocus contextRef="I">2022</dei:DocumentFiscalYearFocus></xbrl>',
        "f.xml:18: dei:DocumentFiscalYearFocus has 2 values",
    ),
    "a bad end": (
        'DocumentPeriodEndDate contextRef="D">2023-12-31',
        'DocumentPeriodEndDate contextRef="D">soon',
        "f.xml:19: dei:DocumentPeriodEndDate: 'soon' is no date",
    ),
    "two companies": ('CIK">1<', 'CIK">2<', "f.xml:5: speaks of 2 entities: 1, 2"),
}
BAD_INLINE = {
    "a comma that is no group": (' format="ixt:num-dot-decimal"', "1,5", "'1,5' is no number with '.'"),
    "dots in dot decimals": (' format="ixt:num-dot-decimal"', "1.234.567", "is no number with '.'"),
    "brackets": (' format="ixt:num-dot-decimal"', "(12)", "'(12)' is no number"),
    "a minus sign": ("", "-12", "'-12' is no number of 0 or more"),
    "a grouped number without a format": ("", "1,234", "'1,234' is no number of 0 or more"),
    "an unknown format": (' format="ixt:num-roman"', "XII", "the format ixt:num-roman is not known"),
    "a format of a strange registry": (' format="odd:numdotdecimal"', "1", "is of no known registry"),
    "an undeclared format": (' format="nope:numdotdecimal"', "1", "is of no known registry"),
    "hundredths without a unit": (' format="ixt:num-unit-decimal"', "1,234.5", "is no amount in units"),
    "a number of a thousand digits": (' format="ixt:num-dot-decimal"', "9" * 1000, "is no number with '.'"),
    "a dash that is a word": (' format="old:zerodash"', "nil", "'nil' is no dash"),
    "words that are no number": (' format="sec:numwordsen"', "several", "'several' is no number in words"),
    "a scale in words": (' scale="million"', "1", "scale is 'million'"),
    "a scale out of all bounds": (' scale="99"', "1", "scale is '99'"),
    "a plus sign": (' sign="+"', "1", "sign is '+'"),
    "nothing shown": ("", "", "'' is no number"),
    "text around a nested number": (
        "",
        "about " + NUMBER.format(more="", text="7"),
        "a number holds a text, or one other number",
    ),
    "a nested number of another scale": (
        "",
        NUMBER.format(more=' scale="3"', text="7"),
        "have another scale",
    ),
    "a page inside": ("", "<b>7</b>", "a number holds a text, or one other number"),
    "nil with a value": (' xsi:nil="true"', "7", "a fact is nil and has a value"),
}


def test_there_are_enough_bad_documents() -> None:
    assert (len(BAD_INSTANCES), len(EDITS), len(BAD_INLINE)) == (17, 34, 20)


@pytest.mark.parametrize("name", BAD_INSTANCES)
def test_a_bad_document_is_refused_with_its_line(name: str) -> None:
    content, message = BAD_INSTANCES[name]
    assert message in fault(content)


@pytest.mark.parametrize("name", EDITS)
def test_a_bad_part_of_an_instance_is_refused(name: str) -> None:
    old, new, message = EDITS[name]
    assert message in fault(instance(old, new))


@pytest.mark.parametrize("name", BAD_INLINE)
def test_a_bad_inline_number_is_refused(name: str) -> None:
    more, text, message = BAD_INLINE[name]
    assert message in fault(inline(more, text))


def test_all_faults_come_at_once_and_not_too_many() -> None:
    assert fault(instance("2023-01-01", "2024-01-01").replace(b"394328000000", b"x")).startswith("2 problems")
    many = ASSETS.replace("394328000000", "x") * 30
    assert "more faults" in fault(instance(ASSETS, many))


def test_a_file_of_more_than_20_mb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "big.xml"
    with path.open("wb") as file:
        file.truncate(xbrl.LARGEST + 1)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"big\.xml: has 20,971,521 bytes; at most 20,971,520 are read"):
        xbrl.read(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert "at most 20,971,520 are read" in fault(b" " * (xbrl.LARGEST + 1))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.xml", tmp_path):
        with pytest.raises(DataError, match="can't be read"):
            xbrl.read(path)


def test_linkbases_and_plain_pages_are_no_filings() -> None:
    assert xbrl.is_filing(instance())
    assert xbrl.is_filing(inline())
    linkbase = b'<link:linkbase xmlns:link="http://www.xbrl.org/2003/linkbase" a="http://www.xbrl.org/2003/instance">'
    assert not xbrl.is_filing(linkbase)
    assert not xbrl.is_filing(b"<html><p>Exhibit 99</p>")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_shipped_filings_balance(path: Path) -> None:
    filing = xbrl.read(path)
    values = {
        fact.tag.removeprefix("us-gaap:"): fact.value
        for fact in filing.facts
        if filing.period_end in (fact.end, fact.instant) and isinstance(fact.value, Decimal)
    }
    assert values["Assets"] == values["Liabilities"] + values["StockholdersEquity"]
    revenue = values.get("Revenues") or values["RevenueFromContractWithCustomerExcludingAssessedTax"]
    assert values["GrossProfit"] == revenue - values["CostOfRevenue"]
    assert values["NetCashProvidedByUsedInInvestingActivities"] < 0
    assert path.stat().st_size < 40_000


def test_the_shipped_filings_are_of_every_kind() -> None:
    filings = [xbrl.read(path) for path in EXAMPLES]
    assert len(filings) == 13
    assert len({filing.company for filing in filings}) == len({filing.entity for filing in filings}) == 6
    assert {filing.document_type for filing in filings} == {"10-K", "10-Q"}
    assert [len(filing.segments) for filing in filings if filing.segments] == [2, 2]
    assert len([path for path in EXAMPLES if path.suffix == ".htm"]) == 6
