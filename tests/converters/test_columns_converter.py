"""The plain converter: prompts, labels, splits by rule, and what is mended."""

from typing import Any

import pytest

from finlora.converters import Converted, Record
from finlora.converters.columns import convert
from finlora.errors import DataError, UsageError
from finlora.tasks import Task
from tests.converter_parts import seen_with_hash_seeds
from tests.test_fetch import hub_source, task

FREE = {"convert": {"target": "answer"}, "labels": [], "answer": "text"}


def records(*values: dict[str, Any]) -> list[Record]:
    return [Record(found, "x.csv", line) for line, found in enumerate(values, 2)]


def made(as_published: bool = False, split: dict[str, Any] | None = None, **more: Any) -> Any:
    entry = task("t", hub_source("t"), **{**FREE, "prompt": "{q} ({{plain}}) Answer:", **more})
    if split:
        entry["split"] = {"rule": "by rule", **split}
    checked = Task.model_validate(entry)

    def run(**splits: list[Record]) -> Converted:
        return convert(checked, splits, as_published)

    return run


def texts(found: Converted, side: str) -> list[tuple[str, str]]:
    return [(row["context"], row["target"]) for row in found.rows[side]]


def test_a_prompt_is_filled_and_values_of_any_plain_type_are_text() -> None:
    found = made()(train=records({"q": "a {b}", "answer": 1.5}), test=records({"q": 7, "answer": True}))
    assert texts(found, "train") == [("a {b} ({plain}) Answer:", "1.5")]
    assert texts(found, "test") == [("7 ({plain}) Answer:", "True")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"q": "a"}, "x.csv:2: no column 'answer'; columns found: q"),
        ({"q": ["a"], "answer": "b"}, "x.csv:2: 'q' is a list; text is wanted"),
        ({"q": {"a": 1}, "answer": "b"}, "x.csv:2: 'q' is a dict; text is wanted"),
        ({"q": "a", "answer": b"b"}, "x.csv:2: 'answer' is a bytes; text is wanted"),
    ],
)
def test_a_record_without_the_text_that_is_wanted(value: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        made()(train=records(value), test=[])
    assert words in str(caught.value)


def test_no_more_than_twenty_faults_are_told() -> None:
    with pytest.raises(DataError, match="20 problems"):
        made()(train=records(*[{"q": "a"}] * 50), test=[])


def test_broken_rows_go_with_their_reasons() -> None:
    values = [{"q": text, "answer": "yes"} for text in ("nan", "", None, "a\x9d", "a\ufffd", "good")]
    found = made()(train=records(*values, {"q": "x", "answer": "nan"}), test=[])
    assert texts(found, "train") == [("good ({plain}) Answer:", "yes")]
    assert [(drop.line, drop.why.partition(":")[0]) for drop in found.dropped] == [
        (line, "q") for line in range(2, 7)
    ] + [(8, "answer")]
    assert len({drop.why for drop in found.dropped}) == 5


def test_as_published_keeps_them_all() -> None:
    values = [{"q": text, "answer": "yes"} for text in ("nan", "good", "good", "Â£5")]
    found = made(as_published=True)(train=records(*values), test=records(values[1]))
    assert [text.partition(" (")[0] for text, _ in texts(found, "train")] == ["nan", "good", "good", "Â£5"]
    assert (found.dropped, found.mended) == ((), {})


def test_an_answer_that_is_no_label_goes() -> None:
    labels = {"labels": ["yes", "no"], "convert": {"target": "answer", "labels": {"1": "yes", "0": "no"}}}
    values = [{"q": "a", "answer": 1}, {"q": "b", "answer": 2}]
    found = made(**labels)(train=records(*values), test=[])
    assert texts(found, "train") == [("a ({plain}) Answer:", "yes")]
    assert found.dropped[0].why == "answer: an answer that is none of the task's labels"
    kept = made(as_published=True, **labels)(train=records(*values), test=[])
    assert [target for _, target in texts(kept, "train")] == ["yes", "2"]


def test_one_split_is_divided_by_the_rule() -> None:
    some = records(*[{"q": f"q{i}", "answer": "a"} for i in range(40)])
    rule = {"test_share": 0.25, "seed": 42}
    published = made(as_published=True, split=rule)(all=some)
    mended = made(split=rule)(all=some)
    assert (len(published.rows["train"]), len(published.rows["test"])) == (30, 10)
    assert mended.rows == published.rows
    with pytest.raises(UsageError, match="split needs test_share and seed"):
        made()(all=some)


def test_groups_are_kept_apart_when_mended() -> None:
    group = {"convert": {"target": "answer", "group": "company"}, "split": {"test_share": 0.25, "seed": 42}}
    values = [{"q": f"q{i}", "answer": "a", "company": f"c{i % 8}"} for i in range(40)]
    mended = made(**group)(all=records(*values))
    sides = {side: {row["company"] for row in rows} for side, rows in mended.rows.items()}
    assert sides["train"].isdisjoint(sides["test"])
    assert len(mended.rows["train"]) + len(mended.rows["test"]) == 40
    published = made(as_published=True, **group)(all=records(*values))
    assert not {r["company"] for r in published.rows["train"]}.isdisjoint(
        r["company"] for r in published.rows["test"]
    )
    given = made(**group)(train=records(*values[:20]), test=records(*values[20:22]))
    assert {drop.why for drop in given.dropped} == {"its company is in the test rows too"}
    assert len(given.rows["train"]) == 16


def test_a_column_may_have_any_name() -> None:
    found = made(prompt="{task} Answer:")(train=records({"task": "a", "answer": "b"}), test=[])
    assert texts(found, "train") == [("a Answer:", "b")]


def everything() -> str:
    """Return what is made of a row that is mended in two ways, with the counts in their order."""
    labels = {"1": "yes", "0": "no"}
    swapped = {"target": "answer", "labels": labels, "published_labels": {"1": "no"}}
    found = made(labels=["yes", "no"], convert=swapped)(train=records({"q": "Â£5", "answer": 1}), test=[])
    return repr((found.rows, list(found.mended.items())))


def test_counts_come_in_one_order_whatever_the_hash_seed() -> None:
    seen = seen_with_hash_seeds("test_columns_converter")
    both = "[('broken encoding repaired', 1), ('label as the source means it', 1)]"
    assert (len(seen), both in seen.pop()) == (1, True)
