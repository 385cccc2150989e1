"""Cards: a card speaks for its file or not at all, and the list of files."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from finlora import cards
from finlora.errors import FinLoRAError


def card(content: bytes, **more: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "task": "mood",
        "form": "mended",
        "sha256": hashlib.sha256(content).hexdigest(),
        "source": {"kind": "hub", "repo": "org/set", "revision": "a" * 40},
        "licence": {"stated": "MIT"},
        "counts": {"rows": 1},
        "date": "2026-01-31",
        **more,
    }


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return tmp_path / "train" / "mood_train.jsonl"


def test_a_file_and_its_card(rows: Path) -> None:
    assert cards.look(rows) == cards.Look("missing", None)
    cards.publish(rows, b"old\n", card(b"old\n"))
    assert cards.look(rows) == cards.Look("made", card(b"old\n"))
    assert {path.name for path in rows.parent.iterdir()} == {"mood_train.jsonl", "mood_train.card.json"}
    rows.write_bytes(b"mine\n")
    assert cards.look(rows).state == "changed"
    rows.unlink()
    assert cards.look(rows) == cards.Look("missing", card(b"old\n"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 100_000, b"\xff", b'{"schema": 2}'])
def test_what_is_no_card_is_none(rows: Path, content: bytes) -> None:
    rows.parent.mkdir()
    rows.write_bytes(b"mine\n")
    cards.path_of(rows).write_bytes(content)
    assert cards.look(rows) == cards.Look("unknown", None)


def test_a_reader_finishes_what_a_crash_left(rows: Path) -> None:
    cards.publish(rows, b"old\n", card(b"old\n"))
    pending = rows.with_name(".mood_train.card.json.new")
    pending.write_text(json.dumps(card(b"new\n")))
    # The new rows never came: the old card still speaks.
    assert cards.look(rows) == cards.Look("made", card(b"old\n"))
    rows.write_bytes(b"new\n")
    assert cards.look(rows) == cards.Look("made", card(b"new\n"))
    assert not pending.exists()
    assert json.loads(cards.path_of(rows).read_text()) == card(b"new\n")


def test_the_list_passes_over_what_is_no_card(rows: Path, tmp_path: Path) -> None:
    cards.publish(rows, b"x\n", card(b"x\n", licence={"stated": "a | b\nc"}))
    for name, content in {"a": "{}", "b": '{"schema": 1}', "c": '{"schema": 1, "counts": []}'}.items():
        (tmp_path / "train" / f"{name}.card.json").write_text(content)
    text = cards.index(tmp_path).read_text()
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    assert lines == [
        "| `train/mood_train.jsonl` | 1 | mood (mended) | org/set at aaaaaaaaaaaa | a / b c | 2026-01-31 |"
    ]
    assert cards.index(tmp_path).read_text() == text


def test_rows_that_can_not_be_written_leave_no_card(tmp_path: Path) -> None:
    rows = tmp_path / "x_train.jsonl"
    rows.mkdir()
    with pytest.raises(FinLoRAError, match="can't be written"):
        cards.publish(rows, b"{}\n", {"schema": cards.SCHEMA})
    assert list(tmp_path.iterdir()) == [rows]
