"""FinanceBench: the hub's rows and the benchmark's own files, split by report."""

import pytest

from finlora.converters import financebench
from finlora.errors import DataError, UsageError
from tests.converter_parts import make_records, make_task, reasons, seen_with_hash_seeds

PROMPT = "Answer briefly. Question: {question}\nDocument Pages Context:\n{pages}\nAnswer:"
TASK = make_task("financebench", PROMPT, split={"rule": "a third", "seed": 42, "test_share": 1 / 3})


def page(number, text, excerpt="a line"):
    return {
        "evidence_text": excerpt,
        "evidence_text_full_page": text,
        "evidence_page_num": number,
        "doc_name": "ACME_2022_10K",
    }


def hub(question, answer, report, *pages):
    return {
        "financebench_id": "financebench_id_1",
        "company": "Acme",
        "question": question,
        "answer": answer,
        "doc_name": report,
        "evidence": list(pages),
    }


HUB = [
    hub(
        " What was sold? ",
        "Boats.",
        "ACME_2022_10K",
        page(7, "Sales of boats\n"),
        page(9, "\nMore boats"),
        page(7, "x"),
    ),
    hub("How many?", "12", "ACME_2022_10K", page(9, None, "Twelve, it says")),
    hub("Who pays?", "Nobody", "ROWE_2021_10Q", page(3, "No one pays")),
    hub("What page?", "None", "ROWE_2021_10Q"),
    hub("Blank?", "Yes", "ROWE_2021_10Q", page(1, " \n")),
    hub(" ", "Yes", "ROWE_2021_10Q", page(1, "Text")),
    hub("Lost?", "A \ufffd", "ELM_2020_8K", page(1, "Text")),
    hub("Why?", "Costs of £3m", "ELM_2020_8K", page(1, "Costs\x0c were \x07Â£3m \ufffd")),
    hub("how many?", "12 ", "ACME_2022_10K", page(9, None, "Twelve, it says")),
]


def published(question, answer, url):
    return {
        "context": f"Answer briefly. Question: {question}\nDocument Pages Context:\nPage 1:\nx\n\nAnswer:",
        "target": answer,
        "url": url,
        "pages": [1],
    }


TRAIN = [published(f"Q{n}", f"A{n}", f"https://example.com/{n // 2}.pdf") for n in range(8)]
TEST = [published(f"Q{n}", f"A{n}", f"https://example.com/{n - 7}.pdf") for n in range(8, 12)]


def from_hub(as_published=False, rows=HUB, task=TASK):
    return financebench.convert(task, {"train": make_records(rows, "hub.jsonl")}, as_published)


def from_files(as_published, train=TRAIN):
    return financebench.convert(
        TASK, {"train": make_records(train), "test": make_records(TEST)}, as_published
    )


def everything():
    return [from_hub(), from_files(False), from_files(True)]


def test_rows_of_the_hub_to_the_letter():
    done = from_hub()
    rows = {row["target"]: row for side in done.rows.values() for row in side}
    assert rows["Boats."] == {
        "context": "Answer briefly. Question: What was sold?\nDocument Pages Context:\n"
        "Page 8:\nSales of boats\n\nPage 10:\nMore boats\n\nAnswer:",
        "target": "Boats.",
        "document": "ACME_2022_10K",
    }
    assert rows["12"]["context"] == (
        "Answer briefly. Question: How many?\nDocument Pages Context:\nPage 10:\nTwelve, it says\n\nAnswer:"
    )
    assert rows["Costs of £3m"]["context"].endswith("Costs were £3m \ufffd\n\nAnswer:")
    assert len(rows) == 4


def test_what_is_left_out_and_changed_is_listed():
    done = from_hub()
    assert reasons(done) == [
        (4, "no page that holds the answer"),
        (5, "no page that holds the answer"),
        (6, "question: empty"),
        (7, "answer: a replacement character (U+FFFD) where a letter was lost"),
        (9, "repeats an earlier row"),
    ]
    assert done.mended == {
        "broken encoding repaired": 1,
        "control characters taken out": 1,
        "its report has further questions; all are on one side": 3,
    }


@pytest.mark.parametrize("seed", range(10))
def test_no_report_is_on_both_sides(seed):
    task = make_task("financebench", PROMPT, split={"rule": "a third", "seed": seed, "test_share": 1 / 3})
    rows = [hub(f"Q{n}", f"A{n}", f"REPORT_{n % 7}", page(n, f"Text {n}")) for n in range(30)]
    done = from_hub(rows=rows, task=task)
    reports = {side: {row["document"] for row in found} for side, found in done.rows.items()}
    assert not reports["train"] & reports["test"]
    assert len(reports["train"] | reports["test"]) == 7
    assert len(done.rows["train"]) + len(done.rows["test"]) == 30
    assert 6 <= len(done.rows["test"]) <= 14


def test_published_rows_are_those_of_the_files():
    done = from_files(True)
    assert done.rows == {"train": TRAIN, "test": TEST}
    assert done.dropped == ()
    assert done.mended == {}


def test_rows_of_the_files_are_divided_anew_by_report():
    done = from_files(False)
    reports = {side: {row["document"] for row in found} for side, found in done.rows.items()}
    assert {row["url"] for row in TRAIN} & {row["url"] for row in TEST}
    assert not reports["train"] & reports["test"]
    assert len(done.rows["train"]) + len(done.rows["test"]) == 12
    assert done.mended == {"its report has further questions; all are on one side": 11}
    assert done.rows["test"][0].keys() == {"context", "target", "document"}


def test_published_rows_are_not_to_be_had_from_the_hub():
    with pytest.raises(UsageError, match="Bring the benchmark's own financebench_train"):
        from_hub(as_published=True)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"question": None}, "'question' is NoneType; text is wanted"),
        ({"answer": 12}, "'answer' is int; text is wanted"),
        ({"evidence": "a line"}, "'evidence' is str; a list is wanted"),
        ({"evidence": ["a line"]}, "'evidence' is a list of objects with evidence_text_full_page or"),
        ({"evidence": [{"evidence_page_num": 3}]}, "'evidence' is a list of objects with"),
        ({"evidence": [page(3, 5)]}, "'evidence' is a list of objects with"),
        ({"evidence": [page("3", "Text")]}, "'evidence' is a list of objects with"),
    ],
)
def test_records_of_another_form_are_refused(change, fault):
    with pytest.raises(DataError) as error:
        from_hub(rows=[HUB[0], HUB[1] | change])
    assert str(error.value).startswith(f"hub.jsonl:2: {fault}")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"question": "a", "answer": "b"}, "no column 'doc_name'; columns found: question, answer"),
        ({"context": "a", "target": "b"}, "no column 'url'; columns found: context, target"),
        (TRAIN[0] | {"pages": 1}, "'pages' is int; a list is wanted"),
    ],
)
def test_files_of_another_form_are_refused(row, fault):
    with pytest.raises(DataError) as error:
        from_hub(rows=[row])
    assert str(error.value) == f"hub.jsonl:1: {fault}"


def test_hash_seeds_change_nothing():
    assert len(seen_with_hash_seeds("test_financebench_converter")) == 1
