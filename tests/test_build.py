"""Building datasets: the table of builders, sizes and seeds, and files that are there already."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest

from finlora import build, cards
from finlora.build import BUILDERS, Builder, Order, dataset_files
from finlora.cli.data import build as command
from finlora.converters import Dropped
from finlora.errors import FinLoRAError, UsageError
from finlora.files import sha256

SHIPPED = ("sentiment_sample", "formula")


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def list_folder(seed, train_rows, test_rows, folder=Path(__file__).parent):
    """A builder of a row for each file of a folder but hidden ones, all of them unless told otherwise."""
    paths = sorted(folder.iterdir())
    rows = [{"context": path.name, "target": str(seed)} for path in paths if path.name[0] != "."]
    skipped = [Dropped(str(path), 0, "it is hidden") for path in paths if path.name[0] == "."]
    return rows[1:][:train_rows], rows[:1][:test_rows], skipped


@pytest.fixture
def listed(monkeypatch):
    """Put a builder that reads a folder into the table."""
    reader = Builder(list_folder, None, None, "listed_built", "no file", reads="filings, one a file")
    monkeypatch.setattr(build, "BUILDERS", {**BUILDERS, "listed": reader})


def test_every_builder_says_what_it_needs(run):
    assert len(BUILDERS) >= 2
    assert {*SHIPPED} <= set(BUILDERS)
    assert len({builder.stem for builder in BUILDERS.values()}) == len(BUILDERS)
    text = run("data", "build", "--help").out
    assert [name for name in BUILDERS if name not in text] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_the_built_data_is_the_committed_data(tmp_path, request, name):
    built = build.build(tmp_path, Order(name))
    builder = BUILDERS[name]
    assert [file.rows for file in built.files] == [builder.train_rows, builder.test_rows]
    for file in built.files:
        committed = request.config.rootpath / file.path.relative_to(tmp_path)
        assert file.path.read_bytes() == committed.read_bytes()
        assert file.sha256 == sha256(committed)
    assert len(files(tmp_path)) == 4


def test_sizes_and_seed_are_as_asked(tmp_path):
    built = build.build(tmp_path, Order("formula", train_rows=130, test_rows=70, seed=7))
    assert (built.name, built.seed) == ("formula", 7)
    assert [(file.rows, len(lines(file.path))) for file in built.files] == [(130, 130), (70, 70)]
    other = build.build(tmp_path / "other", Order("formula", train_rows=130, test_rows=70, seed=8))
    assert lines(other.files[0].path) != lines(built.files[0].path)


def test_each_file_has_a_card_that_says_how_to_make_it_again(tmp_path):
    built = build.build(tmp_path, Order("formula", train_rows=130, test_rows=70, seed=7))
    for file, side in zip(built.files, ("train", "test"), strict=True):
        look = cards.look(file.path)
        assert look.state == "made"
        assert look.card["source"] == {
            "kind": "built",
            "builder": "formula",
            "seed": 7,
            "rows": {"train": 130, "test": 70},
            "folder": None,
        }
        assert (look.card["task"], look.card["side"]) == ("formula_built", side)
        assert look.card["sha256"] == sha256(file.path)
        assert look.card["counts"] == {"rows": file.rows, "skipped": {}}
        assert look.card["licence"]["stated"] == "Apache-2.0"
    build.build(tmp_path, Order("formula", train_rows=130, test_rows=70, seed=8), existing="replace")
    assert cards.look(built.files[0].path).card["source"]["seed"] == 8


@pytest.mark.parametrize("hash_seed", ["0", "77"])
def test_another_process_builds_the_same_bytes(tmp_path, project, hash_seed):
    argv = ["data", "build", "formula", "--rows", "500", "--test-rows", "100", "--seed", "7", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "finlora", *argv],
        cwd=project.root,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    here = build.build(tmp_path / "here", Order("formula", 500, 100, 7))
    assert [file["sha256"] for file in json.loads(done.stdout)["files"]] == [f.sha256 for f in here.files]


def test_the_same_rows_again_are_left_alone(tmp_path):
    first = build.build(tmp_path, Order("formula"))
    before = [(file.path.stat().st_mtime_ns, file.path.stat().st_ino) for file in first.files]
    again = build.build(tmp_path, Order("formula"))
    assert [file.state for file in first.files] == ["new", "new"]
    assert [file.state for file in again.files] == ["unchanged", "unchanged"]
    assert [(file.path.stat().st_mtime_ns, file.path.stat().st_ino) for file in again.files] == before


@pytest.mark.parametrize("side", [0, 1])
def test_other_rows_are_not_lost(tmp_path, side):
    paths = dataset_files(tmp_path, "formula")
    paths[side].parent.mkdir(parents=True)
    paths[side].write_text("mine")
    with pytest.raises(UsageError, match=r"holds other rows; nothing was written.* add --overwrite"):
        build.build(tmp_path, Order("formula"))
    assert paths[side].read_text() == "mine"
    assert len(files(tmp_path)) == 1
    assert cards.look(paths[side]).state == "unknown"
    kept = build.build(tmp_path, Order("formula"), existing="keep")
    assert kept.files[side].state == "kept"
    assert kept.files[1 - side].state == "new"
    assert paths[side].read_text() == "mine"
    assert len(files(tmp_path)) == 3
    replaced = build.build(tmp_path, Order("formula"), existing="replace")
    assert replaced.files[side].state == "replaced"
    assert replaced.files[1 - side].state == "unchanged"
    assert len(lines(paths[side])) == replaced.files[side].rows


def test_a_folder_in_the_place_of_the_second_file(tmp_path):
    _, test = dataset_files(tmp_path, "formula")
    test.mkdir(parents=True)
    for existing in ("refuse", "replace"):
        with pytest.raises(FinLoRAError, match="can't be written: it is a folder"):
            build.build(tmp_path, Order("formula"), existing=existing)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("/proc", "can't be written: /proc: No such file or directory"),
        ("/dev/null", "/dev/null is no folder"),
    ],
)
def test_a_place_where_nothing_can_be_written(root, message):
    with pytest.raises(FinLoRAError, match=message):
        build.build(Path(root), Order("formula"))


def test_a_folder_is_read_where_a_builder_reads_one(tmp_path, listed):
    filings = tmp_path / "filings"
    filings.mkdir()
    for name in ("a", "b", "c", "d", ".e", ".f"):
        (filings / name).touch()
    built = build.build(tmp_path, Order("listed", folder=filings))
    assert [file.rows for file in built.files] == [3, 1]
    assert [(Path(item.file).name, item.why) for item in built.skipped] == [
        (".e", "it is hidden"),
        (".f", "it is hidden"),
    ]
    assert built.files[0].path == tmp_path / "data/train/listed_built_train.jsonl"
    fewer = build.build(tmp_path, Order("listed", train_rows=2, folder=filings), existing="replace")
    assert [(file.rows, file.state) for file in fewer.files] == [(2, "replaced"), (1, "unchanged")]
    card = cards.look(fewer.files[0].path).card
    assert card["source"]["folder"] == "filings"
    assert card["counts"] == {"rows": 2, "skipped": {"it is hidden": 2}}
    assert card["licence"]["terms"] == "unstated"
    own = build.build(tmp_path / "own", Order("listed"))
    assert own.files[0].rows > 30
    assert cards.look(own.files[0].path).card["licence"]["terms"] == "free"


def test_what_was_passed_over_is_told(tmp_path, run, project, listed):
    for name in ("a", "b", ".e", ".f"):
        (tmp_path / name).touch()
    done = run("data", "build", "listed", "--from", tmp_path, "--config", project.config)
    assert done.code == 0
    assert done.err.splitlines()[-1] == "  passed over: 2: it is hidden"
    again = run("data", "build", "listed", "--from", tmp_path, "--config", project.config, "--json")
    assert [item["why"] for item in json.loads(again.out)["skipped"]] == ["it is hidden"] * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folder": ""}, "listed: no training row could be made from what lies in"),
        ({"folder": "gone"}, "gone: no such folder; --from is for filings, one a file"),
        ({"folder": "a_file"}, "a_file: no such folder"),
        ({"name": "formula"}, "it takes no --from"),
        ({"name": "list"}, "no dataset 'list' is built here, did you mean 'listed'"),
        ({"name": "sentiment_sample", "folder": None, "seed": 1}, "one fixed sample: it takes no --rows"),
        ({"name": "sentiment_sample", "folder": None, "test_rows": 5}, "one fixed sample"),
        ({"name": "formula", "folder": None, "train_rows": 300_000}, "make at most 299,760 training rows"),
    ],
)
def test_what_can_not_be_built_is_told_and_nothing_is_written(tmp_path, listed, changes, message):
    (tmp_path / "a_file").touch()
    folder = changes.get("folder", "")
    order = Order("listed", folder=tmp_path / folder if folder is not None else None)
    order = replace(order, **{key: value for key, value in changes.items() if key != "folder"})
    with pytest.raises(UsageError, match=message):
        build.build(tmp_path, order)
    assert files(tmp_path) == ["a_file"]


def test_on_the_command_line(tmp_path, run, project, monkeypatch):
    done = run("data", "build", "sentiment_sample", "--config", project.config)
    assert done.code == 0
    assert [line.partition("project/")[2] for line in done.out.splitlines()] == [
        "data/train/sentiment_sample_train.jsonl",
        "data/test/sentiment_sample_test.jsonl",
    ]
    assert done.err == "  new: 960 rows, seed 42\n  new: 240 rows, seed 42\n"
    listed = (project.root / "data" / "README.md").read_text()
    assert "| `train/sentiment_sample_train.jsonl` | 960 | sentiment_sample (built) | built |" in listed
    monkeypatch.chdir(tmp_path)
    argv = ("data", "build", "formula", "--rows", 90, "--test-rows", 60)
    assert run(*argv).out.splitlines()[0] == str(tmp_path / "data/train/formula_built_train.jsonl")
    assert "unchanged: 90 rows" in run(*argv).err
    refused = run(*argv, "--seed", 1)
    assert refused.code == 2
    assert "formula_built_train.jsonl holds other rows; nothing was written" in refused.err
    told = json.loads(run(*argv, "--seed", 1, "--overwrite", "--json").out)
    assert (told["name"], told["seed"]) == ("formula", 1)
    assert [(file["rows"], file["state"]) for file in told["files"]] == [(90, "replaced"), (60, "replaced")]


def test_the_options_are_those_of_an_order():
    assert isinstance(command, click.Command)
    names = {parameter.name for parameter in command.params}
    assert names == {"name", "rows", "test_rows", "seed", "folder", "overwrite", "config", "as_json"}
