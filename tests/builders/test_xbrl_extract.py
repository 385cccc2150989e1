"""Rows about filings: right by another way of reading, fair between train and test, the same every time."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest

from finlora.builders import xbrl_extract, xbrl_items, xbrl_words
from finlora.builders.xbrl_extract import OWN, Built, build
from finlora.errors import DataError, UsageError
from finlora.filing_rows import LONGEST, nearest, sides

BUILT = build()
ROWS = BUILT.train + BUILT.test
INLINE = "{http://www.xbrl.org/2013/inlineXBRL}nonFraction"
# What a label means, written down a second time.
MEANINGS = {
    "Total Assets": "Assets",
    "Inventory": "InventoryNet",
    "Revenue": "Revenue",
    "Net Income": "NetIncomeLoss",
    "Current Liabilities": "LiabilitiesCurrent",
    "Accounts Receivable": "AccountsReceivableNetCurrent",
    "Retained Earnings": "RetainedEarningsAccumulatedDeficit",
    "Capital Expenditure": "PaymentsToAcquirePropertyPlantAndEquipment",
    "Cash from Investing Activities": "NetCashProvidedByUsedInInvestingActivities",
}


def figures(name: str) -> dict[str, int]:
    """Read the current year's whole amounts of a shipped filing with the standard library alone."""
    text = (OWN / name).read_text(encoding="utf-8")
    if name.endswith(".xml"):
        hits = re.findall(r'<us-gaap:(\w+) contextRef="[DI]" [^>]*>(-?\d+)</', text)
        return {tag: int(value) for tag, value in hits}
    found = {}
    for element in ElementTree.fromstring(text).iter(INLINE):
        shown, scale = element.text or "", int(element.get("scale", "0"))
        # The net income in millions comes a second time, rounded; the table comes first.
        tag = element.get("name", "").removeprefix("us-gaap:")
        if element.get("contextRef") in ("D", "I") and tag not in found and scale:
            digits = int(re.sub(r"\D", "", shown) or 0)
            found[tag] = digits * 10**scale * (-1 if element.get("sign") else 1)
    return found


def rows_of(task: str) -> list[dict[str, object]]:
    return [row for row in ROWS if row["task"] == task]


def shown_facts(row: dict[str, object]) -> dict[str, str]:
    return dict(re.findall(r"<us-gaap:(\w+)>([^<]*)</>", str(row["context"])))


def test_every_kind_is_asked_of_the_right_filings() -> None:
    assert Counter(row["task"] for row in BUILT.train) == {
        "xbrl_tags_extract": 128,
        "xbrl_value_extract": 128,
        "xbrl_formula_extract": 28,
        "xbrl_formula_calc_extract": 28,
    }
    assert len(BUILT.test) == 156
    assert {tuple(row)[:6] for row in ROWS} == {("context", "target", "task", "company", "year", "document")}
    assert {dropped.why for dropped in BUILT.skipped} == {"its company or its year belongs to the other side"}
    assert len(BUILT.skipped) == 7


def test_tags_and_amounts_are_those_of_the_filing() -> None:
    checked = Counter()
    for row in rows_of("xbrl_tags_extract") + rows_of("xbrl_value_extract"):
        facts = figures(str(row["document"]))
        question = str(row["context"]).rpartition("Question: ")[2]
        labels = [item.label for item in xbrl_items.ITEMS if item.label in question]
        label = max(labels, key=len)
        meaning = MEANINGS.get(label, "")
        tags = (
            [tag for tag in facts if meaning and tag.startswith(meaning)] if label == "Revenue" else [meaning]
        )
        if not meaning:
            continue
        (tag,) = tags
        checked[label] += 1
        is_tag = row["task"] == "xbrl_tags_extract"
        assert row["target"] == (f"us-gaap:{tag}" if is_tag else str(facts[tag]))
    assert checked == dict.fromkeys(MEANINGS, 12)


def test_every_answer_is_among_the_facts_that_are_shown() -> None:
    for row in rows_of("xbrl_tags_extract"):
        assert str(row["target"]).removeprefix("us-gaap:") in shown_facts(row)
    for row in rows_of("xbrl_value_extract"):
        assert row["target"] in shown_facts(row).values()
        assert re.fullmatch(r"-?\d+", str(row["target"]))


def test_calculations_are_the_formulas_with_the_filings_amounts_and_the_result_is_right() -> None:
    formulas = {(r["company"], str(r["target"])) for r in rows_of("xbrl_formula_extract")}
    substituted = set()
    for company, text in formulas:
        (name,) = {row["document"] for row in ROWS if row["company"] == company}
        facts = figures(str(name))
        filled = re.sub(r"us-gaap:(\w+)", lambda hit, facts=facts: str(facts[hit[1]]), text)
        substituted.add((company, filled))
    rows = rows_of("xbrl_formula_calc_extract")
    assert {(row["company"], row["target"]) for row in rows} == substituted
    assert len(rows) == 42
    for row in rows:
        assert row["result"] == two_places(solve(str(row["target"])))


def solve(text: str) -> Fraction:
    """Work out the three forms a ratio has."""
    percent = re.fullmatch(r"\((-?\d+) / (\d+)\) \* 100", text)
    plain = re.fullmatch(r"(-?\d+) / (\d+)", text)
    less = re.fullmatch(r"\((\d+) - (\d+)\) / (\d+)", text)
    if percent:
        return Fraction(int(percent[1]), int(percent[2])) * 100
    if plain:
        return Fraction(int(plain[1]), int(plain[2]))
    assert less, text
    return Fraction(int(less[1]) - int(less[2]), int(less[3]))


def two_places(value: Fraction) -> str:
    number = Decimal(value.numerator) / Decimal(value.denominator)
    return str(number.quantize(Decimal("0.01"), ROUND_HALF_UP))


def test_formulas_are_written_in_one_way() -> None:
    forms = {re.sub(r"us-gaap:\w+", "T", str(row["target"])) for row in rows_of("xbrl_formula_extract")}
    assert forms == {"T / T", "(T - T) / T", "(T / T) * 100"}
    brackets = [row for row in ROWS if str(row["context"]).count("(") != str(row["context"]).count(")")]
    assert brackets == []


def test_no_company_no_year_and_no_wording_stands_on_both_sides() -> None:
    for column in ("company", "year", "document"):
        assert {row[column] for row in BUILT.train} & {row[column] for row in BUILT.test} == set()
    train = [wording for some in xbrl_words.TRAIN.values() for wording in some]
    test = [wording for some in xbrl_words.TEST.values() for wording in some]
    assert (len(set(train)), len(set(test)), len(set(train + test))) == (16, 8, 24)
    close = [(a, b) for a in train for b in test if len(words(a) & words(b)) > 0.6 * len(words(a) | words(b))]
    assert close == []


@pytest.mark.parametrize(
    ("rows", "wordings"), [(BUILT.train, xbrl_words.TRAIN), (BUILT.test, xbrl_words.TEST)]
)
def test_rows_say_what_their_side_says(
    rows: list[dict[str, object]], wordings: dict[str, tuple[str, ...]]
) -> None:
    patterns = {
        wording: re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(wording)))
        for some in wordings.values()
        for wording in some
    }
    said = [str(row["context"]).rpartition("Question: ")[2].removesuffix("\nAnswer:") for row in rows]
    used = {wording for wording, pattern in patterns.items() for text in said if pattern.fullmatch(text)}
    assert used == set(patterns)
    assert [text for text in said if not any(p.fullmatch(text) for p in patterns.values())] == []


def words(wording: str) -> set[str]:
    return set(re.findall("[a-z]+", re.sub(r"{\w+}", " ", wording.lower())))


def as_text(built: Built) -> str:
    return json.dumps([built.train, built.test])


def test_the_same_seed_gives_the_same_rows_in_any_process() -> None:
    assert as_text(build()) == as_text(BUILT)
    assert as_text(build(seed=7)) != as_text(BUILT)
    code = (
        "import json; from finlora.builders.xbrl_extract import build; "
        "b = build(); print(json.dumps([b.train, b.test]))"
    )
    for seed in ("0", "1"):
        result = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout.strip() == as_text(BUILT)


def test_fewer_rows_are_the_first_ones() -> None:
    few = build(train_rows=10, test_rows=10)
    assert few.train == BUILT.train[:10]
    assert few.test == BUILT.test[:10]
    assert build(train_rows=0).train == []
    with pytest.raises(UsageError, match=r"test_rows=-1"):
        build(test_rows=-1)


def copied(names: str, folder: Path) -> Path:
    for path in OWN.glob(names):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("none*", "none"),
        ("tarn-2023*", "Tarnfield Foods Corp 2023"),
        ("tarn*", "Corp 2022; Tarnfield Foods Corp 2023"),
    ],
)
def test_too_few_filings_are_named(names: str, found: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"too few filings[^:]*: at least[^\n]*\nThere are: .*{found}$"):
        build(folder=copied(names, tmp_path))


def test_filings_of_one_year_are_divided_by_company(tmp_path: Path) -> None:
    built = build(folder=copied("*2022*.*", tmp_path))
    assert {row["year"] for row in built.train} == {row["year"] for row in built.test} == {2022}
    assert {row["company"] for row in built.train} & {row["company"] for row in built.test} == set()
    assert len({row["company"] for row in built.train}) == 3


def test_a_quarter_is_asked_about_as_a_quarter(tmp_path: Path) -> None:
    copied("*2022*.xml", tmp_path)
    copied("qlmk-20230331.xml", tmp_path)
    rows = build(folder=tmp_path).test
    assert {row["document"] for row in rows} == {"qlmk-20230331.xml"}
    assert [row for row in rows if "the quarter that ended on 2023-03-31" not in row["context"]] == []
    revenue = re.search(r'Revenues contextRef="D" [^>]*>(\d+)<', (OWN / "qlmk-20230331.xml").read_text())
    assert revenue
    assert f"<us-gaap:Revenues>{revenue[1]}</>" in " ".join(str(row["context"]) for row in rows)


def test_what_is_no_filing_of_a_year_is_skipped_with_a_reason(tmp_path: Path) -> None:
    copied("*", tmp_path)
    (tmp_path / "exhibit.htm").write_text("<html><p>Exhibit 99<br></html>")
    (tmp_path / "lab.xml").write_text('<linkbase xmlns="http://www.xbrl.org/2003/linkbase"/>')
    text = (OWN / "tarn-20230630.htm").read_text()
    (tmp_path / "twin.htm").write_text(text)
    (tmp_path / "other.htm").write_text(text.replace(">10-K<", ">8-K<"))
    (tmp_path / "timeless.htm").write_text(text.replace("dei:DocumentFiscalYearFocus", "dei:Other"))
    built = build(folder=tmp_path)
    reasons = {
        Path(d.file).name: d.why
        for d in built.skipped
        if Path(d.file).name in ("exhibit.htm", "lab.xml", "twin.htm", "other.htm", "timeless.htm")
    }
    assert reasons == {
        "exhibit.htm": "no XBRL instance and no inline XBRL",
        "lab.xml": "no XBRL instance and no inline XBRL",
        "twin.htm": "the same filing is there already",
        "other.htm": "a 8-K; only 10-K and 10-Q are asked about",
        "timeless.htm": "names no fiscal year",
    }
    assert built.train == BUILT.train


def test_what_has_no_single_answer_is_skipped(tmp_path: Path) -> None:
    copied("*", tmp_path)
    path = tmp_path / "brkw-20231231.xml"
    text = path.read_text()
    extra = '<us-gaap:Revenues contextRef="D" decimals="-6" unitRef="usd">1</us-gaap:Revenues></xbrl>'
    nothing = re.sub(r'(LiabilitiesCurrent contextRef="I" [^>]*>)\d+<', r"\g<1>0<", text)
    half = re.sub(r'(Goodwill contextRef="I" [^>]*>)\d+<', r"\g<1>0.5<", nothing)
    path.write_text(half.replace("</xbrl>", extra))
    built = build(folder=tmp_path)
    assert Counter(d.why for d in built.skipped if d.line) == {
        "two facts could answer": 1,
        "not a whole number": 1,
        "a ratio to nothing, or to less": 2,
    }
    rows = [row for row in built.test if row["document"] == path.name]
    assert [row for row in rows if re.search("Revenues|RevenueFrom|Margin", str(row["target"]))] == []
    assert Counter(row["task"] for row in rows)["xbrl_formula_extract"] == 1


def test_a_company_that_changed_its_name_stays_on_one_side(tmp_path: Path) -> None:
    copied("*", tmp_path)
    for path in tmp_path.glob("tarn-2022*"):
        path.write_text(path.read_text().replace("Tarnfield Foods Corp", "TARNFIELD KITCHENS"))
    built = build(folder=tmp_path)
    assert {row["company"] for row in built.train + built.test} == {row["company"] for row in ROWS}


def test_faulty_filings_stop_the_build_all_at_once(tmp_path: Path) -> None:
    copied("*", tmp_path)
    for name in ("tarn-20230630.htm", "qlmk-20231231.xml"):
        path = tmp_path / name
        path.write_text(path.read_text().replace('contextRef="I"', 'contextRef="X"', 1))
    with pytest.raises(DataError) as caught:
        build(folder=tmp_path)
    assert "2 problems" in str(caught.value)
    assert re.search(r"tarn-20230630\.htm:\d+: us-gaap:\w+: there is no context 'X'", str(caught.value))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "filings"
    inside.mkdir()
    copied("*", inside)
    secret = tmp_path / "secret.xml"
    secret.write_text("<secret/>")
    (inside / "linked.xml").symlink_to(secret)
    with pytest.raises(DataError, match=r"linked\.xml: a link that leads out of the folder"):
        build(folder=inside)
    (inside / "linked.xml").unlink()
    (inside / "again.xml").symlink_to(inside / "qlmk-20231231.xml")
    assert "the same filing is there already" in [dropped.why for dropped in build(folder=inside).skipped]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder; give one with 10-K or 10-Q filings"):
        build(folder=tmp_path / "none")


def test_a_long_filing_is_cut_around_what_is_asked(tmp_path: Path) -> None:
    copied("*", tmp_path)
    path = tmp_path / "hpst-20240131.htm"
    noise = "".join(
        f'<ix:nonFraction name="us-gaap:Noise{n:04}" contextRef="I" unitRef="usd" decimals="0">{n}'
        "</ix:nonFraction>"
        for n in range(2000)
    )
    path.write_text(path.read_text().replace("<h2>Balance", f"<p>{noise}</p><h2>Balance", 1))
    rows = [row for row in build(folder=tmp_path).test if row["document"] == path.name]
    assert len(rows) == 78
    lengths = [len(str(row["context"])) + len(str(row["target"])) for row in rows]
    assert max(lengths) <= LONGEST
    assert max(lengths) > LONGEST - 50
    for row in rows:
        if row["task"] == "xbrl_tags_extract":
            assert str(row["target"]).removeprefix("us-gaap:") in shown_facts(row)


def test_the_nearest_facts_are_kept_in_their_order() -> None:
    facts = [f"<a>{n}</>" for n in range(9)]
    assert nearest(facts, [4], 27) == facts[3:6]
    assert nearest(facts, [0, 8], 36) == [facts[0], facts[1], facts[7], facts[8]]
    assert nearest(facts, [2], 0) == [facts[2]]
    assert nearest(facts, [2], 1000) == facts


def test_a_company_keeps_its_lot_when_others_come() -> None:
    some = [(name, year) for name in "abcdefgh" for year in (2022, 2023)]
    more = [*some, ("i", 2022)]
    assert {key for key, side in sides(some, 0.25, 1).items() if side == "test"} == {
        key for key, side in sides(more, 0.25, 1).items() if side == "test"
    }
    only_last = sides([*some, ("z", 2023)], 0.1, 1)
    assert [key for key, side in only_last.items() if side == "test"] == [("z", 2023)]


def test_the_folder_of_the_package_is_the_default() -> None:
    assert xbrl_extract.OWN.is_dir()
    assert as_text(build(folder=OWN)) == as_text(BUILT)
