"""Rounds on disk: whole, or not there."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from finlora.federated import rounds
from finlora.files import sha256


def tensors(value):
    return {"a": np.full(3, value, np.float32)}


@pytest.fixture
def folder(tmp_path):
    """A training of five rounds, of which the second and the last were lost."""
    (tmp_path / "start").mkdir()
    save_file(tensors(0), tmp_path / "start" / "adapter_model.safetensors")
    (tmp_path / "start" / "adapter_config.json").write_text('{"r": 8}')
    for number in range(1, 6):
        lost = number in (2, 5)
        record = {"round": number, "lost": lost, "loss": 1 / number}
        rounds.keep(tmp_path, record, None if lost else tensors(number))
    return tmp_path


def test_a_round_is_an_adapter_with_its_record(folder):
    third = folder / "rounds" / "0003"
    assert sorted(path.name for path in third.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "round.json",
    ]
    assert (third / "adapter_config.json").read_text() == '{"r": 8}'
    digest = sha256(third / "adapter_model.safetensors")
    wanted = {"round": 3, "lost": False, "loss": 1 / 3, "weights_sha256": digest}
    assert json.loads((third / "round.json").read_text()) == wanted
    assert [path.name for path in (folder / "rounds" / "0002").iterdir()] == ["round.json"]
    assert sorted(path.name for path in (folder / "rounds").iterdir()) == [f"{n:04d}" for n in range(1, 6)]


def test_the_latest_adapter_is_that_of_the_last_round_that_was_not_lost(folder):
    latest = rounds.latest(folder)
    assert (latest.number, latest.folder) == (5, folder / "rounds" / "0004")
    assert latest.tensors["a"].tolist() == [4, 4, 4]
    assert [record["round"] for record in latest.records] == [1, 2, 3, 4, 5]
    assert list(latest.records) == rounds.records(folder)


def test_before_the_first_round_it_is_the_untrained_one(tmp_path, folder):
    for path in (folder / "rounds").iterdir():
        path.rename(tmp_path / f"old_{path.name}")
    latest = rounds.latest(folder)
    assert (latest.number, latest.folder, latest.records) == (0, folder / "start", ())
    assert latest.tensors["a"].tolist() == [0, 0, 0]
    assert rounds.done(folder) == 0


def test_a_new_start_trains_the_rounds_lost_at_the_end_anew(folder):
    assert rounds.done(folder) == 4
    latest = rounds.go_on(folder)
    assert (latest.number, latest.tensors["a"].tolist()) == (4, [4, 4, 4])
    assert [record["lost"] for record in latest.records] == [False, True, False, False]
    assert not (folder / "rounds" / "0005").exists()


def test_when_all_rounds_were_lost_it_starts_from_the_untrained_one(tmp_path, folder):
    for number in (1, 3, 4):
        (folder / "rounds" / f"{number:04d}").rename(tmp_path / f"old_{number}")
        rounds.keep(folder, {"round": number, "lost": True}, None)
    assert rounds.latest(folder).number == 5
    latest = rounds.go_on(folder)
    assert (latest.number, latest.tensors["a"].tolist()) == (0, [0, 0, 0])
    assert list((folder / "rounds").iterdir()) == []


def edit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "weights edited": lambda third: edit(third / "adapter_model.safetensors"),
    "the record cut short": lambda third: (third / "round.json").write_text('{"round": 3, "lo'),
    "the record of another round": lambda third: (third / "round.json").write_bytes(
        (third.with_name("0002") / "round.json").read_bytes()
    ),
    "weights cut short": lambda third: (third / "adapter_model.safetensors").write_bytes(b"\0" * 9),
    "no weights": lambda third: (third / "adapter_model.safetensors").unlink(),
    "no record": lambda third: (third / "round.json").unlink(),
    "not there": lambda third: third.rename(third.parent.parent / "elsewhere"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_what_comes_after_a_round_that_is_not_whole_does_not_count(folder, how):
    assert len(DAMAGE) == 7
    DAMAGE[how](folder / "rounds" / "0003")
    assert rounds.latest(folder).number == 2
    # The second round was lost, and so the first is what there is.
    assert rounds.done(folder) == 1
    latest = rounds.go_on(folder)
    assert (latest.number, latest.tensors["a"].tolist()) == (1, [1, 1, 1])
    assert [path.name for path in (folder / "rounds").iterdir()] == ["0001"]


def test_what_an_interrupted_write_left_is_swept_and_what_is_not_ours_stays(folder):
    half = folder / "rounds" / ".0001.new"
    half.mkdir()
    (half / "adapter_model.safetensors").write_bytes(b"half")
    (folder / "rounds" / "notes.txt").write_text("mine")
    (folder / "rounds" / ".hidden").write_text("mine too")
    assert rounds.go_on(folder).number == 4
    left = sorted(path.name for path in (folder / "rounds").iterdir())
    assert left == [".hidden", "0001", "0002", "0003", "0004", "notes.txt"]


def test_a_round_is_written_anew_over_what_an_interrupted_write_left(folder):
    half = folder / "rounds" / ".0006.new"
    half.mkdir()
    (half / "torn").write_bytes(b"half")
    rounds.keep(folder, {"round": 6, "lost": False}, tensors(6))
    assert sorted(path.name for path in (folder / "rounds" / "0006").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "round.json",
    ]
    assert not half.exists()
    assert rounds.latest(folder).tensors["a"].tolist() == [6, 6, 6]
