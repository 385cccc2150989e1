"""`finlora data fetch`: from a hub's files to rows and cards, and all that can stand in the way."""

import csv
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from finlora.converters import columns
from finlora.errors import UsageError
from finlora.files import sha256
from finlora.task_rows import converter
from finlora.tasks import Task
from tests.conftest import RUN, Project, Result, write_project
from tests.hub_server import Fault, Hub, serving, use

Run = Callable[..., Result]
PROMPT = "What is the sentiment?\nInput: {text}\nAnswer: "
LABELS = {"0": "negative", "1": "positive", "2": "neutral"}
TRAIN = [("Sales fell", 0), ("Sales rose", 1), ("Â£5m paid", 2), ("Sales rose", 1), ("nan", 1), ("Held", 2)]
TEST = [("Held", 2), ("Profit rose", 1)]


def csv_bytes(rows: Sequence[Sequence[Any]], header: Sequence[str] = ("text", "label")) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue().encode()


def parquet_bytes(rows: Sequence[Sequence[Any]], header: Sequence[str] = ("text", "label")) -> bytes:
    out = io.BytesIO()
    columns = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


def json_bytes(rows: Sequence[Sequence[Any]]) -> bytes:
    return json.dumps([{"text": text, "label": label} for text, label in rows]).encode()


def zip_bytes(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        archive.writestr("../evil.txt", b"x")
    return out.getvalue()


def task(name: str, source: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    sides = more.pop("sides", ("train", "test"))
    return {
        "id": name,
        "name": name,
        "description": "A task of a test.",
        "family": "general",
        "answer": "label",
        "labels": ["negative", "neutral", "positive"],
        "prompt": PROMPT,
        "metrics": ["accuracy"],
        "source": source,
        "convert": {
            "target": "label",
            "labels": LABELS,
            "published_labels": {"0": "negative", "1": "neutral", "2": "positive"},
        },
        "licence": {"stated": "MIT", "terms": "free"},
        "split": {"rule": "the source's files"},
        "files": {side: f"{side}/{name}_{side}.jsonl" for side in sides},
        **more,
    }


def hub_source(name: str, train: str = "train.csv", test: str = "test.csv") -> dict[str, Any]:
    files = {"train": [{"path": train}], "test": [{"path": test}]}
    return {"kind": "hub", "repo": f"org/{name}", "files": files}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving() as found:
        use(found, tmp_path / "hub", monkeypatch)
        yield found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = write_project(tmp_path / "project", {"first_run": RUN})
    monkeypatch.chdir(made.root)
    return made


def add(project: Project, server: Hub, name: str = "mood", **more: Any) -> dict[str, Any]:
    """Add a task to the project, and its source to the hub."""
    made = task(name, more.pop("source", hub_source(name)), **more)
    folder = project.config.parent / "tasks"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(made))
    files = {"train.csv": csv_bytes(TRAIN), "test.csv": csv_bytes(TEST)}
    server.datasets.setdefault(f"org/{name}", {**files, "script.py": b"1/0", "README.md": b"card"})
    return made


def rows_of(project: Project, name: str) -> list[tuple[str, str]]:
    lines = (project.root / "data" / name).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row["context"].split("Input: ")[1].split("\n")[0], row["target"]) for row in rows]


def card_of(project: Project, name: str) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((project.root / "data" / name).read_text())
    return card


MENDED_TRAIN = [("Sales fell", "negative"), ("Sales rose", "positive"), ("£5m paid", "neutral")]


def test_mended_rows_with_their_cards(project: Project, server: Hub, run: Run) -> None:
    add(project, server)
    done = run("data", "fetch", "mood")
    assert done.code == 0, done.err
    assert rows_of(project, "train/mood_train.jsonl") == MENDED_TRAIN
    assert rows_of(project, "test/mood_test.jsonl") == [("Held", "neutral"), ("Profit rose", "positive")]
    assert server.asked() == {"train.csv", "test.csv"}
    card = card_of(project, "train/mood_train.card.json")
    assert card["sha256"] == sha256(project.root / "data" / "train" / "mood_train.jsonl")
    assert card["source"]["revision"] == server.commit("org/mood")
    assert [file["path"] for file in card["source"]["files"]] == ["train.csv", "test.csv"]
    assert card["counts"]["records"] == {"train": 6, "test": 2}
    assert card["counts"]["mended"]["broken encoding repaired"] == 1
    assert card["dropped"] == {
        "text: 'nan' instead of a text": {"train.csv": "6"},
        "repeats an earlier row": {"train.csv": "5"},
        "is in the test rows too": {"train.csv": "7"},
    }
    assert (card["form"], card["task"], card["licence"]["stated"]) == ("mended", "mood", "MIT")
    assert card_of(project, "test/mood_test.card.json")["dropped"] == {}
    readme = (project.root / "data" / "README.md").read_text()
    assert "| `train/mood_train.jsonl` | 3 | mood (mended) | org/mood at " in readme


def test_rows_as_published_have_every_fault_and_another_name(project: Project, server: Hub, run: Run) -> None:
    add(project, server)
    assert run("data", "fetch", "mood", "--as-published").code == 0
    assert not (project.root / "data" / "train" / "mood_train.jsonl").exists()
    swapped = {0: "negative", 1: "neutral", 2: "positive"}
    assert rows_of(project, "train/mood_train_as_published.jsonl") == [(t, swapped[n]) for t, n in TRAIN]
    card = card_of(project, "train/mood_train_as_published.card.json")
    assert (card["form"], card["dropped"], card["counts"]["mended"]) == ("as_published", {}, {})


@pytest.mark.parametrize(
    ("name", "content", "member"),
    [
        ("x.parquet", parquet_bytes(TRAIN), None),
        ("x.csv", csv_bytes(TRAIN), None),
        ("x.json", json_bytes(TRAIN), None),
        ("x.zip", zip_bytes("inner/x.csv", csv_bytes(TRAIN)), "inner/x.csv"),
    ],
    ids=["parquet", "csv", "json", "zip"],
)
def test_every_format_gives_the_same_rows(
    project: Project, server: Hub, run: Run, name: str, content: bytes, member: str | None
) -> None:
    files = {
        "train": [{"path": name, **({"member": member} if member else {})}],
        "test": [{"path": "test.csv"}],
    }
    server.datasets["org/mood"] = {name: content, "test.csv": csv_bytes(TEST)}
    add(project, server, source={"kind": "hub", "repo": "org/mood", "files": files})
    assert run("data", "fetch", "mood").code == 0
    assert rows_of(project, "train/mood_train.jsonl") == MENDED_TRAIN
    assert not list(project.root.rglob("evil*"))


def test_a_second_fetch_finds_all_there_and_asks_nobody(project: Project, server: Hub, run: Run) -> None:
    add(project, server)
    run("data", "fetch", "mood")
    before = project.files()
    server.requests.clear()
    done = run("data", "fetch", "mood", "--json")
    assert json.loads(done.out)[0] == {
        "task": "mood",
        "state": "there already",
        "note": "",
        "rows": {"train": 3, "test": 2},
        "dropped": 3,
        "files": ["data/train/mood_train.jsonl", "data/test/mood_test.jsonl"],
    }
    assert server.requests == []
    assert project.files() == before
    assert run("data", "fetch", "mood", "--overwrite", "--offline").code == 0


def test_terms_are_accepted_by_name_before_anything_is_asked(project: Project, server: Hub, run: Run) -> None:
    for name, terms in (("strict", "non-commercial"), ("silent", "unstated"), ("mood", "free")):
        add(project, server, name, licence={"stated": f"terms of {name}", "terms": terms})
    done = run("data", "fetch", "strict", "silent", "mood")
    assert done.code == 2
    assert "strict needs --accept-licence: terms of strict (non-commercial)" in done.err
    assert "silent needs --accept-licence: terms of silent (unstated)" in done.err
    assert server.requests == []
    assert run("data", "fetch", "strict", "silent", "mood", "--accept-licence").code == 0


@pytest.mark.parametrize("state", ["unknown", "changed"])
def test_what_a_fetch_did_not_make_is_kept(project: Project, server: Hub, run: Run, state: str) -> None:
    add(project, server)
    rows = project.root / "data" / "train" / "mood_train.jsonl"
    if state == "changed":
        run("data", "fetch", "mood")
    rows.write_text('{"context": "mine", "target": "mine"}\n')
    done = run("data", "fetch", "mood")
    words = {"unknown": "was not made by finlora data fetch", "changed": "was changed since"}
    assert done.code == 1
    assert words[state] in done.err
    assert "mine" in rows.read_text()
    assert run("data", "fetch", "mood", "--overwrite").code == 0
    assert rows_of(project, "train/mood_train.jsonl") == MENDED_TRAIN


def test_the_first_fetch_pins_the_revision(project: Project, server: Hub, run: Run) -> None:
    add(project, server)
    run("data", "fetch", "mood")
    first = card_of(project, "test/mood_test.card.json")["source"]["revision"]
    server.datasets["org/mood"]["test.csv"] = csv_bytes([("New", 1)])
    server.requests.clear()
    assert run("data", "fetch", "mood", "--as-published").code == 0
    assert card_of(project, "test/mood_test_as_published.card.json")["source"]["revision"] == first
    assert server.requests == []


def test_a_rewritten_history_is_found_out(
    project: Project, server: Hub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(project, server)
    server.commits["org/mood"] = "a" * 40
    run("data", "fetch", "mood")
    server.datasets["org/mood"]["test.csv"] = csv_bytes([("New", 1)])
    use(server, tmp_path / "another", monkeypatch)
    before = project.files()
    done = run("data", "fetch", "mood", "--overwrite")
    assert done.code == 1
    assert "'test.csv' is another file than the one first fetched for 'mood'" in done.err
    assert "delete the cards of mood in data/" in done.err
    assert project.files() == before
    for card in project.root.rglob("mood*.card.json"):
        card.unlink()
    assert run("data", "fetch", "mood", "--overwrite").code == 0
    assert rows_of(project, "test/mood_test.jsonl") == [("New", "positive")]


def test_a_file_with_another_digest_than_the_tasks(project: Project, server: Hub, run: Run) -> None:
    source = hub_source("mood")
    source["files"]["test"][0]["sha256"] = "0" * 64
    add(project, server, source=source)
    done = run("data", "fetch", "mood")
    assert done.code == 1
    assert "test.csv is not the file that the task names" in done.err


def test_a_faulty_source_says_where_and_leaves_nothing(project: Project, server: Hub, run: Run) -> None:
    add(project, server)
    server.datasets["org/mood"]["test.csv"] = b"text,label\nHeld,2\nProfit\n"
    before = {path for path in project.files() if "fetch-" not in path}
    done = run("data", "fetch", "mood")
    assert done.code == 1
    assert "test.csv:3: 1 fields; the first row has 2" in done.err
    assert {path for path in project.files() if "fetch-" not in path} == before


def test_several_tasks_one_of_which_fails(project: Project, server: Hub, run: Run) -> None:
    for name in ("aaa", "bbb", "ccc", "ddd", "eee"):
        add(project, server, name)
    server.faults.append(Fault("org/ccc", status=404, headers={"X-Error-Code": "RepoNotFound"}))
    done = run("data", "fetch", "aaa", "bbb", "ccc", "ddd", "eee", "--json")
    states = {found["task"]: found["state"] for found in json.loads(done.out)}
    assert states == {"aaa": "fetched", "bbb": "fetched", "ccc": "failed", "ddd": "fetched", "eee": "fetched"}
    assert done.code == 1
    assert len(list((project.root / "data" / "train").glob("*_train.jsonl"))) == 4
    readme = (project.root / "data" / "README.md").read_text()
    assert readme.count("(mended)") == 8


# Sources that are no hub


def own(project: Project, made: Mapping[str, Any]) -> None:
    folder = project.config.parent / "tasks"
    folder.mkdir(exist_ok=True)
    (folder / f"{made['id']}.json").write_text(json.dumps(made))


BRING = {
    "kind": "bring",
    "where": "t.csv of the shop around the corner",
    "files": {"test": [{"path": "in/t.csv"}]},
}


def test_a_file_to_bring_says_what_from_where(project: Project, server: Hub, run: Run) -> None:
    own(project, task("brought", BRING, sides=["test"]))
    done = run("data", "fetch", "brought")
    assert done.code == 2
    assert "brought needs --file: get t.csv of the shop around the corner" in done.err
    assert "Then: finlora data fetch brought --file PATH/t.csv" in done.err
    own(project, task("strict", BRING, sides=["test"], licence={"stated": "unstated", "terms": "unstated"}))
    assert "fetch strict --file PATH/t.csv --accept-licence" in run("data", "fetch", "strict").err
    done = run("data", "fetch", "strict", "--file", "t.csv")
    assert (done.code, "strict needs --accept-licence: unstated\n" in done.err) == (2, True)


def test_the_next_command_can_be_pasted(project: Project, server: Hub, run: Run) -> None:
    for options in ([], ["--file", project.root]):
        done = run("data", "fetch", "xbrl_term", *options)
        assert "finlora data fetch xbrl_term --file 'PATH/XBRL Terminology.xlsx'\n" in done.err


def test_a_pipe_is_refused_before_it_is_read(project: Project, server: Hub, run_process: Run) -> None:
    own(project, task("brought", BRING, sides=["test"]))
    os.mkfifo(project.root / "t.csv")
    done = run_process("data", "fetch", "brought", "--file", "t.csv", cwd=project.root)
    assert (done.code, "in/t.csv: is no regular file" in done.err) == (1, True)


def test_names_in_a_source_do_not_steer_the_terminal(project: Project, server: Hub, run: Run) -> None:
    own(project, task("brought", BRING, sides=["test"]))
    (project.root / "t.csv").write_bytes(b"te\x1b[2Jxt,\x07label\nx,1\n")
    done = run("data", "fetch", "brought", "--file", project.root / "t.csv")
    assert (done.code, "columns found: te\\u001b[2Jxt, \\u0007label" in done.err) == (1, True)
    assert run("data", "show", "\x1b[2Jx\x07").err.startswith("Error: no task '\\u001b[2Jx\\u0007'\n")


@pytest.mark.parametrize("given", ["in/t.csv", "in", ".", "renamed.csv"])
def test_a_file_that_was_brought(project: Project, server: Hub, run: Run, tmp_path: Path, given: str) -> None:
    own(project, task("brought", BRING, sides=["test"]))
    (tmp_path / "got" / "in").mkdir(parents=True)
    for name in ("in/t.csv", "renamed.csv"):
        (tmp_path / "got" / name).write_bytes(csv_bytes(TEST))
    done = run("data", "fetch", "brought", "--file", tmp_path / "got" / given)
    assert done.code == 0, done.err
    assert rows_of(project, "test/brought_test.jsonl") == [("Held", "neutral"), ("Profit rose", "positive")]
    text = json.dumps(card_of(project, "test/brought_test.card.json"))
    assert "the shop around the corner" in text
    assert str(tmp_path) not in text
    assert server.requests == []


def test_what_is_there_needs_neither_file_nor_licence_again(
    project: Project, server: Hub, run: Run, tmp_path: Path
) -> None:
    strict = {"licence": {"stated": "unstated", "terms": "unstated"}}
    own(project, task("brought", BRING, sides=["test"], **strict))
    (tmp_path / "t.csv").write_bytes(csv_bytes(TEST))
    first = run("data", "fetch", "brought", "--accept-licence", "--file", tmp_path / "t.csv")
    assert first.code == 0
    again = run("data", "fetch", "brought", "--json")
    assert (again.code, json.loads(again.out)[0]["state"]) == (0, "there already")
    (tmp_path / "t.csv").write_bytes(csv_bytes([("New", 1)]))
    run("data", "fetch", "brought", "--accept-licence", "--file", tmp_path / "t.csv")
    assert rows_of(project, "test/brought_test.jsonl") == [("New", "positive")]


def test_a_brought_file_that_is_another_or_leads_outside(
    project: Project, server: Hub, run: Run, tmp_path: Path
) -> None:
    pinned = {"test": [{"path": "t.csv", "sha256": "0" * 64}]}
    own(project, task("pinned", {**BRING, "files": pinned}, sides=["test"]))
    own(project, task("brought", BRING, sides=["test"]))
    (tmp_path / "t.csv").write_bytes(csv_bytes(TEST))
    done = run("data", "fetch", "pinned", "--file", tmp_path / "t.csv")
    assert (done.code, "the given file: t.csv is not the file that the task names" in done.err) == (1, True)
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap" / "t.csv").symlink_to(tmp_path / "t.csv")
    done = run("data", "fetch", "brought", "--file", tmp_path / "trap")
    assert (done.code, "leads outside" in done.err) == (1, True)
    (tmp_path / "empty").mkdir()
    done = run("data", "fetch", "brought", "--file", tmp_path / "empty")
    assert (done.code, "'brought' needs in/t.csv, which is not among the files given" in done.err) == (
        1,
        True,
    )


def test_file_goes_with_one_task_that_is_brought(project: Project, server: Hub, run: Run) -> None:
    own(project, task("brought", BRING, sides=["test"]))
    add(project, server)
    for names in (["mood"], ["mood", "brought"], ["all"]):
        done = run("data", "fetch", *names, "--file", "x.csv")
        assert done.code == 2
        assert "--file belongs to one task whose files are brought" in done.err
    assert server.requests == []


def ship(project: Project, monkeypatch: pytest.MonkeyPatch, *made: Mapping[str, Any]) -> None:
    """Have these tasks come with FinLoRA, and no others."""
    folder = project.root / "shipped"
    folder.mkdir()
    for entry in made:
        (folder / f"{entry['id']}.json").write_text(json.dumps(entry))
    monkeypatch.setattr("finlora.tasks.SHIPPED", folder)


SECRET = task("secret", {"kind": "unpublished", "why": "mock exams under copyright"})
MADE = task("made", {"kind": "built", "builder": "formula"})


def test_what_nobody_published_and_what_is_built_here(
    project: Project, server: Hub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(project, monkeypatch, SECRET, MADE)
    done = run("data", "fetch", "secret", "made")
    assert done.code == 2
    assert "secret can't be had: mock exams under copyright" in done.err
    assert "made is built here: finlora data build formula" in done.err


def test_an_unknown_task_names_the_nearest(project: Project, server: Hub, run: Run) -> None:
    done = run("data", "fetch", "tfms")
    assert (done.code, "no task 'tfms', did you mean 'tfns'?" in done.err) == (2, True)


@pytest.mark.parametrize("how", ["os", "mending", "../columns", "columns.os", ""])
def test_a_converter_is_one_of_this_package(how: str) -> None:
    plain = Task.model_validate(task("mood", hub_source("mood")))
    assert converter(plain) is columns.convert
    other = plain.model_copy(update={"convert": plain.convert.model_copy(update={"how": how})})
    with pytest.raises(UsageError, match=f"there is no converter '{re.escape(how)}'; there are: .*columns"):
        converter(other)


def test_offline_takes_what_is_in_the_cache(project: Project, server: Hub, run: Run) -> None:
    add(project, server)
    server.requests.clear()
    done = run("data", "fetch", "mood", "--offline")
    assert (done.code, "is not in the hub's cache" in done.err) == (1, True)
    assert server.requests == []


def test_rows_that_are_not_as_many_as_expected_are_told(project: Project, server: Hub, run: Run) -> None:
    add(project, server, rows={"train": 6, "test": 3}, mended_rows={"train": 3, "test": 3})
    assert "mood: test: 2 rows, the task says 3" in run("data", "fetch", "mood").err
    done = run("data", "fetch", "mood", "--as-published")
    assert "mood: test: 2 rows, the task says 3" in done.err


# Mixes


def mixes(project: Project, server: Hub) -> None:
    add(project, server, "aaa")
    add(project, server, "bbb")
    server.datasets["org/bbb"]["train.csv"] = csv_bytes(
        [("Sales fell", 0), *[(f"Fact {i}", 2) for i in range(5)]]
    )
    licence = {"licence": {"stated": "mixed", "terms": "free"}, "sides": ["train"]}
    parts = {"aaa": 2, "bbb": 1}
    own(project, task("plain", {"kind": "mix", "parts": parts}, **licence))
    own(project, task("even_multi", {"kind": "mix", "parts": parts, "balanced": True}, **licence))
    own(project, task("zz_over", {"kind": "mix", "parts": {"plain": 1, "aaa": 1}}, **licence))


def test_a_mix_as_published_repeats_in_order(project: Project, server: Hub, run: Run) -> None:
    mixes(project, server)
    assert run("data", "fetch", "plain", "--as-published").code == 0
    rows = rows_of(project, "train/plain_train_as_published.jsonl")
    first = rows_of(project, "train/aaa_train_as_published.jsonl")
    assert rows == first * 2 + rows_of(project, "train/bbb_train_as_published.jsonl")
    assert run("data", "fetch", "even_multi", "--as-published").code == 0
    even = rows_of(project, "train/even_multi_train_as_published.jsonl")
    assert len(even) == 12
    assert sum(text.startswith("Fact") for text, _ in even) == 5
    assert even != sorted(even)


def test_a_mended_mix_has_each_row_once_and_is_shuffled(project: Project, server: Hub, run: Run) -> None:
    mixes(project, server)
    done = run("data", "fetch", "plain", "--json")
    assert [found["task"] for found in json.loads(done.out)] == ["aaa", "bbb", "plain"]
    rows = rows_of(project, "train/plain_train.jsonl")
    parts = rows_of(project, "train/aaa_train.jsonl") + rows_of(project, "train/bbb_train.jsonl")
    assert sorted(rows) == sorted(set(parts))
    assert rows != list(dict.fromkeys(parts))
    assert len(rows) == 8
    card = card_of(project, "train/plain_train.card.json")
    assert card["source"]["parts"] == {"aaa": 2, "bbb": 1}
    assert [file["path"] for file in card["source"]["files"]] == [
        "train/aaa_train.jsonl",
        "train/bbb_train.jsonl",
    ]
    assert run("data", "fetch", "even_multi").code == 0
    # Balanced without repeats, a small part would take most rows of the others away.
    assert sorted(rows_of(project, "train/even_multi_train.jsonl")) == sorted(rows)


def test_a_mix_of_mixes_and_a_mix_whose_part_changed(project: Project, server: Hub, run: Run) -> None:
    mixes(project, server)
    assert run("data", "fetch", "zz_over").code == 0
    before = rows_of(project, "train/zz_over_train.jsonl")
    assert '"there already"' in run("data", "fetch", "zz_over", "--json").out
    add(project, server, "bbb", prompt=f"Again: {PROMPT}")
    run("data", "fetch", "bbb")
    assert '"fetched"' in run("data", "fetch", "plain", "--json").out
    assert '"fetched"' in run("data", "fetch", "zz_over", "--json").out
    # What both parts had once is now two contexts.
    assert (len(before), len(rows_of(project, "train/zz_over_train.jsonl"))) == (8, 9)


def test_a_mix_whose_part_fails(project: Project, server: Hub, run: Run) -> None:
    mixes(project, server)
    server.faults.append(Fault("org/bbb", status=403))
    done = run("data", "fetch", "plain")
    assert done.code == 1
    assert "plain: not there: bbb" in done.err


def test_all_ends_with_a_table(
    project: Project, server: Hub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(project, monkeypatch, SECRET, MADE)
    mixes(project, server)
    strict = {"stated": "CC BY-NC", "terms": "non-commercial"}
    add(project, server, "strict", licence=strict)
    own(project, task("brought", BRING, sides=["test"]))
    more = {"licence": strict, "sides": ["train"]}
    own(project, task("strict_mix", {"kind": "mix", "parts": {"strict": 1, "aaa": 1}}, **more))
    done = run("data", "fetch", "all", "--json")
    assert {found["task"]: found["state"] for found in json.loads(done.out)} == {
        "aaa": "fetched",
        "bbb": "fetched",
        "brought": "needs --file",
        "even_multi": "fetched",
        "made": "is built here",
        "plain": "fetched",
        "secret": "can't be had",
        "strict": "needs --accept-licence",
        "strict_mix": "needs --accept-licence",
        "zz_over": "fetched",
    }
    assert done.code == 0
    assert "strict_mix: strict: CC BY-NC (non-commercial)" in run("data", "fetch", "all").err
    assert "org/strict" not in " ".join(server.requests)
    table = run("data", "fetch", "all", "--accept-licence")
    assert [line.split()[:2] for line in table.out.splitlines() if line.startswith("strict")] == [
        ["strict", "fetched"],
        ["strict_mix", "fetched"],
    ]
    assert "brought: get t.csv of the shop around the corner" in table.err


def test_the_list_of_files_keeps_what_people_wrote(project: Project, server: Hub, run: Run) -> None:
    add(project, server)
    readme = project.root / "data" / "README.md"
    readme.write_text("# Our data\n\nMine.\n")
    run("data", "fetch", "mood")
    assert readme.read_text().startswith("# Our data\n\nMine.\n\n<!-- finlora data: begin -->\n")
    readme.write_text(readme.read_text() + "Below.\n")
    run("data", "fetch", "mood", "--as-published")
    text = readme.read_text()
    assert text.endswith("<!-- finlora data: end -->\nBelow.\n")
    assert text.count("begin -->") == 1
    assert text.count("mood (as published)") == 2


def test_a_place_that_fails_one_task_fails_no_other(project: Project, server: Hub, run: Run) -> None:
    add(project, server, "aaa")
    add(project, server, "bbb")
    (project.root / "data" / ".fetch-aaa.lock").mkdir(parents=True)
    done = run("data", "fetch", "aaa", "bbb", "--json")
    assert done.code == 1
    found = {one["task"]: one for one in json.loads(done.out)}
    assert (found["aaa"]["state"], found["bbb"]["state"]) == ("failed", "fetched")
    assert found["aaa"]["note"].endswith(".fetch-aaa.lock: Is a directory")
