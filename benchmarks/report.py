"""What the benchmarks share: repeats that take turns, the machine in words, a table on paper."""

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from finlora import launch, manifest
from finlora.files import write_atomic


def take_turns(sides: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Measure every side once per round, so that a busy moment of the machine hits all alike.

    The first round warms the page cache and does not count; each later one begins with another side.

    Args:
        sides: name to a function that does the work once and returns its seconds.
        repeats: rounds that count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for turn in range(repeats + 1):
        for name in order:
            taken = sides[name]()
            print(f"{'warm-up' if turn == 0 else f'round {turn}'}: {name}: {taken:.2f} s", flush=True)
            if turn:
                seconds[name].append(taken)
        order.append(order.pop(0))
    return seconds


def lines(seconds: Mapping[str, Sequence[float]], baseline: str) -> list[list[str]]:
    """Return median, fastest and slowest of each side, and how many times faster than the baseline it is."""
    reference = statistics.median(seconds[baseline])
    rows = []
    for name, taken in seconds.items():
        median = statistics.median(taken)
        ratio = "1" if name == baseline else f"{reference / median:.1f}"
        rows.append([f"`{name}`", f"{median:.2f}", f"{min(taken):.2f}", f"{max(taken):.2f}", ratio])
    return rows


def write(name: str, title: str, words: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a page (arguments as for `page`) and write it beside the benchmark as `NAME.md`."""
    text = page(name, title, words, columns, rows)
    write_atomic(Path(__file__).with_name(f"{name}.md"), text)
    print(text)


def page(
    name: str,
    title: str,
    words: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    gpus: Sequence[str] = (),
) -> str:
    """Return what was measured as a page: words, table, command, machine, versions.

    Args:
        name: the benchmark's file name without ending.
        title: heading.
        words: what was measured, in a few sentences.
        columns: headings of the table.
        rows: its lines.
        gpus: names of the GPUs that were used.
    """
    hardware, versions = manifest.hardware(list(gpus), launch.cores()), manifest.versions()
    packages = ", ".join(f"{package} {version}" for package, version in versions.items())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = ", ".join([*hardware["gpus"], hardware["cpu"], f"{hardware['cores']} cores"])
    table = [list(columns), ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(
        [
            f"# {title}",
            "",
            words,
            "",
            *("| " + " | ".join(line) + " |" for line in table),
            "",
            f"- command: `python benchmarks/{name}.py`, {date.today()}",
            f"- machine: {machine}, {memory:.0f} GiB memory; "
            f"load average at the end {os.getloadavg()[0]:.1f}",
            f"- versions: {packages}",
            "",
        ]
    )
