"""What is seen of a fetch: bars on a terminal, lines in a log."""

import io
from typing import Any

import pytest

from finlora import data_display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


EVENTS: list[dict[str, Any]] = [
    {"task": "fpb", "doing": "fetching"},
    {"task": "fpb", "doing": "fetching", "path": "a", "bytes": 0, "size": 4_000_000},
    {"task": "fpb", "doing": "fetching", "path": "a", "bytes": 3_000_000, "size": None},
    # Cut off, and gone on with.
    {"task": "fpb", "doing": "fetching", "path": "a", "bytes": 3_000_000, "size": 4_000_000},
    {"task": "fpb", "doing": "fetching", "path": "a", "bytes": 1_000_000, "size": None},
    {"task": "fpb", "doing": "fetching", "path": "b", "bytes": 0, "size": 1_000_000},
    {"task": "fpb", "doing": "converting"},
]


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    with data_display.Fetching() as shown:
        for event in EVENTS:
            shown.show(event)
    assert "fpb: converting" in screen.getvalue()
    assert "4.0/5.0 MB" in screen.getvalue()


def test_lines_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with data_display.Fetching() as shown:
        for event in EVENTS:
            shown.show(event)
    assert capsys.readouterr() == ("", "fpb: fetching\nfpb: converting\n")
