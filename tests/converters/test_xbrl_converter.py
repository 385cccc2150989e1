"""The benchmark's XBRL questions, with the shipped filings in the place of the real ones."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from finlora import tasks, xbrl
from finlora.converters import Converted, Record
from finlora.converters.xbrl_extract import MENDS, NO_FACTS, NO_FILING, convert
from finlora.converters.xbrl_questions import kind_of, questions
from finlora.errors import DataError, UsageError
from finlora.filing_rows import LONGEST, TASKS

FOLDER = Path(xbrl.__file__).parent / "files" / "filings"
COMPANIES = {
    "qlmk": "Quillmark Inc",
    "ospv": "Osprey & Vale Co",
    "brkw": "Brackwater’s Corp",
    "tiny": "Tiny Co",
}
EXAMPLES = {
    "tag": "us-gaap:ATag",
    "value": "80000000",
    "formula": "us-gaap:ATag / us-gaap:BTag) * 100",
    "calculation": "(50000000 / 3590000000) * 100",
}
OPENING = "Answer.\nExample question: Exapmle company's item?\nExample answer: "
TASK = tasks.load()["xbrl_tags_extract"]
Records = dict[str, list[Record]]


def a_task(kind: str) -> tasks.Task:
    return TASK.model_copy(update={"id": TASKS.get(kind, "xbrl_extract")})


def filings() -> list[Record]:
    return [
        Record({"path": f"{path.stem}/{path.name}", "text": path.read_text()}, path.name, 1)
        for path in sorted(FOLDER.glob("*.xml"))
    ]


def amount(company: str, year: int, tag: str) -> str:
    text = (FOLDER / f"{company}-{year}1231.xml").read_text()
    hit = re.search(rf'<us-gaap:{tag} contextRef="[DI]" [^>]*>(-?\d+)<', text)
    assert hit
    return hit[1]


def bare(kind: str, company: str, year: int, question: str, answer: str, place: str = "D") -> Record:
    name = f"{company}-{year}1231"
    values = {
        "instruction": f"{OPENING}{EXAMPLES[kind]}\n",
        "input": f"Question: {question} \nAnswer:",
        "output": answer,
        "year": str(year),
        "company": company,
        "doc_path": f"{name}/{name}.xml",
        "context_id": place,
    }
    return Record(values, f"{kind}.csv", 2)


def asked(company: str, year: int) -> list[Record]:
    """Return one question of each kind, in the wordings of the benchmark."""
    name, fiscal = COMPANIES[company], f"FY {year}"
    ending = f"Fiscal Year ending in {fiscal}"
    net, debris = amount(company, year, "NetIncomeLoss"), "  * 100')"
    revenue = "Revenues" if company == "qlmk" else "RevenueFromContractWithCustomerExcludingAssessedTax"
    ratio = f"(us-gaap:NetIncomeLoss / us-gaap:{revenue}) * 100"
    filled = f"({net} / {amount(company, year, revenue)}) * 100"
    return [
        bare(
            "tag",
            company,
            year,
            f"Net Income as reported by {name} for the {ending}?",
            "us-gaap:NetIncomeLoss",
        ),
        bare(
            "value", company, year, f"What is the value of {name}'s Net Income for the {ending}?", f"{net}.0"
        ),
        bare(
            "value",
            company,
            year,
            f"Net Income for {name} at the end of the Fiscal Year {fiscal}?",
            f"{net}.0",
        ),
        bare(
            "formula",
            company,
            year,
            f"the formula that {name} uses for Net Profit Margin in {fiscal}.{debris}",
            ratio,
        ),
        bare("calculation", company, year, f"How much was {name}'s Net Profit Margin for {fiscal}? ", filled),
    ]


def benchmark() -> Records:
    train = [record for company in ("qlmk", "ospv", "brkw") for record in asked(company, 2022)]
    test = [record for company in ("qlmk", "ospv", "brkw") for record in asked(company, 2023)]
    return {"train": train, "test": test, "filings": filings()}


def with_test(*records: Record) -> Records:
    """Return the benchmark with more test questions, in the front."""
    some = benchmark()
    return {**some, "test": [*records, *some["test"]]}


def reasons(made: Converted) -> Counter[str]:
    return Counter(dropped.why for dropped in made.dropped)


OTHER_SIDE = "its company or its year belongs to the other side"


@pytest.mark.parametrize("kind", [*TASKS, "all"])
def test_mended_rows_of_each_task(kind: str) -> None:
    made = convert(a_task(kind), benchmark(), as_published=False)
    rows = made.rows["train"] + made.rows["test"]
    kinds = 4 if kind == "all" else 1
    assert [len(made.rows[side]) for side in ("train", "test")] == [2 * kinds, kinds]
    assert {row["year"] for row in made.rows["train"]} == {2022}
    assert {row["year"] for row in made.rows["test"]} == {2023}
    assert {row["company"] for row in made.rows["train"]} & {
        row["company"] for row in made.rows["test"]
    } == set()
    assert {row["task"] for row in rows} == ({TASKS[kind]} if kind != "all" else set(TASKS.values()))
    assert [row for row in rows if "* 100')" in row["context"] or "Exapmle" in row["context"]] == []
    assert [row for row in rows if row["context"].count("(") != row["context"].count(")")] == []
    assert [row for row in rows if not re.search(r"\S\nAnswer:$", row["context"])] == []
    assert reasons(made)[OTHER_SIDE] == 3 * kinds


def test_amounts_lose_their_point_and_paraphrases_are_one() -> None:
    made = convert(a_task("value"), benchmark(), as_published=False)
    assert {row["target"] for row in made.rows["train"] + made.rows["test"]} <= {
        amount(company, year, "NetIncomeLoss")
        for company in COMPANIES
        if company != "tiny"
        for year in (2022, 2023)
    }
    assert reasons(made) == {"the same question in other words": 6, OTHER_SIDE: 3}
    assert made.mended == {MENDS["number"]: 6, MENDS["example"]: 6}


def test_every_mend_is_counted() -> None:
    records = with_test(
        bare("tag", "brkw", 2023, "Accounts Receivable?", amount("brkw", 2023, "Assets") + ".0", "I"),
        bare("tag", "qlmk", 2023, "Accounts Receivable?", amount("qlmk", 2023, "Assets") + ".0", "I"),
        bare("tag", "ospv", 2023, "Accounts Receivable?", amount("ospv", 2023, "Assets") + ".0", "I"),
    )
    made = convert(a_task("all"), records, as_published=False)
    assert made.mended == {
        MENDS["kind"]: 3,
        MENDS["number"]: 9,
        MENDS["debris"]: 6,
        MENDS["example"]: 27,
    }
    (row,) = [row for row in made.rows["test"] if "Receivable" in row["context"]]
    assert row["task"] == "xbrl_value_extract"
    left = convert(a_task("tag"), records, as_published=False)
    assert reasons(left)["belongs to xbrl_value_extract"] == 3


def test_amounts_among_the_tag_questions_come_back_as_value_questions_when_mended_alone() -> None:
    amounts = [
        bare("tag", company, 2023, "Accounts Receivable?", amount(company, 2023, "Assets") + ".0", "I")
        for company in ("brkw", "qlmk", "ospv")
    ]
    mended = convert(a_task("value"), with_test(*amounts), as_published=False)
    assert [len(mended.rows[side]) for side in ("train", "test")] == [2, 2]
    assert mended.mended[MENDS["kind"]] == 3
    published = convert(a_task("value"), with_test(*amounts), as_published=True)
    assert published.rows == convert(a_task("value"), benchmark(), as_published=True).rows


def test_the_value_task_reads_the_test_files_of_both() -> None:
    source = tasks.load()["xbrl_value_extract"].source
    assert isinstance(source, tasks.Bring)
    names = [part.path for part in source.files["test"]]
    assert names == ["xbrl_extract_value_test.jsonl", "xbrl_extract_tags_test.jsonl"]


DROPPED = {
    "an extension tag": (
        bare("tag", "qlmk", 2023, "?", "ospv:FleetModernisationReserve"),
        "the answer has a tag outside us-gaap, and the facts show none",
    ),
    "a tag that is not shown": (
        bare("tag", "qlmk", 2023, "?", "us-gaap:Assets"),
        "the answer is not among the facts shown",
    ),
    "an amount that is not shown": (
        bare("value", "qlmk", 2023, "?", "1.0"),
        "the answer is not among the facts shown",
    ),
    "a formula with one tag that is not shown": (
        bare("formula", "qlmk", 2023, "?", "us-gaap:NetIncomeLoss / us-gaap:Assets"),
        "the answer is not among the facts shown",
    ),
    "a formula with one amount that is not shown": (
        bare("calculation", "qlmk", 2023, "?", "1 / " + amount("qlmk", 2023, "Revenues")),
        "the answer is not among the facts shown",
    ),
    "prose": (bare("tag", "qlmk", 2023, "?", "nobody knows"), "the answer is no tag, number or formula"),
    "a filing that was not brought": (bare("tag", "tiny", 2023, "?", "us-gaap:Assets"), NO_FILING),
    "a context without facts": (bare("tag", "qlmk", 2023, "?", "us-gaap:Assets", "nowhere"), NO_FACTS),
}


def test_there_are_eight_reasons() -> None:
    assert len(DROPPED) == 8


@pytest.mark.parametrize("name", DROPPED)
def test_what_can_not_be_answered_is_dropped_with_its_place(name: str) -> None:
    record, why = DROPPED[name]
    made = convert(a_task("all"), with_test(record), as_published=False)
    (dropped,) = [dropped for dropped in made.dropped if dropped.why == why]
    assert (dropped.file, dropped.line) == (record.file, record.line)


def test_published_facts_are_as_the_benchmark_wrote_them() -> None:
    text = (
        '\ufeff<?xml version="1.0" encoding="UTF-16"?><x:xbrl xmlns:x="http://www.xbrl.org/2003/instance" '
        'xmlns:g="http://fasb.org/us-gaap/2023" xmlns:dei="http://xbrl.sec.gov/dei/2023">'
        '<g:Assets contextRef="c" unitRef="u" decimals="-6">12</g:Assets><g:Goodwill contextRef="c"/>'
        f'<g:Policy contextRef="c">Land &amp; sea, {"x" * 200}</g:Policy>'
        '<g:ATextBlock contextRef="c">long</g:ATextBlock><g:Styled contextRef="c">a style="b"</g:Styled>'
        '<dei:DocumentType contextRef="c">10-K</dei:DocumentType><g:Assets contextRef="d">13</g:Assets>'
        "</x:xbrl>"
    )
    record = bare("tag", "qlmk", 2023, "Where?", "us-gaap:Assets", "c")
    records = {
        "train": [],
        "test": [record],
        "filings": [Record({"path": record.values["doc_path"], "text": text}, "f", 1)],
    }
    (row,) = convert(a_task("tag"), records, as_published=True).rows["test"]
    cut = "x" * (100 - len("Land & sea, "))
    assert row["context"] == (
        "Answer.\nExample question: Exapmle company's item?\nExample answer: us-gaap:ATag\n"
        f"XML File: <us-gaap:Assets>12</>\n<us-gaap:Goodwill/>\n<us-gaap:Policy>Land&amp;sea,{cut}</>\n"
        "Question: Where? \nAnswer:"
    )
    (mended,) = questions(records, as_published=False)
    assert mended.facts == ("<us-gaap:Assets>12</>", f"<us-gaap:Policy>Land & sea, {cut}</>")


def test_the_published_training_rows_are_reduced_and_sorted() -> None:
    made = convert(a_task("all"), benchmark(), as_published=True)
    # 3 tags, 6 values, 3 formulas, 3 calculations: 1 + 2 + 3 + 3, less the longest tenth of fewer than ten.
    assert Counter(row["task"] for row in made.rows["train"]) == {
        "xbrl_tags_extract": 1,
        "xbrl_value_extract": 2,
        "xbrl_formula_extract": 3,
        "xbrl_formula_calc_extract": 3,
    }
    lengths = [len(row["context"]) for row in made.rows["train"]]
    assert lengths == sorted(lengths)
    assert reasons(made) == {"not in the first third": 6}
    assert len(made.rows["test"]) == 15
    assert {row["target"] for row in made.rows["test"] if row["task"] == "xbrl_value_extract"} == {
        amount(company, 2023, "NetIncomeLoss") + ".0" for company in ("qlmk", "ospv", "brkw")
    }
    assert made.mended == {}
    records = benchmark()
    more = convert(a_task("formula"), {**records, "train": records["train"] * 2}, as_published=True)
    # 2 tags, 4 values, 6 formulas and 6 calculations: the longest of the 18 is gone.
    assert reasons(more) == {"not in the first third": 12, "among the longest tenth": 1}


def as_records(rows: Sequence[Mapping[str, Any]], file: str) -> list[Record]:
    return [
        Record({"context": row["context"], "target": row["target"]}, file, line)
        for line, row in enumerate(rows, 1)
    ]


def finished(kind: str = "all") -> Records:
    """Return the benchmark's own form: finished rows without columns for company and filing."""
    records = benchmark()
    rows = convert(a_task(kind), records, as_published=True).rows
    test = as_records(rows["test"], "test.jsonl")
    thrice = {**records, "train": records["train"] * 3}
    kept = convert(a_task("all"), thrice, as_published=True).rows["train"]
    return {"train": as_records(kept, "train.jsonl"), "test": test}


def test_finished_rows_are_mended_like_the_others() -> None:
    made = convert(a_task("all"), finished(), as_published=False)
    # The table names a company by its ticker, a row by its name: other companies are drawn.
    assert {row["company"] for side in made.rows.values() for row in side} == set(COMPANIES.values()) - {
        "Tiny Co"
    }
    assert {row["task"] for row in made.rows["test"]} == set(TASKS.values())
    assert {row["year"] for row in made.rows["test"]} == {2023}
    assert len(made.rows["test"]) == 4
    assert reasons(made)["its company or year is not to be read from the question"] == 0
    assert [row for side in made.rows.values() for row in side if row["target"].endswith(".0")] == []


def test_finished_rows_as_published_are_passed_on() -> None:
    records = finished("tag")
    made = convert(a_task("tag"), records, as_published=True)
    assert [row["context"] for row in made.rows["test"]] == [r.values["context"] for r in records["test"]]
    assert {row["task"] for row in made.rows["train"]} == {"xbrl_tags_extract"}
    assert made.dropped == ()


NAMED = [
    "What is the US GAAP XBRL tag for Total Equity as reported by {} for the Fiscal Year ending in FY 2023?",
    "Please find the tag for Inventory reported by {} at the end of FY 2023.",
    "The tag of Cash Flow for Investing Activities for {} for the fiscal period concluding in FY 2023?",
    "The XBRL tag for Accounts Receivable that was used by {} in the FY 2023?",
    "The XBRL tag for Plant, Property, and Equipment as used by {} during the FY 2023.",
    "What is the value of {}'s Cash Flow for Financing Activities for the Fiscal Year ending in FY 2023?",
    "The reported value of Plant, Property, and Equipment for {} at the end of the Fiscal Year FY 2023?",
    "Can you provide the value for Current Assets from {} for the Fiscal Year ending in FY 2023?",
    "Please find the Fiscal Year value of Cash Flow for Investing Activities for {} for FY 2023.",
    "How much was {}'s Operating Income for the Fiscal Year concluding in FY 2023?",
    "What formula formatted with tags is used for Current Ratio by {} for the fiscal year FY 2023?",
    "The formula of the Net Profit Margin for {}, using the tags, as it applies to the FY 2023?",
    "The formula for the Cash Flow Margin of {}, formatted with tags, for the year ending in FY 2023?",
    "The formula that {} uses for Quick Ratio, for the fiscal period concluding in FY 2023.",
    "The calculation formula for Cash Flow Margin as used by {} in FY 2023. Could you help?",
]


def test_the_wordings_are_counted() -> None:
    assert len(NAMED) == 15


@pytest.mark.parametrize("wording", NAMED)
@pytest.mark.parametrize("company", ["Procter & Gamble Co", "McDonald’s Corp", "3M Co", "Amazon.com Inc"])
def test_the_company_is_read_from_the_question(wording: str, company: str) -> None:
    context = f"Do.\nXML File: <us-gaap:A>1</>\nQuestion: {wording.format(company)} \nAnswer:"
    (question,) = questions(
        {"test": [Record({"context": context, "target": "1"}, "f", 1)]}, as_published=False
    )
    assert (question.company, question.year) == (company, 2023)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("us-gaap:Assets", "tag"),
        ("jpm:Own_Tag", "tag"),
        ("-305.0", "value"),
        ("(us-gaap:A - us-gaap:B) / us-gaap:C", "formula"),
        ("(-5 / 10) * 100", "calculation"),
        ("5 - 3", "calculation"),
        ("Assets", ""),
        ("", ""),
        ("n/a", ""),
    ],
)
def test_an_answers_kind(answer: str, kind: str) -> None:
    assert kind_of(answer) == kind


def test_a_long_row_is_cut_around_its_answer() -> None:
    noise = "".join(
        f'<us-gaap:N{n:04} contextRef="D" decimals="0" unitRef="usd">{n}</us-gaap:N{n:04}>'
        for n in range(900)
    )
    records = benchmark()
    longer = [
        Record({**r.values, "text": r.values["text"].replace("</xbrl>", noise + "</xbrl>")}, r.file, 1)
        for r in records["filings"]
    ]
    made = convert(a_task("formula"), {**records, "filings": longer}, as_published=False)
    rows = made.rows["train"] + made.rows["test"]
    assert made.mended[MENDS["facts"]] == len(rows) == 3
    assert [
        row for row in rows if not LONGEST - 100 < len(row["context"]) + len(row["target"]) <= LONGEST
    ] == []
    assert [row for row in rows if "<us-gaap:NetIncomeLoss>" not in row["context"]] == []


def changed(split: str, **values: Any) -> Records:
    records = benchmark()
    first = records[split][0]
    return {**records, split: [Record({**first.values, **values}, "bad.csv", 7), *records[split][1:]]}


def without(column: str) -> Records:
    records = benchmark()
    kept = {name: value for name, value in records["test"][0].values.items() if name != column}
    return {**records, "test": [Record(kept, "bad.csv", 7)]}


DOCUMENT = "qlmk-20221231/qlmk-20221231.xml"
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
BAD: Mapping[str, tuple[Records, str]] = {
    "no output": (without("output"), "bad.csv:7: the column 'output' is missing; columns found: instruction"),
    "no context_id": (without("context_id"), "bad.csv:7: the column 'context_id' is missing"),
    "neither form": (
        without("doc_path"),
        "bad.csv:7: the column 'context' is missing; columns found: instruction",
    ),
    "an empty answer": (changed("test", output=" "), "bad.csv:7: 'output' must be a text"),
    "a list": (changed("test", output=["1"]), "bad.csv:7: 'output' must be a text"),
    "no number for a year": (changed("test", year=True), "bad.csv:7: 'year' must be a text"),
    "a year in words": (changed("test", year="last"), "bad.csv:7: 'input' has another shape"),
    "another prompt": (changed("test", input="What?"), "bad.csv:7: 'input' has another shape"),
    "no question": (
        {"test": [Record({"context": "Do.\nAnswer:", "target": "1"}, "bad.jsonl", 3)]},
        "bad.jsonl:3: 'context' has another shape",
    ),
    "no target": (
        {"test": [Record({"context": "Do.\nAnswer:"}, "bad.jsonl", 3)]},
        "bad.jsonl:3: the column 'target' is missing",
    ),
    "a filing without text": (changed("filings", text=""), "bad.csv:7: 'text' must be a text"),
    "a filing that is none": (
        {**benchmark(), "filings": [Record({"path": DOCUMENT, "text": "<x"}, "f.xml", 1)]},
        "f.xml:1: not well-formed XML",
    ),
    "a bomb": (
        {**benchmark(), "filings": [Record({"path": DOCUMENT, "text": BOMB}, "f.xml", 1)]},
        "f.xml:1: declares entities",
    ),
    "no filing": (
        {name: some for name, some in benchmark().items() if name != "filings"},
        f"tag.csv: asks about {DOCUMENT}, and no filing was brought",
    ),
}


def test_there_are_enough_bad_records() -> None:
    assert len(BAD) == 14


@pytest.mark.parametrize("name", BAD)
def test_bad_records_are_refused_with_their_line(name: str) -> None:
    records, message = BAD[name]
    with pytest.raises(DataError) as caught:
        convert(a_task("tag"), records, as_published=False)
    assert message in str(caught.value)


def test_only_twenty_faults_are_shown() -> None:
    many: dict[str, Sequence[Record]] = {
        "test": [Record({"context": "x", "target": "1"}, "f", n) for n in range(1, 31)]
    }
    with pytest.raises(DataError, match=r"21 problems[^$]*10 more faults"):
        convert(a_task("tag"), many, as_published=False)


def test_one_company_can_not_be_divided() -> None:
    records = benchmark()
    one = {side: [r for r in records[side] if r.values["company"] == "qlmk"] for side in ("train", "test")}
    with pytest.raises(UsageError, match="too few filings"):
        convert(a_task("tag"), {**records, **one}, as_published=False)
