"""The drawings of a search: its course, losses on the way, slices by setting, parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dadeum.core.words import Html, Words
from dadeum.tuning import numbers
from dadeum.tuning.record import Search, Tried
from dadeum.tuning.strokes import (
    LONGEST,
    Drawing,
    Scale,
    cross,
    cut,
    dot,
    is_turned,
    line,
    path,
    scale_of,
    scale_of_values,
    square,
    text,
    wedge,
    wide,
)
from dadeum.tuning.words import axis_name, figure_name, figure_text, say, value_text

_ROW = 17
_GAP = 132
_FAINTEST = 0.12


def short_name(key: str, search: Search) -> str:
    """The last part of a key, or as many as tell it from the others."""
    parts = key.split(".")
    for num in range(1, len(parts)):
        end = ".".join(parts[-num:])
        if sum(other == end or other.endswith(f".{end}") for other in search.space) == 1:
            return end
    return key


def told(one: Tried, search: Search) -> str:
    """What is shown under the pointer of a trial's mark."""
    values = [
        f"{objective.name} {figure_text(objective.name, value).en}"
        for objective, value in zip(search.objectives, one.values, strict=False)
    ]
    settings = [f"{short_name(key, search)}={value_text(value)}" for key, value in one.params.items()]
    return " · ".join([f"#{one.number}", *(values or [one.state]), *settings])


def scale_of_first(search: Search) -> Scale:
    first = search.objectives[0]
    return scale_of_values([one.values[0] for one in numbers.complete(search)], numbers.sign(first))


def _metric(search: Search) -> Words:
    return figure_name(search.objectives[0].name)


def num_beyond(search: Search) -> int:
    """Complete trials so far off that they are drawn at the edge."""
    scale = scale_of_first(search)
    return sum(not scale.low <= one.values[0] <= scale.high for one in numbers.complete(search))


# -- course ---------------------------------------------------------------------------------------
def history(label: str, search: Search) -> Html:
    """First objective of each trial in turn, the best until then, and beneath it what did not come through."""
    rows = [state for state in ("pruned", "failed", "running") if any(one.state == state for one in search.tried)]
    last = max((one.number for one in search.tried), default=0)
    strip = _ROW * len(rows) + 6 * bool(rows)
    across = Scale(-0.5, max(last, 1) + 0.5, whole=True)
    drawing = Drawing(across, scale_of_first(search), height=300 + strip, left=66, bottom=46 + strip)
    drawing.axes(say("axis.trial"), axis_name(search.objectives[0].name), floor=strip)
    if (own := numbers.default_trial(search)) and (at := drawing.at(0, own.values[0])):
        drawing.parts.append(line(drawing.left, at[1], drawing.width - drawing.right, at[1], "level"))
    steps = [at for point in _stairs(numbers.best_so_far(search), last) if (at := drawing.at(*point))]
    drawing.parts += [path(steps, "line best")] if len(steps) > 1 else []
    drawing.parts += _points(drawing, search, {one.number: one.number for one in numbers.complete(search)})
    for place, state in enumerate(rows):
        y = drawing.floor + 6 + _ROW * (place + 0.5)
        drawing.parts.append(text(drawing.left - 7, y + 4, say(f"state.{state}"), "tick", "end"))
        drawing.parts += _strip(drawing, search, state, y)
    return drawing.svg(label, "wide")


def _stairs(points: Sequence[tuple[int, float]], last: int) -> Iterator[tuple[float, float]]:
    """The best holds until another is found."""
    for place, (number, value) in enumerate(points):
        if place:
            yield number, points[place - 1][1]
        yield number, value
    if points:
        yield last, points[-1][1]


def _points(drawing: Drawing, search: Search, places: dict[int, int]) -> Iterator[str]:
    """Complete trials at (place, first objective), the winner last and with a ring."""
    for one in sorted(numbers.complete(search), key=lambda one: one.number == search.winner):
        if at := drawing.at(places[one.number], one.values[0]):
            yield from _point(drawing, search, one, at)


def mark(x: float, y: float, one: Tried, search: Search, style: str = "dot") -> str:
    """A dot; a square for the recipe's own settings."""
    title = told(one, search)
    return square(x, y, "dot own", title) if one.is_default else dot(x, y, style, title)


def _point(drawing: Drawing, search: Search, one: Tried, at: tuple[float, float]) -> Iterator[str]:
    style = "dot own" if one.is_default else "dot"
    if drawing.is_beyond(one.values[0]):
        yield wedge(*at, style, told(one, search), down=numbers.sign(search.objectives[0]) > 0)
    else:
        yield mark(*at, one, search)
    if one.number == search.winner:
        yield dot(*at, "ring", radius=7.5)


def _strip(drawing: Drawing, search: Search, state: str, y: float, key: str = "") -> Iterator[str]:
    """Trials without a value, beneath the plot, at their number or at their value of `key`."""
    for one in search.tried:
        share = drawing.x.share(one.params.get(key) if key else one.number)
        if one.state == state and share is not None and (not key or key in one.params):
            x = drawing.across(share)
            yield (
                cross(x, y, "cross", told(one, search))
                if state == "failed"
                else dot(x, y, f"hollow {state}", told(one, search), 3.2)
            )


def losses(label: str, search: Search) -> Html | None:
    """Validation losses on the way; None where nobody looked."""
    looked = [one for one in search.tried if any(math.isfinite(look.loss) for look in one.looks)]
    if not looked:
        return None
    found = [look.loss for one in looked for look in one.looks if math.isfinite(look.loss)]
    drawing = Drawing(Scale(0, 100), scale_of_values(found, -1), left=66)
    drawing.axes(say("axis.percent"), say("axis.loss"))
    order = {"failed": 0, "pruned": 1, "running": 2, "complete": 3}
    faint = max(0.25, min(1.0, 12 / len(looked)))
    for one in sorted(looked, key=lambda one: (one.number == search.winner, order[one.state])):
        points = [at for look in one.looks if (at := drawing.at(look.percent, look.loss))]
        taken = one.number == search.winner
        extra = "" if taken else f' opacity="{faint:.2f}"'
        drawing.parts.append(path(points, f"line {'taken' if taken else one.state}", extra, told(one, search)))
        if points and one.state == "pruned":
            drawing.parts.append(dot(*points[-1], "hollow pruned", told(one, search), 3.2))
        elif len(points) == 1 or taken:
            drawing.parts += [dot(*at, "dot", told(one, search), 3) for at in points]
    return drawing.svg(label, "wide")


# -- keys -----------------------------------------------------------------------------------------
def slices(prefix: str, search: Search) -> list[tuple[str, str, Html]]:
    """Of every key: its id, its name, the first objective against its value."""
    named = {f"{prefix}-{place}": key for place, key in enumerate(search.space)}
    return [(label, key, _slice(label, key, search)) for label, key in named.items()]


def _slice(label: str, key: str, search: Search) -> Html:
    rows = [state for state in ("pruned", "failed") if any(one.state == state for one in search.tried)]
    scale = scale_of(search.space[key], [one.params[key] for one in search.tried if key in one.params])
    strip = _ROW * len(rows) + 6 * bool(rows)
    longest = max((wide(cut(name, LONGEST)) for name in scale.names), default=0)
    bottom = 26 + strip + (0.55 * longest if is_turned(scale, 360 - 62 - 14) else 0)
    drawing = Drawing(scale, scale_of_first(search), width=360, height=200 + bottom, left=62, bottom=bottom)
    drawing.axes(None, axis_name(search.objectives[0].name), floor=strip)
    for one in sorted(numbers.complete(search), key=lambda one: one.number == search.winner):
        if key in one.params and (at := drawing.at(one.params[key], one.values[0])):
            drawing.parts += _point(drawing, search, one, at)
    for place, state in enumerate(rows):
        y = drawing.floor + 6 + _ROW * (place + 0.5)
        drawing.parts.append(text(drawing.left - 7, y + 4, say(f"state.{state}"), "tick", "end"))
        drawing.parts += _strip(drawing, search, state, y, key)
    return drawing.svg(label)


def parallel(label: str, search: Search) -> Html | None:
    """A line per complete trial through its settings to its value, the better the stronger. None below two."""
    done = numbers.complete(search)
    if len(done) < 2:
        return None
    scales = {key: scale_of(over, [one.params[key] for one in search.tried if key in one.params])
              for key, over in search.space.items()}  # fmt: skip
    columns = [*scales.items(), ("", scale_of_first(search))]
    width = max(760.0, _GAP * len(columns))
    drawing = Drawing(
        Scale(0, len(columns) - 1), Scale(), width=width, height=340, left=70, right=86, top=34, bottom=18
    )
    better = numbers.sign(search.objectives[0])
    ranked = sorted(done, key=lambda one: (one.number == search.winner, better * one.values[0]))
    for rank, one in enumerate(ranked):
        points = [at for place, (key, scale) in enumerate(columns) if (at := _on(drawing, place, key, scale, one))]
        share = (rank + 1) / len(ranked)
        taken = one.number == search.winner
        extra = "" if taken else f' opacity="{_FAINTEST + (0.8 - _FAINTEST) * share**2:.2f}"'
        drawing.parts.append(path(points, "line taken" if taken else "line thread", extra, told(one, search)))
    for place, (key, scale) in enumerate(columns):
        drawing.parts += _column(drawing, place, key, scale, search)
    return Html(drawing.svg(label, "wide").replace("<svg ", f'<svg style="min-width:{width * 0.8:.0f}px" ', 1))


def _on(drawing: Drawing, place: int, key: str, scale: Scale, one: Tried) -> tuple[float, float] | None:
    if key and key not in one.params:
        return None
    share = scale.share(one.params[key] if key else one.values[0])
    return None if share is None else drawing.at(place, min(max(share, 0.0), 1.0))


def _column(drawing: Drawing, place: int, key: str, scale: Scale, search: Search) -> Iterator[str]:
    """One vertical axis with its name above and its marks to the right."""
    found = drawing.at(place, 0)
    assert found is not None
    x, gap = found[0], drawing.across(1 / max(drawing.x.high, 1)) - drawing.left
    yield line(x, drawing.top, x, drawing.floor, "axis")
    name: Words | str = cut(short_name(key, search), gap - 6) if key else _metric(search)
    yield text(x, 16, name, "title strong", "middle", title=key)
    for share, said in scale.marks(4):
        y = drawing.floor - share * (drawing.floor - drawing.top)
        shown = cut(said, 78 if not key else gap - 12)
        yield line(x - 3, y, x + 3, y, "axis")
        yield text(x + 6, y + 4, shown, "value", "start", title=said if shown != said else "")
