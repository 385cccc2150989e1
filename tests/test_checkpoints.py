"""Which checkpoints are complete, and what a training's result depends on."""

import json

import pytest

from finlora.checkpoints import COMPLETE, Found, key, newest, read_state


def checkpoint(trained, step, sizes=None):
    """Write a checkpoint of two files, marked complete unless other sizes are given."""
    folder = trained / f"checkpoint-{step}"
    (folder / "global_step").mkdir(parents=True)
    (folder / "weights").write_bytes(b"12345")
    (folder / "global_step" / "optimizer").write_bytes(b"123")
    mark = {"step": step, "sizes": {"weights": 5, "global_step/optimizer": 3} if sizes is None else sizes}
    (folder / COMPLETE).write_text(json.dumps(mark))
    return folder


def test_the_newest_by_number_not_by_name(tmp_path):
    for step in (9, 10, 100):
        checkpoint(tmp_path, step)
    assert newest(tmp_path) == Found(tmp_path / "checkpoint-100", 100, ())


def test_nothing_there(tmp_path):
    assert newest(tmp_path / "missing") == Found(None, 0, ())
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-").mkdir()
    assert newest(tmp_path) == Found(None, 0, ())


def lose_mark(folder):
    (folder / COMPLETE).unlink()


def cut_mark(folder):
    (folder / COMPLETE).write_text('{"step": 3')


def odd_mark(folder):
    (folder / COMPLETE).write_text("[]")


def odd_sizes(folder):
    (folder / COMPLETE).write_text('{"sizes": 3}')


def no_sizes(folder):
    (folder / COMPLETE).write_text("{}")


def lose_file(folder):
    (folder / "global_step" / "optimizer").unlink()


def cut_file(folder):
    (folder / "weights").write_bytes(b"1234")


TEARS = [lose_mark, cut_mark, odd_mark, odd_sizes, no_sizes, lose_file, cut_file]


def test_enough_tears_are_tried():
    assert len(TEARS) == 7


@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_checkpoint_is_passed_over_and_named(tmp_path, tear):
    checkpoint(tmp_path, 5)
    tear(checkpoint(tmp_path, 10))
    tear(checkpoint(tmp_path, 15))
    assert newest(tmp_path) == Found(tmp_path / "checkpoint-5", 5, ("checkpoint-15", "checkpoint-10"))


def test_only_torn_ones(tmp_path):
    lose_mark(checkpoint(tmp_path, 10))
    assert newest(tmp_path) == Found(None, 0, ("checkpoint-10",))


def test_a_key_knows_values_but_not_their_order():
    assert key({"a": 1, "b": [1, 2]}) == key({"b": [1, 2], "a": 1})
    assert (
        len({key(v) for v in ({"a": 1}, {"a": "1"}, {"a": 1.5}, {"a": [1]}, {"a": None}, {}, None, "é")}) == 8
    )


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
