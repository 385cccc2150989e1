"""Draws losses over steps; the only owner of matplotlib."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finlora.builtin import cache_folder
from finlora.errors import UsageError
from finlora.files import check_writable, write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
# Eight colours that the colour-blind tell apart; grey in place of a yellow that fades on white.
# Source: Okabe and Ito 2008, Color Universal Design, https://jfly.uni-koeln.de/color/
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#999999")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
_LINES = ("-", "--", ":", "-.")
_LONGEST_NAME = 70


@dataclass(frozen=True)
class Curve:
    """The losses of one training.

    Args:
        name: what the legend calls it.
        train: (step, loss), in order.
        validation: (step, loss) on the rows held out, in order; may be empty.
    """

    name: str
    train: Sequence[tuple[int, float]]
    validation: Sequence[tuple[int, float]]


def check_target(path: Path) -> None:
    """Refuse a file that a plot can't be written to, before any work is done.

    Raises:
        UsageError: another suffix than SUFFIXES, no such folder, or a folder itself.
        FinLoRAError: no permission to write there.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; --plot names the file for the picture")
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a plot is written as {', '.join(SUFFIXES)}; name the file so")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first: mkdir -p {path.parent}")
    check_writable(path)


def write(path: Path, curves: Sequence[Curve]) -> None:
    """Draw losses into a file, whole or not at all; an earlier plot there is replaced.

    Args:
        path: the file; its suffix says the format.
        curves: one for each adapter.

    Raises:
        UsageError: as in `check_target`; or there is no curve.
        FinLoRAError: it can't be written.
    """
    check_target(path)
    if not curves:
        raise UsageError("none of these adapters tells its losses, so there is nothing to plot")
    picture = BytesIO()
    with _own_style():
        draw(curves).savefig(picture, format=path.suffix.lower().removeprefix("."))
    write_atomic(path, picture.getvalue())


def draw(curves: Sequence[Curve]) -> "Figure":
    """Draw training losses as lines and held-out losses as points, one colour for each curve."""
    with _own_style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        figure = Figure(figsize=(9, 5 + 0.25 * len(curves)), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.set(xlabel="step", ylabel="loss")
        axes.grid(color="#DDDDDD", linewidth=0.6)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        # Line and point lie over each other in the legend; matplotlib takes such pairs, its types do not.
        drawn: Any = [_draw_one(axes, curve, number) for number, curve in enumerate(curves)]
        legend = figure.legend(
            drawn,
            [_shortened(curve.name) for curve in curves],
            title="lines: training loss, points: held-out loss",
            loc="outside lower center",
            frameon=False,
        )
        for entry in legend.get_texts():
            # A folder may be called anything: `$` would start a formula.
            entry.set_parse_math(False)
        return figure


def _draw_one(axes: Any, curve: Curve, number: int) -> tuple[Any, Any]:
    colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
    (line,) = axes.plot(
        *_columns(curve.train),
        color=colour,
        linestyle=_LINES[number // len(_COLOURS) % len(_LINES)],
        linewidth=1.4,
        # A line through one step would not be seen.
        marker="." if len(curve.train) == 1 else None,
    )
    (points,) = axes.plot(
        *_columns(curve.validation),
        color=colour,
        linestyle="none",
        marker=marker,
        markersize=8,
        markeredgecolor="white",
        zorder=3,
    )
    return line, points


@contextmanager
def _own_style() -> Iterator[None]:
    """Load matplotlib, and keep whatever matplotlibrc lies around out of the picture."""
    # Its font cache lies with what FinLoRA makes itself; where nothing can be written, it takes a
    # temporary folder, and need not talk about it.
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import style

    with style.context("default"):
        yield


def _columns(pairs: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [step for step, _ in pairs], [loss for _, loss in pairs]


def _shortened(name: str) -> str:
    half = _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}…{name[-half:]}"
