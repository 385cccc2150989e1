"""Which checkpoints are complete, and what a training's result depends on."""

import os

import pytest

from finlora.checkpoints import COMPLETE, Found, mark_complete, newest, read_state


def checkpoint(trained, step):
    """Write a checkpoint of two files, marked complete."""
    folder = trained / f"checkpoint-{step}"
    (folder / "global_step").mkdir(parents=True)
    (folder / "weights").write_bytes(b"12345")
    (folder / "global_step" / "optimizer").write_bytes(b"123")
    mark_complete(folder, step, 200)
    return folder


def test_the_newest_by_number_not_by_name(tmp_path):
    for step in (9, 10, 100):
        checkpoint(tmp_path, step)
    assert newest(tmp_path) == Found(tmp_path / "checkpoint-100", 100, 200, ())


def test_nothing_there(tmp_path):
    assert newest(tmp_path / "missing") == Found(None, 0, 0, ())
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-").mkdir()
    assert newest(tmp_path) == Found(None, 0, 0, ())


def lose_mark(folder):
    (folder / COMPLETE).unlink()


def cut_mark(folder):
    (folder / COMPLETE).write_text('{"step": 3')


def odd_mark(folder):
    (folder / COMPLETE).write_text("[]")


def odd_files(folder):
    (folder / COMPLETE).write_text('{"files": 3}')


def no_files(folder):
    (folder / COMPLETE).write_text("{}")


def zero_file(folder):
    # What a power cut leaves: the size is right, the content never reached the disk.
    (folder / "weights").write_bytes(bytes(5))


def other_owner(folder):
    os.chown(folder / "weights", 12345, -1)


def lose_file(folder):
    (folder / "global_step" / "optimizer").unlink()


def cut_file(folder):
    (folder / "weights").write_bytes(b"1234")


TEARS = [lose_mark, cut_mark, odd_mark, odd_files, no_files, lose_file, cut_file, zero_file]
if os.getuid() == 0:
    TEARS.append(other_owner)


def test_enough_tears_are_tried():
    assert len(TEARS) == 8 + (os.getuid() == 0)


@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_checkpoint_is_passed_over_and_named(tmp_path, tear):
    checkpoint(tmp_path, 5)
    tear(checkpoint(tmp_path, 10))
    tear(checkpoint(tmp_path, 15))
    assert newest(tmp_path) == Found(tmp_path / "checkpoint-5", 5, 200, ("checkpoint-15", "checkpoint-10"))


def test_only_torn_ones(tmp_path):
    lose_mark(checkpoint(tmp_path, 10))
    assert newest(tmp_path) == Found(None, 0, 0, ("checkpoint-10",))


def test_the_state_of_an_earlier_training(tmp_path):
    path = tmp_path / "state.json"
    assert read_state(path) == {}
    for broken in ("", "{", "[]", "3"):
        path.write_text(broken)
        assert read_state(path) == {}
    path.write_bytes(b"\xff")
    assert read_state(path) == {}
    path.write_text('{"dataset": "d"}')
    assert read_state(path) == {"dataset": "d"}
