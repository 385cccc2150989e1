"""Writing whole or not at all, on a disk that is full for real; telling files apart by content."""

import json
import subprocess
import sys

import pytest

from finlora.errors import FinLoRAError
from finlora.files import fingerprint, sha256, write_atomic, write_json

MIB = 1 << 20

# Run in a process of its own, as the limit can't be lifted again: no file may grow past 64 KiB.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from finlora.errors import FinLoRAError
from finlora.files import write_atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    write_atomic(Path(sys.argv[1]), b"new" * 65536)
except FinLoRAError as error:
    print(error)
"""

INTERRUPTED = """
import os, sys
from pathlib import Path
from finlora import files
def interrupt(_descriptor):
    raise KeyboardInterrupt
files.os.fsync = interrupt
files.write_atomic(Path(sys.argv[1]), b"new")
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def run(code, path):
    return subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)


def test_text_is_utf8_and_folders_are_made(tmp_path):
    write_atomic(tmp_path / "a" / "b" / "f", "é\r\n")
    assert (tmp_path / "a" / "b" / "f").read_bytes() == b"\xc3\xa9\r\n"
    assert names(tmp_path / "a" / "b") == ["f"]


def test_whoever_is_reading_goes_on_reading_the_old_file(tmp_path):
    (tmp_path / "f").write_bytes(b"old")
    with (tmp_path / "f").open("rb") as reader:
        write_atomic(tmp_path / "f", b"new")
        assert reader.read() == b"old"
    assert (tmp_path / "f").read_bytes() == b"new"


def test_json_is_readable_and_ends_its_line(tmp_path):
    write_json(tmp_path / "f.json", {"b": "é", "a": [1]})
    text = (tmp_path / "f.json").read_text()
    assert text == '{\n  "b": "é",\n  "a": [\n    1\n  ]\n}\n'
    assert json.loads(text) == {"b": "é", "a": [1]}


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    done = run(FULL_DISK, path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path}: can't be written: File too large\n"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_ctrl_c_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    done = run(INTERRUPTED, path)
    assert "KeyboardInterrupt" in done.stderr
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


@pytest.mark.parametrize("place", ["file/f", "file/deeper/f", "x" * 300])
def test_a_place_that_can_be_no_file(tmp_path, place):
    (tmp_path / "file").write_bytes(b"here")
    with pytest.raises(FinLoRAError, match="can't be written: "):
        write_atomic(tmp_path / place, b"new")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"here"


def test_a_folder_in_the_files_place_stays(tmp_path):
    (tmp_path / "f").mkdir()
    with pytest.raises(FinLoRAError, match="can't be written: Is a directory"):
        write_atomic(tmp_path / "f", b"new")
    assert names(tmp_path) == ["f"]


def test_sha256_is_the_known_one(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert sha256(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "a" / "weights"
    path.parent.mkdir()
    path.write_bytes(bytes(6 * MIB))
    return path


def test_a_fingerprint_knows_content_size_and_name_but_not_the_folder(tmp_path, large):
    other = tmp_path / "b" / "weights"
    other.parent.mkdir()
    other.write_bytes(bytes(6 * MIB))
    first = fingerprint([large], every=2)
    assert fingerprint([other], every=2) == first
    assert fingerprint([other.rename(tmp_path / "b" / "other")], every=2) != first
    large.write_bytes(bytes(6 * MIB + 1))
    assert fingerprint([large], every=2) != first


@pytest.mark.parametrize(("place", "seen"), [(0, True), (MIB, False), (2 * MIB, True), (6 * MIB - 1, True)])
def test_a_fingerprint_samples_the_first_the_last_and_every_nth(large, place, seen):
    before = fingerprint([large], every=2)
    with large.open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    assert (fingerprint([large], every=2) != before) == seen


def test_a_fingerprint_of_small_and_empty_files(tmp_path):
    for name, content in (("a", b""), ("b", b"x")):
        (tmp_path / name).write_bytes(content)
    both = [tmp_path / "a", tmp_path / "b"]
    assert fingerprint(both) == fingerprint(both[::-1])
    assert len({fingerprint(both), fingerprint(both[:1]), fingerprint(both[1:])}) == 3
