"""Shards: written with their manifest last, and believed only as long as they are what was written."""

import json
import re

import pytest

from finlora.data import Row, read_rows
from finlora.errors import DataError, FinLoRAError
from finlora.federated import partition, shards
from finlora.federated.partition import Partition
from finlora.files import sha256

DRAW = Partition("dirichlet", alpha=0.5)

# What the manifest says instead, and what is named.
DAMAGED = {
    "another schema": ({"schema": 2}, "schema"),
    "no kind": ({"kind": None}, "kind"),
    "alpha as text": ({"alpha": "0.5"}, "alpha"),
    "no seed": ({"seed": None}, "seed"),
    "sources as a list": ({"sources": []}, "sources"),
    "no clients": ({"clients": {}}, "clients"),
    "clients as a list": ({"clients": []}, "clients"),
    "a client without rows": ({"clients": {"a": {"rows": 0, "sha256": "", "labels": None}}}, "clients"),
    "a client without a digest": ({"clients": {"a": {"rows": 1, "labels": None}}}, "clients"),
    "labels without counts": ({"clients": {"a": {"rows": 1, "sha256": "", "labels": {"b": "c"}}}}, "clients"),
    "a client in another folder": (
        {"clients": {"../a": {"rows": 1, "sha256": "", "labels": None}}},
        "clients",
    ),
}


def made(count, labels=("negative", "neutral", "positive")):
    return [Row(f"Umsatz +{i} €\n", labels[i % len(labels)], i + 1) for i in range(count)]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "news.jsonl"
    path.write_text("what was divided")
    return path


@pytest.fixture
def written(tmp_path, source):
    parts = partition.shares(made(60), DRAW, 3, seed=7)
    return shards.write(tmp_path / "shards", parts, DRAW, 7, [source])


def test_what_is_written_is_read_again(tmp_path, source, written):
    parts = partition.shares(made(60), DRAW, 3, seed=7)
    assert shards.read(written.folder) == written
    assert (written.kind, written.alpha, written.seed) == ("dirichlet", 0.5, 7)
    assert written.sources == {"news.jsonl": sha256(source)}
    assert [shard.client for shard in written.clients] == ["client_1", "client_2", "client_3"]
    for shard in written.clients:
        rows = read_rows(written.file(shard.client))
        assert [(row.context, row.target) for row in rows] == [
            (row.context, row.target) for row in parts[shard.client]
        ]
        assert shard.rows == len(rows)
        assert shard.share == len(rows) / 60
        assert shard.labels == {
            label: sum(row.target == label for row in rows) for label in ("negative", "neutral", "positive")
        }
    assert sorted(path.name for path in written.folder.iterdir()) == [
        "client_1.jsonl",
        "client_2.jsonl",
        "client_3.jsonl",
        "partition.json",
    ]


def test_equal_draws_are_equal_bytes(tmp_path, source, written):
    parts = partition.shares(made(60), DRAW, 3, seed=7)
    again = shards.write(tmp_path / "again", dict(reversed(parts.items())), DRAW, 7, [source])
    assert again.clients == written.clients
    assert (again.folder / shards.MANIFEST).read_bytes() == (written.folder / shards.MANIFEST).read_bytes()


def test_files_have_each_their_digest(tmp_path):
    for name, count in {"b": 2, "a": 1}.items():
        (tmp_path / f"{name}.jsonl").write_text('{"context": "c", "target": "t"}\n' * count)
    draw = partition.parse(f"files:{tmp_path}")
    written = shards.write(tmp_path / "shards", partition.of_files(draw), draw, 1, draw.files)
    assert written.sources == {f"{name}.jsonl": sha256(tmp_path / f"{name}.jsonl") for name in "ab"}
    assert [(shard.client, shard.rows, shard.share) for shard in written.clients] == [
        ("a", 1, 1 / 3),
        ("b", 2, 2 / 3),
    ]


def test_no_path_and_no_text_of_a_row_stands_in_the_manifest(tmp_path, source):
    free = [Row("c", f"secret {i}", i) for i in range(10)]
    parts = partition.shares(free, Partition("iid"), 2, seed=1)
    written = shards.write(tmp_path / "shards", parts, Partition("iid"), 1, [source])
    text = (written.folder / shards.MANIFEST).read_text()
    assert "secret" not in text
    assert str(tmp_path) not in text
    assert {shard.labels for shard in written.clients} == {None}


@pytest.mark.parametrize(("labels", "shown"), [(20, True), (21, False)])
def test_many_labels_are_no_table(tmp_path, source, labels, shown):
    rows = made(100, [f"label {i:02}" for i in range(labels)])
    parts = partition.shares(rows, Partition("iid"), 2, seed=1)
    written = shards.write(tmp_path / "shards", parts, Partition("iid"), 1, [source])
    assert [shard.labels is not None for shard in written.clients] == [shown, shown]


def test_shards_without_a_manifest_are_not_believed(written):
    (written.folder / shards.MANIFEST).unlink()
    with pytest.raises(
        DataError, match=r"partition\.json: no such file: the clients' rows beside it are incomplete"
    ):
        shards.read(written.folder)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        shards.read(tmp_path / "nowhere")


def test_an_edited_shard_is_named(written):
    second = written.file("client_2")
    second.write_bytes(second.read_bytes() + b"\n")
    written.file("client_3").unlink()
    with pytest.raises(DataError) as fault:
        shards.read(written.folder)
    first, other = fault.value.problems
    assert str(first) == f"{second}: was edited: it is not the file that partition.json names"
    assert str(other) == f"{written.file('client_3')}: is missing; the manifest names it"
    assert f"Remove {written.folder} and start anew" in str(fault.value)


def test_enough_damage_is_tried():
    assert len(DAMAGED) == 11


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_manifest_is_told(written, kind):
    change, named = DAMAGED[kind]
    path = written.folder / shards.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match=rf"partition\.json: {named} missing or damaged"):
        shards.read(written.folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"kind": "\\ud83d"}'])
def test_a_manifest_that_is_no_json(written, content):
    path = written.folder / shards.MANIFEST
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path}: can't be read")):
        shards.read(written.folder)


def test_a_write_that_breaks_off_leaves_nothing_to_believe(source, written):
    """The second client's file can't be written, over shards that were whole."""
    written.file("client_2").unlink()
    written.file("client_2").mkdir()
    parts = partition.shares(made(60), Partition("iid"), 3, seed=8)
    with pytest.raises(FinLoRAError, match=r"client_2\.jsonl: can't be written"):
        shards.write(written.folder, parts, Partition("iid"), 8, [source])
    with pytest.raises(DataError, match="incomplete"):
        shards.read(written.folder)


def test_fewer_clients_take_the_place_of_more(source, written):
    parts = partition.shares(made(60), DRAW, 2, seed=7)
    again = shards.write(written.folder, parts, DRAW, 7, [source])
    assert [shard.client for shard in again.clients] == ["client_1", "client_2"]
    assert shards.read(written.folder) == again


def test_a_folder_that_is_a_file(tmp_path, source):
    (tmp_path / "file").write_text("")
    with pytest.raises(FinLoRAError, match="is no folder"):
        shards.write(tmp_path / "file", {"a": made(2)}, DRAW, 1, [source])
