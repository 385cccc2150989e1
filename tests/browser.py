"""A real browser, where there is one: Chromium without a window and without a network."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")
_QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # Whatever would be asked for is not found.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    # Scripts that are refused or fail are told on the console, and the console on stderr.
    *("--enable-logging=stderr", "--v=0"),
]
# What the log of the network says of requests that no page made.
_OF_ITSELF = "not an origin"


@dataclass(frozen=True)
class Opened:
    """What came of opening a page.

    Args:
        console: lines that the page, or the browser about it, wrote on the console.
        asked: addresses that the page asked for; what the browser asks for itself is not among them.
        out: what the browser printed.
    """

    console: tuple[str, ...]
    asked: tuple[str, ...]
    out: str


def opened(page: Path, folder: Path, *options: str) -> Opened:
    """Open a page with further options of the browser, everything it writes in `folder`."""
    log = folder / "network.json"
    assert BROWSER
    command = [BROWSER, *_QUIET, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", *options]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    events = [event.get("params", {}) for event in json.loads(log.read_text(errors="replace"))["events"]]
    asked = [event["url"] for event in events if event.get("initiator", _OF_ITSELF) != _OF_ITSELF]
    return Opened(
        console=tuple(line for line in done.stderr.splitlines() if "CONSOLE" in line),
        asked=tuple(asked),
        out=done.stdout,
    )


def widths(page: Path, folder: Path, *of: int) -> dict[int, int]:
    """Return how wide a page is, all of it unfolded, in windows of the given widths; in pixels."""
    frames = "".join(f'<iframe style="width:{width}px;height:900px;border:0"></iframe>' for width in of)
    text = json.dumps(page.read_text(encoding="utf-8")).replace("</", "<\\/")
    probe = folder / "probe.html"
    probe.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><body>{frames}<script>const page = {text};\n"
        "for (const frame of document.querySelectorAll('iframe')) {\n"
        "  frame.onload = () => {\n"
        "    const inside = frame.contentDocument;\n"
        "    for (const part of inside.querySelectorAll('details')) part.open = true;\n"
        "    frame.dataset.width = inside.documentElement.scrollWidth;\n"
        "  };\n"
        "  frame.srcdoc = page;\n"
        "}</script></body>",
        encoding="utf-8",
    )
    dom = opened(probe, folder, "--dump-dom", "--virtual-time-budget=10000").out
    found = re.findall(r"<iframe style=\"width:(\d+)px[^>]*data-width=\"(\d+)\"", dom)
    return {int(width): int(content) for width, content in found}
