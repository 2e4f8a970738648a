"""Marks of the drawings of a search as SVG: axes of numbers, of orders of magnitude and of names, dots with titles.

Colours and fonts come from the page's CSS classes; everything that comes from data is escaped here.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from dadeum.core.pages import printable
from dadeum.core.tune import Range, Scalar
from dadeum.core.words import Html, Words
from dadeum.evaluation.charts import ticks
from dadeum.tuning.words import value_text

_LATIN, _WIDE = 6.6, 12.0
"""About how wide a letter is at 12 px."""
_PAD = 0.05
LONGEST = 92.0
"""Room for a name below an axis."""


@dataclass(frozen=True)
class Scale:
    """Values of one figure or key as shares of an axis, 0 at its beginning."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    """No ticks between whole numbers."""
    names: tuple[str, ...] = ()
    """Of an axis of names: one place each."""

    def share(self, value: Scalar) -> float | None:
        """None for what has no place here."""
        if self.names:
            said = value_text(value)
            return (self.names.index(said) + 0.5) / len(self.names) if said in self.names else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        low, high, here = (self._of(one) for one in (self.low, self.high, value))
        return (here - low) / (high - low) if high > low else 0.5

    def _of(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.log else float(value)

    def marks(self, count: int = 5) -> list[tuple[float, str]]:
        """Place and label of each tick."""
        if self.names:
            return [((place + 0.5) / len(self.names), name) for place, name in enumerate(self.names)]
        values = _powers(self.low, self.high) if self.log else ticks(self.low, self.high, count)
        shown = [value for value in values if not self.whole or float(value).is_integer()]
        return [(place, f"{value:g}") for value in shown if (place := self.share(value)) is not None]


def _powers(low: float, high: float) -> list[float]:
    """Powers of ten; with 2 and 5 between them where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors: tuple[int, ...] = (1,) if last - first > 3 else (1, 3) if last - first > 1 else (1, 2, 3, 5)
    all_of_them = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    return [value for value in all_of_them if low * 0.999 <= value <= high * 1.001] or [low, high]


def scale_of(over: Range | tuple[Scalar, ...], seen: Sequence[Scalar]) -> Scale:
    """The whole of what was searched, and what was tried beside it: the recipe's own values may lie outside."""
    if not isinstance(over, Range):
        return Scale(names=tuple(dict.fromkeys(value_text(value) for value in (*over, *seen))))
    values = [float(value) for value in seen if isinstance(value, int | float) and not isinstance(value, bool)]
    low, high = min(over.low, *values, over.high), max(over.high, *values, over.low)
    log = over.log and low > 0
    edge = (high / low) ** _PAD if log else _PAD * (high - low)
    whole = over.is_whole and not log and all(value.is_integer() for value in values)
    return Scale(low / edge, high * edge, True) if log else Scale(low - edge, high + edge, whole=whole)


def scale_of_values(values: Sequence[float], better: int = 0) -> Scale:
    """Of figures. Far outliers on the worse side do not flatten the rest: they are drawn at the edge."""
    if not values:
        return Scale()
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    first, last = (ordered[round(share * (len(ordered) - 1))] for share in (0.25, 0.75))
    far = 3 * (last - first)
    if better and far > 0:
        near = [value for value in ordered if first - far <= value or better < 0]
        low, high = near[0], max(value for value in near if value <= last + far or better > 0)
    pad = _PAD * (high - low) or max(abs(high) * _PAD, 1e-3)
    return Scale(low - pad, high + pad)


# -- a drawing ------------------------------------------------------------------------------------
@dataclass
class Drawing:
    """A frame with two axes and the marks in it; `svg` is the whole."""

    x: Scale
    y: Scale
    width: float = 760
    height: float = 300
    left: float = 58
    right: float = 14
    top: float = 14
    bottom: float = 46
    parts: list[str] = field(default_factory=list)

    @property
    def floor(self) -> float:
        return self.height - self.bottom

    def at(self, x: Scalar, y: Scalar) -> tuple[float, float] | None:
        """Where a point stands; beyond the axis at its edge. None for what has no place."""
        across, up = self.x.share(x), self.y.share(y)
        if across is None or up is None:
            return None
        return self.across(across), self.floor - min(max(up, 0.0), 1.0) * (self.floor - self.top)

    def across(self, share: float) -> float:
        return self.left + min(max(share, 0.0), 1.0) * (self.width - self.left - self.right)

    def is_beyond(self, y: float) -> bool:
        share = self.y.share(y)
        return share is not None and not 0 <= share <= 1

    def axes(self, across: Words | None, up: Words, count: int = 5, floor: float = 0) -> None:
        """Ticks and titles; `floor`: room for rows of marks between the plot and its axis."""
        end, base = self.width - self.right, self.floor + floor
        for share, name in self.y.marks(count):
            y = self.floor - share * (self.floor - self.top)
            self.parts += [line(self.left, y, end, y, "grid"), text(self.left - 7, y + 4, name, "tick", "end")]
        self.parts.append(line(self.left, base, end, base, "axis"))
        turned = is_turned(self.x, end - self.left)
        for share, name in self.x.marks(max(3, int((end - self.left) / 75))):
            x = self.across(share)
            self.parts += [line(x, base, x, base + 4, "axis"), *_below(x, base, name, turned)]
        if across:
            self.parts.append(text((self.left + end) / 2, self.height - 5, across, "title", "middle"))
        middle = (self.top + self.floor) / 2
        self.parts.append(text(13, middle, up, "title", "middle", f' transform="rotate(-90 13 {middle:.1f})"'))

    def svg(self, label: str, kind: str = "") -> Html:
        box = f"0 0 {self.width:g} {self.height:g}"
        head = f'<svg class="chart {kind}" viewBox="{box}" role="img" aria-labelledby="{escape(label)}">'
        return Html(head + "".join(self.parts) + "</svg>")


def is_turned(scale: Scale, room: float) -> bool:
    """Whether names have to lean to stand beside one another."""
    return any(wide(cut(name, LONGEST)) > room / len(scale.names) - 4 for name in scale.names)


def _below(x: float, base: float, name: str, turned: bool) -> Iterator[str]:
    if not turned:
        yield text(x, base + 17, cut(name, LONGEST), "tick", "middle", title=name)
        return
    y = base + 14
    yield text(x + 4, y, cut(name, LONGEST), "tick", "end", f' transform="rotate(-32 {x:.1f} {y:.1f})"', name)


# -- marks ----------------------------------------------------------------------------------------
def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def path(points: Iterable[tuple[float, float]], style: str, extra: str = "", title: str = "") -> str:
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{style}" points="{steps}"{extra}>{_title(title)}</polyline>'


def dot(x: float, y: float, style: str, title: str = "", radius: float = 4, extra: str = "") -> str:
    return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"{extra}>{_title(title)}</circle>'


def square(x: float, y: float, style: str, title: str = "") -> str:
    return f'<rect class="{style}" x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9">{_title(title)}</rect>'


def cross(x: float, y: float, style: str, title: str = "") -> str:
    steps = f"M{x - 3.5:.1f} {y - 3.5:.1f}l7 7m0 -7l-7 7"
    return f'<path class="{style}" d="{steps}">{_title(title)}</path>'


def wedge(x: float, y: float, style: str, title: str = "", down: bool = True) -> str:
    """A point beyond the edge of the drawing."""
    tip = 7 if down else -7
    return f'<path class="{style}" d="M{x - 5:.1f} {y - tip:.1f}h10l-5 {tip}z">{_title(title)}</path>'


def text(
    x: float, y: float, said: Words | str, style: str, anchor: str = "start", extra: str = "", title: str = ""
) -> str:
    inner = said.tspans() if isinstance(said, Words) else escape(printable(said))
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{style}" {where}{extra}>{inner}{_title(title)}</text>'


def _title(said: str) -> str:
    """What is shown under the pointer."""
    return f"<title>{escape(printable(said))}</title>" if said else ""


def wide(said: str) -> float:
    """About how many pixels a text takes: Korean letters are twice as wide as Latin ones."""
    return sum(_WIDE if unicodedata.east_asian_width(letter) in "WF" else _LATIN for letter in said)


def cut(said: str, room: float) -> str:
    """As much of a text as has room."""
    if wide(said) <= room:
        return said
    while said and wide(said) > room - _LATIN:
        said = said[:-1]
    return f"{said}…"
