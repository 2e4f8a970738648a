"""Charts of the monitoring page as inline SVG: days along the bottom, no script, nothing loaded.

Scales and ticks are those of the report's charts; the accessible name of each is its caption.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from html import escape

from dadeum.core.words import Html, Words
from dadeum.evaluation.charts import Plot, round_up, ticks
from dadeum.monitoring.drift import Histogram
from dadeum.monitoring.watch import Watched
from dadeum.monitoring.window import Window

_WIDE = 760.0
_MOST_LABELS = 10
_LEFT = 58.0


def volumes(label: str, windows: Sequence[Window], title: Words) -> Html:
    """Requests per window: those that were answered, and on top those that were not."""
    top = round_up(max((window.num for window in windows), default=1))
    plot = Plot((0, len(windows)), (0, top), width=_WIDE, height=220, left=_LEFT)
    parts = [*_frame(plot, title, ticks(0, top)), *_days(plot, windows)]
    for place, window in enumerate(windows):
        left, width = plot.x(place + 0.12), plot.x(place + 0.88) - plot.x(place + 0.12)
        for low, high, style in ((0, window.answered, "bar"), (window.answered, window.num, "bar failed")):
            if high > low:
                parts.append(_rect(left, plot.y(high), width, plot.y(low) - plot.y(high), style))
    return _svg(plot, label, parts)


def times(label: str, windows: Sequence[Window], title: Words) -> Html:
    """Median, p95 and p99 of the whole answer; a gap where too few answers say them."""
    found = {name: [getattr(window.times["total_s"], name) for window in windows] for name in ("p50", "p95", "p99")}
    top = round_up(max((value for values in found.values() for value in values if value is not None), default=1))
    plot = Plot((0, len(windows)), (0, top), width=_WIDE, height=240, left=_LEFT)
    parts = [*_frame(plot, title, ticks(0, top)), *_days(plot, windows)]
    for name, values in found.items():
        parts += _line(plot, [(place + 0.5, value) for place, value in enumerate(values)], f"line {name}")
    return _svg(plot, label, parts)


def shares(label: str, windows: Sequence[Window], name: str, title: Words) -> Html:
    """Share of one decision per window, with its interval."""
    rates = [window.labels.get(name) for window in windows]
    plot = Plot((0, len(windows)), (0, 1), width=_WIDE, height=200, left=_LEFT)
    parts = [*_frame(plot, title, ticks(0, 1)), *_days(plot, windows)]
    points = [
        (place + 0.5, rate.value if rate and rate.value is not None else None) for place, rate in enumerate(rates)
    ]
    for place, rate in enumerate(rates):
        if rate is not None:
            parts.append(_stroke(plot, place + 0.5, rate.low, rate.high, "whisker"))
    parts += _line(plot, points, "line p50")
    parts += [_dot(plot, x, y, "dot") for x, y in points if y is not None]
    return _svg(plot, label, parts)


def drifting(label: str, watched: Watched, bounds: tuple[float, float], title: Words, zone: timezone) -> Html:
    """PSI of every window with its interval, above the bounds from which it matters and from which it is large."""
    steps = watched.steps
    ends = [step.compared.psi.high for step in steps if step.compared.psi]
    top = round_up(max(1.4 * bounds[1], *ends))
    plot = Plot((0, len(steps)), (0, top), width=420, height=230, left=_LEFT, bottom=58)
    parts = [*_frame(plot, title, ticks(0, top, 4)), *_labels(plot, [_short(step.start, zone) for step in steps], 6)]
    for bound in bounds:
        parts.append(
            f'<line class="bound" x1="{plot.left:.1f}" x2="{plot.width - plot.right:.1f}" '
            f'y1="{plot.y(bound):.1f}" y2="{plot.y(bound):.1f}"/>'
        )
    for place, step in enumerate(steps):
        if psi := step.compared.psi:
            style = step.compared.verdict
            parts.append(_stroke(plot, place + 0.5, psi.low, psi.high, f"whisker {style}"))
            parts.append(_dot(plot, place + 0.5, psi.value, f"dot {style}"))
    return _svg(plot, label, parts)


def sides(label: str, now: Histogram, before: Histogram, title: Words) -> Html:
    """Shares of bins now (bars) and before (marks)."""
    names, here, there = _paired(now, before)
    top = round_up(max([*here, *there, 0.01]))
    plot = Plot((0, len(names)), (0, top), width=420, height=230, left=_LEFT, bottom=58)
    parts = [*_frame(plot, title, ticks(0, top, 4))]
    for place, (name, one, other) in enumerate(zip(names, here, there, strict=True)):
        left, right = plot.x(place + 0.1), plot.x(place + 0.9)
        parts.append(_rect(left, plot.y(one), right - left, plot.y(0) - plot.y(one), "bar"))
        parts.append(
            f'<line class="stated" x1="{left:.1f}" x2="{right:.1f}" y1="{plot.y(other):.1f}" y2="{plot.y(other):.1f}"/>'
        )
        x, y = (left + right) / 2, plot.y(0) + 14
        turned = f' transform="rotate(-30 {x:.1f} {y:.1f})"' if len(names) > 4 else ""
        anchor = "end" if turned else "middle"
        parts.append(f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turned}>{escape(name)}</text>')
    return _svg(plot, label, parts)


def _paired(now: Histogram, before: Histogram) -> tuple[list[str], list[float], list[float]]:
    if now.edges:
        names = [*(f"≤{edge:.4g}" for edge in now.edges), f">{now.edges[-1]:.4g}"]
        counts = [dict(zip(names, side.counts, strict=True)) for side in (now, before)]
    else:
        names = sorted({*now.names, *before.names})
        counts = [dict(zip(side.names, side.counts, strict=True)) for side in (now, before)]
    here, there = ([side.get(name, 0) / max(1, sum(side.values())) for name in names] for side in counts)
    return names, here, there


# -- strokes --------------------------------------------------------------------------------------
def _svg(plot: Plot, label: str, parts: Iterable[str]) -> Html:
    box = f"0 0 {plot.width:g} {plot.height:g}"
    style = "chart" if plot.width < _WIDE else "chart wide"
    head = f'<svg class="{style}" viewBox="{box}" role="img" aria-labelledby="{escape(label)}">'
    return Html(head + "".join(parts) + "</svg>")


def _frame(plot: Plot, title: Words, marks: Sequence[float]) -> Iterable[str]:
    end = plot.width - plot.right
    for value in marks:
        y = plot.y(value)
        yield f'<line class="grid" x1="{plot.left:.1f}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="{plot.left - 7:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    middle = (plot.top + plot.height - plot.bottom) / 2
    yield f'<text class="title" x="12" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 12 {middle:.1f})">'
    yield f"{title.tspans()}</text>"
    floor = plot.height - plot.bottom
    yield f'<line class="axis" x1="{plot.left:.1f}" x2="{end:.1f}" y1="{floor:.1f}" y2="{floor:.1f}"/>'


def _days(plot: Plot, windows: Sequence[Window]) -> Iterable[str]:
    return _labels(plot, [f"{window.start:%m-%d}" for window in windows])


def _short(time: datetime, zone: timezone) -> str:
    return f"{time.astimezone(zone):%m-%d}"


def _labels(plot: Plot, names: Sequence[str], most: int = _MOST_LABELS) -> Iterable[str]:
    step = -(-len(names) // most) or 1
    for place in range(0, len(names), step):
        x, y = plot.x(place + 0.5), plot.height - plot.bottom + 17
        yield f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(names[place])}</text>'


def _line(plot: Plot, points: Sequence[tuple[float, float | None]], style: str) -> Iterable[str]:
    part: list[str] = []
    for x, y in [*points, (0.0, None)]:
        if y is not None:
            part.append(f"{plot.x(x):.1f},{plot.y(y):.1f}")
        elif part:
            yield f'<polyline class="{style}" points="{" ".join(part)}"/>'
            part = []


def _rect(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}"/>'


def _stroke(plot: Plot, x: float, low: float, high: float, style: str) -> str:
    at = plot.x(x)
    return f'<line class="{style}" x1="{at:.1f}" x2="{at:.1f}" y1="{plot.y(low):.1f}" y2="{plot.y(high):.1f}"/>'


def _dot(plot: Plot, x: float, y: float, style: str) -> str:
    return f'<circle class="{style}" cx="{plot.x(x):.1f}" cy="{plot.y(y):.1f}" r="4"/>'
