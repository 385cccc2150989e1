"""Dataset rows: every fault named with file, line and column; the split; the order by length."""

import json
import random

import pytest

from finlora import data
from finlora.data import Row, length_order, read_rows, split, write_rows
from finlora.errors import DataError, FinLoRAError

GOOD = '{"context": "c", "target": "t"}'

# Content of a file, and the one fault in it, after the file's name.
FAULTS = {
    "a row is no JSON": (f"{GOOD}\n{{'context'}}\n", ":2:2: not JSON: Expecting property name"),
    "a row is cut off": (GOOD[:-1], ":1:31: not JSON: Expecting ',' delimiter"),
    "a row is an array": (f"\n\n[{GOOD}]", ":3: a row is a JSON object"),
    "a row is text": ('"x"', ":1: a row is a JSON object"),
    "a row is null": ("null", ":1: a row is a JSON object"),
    "two rows on a line": (GOOD + GOOD, ":1:32: not JSON: Extra data"),
    "no target": (
        '{"context": "c", "a": "t"}',
        ":1: the column 'target' is missing; columns found: context, a",
    ),
    "no context": (
        '{"text": "c", "target": "t"}',
        ":1: the column 'context' is missing; columns found: text, target",
    ),
    "no column": ("{}", ":1: the column 'context' is missing; columns found: none"),
    "an empty answer": ('{"context": "c", "target": ""}', ":1: 'target' is empty"),
    "a blank answer": ('{"context": "c", "target": " \\n\\t"}', ":1: 'target' is empty"),
    "an empty context": ('{"context": "", "target": "t"}', ":1: 'context' is empty"),
    "a number for an answer": ('{"context": "c", "target": 0.5}', ":1: 'target' is 0.5; it must be text"),
    "a list for an answer": ('{"context": "c", "target": ["t"]}', ":1: 'target' is [\"t\"]; it must be text"),
    "null for a context": ('{"context": null, "target": "t"}', ":1: 'context' is null; it must be text"),
    "not UTF-8": (f"{GOOD}\n".encode() + b'{"context": "\xe9"}', ":2:14: not UTF-8 text"),
    "UTF-16": ('{"context": "c", "target": "t"}'.encode("utf-16"), ":1:1: not UTF-8 text"),
    "half a character": ('{"context": "c", "target": "\\ud83d"}', ":1: 'target' holds half a character"),
    "a number too large to read": ('{"context": ' + "9" * 5000 + "}", ":1: not JSON: Exceeds the limit"),
    "nested too deeply": ("[" * 100_000, ":1: nested too deeply"),
    "an empty file": ("", ": holds no row"),
    "blank lines alone": ("\n \n\r\n\t\n", ": holds no row"),
    "an LFS pointer": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        ": is a Git LFS pointer, not data",
    ),
}


def test_enough_faults_are_tried():
    assert len(FAULTS) == 23


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_names_its_place(tmp_path, kind):
    content, message = FAULTS[kind]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as fault:
        read_rows(path)
    assert str(fault.value).startswith(f"{path}{message}")
    assert len(fault.value.problems) == 1


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"x\.jsonl: no such dataset file\nCheck dataset_path"):
        read_rows(tmp_path / "x.jsonl")
    with pytest.raises(DataError, match="is a folder, not a JSONL file"):
        read_rows(tmp_path)


def test_the_first_twenty_faults_come_at_once(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([GOOD, *["{"] * 25]))
    with pytest.raises(DataError) as fault:
        read_rows(path)
    problems = fault.value.problems
    assert [problem.line for problem in problems] == [*range(2, 22), None]
    assert problems[-1].message == "5 more faulty lines"
    assert str(fault.value).startswith("21 problems\n  1. ")


def test_good_rows_keep_their_text_and_their_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [
        {"context": " c\u2028d\u0085 ", "target": "t\n", "more": 1},
        {"target": "\U0001f600", "context": "</s>[INST]"},
    ]
    text = f"\n{json.dumps(rows[0], ensure_ascii=False)}\r\n\n{json.dumps(rows[1])}"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_rows(path) == [Row(" c\u2028d\u0085 ", "t\n", 2), Row("</s>[INST]", "\U0001f600", 4)]


def test_rows_to_be_answered_need_no_target(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"context": "c", "target": 3}\n{"context": "d"}\n')
    assert read_rows(path, columns=("context",)) == [Row("c", "", 1), Row("d", "", 2)]


def test_what_is_written_is_what_is_read(tmp_path):
    rows = [{"context": "é\n\u2028\u0085", "target": "\U0001f600"}, {"context": "c", "target": "t", "n": 1}]
    write_rows(tmp_path / "new" / "rows.jsonl", rows)
    assert [(row.context, row.target) for row in read_rows(tmp_path / "new" / "rows.jsonl")] == [
        (row["context"], row["target"]) for row in rows
    ]


def test_a_file_in_the_folders_place_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FinLoRAError, match=r"file/rows\.jsonl: can't be written: "):
        write_rows(tmp_path / "file" / "rows.jsonl", [])


@pytest.mark.parametrize(
    ("count", "share", "held"),
    [(100, 0.02, 2), (100, 0, 0), (10, 0.02, 1), (2, 0.02, 1), (1, 0.5, 0), (0, 0.5, 0), (3, 0.99, 2)],
)
def test_split_holds_out_the_share(count, share, held):
    rows = list(range(count))
    train, validation = split(rows, share, seed=3)
    assert len(validation) == held
    assert sorted([*train, *validation]) == rows
    assert train == sorted(train)
    assert validation == sorted(validation)


def test_split_is_decided_by_the_seed_alone():
    rows = list(range(1000))
    assert split(rows, 0.1, 1) == split(rows, 0.1, 1)
    assert split(rows, 0.1, 1) != split(rows, 0.1, 2)


def orders():
    chance = random.Random(5)
    for count in (0, 1, 2, 7, 8, 9, 63, 400, 401, 1000):
        for step_rows in (1, 2, 8, 32):
            yield [chance.randrange(1, 300) for _ in range(count)], step_rows


def steps_of(order, step_rows):
    return [order[start : start + step_rows] for start in range(0, len(order), step_rows)]


@pytest.mark.parametrize(
    ("lengths", "step_rows"), [pytest.param(*o, id=f"{len(o[0])}-{o[1]}") for o in orders()]
)
def test_the_order_keeps_every_row_once_and_is_decided_by_the_seed(lengths, step_rows):
    order = length_order(lengths, step_rows, 9)
    assert sorted(order) == list(range(len(lengths)))
    assert order == length_order(lengths, step_rows, 9)
    if len(lengths) > 8 * step_rows:
        assert order != length_order(lengths, step_rows, 10)


@pytest.mark.parametrize(
    ("lengths", "step_rows"), [pytest.param(*o, id=f"{len(o[0])}-{o[1]}") for o in orders()]
)
def test_the_longest_row_comes_in_the_first_step(lengths, step_rows):
    order = length_order(lengths, step_rows, 9)
    first = order[:step_rows]
    if len(lengths) >= step_rows:
        assert max(lengths[r] for r in first) == max(lengths)


def test_steps_hold_rows_of_one_length_and_come_in_no_order_of_length():
    chance = random.Random(1)
    lengths = [chance.randrange(10, 500) for _ in range(8000)]
    steps = steps_of(length_order(lengths, 8, 42), 8)
    spread = [max(lengths[r] for r in step) - min(lengths[r] for r in step) for step in steps]
    # In an order by chance the rows of a step of 8 lie about 380 tokens apart.
    assert sum(spread) / len(spread) < 20
    longest = [max(lengths[r] for r in step) for step in steps]
    halves = [sum(part) / len(part) for part in (longest[:500], longest[500:])]
    assert abs(halves[0] - halves[1]) < 25


def test_a_lone_longest_row_never_falls_into_the_incomplete_step():
    lengths = [10] * 100 + [500]
    firsts = [length_order(lengths, 2, seed)[:2] for seed in range(300)]
    assert all(100 in first for first in firsts)


@pytest.mark.parametrize("count", [407, 8003])
def test_an_incomplete_step_comes_last_with_short_rows(count):
    chance = random.Random(1)
    lengths = [chance.randrange(10, 500) for _ in range(count)]
    order = length_order(lengths, 8, 42)
    whole, last = order[: count - count % 8], order[count - count % 8 :]
    assert last == sorted(last, key=lambda r: (lengths[r], r))
    spread = [max(lengths[r] for r in step) - min(lengths[r] for r in step) for step in steps_of(whole, 8)]
    assert max(spread) < 200


def test_a_hundred_thousand_rows_are_ordered_in_linear_time(monkeypatch):
    """The longest length is looked for once, not once a step."""
    calls = []
    monkeypatch.setattr(data, "max", lambda *a, **k: calls.append(a) or max(*a, **k), raising=False)
    length_order([5] * 1000, 8, 1)
    assert sum(len(call[0]) for call in calls if isinstance(call[0], list)) == 1000
