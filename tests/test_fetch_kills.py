"""A fetch killed at any moment, interrupted, or met by another: old or new files, never a mixture."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finlora import cards
from finlora.files import hold
from tests.conftest import RUN, Project, write_project
from tests.hub_server import Fault, Hub, serving, use
from tests.test_fetch import PROMPT, Run, add

# Just before a file is opened for writing, or takes a name, for the n-th time.
MOMENTS = {
    "a download begins": ("open", r"/blobs/.*\.incomplete$", 1),
    "the second download begins": ("open", r"/blobs/.*\.incomplete$", 2),
    "the first new card": ("os.rename", r"/\.mood_train\.card\.json\.new$", 1),
    "the first rows are written": ("open", r"/\.mood_train\.jsonl\.\d+\.tmp$", 1),
    "the first rows take their place": ("os.rename", r"/mood_train\.jsonl$", 1),
    "their card takes its place": ("os.rename", r"/mood_train\.card\.json$", 1),
    "between the two sides": ("open", r"/\.\.mood_test\.card\.json\.new\.\d+\.tmp$", 1),
    "the second rows take their place": ("os.rename", r"/mood_test\.jsonl$", 1),
    "the second card takes its place": ("os.rename", r"/mood_test\.card\.json$", 1),
    "the list of files": ("os.rename", r"/data/README\.md$", 1),
}
ROWS = {"train": "train/mood_train.jsonl", "test": "test/mood_test.jsonl"}


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


def start(project: Project, server: Hub, *words: str, **env: str) -> "subprocess.Popen[str]":
    """Start `finlora data fetch` as a user would, with a cache of its own."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    paths = [env.pop("killer", ""), str(Path(__file__).parents[1])]
    more = {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(project.root.parent / "home"),
        "PYTHONPATH": ":".join(filter(None, paths)),
        **env,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "finlora", "data", "fetch", *words],
        cwd=project.root,
        env={**inherited, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def contents(project: Project) -> dict[str, bytes]:
    return {side: (project.root / "data" / name).read_bytes() for side, name in ROWS.items()}


def test_ten_moments() -> None:
    assert len(MOMENTS) == 10


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_moment(project: Project, server: Hub, run: Run, moment: str) -> None:
    add(project, server)
    run("data", "fetch", "mood")
    old = contents(project)
    add(project, server, prompt=f"Again: {PROMPT}")
    (project.root / "data" / "README.md").unlink()
    audit, path, nth = MOMENTS[moment]
    mark = project.root / "killed"
    kill = {"audit": audit, "path": path, "nth": nth, "mark": str(mark)}
    killer = str(Path(__file__).parent / "killer")
    process = start(project, server, "mood", killer=killer, FINLORA_TEST_KILL=json.dumps(kill))
    _, said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said
    assert mark.exists()
    left = contents(project)
    looks = {side: cards.look(project.root / "data" / name) for side, name in ROWS.items()}
    assert {look.state for look in looks.values()} == {"made"}
    assert run("data", "fetch", "mood").code == 0
    new = contents(project)
    assert all(new[side] != old[side] for side in ROWS)
    assert all(left[side] in (old[side], new[side]) for side in ROWS)
    assert not list((project.root / "data").rglob("*.tmp"))
    assert (project.root / "data" / "README.md").read_text().count("mood (mended)") == 2
    assert [card["counts"]["rows"] for card in map(read, ROWS.values()) if card] == [3, 2]


def read(name: str) -> Any:
    card = cards.path_of(Path("data") / name)
    return json.loads(card.read_text())


def gate_at(server: Hub, pattern: str) -> tuple[threading.Event, threading.Event]:
    """Hold requests until told; return what says that one came, and what lets it go."""
    came, go = threading.Event(), threading.Event()

    def wait() -> None:
        came.set()
        go.wait(60)

    server.faults.append(Fault(pattern, before=wait))
    return came, go


def test_two_fetches_of_one_task(project: Project, server: Hub, run: Run) -> None:
    add(project, server)
    came, go = gate_at(server, "GET .*test.csv")
    first = start(project, server, "mood")
    assert came.wait(60)
    second = run("data", "fetch", "mood")
    assert second.code == 1
    assert f"'mood' is being fetched already, by process {first.pid}" in second.err
    go.set()
    _, said = first.communicate()
    assert first.returncode == 0, said
    assert run("data", "fetch", "mood", "--json").out.count("there already") == 1


def test_two_fetches_of_two_tasks_both_stand_in_the_list(project: Project, server: Hub) -> None:
    for name in ("one", "two"):
        add(project, server, name)
    both = [start(project, server, name) for name in ("one", "two")]
    for process in both:
        _, said = process.communicate()
        assert process.returncode == 0, said
    readme = (project.root / "data" / "README.md").read_text()
    assert (readme.count("one (mended)"), readme.count("two (mended)")) == (2, 2)


def test_the_list_is_written_by_one_at_a_time(tmp_path: Path) -> None:
    other = threading.Thread(target=cards.index, args=(tmp_path,))
    with hold(tmp_path / ".readme.lock"):
        other.start()
        other.join(0.2)
        assert not (tmp_path / "README.md").exists()
    other.join()
    assert (tmp_path / "README.md").exists()


def test_an_interrupted_fetch_ends_at_once_and_leaves_nothing(project: Project, server: Hub) -> None:
    add(project, server)
    came, go = gate_at(server, "GET .*test.csv")
    process = start(project, server, "mood")
    assert came.wait(60)
    process.send_signal(signal.SIGINT)
    # The hub would be waited for ten seconds, and then again.
    _, said = process.communicate(timeout=8)
    go.set()
    assert process.returncode == 130
    assert "interrupted" in said
    assert not list((project.root / "data").rglob("mood*"))
