"""Charts as inline SVG: no library, no script; colours and fonts come from the page's CSS classes.

Every function returns one `<svg>` whose accessible name is the element with the id `label` (its caption).
Coordinates are rounded to a tenth, so that a report of the same run is the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from dadeum.core.measured import Measured
from dadeum.core.words import Html, Words
from dadeum.evaluation.report_words import rate
from dadeum.evaluation.scores import Bin

Point = tuple[float, float]
_MAX_POINTS = 300
_WIDE = 400


@dataclass(frozen=True)
class Plot:
    """A drawing area in SVG units and the data ranges it shows; y grows upwards."""

    x_range: Point
    y_range: Point
    width: float = 360
    height: float = 300
    left: float = 44
    right: float = 10
    top: float = 12
    bottom: float = 44

    def x(self, value: float) -> float:
        """Data to SVG units from the left edge."""
        return self.left + _share(value, self.x_range) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Data to SVG units from the top edge."""
        return self.height - self.bottom - _share(value, self.y_range) * (self.height - self.top - self.bottom)


def _share(value: float, bounds: Point) -> float:
    low, high = bounds
    return (value - low) / (high - low) if high > low else 0.5


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) within [low, high], about `count` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def round_up(value: float) -> float:
    """The tick at or above a maximum: where an axis from 0 ends."""
    if value <= 0:
        return 1.0
    step = ticks(0, value)[1]
    return round(math.ceil(value / step - 1e-9) * step, 10)


# -- charts ---------------------------------------------------------------------------------------
def learning_curve(
    label: str,
    train: Sequence[Point],
    validation: Sequence[Point],
    best: Point | None,
    titles: tuple[Words, Words],
) -> Html:
    """Loss over optimizer steps; `best` is the checkpoint that was kept. `titles`: x axis, y axis.

    Losses above `loss_top` are drawn at the upper edge; the caller says so.
    """
    train = thinned(train)
    last_step = max((step for step, _ in [*train, *validation]), default=1)
    top = loss_top(train, validation)
    train, validation = ([(step, min(loss, top)) for step, loss in points] for points in (train, validation))
    plot = Plot((0, max(last_step, 1)), (0, top), width=520, height=300)
    parts = [*_axes(plot, titles, ticks(0, max(last_step, 1), 6), ticks(0, top))]
    parts += [_path(plot, train, "line train"), _path(plot, validation, "line tuned")]
    parts += [_circle(plot.x(step), plot.y(loss), 3, "dot tuned") for step, loss in validation]
    if best:
        x, y = plot.x(best[0]), plot.y(best[1])
        parts += [_line(x, plot.top, x, plot.height - plot.bottom, "best"), _circle(x, y, 6, "ring")]
        side = "end" if x > plot.width / 2 else "start"
        parts += [_text(x + (-8 if side == "end" else 8), plot.top + 12, rate(best[1]), "value strong", side)]
    return _svg(plot, label, parts)


def loss_top(train: Sequence[Point], validation: Sequence[Point]) -> float:
    """Upper end of the loss axis: room for every validation loss and for training after its first tenth.

    Learning the form of the answer costs ten steps of very high loss, which would flatten all that follows.
    """
    last_step = max((step for step, _ in train), default=0)
    later = [loss for step, loss in train if step > last_step / 10] or [loss for _, loss in train]
    return round_up(max([*later, *(loss for _, loss in validation)], default=1))


def curve(label: str, lines: Sequence[tuple[str, Sequence[Point]]], titles: tuple[Words, Words], chance: str) -> Html:
    """ROC or precision-recall lines in the unit square, each with the name of its system as CSS class.

    `chance`: `diagonal` (ROC) or the share of positive rows as a number (precision of guessing).
    """
    plot = Plot((0, 1), (0, 1), height=330)
    marks = ticks(0, 1)
    level = None if chance == "diagonal" else float(chance)
    start, end = (0.0, 1.0) if level is None else (level, level)
    parts = [*_axes(plot, titles, marks, marks)]
    parts += [_line(plot.x(0), plot.y(start), plot.x(1), plot.y(end), "chance")]
    # The tuned model last, so that no other line covers it.
    for system, points in sorted(lines, key=lambda line: line[0] == "tuned"):
        parts += [_path(plot, points, f"line {escape(system)}")]
    return _svg(plot, label, parts)


def reliability(label: str, bins: Sequence[Bin], titles: tuple[Words, Words]) -> Html:
    """Share of right answers (bar) against stated confidence (tick), per bin, with the bin's rows above it."""
    plot = Plot((0, 1), (0, 1), height=330, top=22)
    marks = ticks(0, 1)
    parts = [*_axes(plot, titles, marks, marks)]
    for item in bins:
        if item.count == 0:
            continue
        left, right = plot.x(item.low) + 1.5, plot.x(item.high) - 1.5
        top = plot.y(item.accuracy)
        parts += [_rect(left, top, right - left, plot.y(0) - top, "bar")]
        parts += [_line(left, plot.y(item.confidence), right, plot.y(item.confidence), "stated")]
        above = min(top, plot.y(item.confidence))
        parts += [_text((left + right) / 2, above - 5, f"{item.count:,}", "value", "middle")]
    parts += [_line(plot.x(0), plot.y(0), plot.x(1), plot.y(1), "chance")]
    return _svg(plot, label, parts)


def interval(measured: Measured, system: str) -> Html:
    """One dot with its 95 % whisker on a scale from 0 to 1 that fills the width of its box.

    Hidden from screen readers: the same numbers stand beside it as text.
    """
    low, high = (_or(end, measured.value) for end in (measured.low, measured.high))
    dot, start, end = (100 * min(max(value, 0.0), 1.0) for value in (measured.value, low, high))
    return Html(
        f'<svg class="interval {escape(system)}" width="100%" height="24" aria-hidden="true">'
        '<line class="track" x1="0%" x2="100%" y1="12" y2="12"/>'
        f'<line class="whisker" x1="{start:.1f}%" x2="{end:.1f}%" y1="12" y2="12"/>'
        f'<circle class="point" cx="{dot:.1f}%" cy="12" r="5.5"/></svg>'
    )


def bar(share: float) -> Html:
    """A bar as long as its share (0..1) of the box; the number stands beside it as text."""
    return Html(
        '<svg class="cost" width="100%" height="12" aria-hidden="true">'
        f'<rect class="bar" x="0" y="1" width="{100 * min(max(share, 0.0), 1.0):.1f}%" height="10"/></svg>'
    )


def swatch(style: str) -> Html:
    """A short line for a legend, drawn as the chart draws it."""
    return Html(
        '<svg class="swatch" width="28" height="10" aria-hidden="true">'
        f'<line class="{escape(style)}" x1="1" x2="27" y1="5" y2="5"/></svg>'
    )


def thinned(points: Sequence[Point], limit: int = _MAX_POINTS) -> list[Point]:
    """At most `limit` points, each the mean of as many neighbours; the caller says so when any were joined."""
    width = math.ceil(len(points) / limit) if points else 1
    groups = [points[start : start + width] for start in range(0, len(points), width)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


# -- strokes --------------------------------------------------------------------------------------
def _svg(plot: Plot, label: str, parts: Iterable[str]) -> Html:
    style = "chart wide" if plot.width > _WIDE else "chart"
    box = f"0 0 {plot.width:g} {plot.height:g}"
    head = f'<svg class="{style}" viewBox="{box}" role="img" aria-labelledby="{escape(label)}">'
    return Html(head + "".join(parts) + "</svg>")


def _axes(plot: Plot, titles: tuple[Words, Words], xs: Sequence[float], ys: Sequence[float]) -> Iterable[str]:
    floor, end = plot.height - plot.bottom, plot.width - plot.right
    for value in ys:
        yield _line(plot.left, plot.y(value), end, plot.y(value), "grid")
        yield _text(plot.left - 7, plot.y(value) + 4, f"{value:g}", "tick", "end")
    for value in xs:
        yield _line(plot.x(value), floor, plot.x(value), floor + 4, "axis")
        yield _text(plot.x(value), floor + 17, f"{value:,g}" if value < 1e6 else f"{value:g}", "tick", "middle")
    yield _line(plot.left, floor, end, floor, "axis")
    yield _text((plot.left + end) / 2, plot.height - 6, titles[0], "title", "middle")
    middle = (plot.top + floor) / 2
    yield _text(12, middle, titles[1], "title", "middle", f' transform="rotate(-90 12 {middle:.1f})"')


def _path(plot: Plot, points: Sequence[Point], style: str) -> str:
    if not points:
        return ""
    steps = " ".join(f"{plot.x(x):.1f},{plot.y(y):.1f}" for x, y in points)
    return f'<polyline class="{style}" points="{steps}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _rect(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}"/>'


def _circle(x: float, y: float, radius: float, style: str) -> str:
    return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'


def _text(x: float, y: float, content: Words | str, style: str, anchor: str, extra: str = "") -> str:
    inner = content.tspans() if isinstance(content, Words) else escape(content)
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{inner}</text>'


def _or(value: float, other: float) -> float:
    return other if math.isnan(value) else value
