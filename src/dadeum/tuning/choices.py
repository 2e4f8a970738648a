"""Drawings of what was chosen from: the Pareto front of several objectives, the best settings with several seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dadeum.core.words import Html, Words
from dadeum.tuning import numbers
from dadeum.tuning.drawings import mark, scale_of_first
from dadeum.tuning.record import Search, Tried
from dadeum.tuning.strokes import Drawing, Scale, dot, line, path, scale_of_values, text
from dadeum.tuning.words import axis_name, figure_name, say


def fronts(prefix: str, search: Search) -> list[tuple[str, Words, Html]]:
    """The first objective against each other one; trials of the front are filled, named and joined."""
    others = list(enumerate(search.objectives))[1:]
    return [(f"{prefix}-{place}", figure_name(one.name), _front(f"{prefix}-{place}", search, place))
            for place, one in others]  # fmt: skip


def _front(label: str, search: Search, other: int) -> Html:
    done, of_front = numbers.complete(search), set(search.front or numbers.front(search))
    first, second = search.objectives[0], search.objectives[other]
    across = scale_of_values([one.values[other] for one in done], numbers.sign(second))
    drawing = Drawing(across, scale_of_first(search), width=560, height=340, left=66, right=26)
    drawing.axes(axis_name(second.name), axis_name(first.name))
    chosen = sorted((one for one in done if one.number in of_front), key=lambda one: one.values[other])
    if len(search.objectives) == 2:
        points = [at for one in chosen if (at := drawing.at(one.values[other], one.values[0]))]
        drawing.parts += [path(points, "line front")] if len(points) > 1 else []
    for one in sorted(done, key=lambda one: one.number in of_front):
        at = drawing.at(one.values[other], one.values[0])
        if at is None:
            continue
        style = "dot" if one.number in of_front else "dot beaten"
        drawing.parts.append(mark(*at, one, search, style))
        drawing.parts += [dot(*at, "ring", radius=7.5)] if one.number == search.winner else []
    drawing.parts += _names(drawing, chosen, other)
    return drawing.svg(label, "middle")


def _names(drawing: Drawing, chosen: Sequence[Tried], other: int) -> Iterator[str]:
    """Numbers of the front's trials, where there is room beside the dots."""
    dots = [at for one in chosen if (at := drawing.at(one.values[other], one.values[0]))]
    taken = list(dots)
    for one, at in zip(chosen, dots, strict=True):
        for across, down in ((24, 4), (-24, 4), (0, -14), (0, 22)):
            x, y = at[0] + across, at[1] + down
            if all(abs(x - left) > 24 or abs(y - 4 - up) > 14 for left, up in taken if (left, up) != at):
                taken.append((x, y - 4))
                yield text(x, y, f"#{one.number}", "value", "middle")
                break


def repeats(label: str, search: Search) -> Html | None:
    """A row per setting that ran with several seeds: a dot per seed, a stroke for the mean."""
    if not search.repeated:
        return None
    better = numbers.sign(search.objectives[0])
    rows = sorted(search.repeated, key=lambda one: -better * one.mean if one.values else math.inf)
    values = [value for one in rows for value in one.values]
    top, bottom = 8, 46
    drawing = Drawing(
        scale_of_values(values), Scale(names=tuple(str(one.number) for one in reversed(rows))),
        height=top + bottom + 36 * len(rows), left=128, top=top, bottom=bottom,
    )  # fmt: skip
    own = {one.number for one in search.tried if one.is_default}
    drawing.parts += _across(drawing, axis_name(search.objectives[0].name))
    for one in rows:
        kind = "taken" if one.number == search.winner else "own" if one.number in own else "plain"
        drawing.parts += _repeat(drawing, one.number, one.values, one.mean, kind)
    return drawing.svg(label, "wide")


def _across(drawing: Drawing, title: Words) -> Iterator[str]:
    for share, name in drawing.x.marks(8):
        x = drawing.across(share)
        yield line(x, drawing.top, x, drawing.floor, "grid")
        yield text(x, drawing.floor + 17, name, "tick", "middle")
    yield line(drawing.left, drawing.floor, drawing.width - drawing.right, drawing.floor, "axis")
    yield text((drawing.left + drawing.width - drawing.right) / 2, drawing.height - 5, title, "title", "middle")


def _repeat(drawing: Drawing, number: int, values: Sequence[float], mean: float, kind: str) -> Iterator[str]:
    y = drawing.floor - (drawing.y.share(str(number)) or 0.0) * (drawing.floor - drawing.top)
    yield text(drawing.left - 12, y + 4, say(f"row.{kind}", number=number), "value strong", "end")
    found = [(drawing.across(share), value) for value in values if (share := drawing.x.share(value)) is not None]
    if found:
        yield line(min(x for x, _ in found), y, max(x for x, _ in found), y, f"whisker {kind}")
    yield from (dot(x, y, f"dot seed {kind}", f"#{number} {value:g}", 4.5) for x, value in found)
    if found and (share := drawing.x.share(mean)) is not None:
        x = drawing.across(share)
        yield line(x, y - 10, x, y + 10, f"mean {kind}")
