"""Pictures of a report as SVG text: no fonts, no scripts, colours by the page's own style.

Everything here is made of numbers and of names; names pass through `_label` and `_svg` alone, which escape
them. Shapes tell what colours tell, so that nothing is lost to the colour-blind or to a printer in black.
"""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from finlora.json_text import printable
from finlora.loss_plot import Curve

_FOREST_WIDTH, _FOREST_HEIGHT = 320, 22
_PANEL = (300, 170)
# Pixels up to which a picture may shrink.
_SHRINKS = 480
_REACHES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
# Points of a loss curve; of longer ones neighbours are averaged.
_POINTS = 160


def shortened(name: str, most: int) -> str:
    """Return a name without what no page should print, and no longer than `most` characters."""
    clean = printable(name)
    half = (most - 1) // 2
    return clean if len(clean) <= most else f"{clean[: most - 1 - half]}…{clean[-half:]}"


def _label(x: float, y: float, text: str, style: str = "", anchor: str = "start", turn: bool = False) -> str:
    turned = f' transform="rotate(-40 {_n(x)} {_n(y)})"' if turn else ""
    classed = f' class="{style}"' if style else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{classed}{turned}>{escape(text)}</text>'


def _n(number: float) -> str:
    """Return a coordinate with two digits at most, so that equal numbers are equal bytes."""
    return f"{round(number, 2) + 0.0:g}"


def _svg(width: float, height: float, title: str, parts: Sequence[str], style: str) -> Markup:
    return Markup(
        f'<svg class="{style}" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
        f'height="{_n(height)}" role="img"><title>{escape(printable(title))}</title>{"".join(parts)}</svg>'
    )


def reach(intervals: Sequence[tuple[float, float]]) -> float:
    """Return how far a forest plot reaches to both sides: a round share that holds all intervals."""
    most = max((abs(end) for interval in intervals for end in interval), default=0.0)
    return next(step for step in _REACHES if most <= step or step == 1.0)


def forest_line(difference: float, interval: tuple[float, float], limit: float) -> Markup:
    """Return one line of a forest plot: the difference and its interval; zero, in the middle, is the page's.

    Args:
        difference: -1 to 1.
        interval: its 95% interval.
        limit: what the left and right ends stand for, from `reach`.
    """
    middle, y = _FOREST_WIDTH / 2, _FOREST_HEIGHT / 2

    def at(value: float) -> float:
        return middle + max(-1.0, min(1.0, value / limit)) * (middle - 6)

    low, high = interval
    verdict = "better" if low > 0 else "worse" if high < 0 else "even"
    x = at(difference)
    shape = {
        "better": f'<path d="M{_n(x - 5)} {_n(y + 4.5)}h10l-5 -9z"/>',
        "worse": f'<path d="M{_n(x - 5)} {_n(y - 4.5)}h10l-5 9z"/>',
        "even": f'<rect x="{_n(x - 4)}" y="{_n(y - 4)}" width="8" height="8"/>',
    }[verdict]
    line = f'<path class="line" d="M{_n(at(low))} {_n(y)}H{_n(at(high))}"/>'
    ends = "".join(f'<path class="line" d="M{_n(at(end))} {_n(y - 4)}v8"/>' for end in interval)
    title = f"{difference:+.1%} ({low:+.1%} to {high:+.1%})"
    return _svg(_FOREST_WIDTH, _FOREST_HEIGHT, title, [line, ends, shape], f"forest {verdict}")


def forest_axis(limit: float) -> Markup:
    """Return the scale under a forest plot."""
    middle = _FOREST_WIDTH / 2
    parts = [f'<path class="zero" d="M6 1H{_FOREST_WIDTH - 6}"/>']
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = middle + share * (middle - 6)
        anchor = {-1.0: "start", 1.0: "end"}.get(share, "middle")
        value = f"{100 * share * limit:+g}" if share else "0"
        parts += [
            f'<path class="zero" d="M{_n(x)} 0v5"/>',
            _label(x, 17, value.replace("-", "−"), anchor=anchor),
        ]
    return _svg(_FOREST_WIDTH, 20, "difference in points", parts, "forest")


def confusion(
    labels: Sequence[str], answers: Sequence[str | None], counts: Sequence[Sequence[int]], title: str
) -> Markup:
    """Return a table of confusions as a heat map: right answers down, given answers across.

    Args:
        labels: right answers.
        answers: given answers; None for all that are no label.
        counts: rows for each label and answer; the last column is of unparsed ones.
        title: what it shows, for those who can't see it.
    """
    many = len(labels) > 7
    size, wide = (26, 38) if many else (40, 56)
    # Room for the words in the corner, whatever the labels.
    left = max(96.0, 14 + 6.6 * max(len(shortened(label, 22)) for label in labels))
    top = 14 + (5.2 if many else 6.6 * 0.64) * max(len(shortened(name, 16)) for name in _heads(answers))
    parts = [_label(4, top - 6, "right ↓  given →", "axis")] if not many else []
    for i, name in enumerate(_heads(answers)):
        style = "label" if i < len(labels) else "label stray"
        parts.append(_label(left + (i + 0.5) * wide, top - 6, shortened(name, 16), style, turn=True))
    for row, (label, its) in enumerate(zip(labels, counts, strict=True)):
        y = top + row * size
        parts.append(_label(left - 6, y + size / 2 + 4, shortened(label, 22), "label", "end"))
        total = sum(its)
        for column, count in enumerate(its):
            stray = column >= len(labels)
            parts.append(_cell(left + column * wide, y, wide, size, count, total, row == column, stray))
    # Turned names of the last columns reach beyond them.
    width = (
        left + len(counts[0]) * wide + 0.78 * 6.6 * max(len(shortened(n, 16)) for n in _heads(answers)[-2:])
    )
    # A wide one is scrolled where there is no room: small it could not be read.
    style = "confusion" if width <= _SHRINKS else "confusion wide"
    return _svg(width, top + len(labels) * size + 2, title, parts, style)


def _heads(answers: Sequence[str | None]) -> list[str]:
    return [*("no label" if answer is None else answer for answer in answers), "unparsed"]


def _cell(
    x: float, y: float, wide: float, size: float, count: int, total: int, hit: bool, stray: bool
) -> str:
    share = count / total if total else 0.0
    kind = "stray" if stray else "heat"
    box = _box("ground", x, y, wide, size) + _box(kind, x, y, wide, size, f' fill-opacity="{share:.3f}"')
    frame = _box("frame", x, y, wide, size) if hit else ""
    style = "on" if share > 0.55 else "off" if count else "nil"
    number = _label(x + wide / 2, y + size / 2 + 4, f"{count:,}", f"{style} hit" if hit else style, "middle")
    return box + frame + number


def _box(style: str, x: float, y: float, wide: float, high: float, more: str = "") -> str:
    place = f'x="{_n(x + 1)}" y="{_n(y + 1)}" width="{_n(wide - 2)}" height="{_n(high - 2)}"'
    return f'<rect class="{style}" {place}{more}/>'


def losses(curve: Curve) -> Markup:
    """Return the losses of one training: a line, and points for the rows that were held out."""
    width, height = _PANEL
    left, right, top, bottom = 38.0, width - 10.0, 8.0, height - 26.0
    train, held = _thinned(curve.train), _thinned(curve.validation)
    values = [loss for _, loss in (*train, *held)]
    last = max(step for step, _ in (*curve.train, *curve.validation, (1, 0.0)))
    ceiling = _round_up(max(values))
    floor = 0.0 if min(values) >= 0 else -_round_up(-min(values))

    def at(step: float, loss: float) -> tuple[str, str]:
        share = (loss - floor) / (ceiling - floor)
        return _n(left + (right - left) * step / last), _n(bottom - (bottom - top) * share)

    parts = []
    for part in range(5):
        value = floor + (ceiling - floor) * part / 4
        y = at(0, value)[1]
        parts.append(f'<path class="rule" d="M{_n(left)} {y}H{_n(right)}"/>')
        parts.append(_label(left - 5, float(y) + 3.5, f"{value:.3g}", "", "end"))
    steps = (0, last) if last < 4 else (0, last // 2, last)
    for step in steps:
        anchor = "end" if step == last else "start" if step == 0 else "middle"
        parts.append(_label(float(at(step, floor)[0]), bottom + 15, f"{step:,}", "", anchor))
    parts.append(_label((left + right) / 2 - 52, bottom + 15, "step", "axis", "middle"))
    if len(train) > 1:
        points = " ".join(",".join(at(*point)) for point in train)
        parts.append(f'<polyline class="train" points="{points}"/>')
    else:
        parts += [_dot(*at(*point), "single") for point in train]
    parts += [_dot(*at(*point), "held") for point in held]
    return _svg(width, height, f"losses of {shortened(curve.name, 80)}", parts, "losses")


def _dot(x: str, y: str, style: str) -> str:
    return f'<circle class="{style}" cx="{x}" cy="{y}" r="3.2"/>'


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """Return the points; of too many, the means of neighbours."""
    size = math.ceil(len(points) / _POINTS) or 1
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [
        (sum(step for step, _ in part) / len(part), math.fsum(loss for _, loss in part) / len(part))
        for part in parts
    ]


def _round_up(value: float) -> float:
    """Return a round number that is no less: 1, 1.5, 2, 3, 5 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 1.5, 2, 3, 5, 8) if value <= step * power), 10 * power)
