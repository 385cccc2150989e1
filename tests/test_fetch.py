"""`finlora data fetch`: from a hub's files to rows and cards, and all that can stand in the way."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from finlora.files import sha256
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
    assert "strict needs --accept-licence: strict: terms of strict (non-commercial)" in done.err
    assert "silent needs --accept-licence: silent: terms of silent (unstated)" in done.err
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
