"""Builds that were killed leave a file behind; it stops nobody. That of a build at work is left alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from finlora import native_builds
from finlora.errors import FinLoRAError

HOLDER = """
from finlora import native_builds
with native_builds.held():
    print("held", flush=True)
    input()
"""


def abandoned(folder: Path) -> Path:
    lock = folder / "deepspeed_shm_comm" / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    return lock


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCH_EXTENSIONS_DIR", raising=False)
    monkeypatch.setenv("FINLORA_CACHE", str(tmp_path))
    return tmp_path


def test_a_lock_that_a_killed_build_left_is_removed(cache):
    with native_builds.held() as found:
        folder = Path(found["TORCH_EXTENSIONS_DIR"])
    assert cache in folder.parents
    lock = abandoned(folder)
    with native_builds.held() as again:
        assert again == found
        assert not lock.exists()


def test_the_lock_of_a_build_at_work_stays(cache):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with native_builds.held() as found:
            lock = abandoned(Path(found["TORCH_EXTENSIONS_DIR"]))
        with native_builds.held():
            assert lock.exists()
        other.kill()
    with native_builds.held():
        assert not lock.exists()


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCH_EXTENSIONS_DIR", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("FINLORA_CACHE", str(tmp_path / "file"))
    with pytest.raises(FinLoRAError, match="set FINLORA_CACHE to a folder that can"), native_builds.held():
        pass


def test_the_users_own_place_is_taken(cache, monkeypatch):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(cache / "mine"))
    theirs = abandoned(cache / "mine")
    with native_builds.held() as found:
        assert Path(found["TORCH_EXTENSIONS_DIR"]).parent == cache / "mine"
    # The lock of another program is not ours to remove.
    assert theirs.exists()
