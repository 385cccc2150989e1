"""Partitions: what may be said, that no row is lost or doubled, and that a seed decides the draw."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from finlora.data import Row
from finlora.errors import DataError, UsageError
from finlora.federated import partition
from finlora.federated.partition import Partition

GOOD = '{"context": "c", "target": "t"}\n'
LABELS = ("negative", "neutral", "positive")

# What is said, and what stands in the answer.
REFUSED = {
    "nothing": ("", "--partition : no such partition\nAllowed: iid, "),
    "a near name": ("dirichlett:1", "did you mean 'dirichlet'?"),
    "capitals": ("IID", "did you mean 'iid'?"),
    "a number behind iid": ("iid:4", "--partition iid:4: no such partition"),
    "no alpha": ("dirichlet", "--partition dirichlet:: ALPHA is a number above 0, at most 1,000,000"),
    "an empty alpha": ("dirichlet:", "ALPHA is a number above 0"),
    "no number": ("dirichlet:half", "--partition dirichlet:half: ALPHA is a number above 0"),
    "zero": ("dirichlet:0", "ALPHA is a number above 0"),
    "below zero": ("dirichlet:-1", "ALPHA is a number above 0"),
    "endless": ("dirichlet:inf", "ALPHA is a number above 0"),
    "no number at all": ("dirichlet:nan", "ALPHA is a number above 0"),
    "too large": ("dirichlet:1e308", "ALPHA is a number above 0"),
    "a bare folder": ("banks", "did you mean 'files:banks'?"),
    "no files": ("files", "--partition files:: names no file"),
    "commas alone": ("files:,,", "--partition files:,,: names no file"),
    "an empty folder": ("files:empty", "empty: no *.jsonl file lies in this folder"),
    "a file that is not there": (
        "files:banks/a.jsonl,banks/bb.jsonl",
        "bb.jsonl: no such file, did you mean",
    ),
    "a list with a folder": ("files:banks/a.jsonl,empty", "  empty: is a folder, not a JSONL file"),
    "two files of one name": ("files:banks/a.jsonl,more/a.jsonl", "each would be the client 'a'; rename one"),
    "one file twice": ("files:banks/a.jsonl,banks/a.jsonl", "each would be the client 'a'; rename one"),
    "a blank in a name": ("files:more/bank one.jsonl", "bank one.jsonl: the name becomes the client's"),
    "an accent in a name": ("files:more/société.jsonl", "the name becomes the client's"),
    "the home of nobody": ("files:~nobody-here/x", "--partition files:~nobody-here/x: "),
    "a long list of nothing": ("files:" + ",".join(["x"] * 3000), "  x: no such file"),
    "a long word": ("x" * 5000, "no such partition\nAllowed: "),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    for name in ("banks/b.jsonl", "banks/a.jsonl", "banks/a-1.jsonl", "more/a.jsonl", "more/bank one.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(GOOD)
    for name in ("more/société.jsonl", "banks/notes.txt", "banks/.hidden.jsonl"):
        (tmp_path / name).write_text(GOOD)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(count, labels=LABELS):
    return [Row(f"Sales rose by {i}%.", labels[i % len(labels)], i + 1) for i in range(count)]


def test_enough_is_refused():
    assert len(REFUSED) == 25


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_partition_is_refused(here, kind):
    text, message = REFUSED[kind]
    with pytest.raises(UsageError) as fault:
        partition.parse(text)
    assert message in str(fault.value)


def test_every_form_is_read(here):
    assert partition.parse("iid") == Partition("iid")
    assert partition.parse("dirichlet:0.5") == Partition("dirichlet", alpha=0.5)
    assert partition.parse("dirichlet:1e-3").alpha == 0.001
    by_name = tuple(Path("banks") / f"{name}.jsonl" for name in ("a", "a-1", "b"))
    assert partition.parse("files:banks") == Partition("files", files=by_name)
    assert partition.parse("files:banks/b.jsonl,banks/a.jsonl").files == (by_name[0], by_name[2])
    assert partition.parse(f"files:{here}/banks/b.jsonl").files == (here / "banks/b.jsonl",)


def test_all_faults_of_files_come_at_once(here):
    with pytest.raises(UsageError) as fault:
        partition.parse("files:gone.jsonl,more/bank one.jsonl,banks/a.jsonl,more/a.jsonl")
    assert [line[:2] for line in str(fault.value).splitlines()] == ["--", "  ", "  ", "  ", "Al"]


def test_a_comma_in_a_name_is_no_list(here):
    (here / "a,b").mkdir()
    (here / "a,b" / "one.jsonl").write_text(GOOD)
    assert partition.parse("files:a,b").files == (Path("a,b/one.jsonl"),)
    assert partition.parse("files:a,b/one.jsonl").files == (Path("a,b/one.jsonl"),)


def test_home_is_found_behind_the_colon(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    assert partition.parse("files:~/banks/a.jsonl").files == (here / "banks/a.jsonl",)


def test_files_are_the_clients(here):
    (here / "banks/b.jsonl").write_text(GOOD * 3)
    parts = partition.of_files(partition.parse("files:banks"))
    assert {client: len(rows) for client, rows in parts.items()} == {"a": 1, "a-1": 1, "b": 3}
    assert [row.line for row in parts["b"]] == [1, 2, 3]
    assert partition.of_files(partition.parse("files:banks"), clients=3) == parts
    with pytest.raises(UsageError, match=r"(?s)--clients 4: .* 3 in all: a, a-1, b\nLeave --clients out"):
        partition.of_files(partition.parse("files:banks"), clients=4)


def test_faults_in_files_are_named_with_their_lines(here):
    (here / "banks/a.jsonl").write_text("")
    (here / "banks/b.jsonl").write_text(GOOD + '{"context": "c"}\n')
    with pytest.raises(DataError) as fault:
        partition.of_files(partition.parse("files:banks"))
    first, second = fault.value.problems
    assert str(first) == "banks/a.jsonl: holds no row"
    assert str(second).startswith("banks/b.jsonl:2: the column 'target' is missing")


@pytest.mark.parametrize("way", ["iid", "dirichlet:0.1", "dirichlet:1", "dirichlet:1e6", "dirichlet:1e-9"])
@pytest.mark.parametrize(("count", "clients"), [(200, 1), (200, 3), (100, 2)])
def test_each_row_comes_to_exactly_one_client(way, count, clients):
    rows = made(count)
    parts = partition.shares(rows, partition.parse(way), clients, seed=3)
    assert list(parts) == [f"client_{i}" for i in range(1, clients + 1)]
    assert sorted((row for part in parts.values() for row in part), key=lambda row: row.line) == rows
    assert all(part == sorted(part, key=lambda row: row.line) and part for part in parts.values())


@pytest.mark.parametrize(("count", "clients"), [(10, 4), (12, 4), (5, 5), (101, 12)])
def test_an_even_draw_differs_by_at_most_a_row(count, clients):
    parts = partition.shares(made(count), Partition("iid"), clients, seed=42)
    sizes = sorted(map(len, parts.values()))
    assert sum(sizes) == count
    assert sizes[-1] - sizes[0] <= 1


def test_an_even_draw_is_no_cut_of_the_file():
    parts = partition.shares(made(100), Partition("iid"), 2, seed=42)
    assert 10 < sum(row.line <= 50 for row in parts["client_1"]) < 40


def test_names_sort_as_numbers():
    names = list(partition.shares(made(100), Partition("iid"), 12, seed=42))
    assert names[0] == "client_01"
    assert names[-1] == "client_12"
    assert names == sorted(names)


@pytest.mark.parametrize("way", ["iid", "dirichlet:0.5"])
def test_the_seed_decides(way):
    draw = partition.parse(way)
    again = [partition.shares(made(90), draw, 3, seed) for seed in (1, 1, 2)]
    assert again[0] == again[1]
    assert again[0] != again[2]


def test_the_draw_is_the_same_in_every_process():
    code = (
        "from finlora.data import Row\nfrom finlora.federated import partition as p\n"
        f"rows = [Row(str(i), {LABELS!r}[i % 3], i) for i in range(60)]\n"
        "for way in ('iid', 'dirichlet:0.5'):\n"
        "    parts = p.shares(rows, p.parse(way), 3, 7)\n"
        "    print({name: [row.line for row in part] for name, part in parts.items()})\n"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashes in ("0", "1", "2")
    }
    assert len(seen) == 1
    assert seen.pop().count("client_3") == 2


def test_a_small_alpha_makes_unlike_clients():
    def unlike(alpha):
        # How far a client's share of a label is from an equal one, on average.
        parts = partition.shares(made(3000), Partition("dirichlet", alpha=alpha), 4, seed=5)
        counts = [Counter(row.target for row in part) for part in parts.values()]
        return sum(abs(count[label] / 1000 - 0.25) for count in counts for label in LABELS) / 12

    assert unlike(1e6) < 0.001
    assert unlike(0.1) > 0.2 > unlike(1) > 0.05 > unlike(100)


def test_portions_follow_the_distribution():
    """Of a symmetric Dirichlet draw over K, a portion has mean 1/K and variance (K-1)/(K²(K·alpha+1))."""
    labels = [f"label {i}" for i in range(100)]
    draws = [
        partition.shares(made(10_000, labels), Partition("dirichlet", alpha=2.0), 4, seed)
        for seed in range(5)
    ]
    portions = [
        Counter(row.target for row in parts["client_1"])[label] / 100 for parts in draws for label in labels
    ]
    mean = sum(portions) / 500
    variance = sum((portion - mean) ** 2 for portion in portions) / 500
    # Three standard errors and more.
    assert mean == pytest.approx(1 / 4, abs=0.02)
    assert variance == pytest.approx(3 / (16 * 9), rel=0.2)


def test_one_label_alone_is_spread_too():
    parts = partition.shares(made(50, ["positive"]), Partition("dirichlet", alpha=1.0), 3, seed=1)
    assert sum(map(len, parts.values())) == 50


def test_labels_are_taken_without_the_blanks_around_them():
    rows = made(60, ["up", " up", "down"])
    assert {label: len(places) for label, places in partition.label_rows(rows).items()} == {
        "down": 20,
        "up": 40,
    }


@pytest.mark.parametrize(("labels", "count"), [(101, 1000), (31, 60)])
def test_free_answers_are_no_labels(labels, count):
    rows = made(count, [f"answer {i}" for i in range(labels)])
    assert partition.label_rows(rows) == {}
    with pytest.raises(UsageError, match=f"{labels} different targets; (?s:.*)Take: --partition iid"):
        partition.shares(rows, Partition("dirichlet", alpha=1.0), 2, seed=1)
    assert partition.shares(rows, Partition("iid"), 2, seed=1)


def test_the_most_labels_there_can_be():
    assert len(partition.label_rows(made(200, [f"label {i}" for i in range(100)]))) == 100


def test_a_draw_is_repeated_until_all_clients_have_rows():
    draw = Partition("dirichlet", alpha=0.3)
    least = [
        min(map(len, partition.shares(made(60), draw, 4, seed, least).values()))
        for least in (1, 8)
        for seed in range(20)
    ]
    assert min(least[:20]) >= 1
    # There was something to repeat.
    assert min(least[:20]) < 8
    assert min(least[20:]) >= 8


def test_where_no_draw_gives_all_clients_rows():
    # Three labels, each of them whole to one client: a fourth has nothing.
    with pytest.raises(UsageError) as fault:
        partition.shares(made(60), Partition("dirichlet", alpha=1e-9), 4, seed=1)
    assert str(fault.value) == (
        "--partition dirichlet:1e-09 --clients 4: in each of 100 draws a client got fewer "
        "rows than 1, of 60\nTake fewer clients, a greater ALPHA, or --partition iid"
    )


@pytest.mark.parametrize("clients", [0, -1, 11])
@pytest.mark.parametrize("way", ["iid", "dirichlet:1"])
def test_the_number_of_clients_has_bounds(clients, way):
    with pytest.raises(
        UsageError, match=f"--clients {clients}: the dataset has 10 rows(?s:.*)Allowed: 1 to 10"
    ):
        partition.shares(made(10), partition.parse(way), clients, seed=1)


def test_a_client_may_need_more_rows_than_one():
    with pytest.raises(UsageError, match="Allowed: 1 to 3 clients"):
        partition.shares(made(10), Partition("iid"), 4, seed=1, least=3)
    assert len(partition.shares(made(10), Partition("iid"), 3, seed=1, least=3)) == 3


def test_files_are_not_drawn(here):
    with pytest.raises(ValueError, match="of_files"):
        partition.shares(made(10), partition.parse("files:banks"), 2, seed=1)


def test_the_demo_data_divides(tmp_path):
    lines = (Path(__file__).parents[2] / "data/train/sentiment_sample_train.jsonl").read_text().splitlines()
    rows = [Row(row["context"], row["target"], i) for i, row in enumerate(map(json.loads, lines), 1)]
    parts = partition.shares(rows, Partition("dirichlet", alpha=0.5), 4, seed=42)
    assert sum(map(len, parts.values())) == len(rows) > 500
