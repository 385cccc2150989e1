"""The hub's named files: what is asked for, what is checked, and what each failure says."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from finlora import hub
from finlora.errors import HubError
from tests.hub_server import TOKEN, Fault, Hub, serving, use

REPO = "org/set"
FILES = {
    "a.csv": b"x,y\n1,2\n",
    "deep/b.parquet": b"PAR1" + bytes(range(256)) * 40 + b"PAR1",
    "load.py": b"1/0",
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving() as found:
        found.datasets[REPO] = dict(FILES)
        use(found, tmp_path / "hub", monkeypatch)
        yield found


def test_files_are_taken_once_and_no_others(server: Hub) -> None:
    came: list[tuple[str, int, int | None]] = []
    taken = hub.take(REPO, None, ["a.csv", "deep/b.parquet"], on_bytes=lambda *got: came.append(got))
    assert taken.commit == server.commit(REPO)
    assert {path: file.read_bytes() for path, file in taken.files.items()} == {
        path: FILES[path] for path in ("a.csv", "deep/b.parquet")
    }
    assert taken.digests["a.csv"] == hashlib.sha256(FILES["a.csv"]).hexdigest()
    sizes = {path: len(FILES[path]) for path in taken.files}
    assert {path: sum(n for p, n, _ in came if p == path) for path in sizes} == sizes
    assert {path: size for path, _, size in came if size is not None} == sizes
    assert server.asked() == {"a.csv", "deep/b.parquet"}
    server.requests.clear()
    for offline in (False, True):
        assert hub.take(REPO, taken.commit, ["a.csv", "deep/b.parquet"], offline=offline) == taken
    assert server.requests == []


def wait_for(event: threading.Event) -> None:
    assert event.wait(60)


def refusal(revision: str | None = None, path: str = "a.csv", **more: object) -> str:
    waits: list[float] = []
    with pytest.raises(HubError) as caught:
        hub.take(REPO, revision, [path], wait=waits.append, **more)
    assert TOKEN not in str(caught.value)
    assert "What to do: " in str(caught.value)
    assert len(waits) <= 3
    return str(caught.value)


def test_each_absence_has_its_own_words(server: Hub) -> None:
    assert "127.0.0.1 has no such file in it (gone.csv)" in refusal(path="gone.csv")
    assert "has no such revision of it" in refusal(revision="0" * 40)
    del server.datasets[REPO]
    assert "knows no such dataset, or it is private" in refusal()


def test_a_gated_dataset_needs_the_users_token(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    server.gated.add(REPO)
    words = refusal()
    assert "gives it only to those who accepted its licence" in words
    assert "127.0.0.1/datasets/org/set" in words
    assert "`hf auth login` or set HF_TOKEN" in words
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert hub.take(REPO, None, ["a.csv"]).commit == server.commit(REPO)


@pytest.mark.parametrize(
    ("status", "words", "waits"),
    [
        (403, "refuses access (status 403)", []),
        (429, "asked too often (status 429)", [1, 2, 4]),
        (500, "answers with status 500", [1, 2, 4]),
        (503, "answers with status 503", [1, 2, 4]),
    ],
)
def test_a_hub_that_refuses(server: Hub, status: int, words: str, waits: list[float]) -> None:
    server.faults.append(Fault("/api/", status=status))
    waited: list[float] = []
    with pytest.raises(HubError) as caught:
        hub.take(REPO, None, ["a.csv"], wait=waited.append)
    assert words in str(caught.value)
    assert waited == waits
    assert len(server.requests) == len(waits) + 1


def test_retry_after_is_honoured_and_a_long_one_is_not_waited_for(server: Hub) -> None:
    server.faults.append(Fault("/api/", times=2, status=429, headers={"Retry-After": "7"}))
    waited: list[float] = []
    hub.take(REPO, None, ["a.csv"], wait=waited.append)
    assert waited == [7, 7]
    server.faults.append(Fault("/api/", status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(HubError, match="asked too often"):
        hub.take(REPO, None, ["a.csv"], wait=waited.append)
    assert waited == [7, 7]


def test_a_body_that_is_cut_off_goes_on_from_there(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whole pieces are kept, of 10 MB in the library.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1024)
    server.faults.append(Fault("^GET .*b.parquet", times=1, cut=4000))
    waited: list[float] = []
    taken = hub.take(REPO, None, ["deep/b.parquet"], wait=waited.append)
    assert taken.files["deep/b.parquet"].read_bytes() == FILES["deep/b.parquet"]
    assert waited == [1]
    assert server.ranges == ["bytes=3072-"]


def test_a_body_that_is_always_cut_off(server: Hub) -> None:
    server.faults.append(Fault("^GET .*b.parquet", cut=0))
    assert "the answer of 127.0.0.1 was cut off" in refusal(path="deep/b.parquet")


@pytest.mark.parametrize("path", ["a.csv", "deep/b.parquet"])
def test_a_wrong_digest_is_refused_and_forgotten(server: Hub, path: str) -> None:
    server.faults.append(Fault(f"^GET .*{path}", times=1, body=bytes(len(FILES[path]))))
    assert "is not what the hub announced: its digest differs" in refusal(path=path)
    assert hub.take(REPO, None, [path]).files[path].read_bytes() == FILES[path]


def test_a_file_that_rotted_in_the_cache_is_found_out(server: Hub) -> None:
    taken = hub.take(REPO, None, ["a.csv"])
    taken.files["a.csv"].resolve().write_bytes(b"x,y\n1,3\n")
    assert "its digest differs" in refusal(revision=taken.commit, offline=True)


def test_offline_without_the_file(server: Hub) -> None:
    assert "is not in the hub's cache" in refusal(offline=True)
    assert server.requests == []


def test_no_network(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    # Nobody listens at the discard port.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "127.0.0.1 can't be reached" in refusal()
    assert "HF_ENDPOINT" in refusal()


@pytest.mark.parametrize("answer", [b"<html>Log in</html>", b"[]", b"{}", b'{"sha": "main"}', b'{"sha": 1}'])
def test_what_is_no_hub(server: Hub, answer: bytes) -> None:
    server.faults.append(Fault("/api/", body=answer))
    assert "127.0.0.1 does not answer as a hub does" in refusal()


def test_a_slow_body_is_asked_for_again(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    go = threading.Event()
    server.faults.append(Fault("^GET .*a.csv", times=1, before=lambda: wait_for(go)))
    taken = hub.take(REPO, None, ["a.csv"], wait=lambda _seconds: go.set())
    assert go.is_set()
    assert taken.files["a.csv"].read_bytes() == FILES["a.csv"]


def test_the_environment_is_the_librarys(server: Hub, tmp_path: Path) -> None:
    server.gated.add(REPO)
    code = f"from finlora import hub; print(hub.take({REPO!r}, None, ['a.csv']).commit)"
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    env = {**inherited, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home")}

    def child(**more: str) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-c", code]
        return subprocess.run(words, env={**env, **more}, capture_output=True, text=True, check=False)

    assert "accept the licence" in child(HF_TOKEN="hf_of_somebody_else").stderr
    first = child(HF_TOKEN=TOKEN)
    assert (first.stdout.strip(), TOKEN in first.stderr) == (server.commit(REPO), False)
    assert (tmp_path / "home" / "hub" / "datasets--org--set").is_dir()
    server.requests.clear()
    assert "is not in the hub's cache" in child(HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "other")).stderr
    assert server.requests == []


def test_the_library_is_whole_before_threads_share_it() -> None:
    # Its parts come lazily, and two threads that meet in an import both fail.
    code = (
        "import sys; from finlora import hub; hub.load(); "
        "print({'huggingface_hub.hf_api', 'huggingface_hub.file_download'} <= set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
