"""Tables of a page: those drawn with lines, and those that only wide gaps over several lines show.

A cell that spans rows or columns stands in each of them, so that every row of the Markdown can be read alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dadeum.documents.geometry import Box, Rule
from dadeum.documents.layout import Line, rows_of
from dadeum.documents.pdf_pages import Word

_NEAR = 3.0
"""Points by which lines that meet may miss each other."""
_MIN_FULL = 0.3
"""Share of cells with text; the grid of a chart has less."""
_MIN_LINES = 3
_MIN_CELLS = 3
Cell = tuple[str, ...]
"""The lines of a cell, not yet joined."""


@dataclass(frozen=True)
class RawTable:
    box: Box
    rows: tuple[tuple[Cell, ...], ...]
    num_spanning: int = 0
    """Cells that stand in several places."""


def ruled_tables(words: Sequence[Word], rules: Sequence[Rule]) -> tuple[list[RawTable], list[Word]]:
    """The tables drawn with lines, and the words outside of them."""
    tables: list[RawTable] = []
    rest = list(words)
    for group in _meeting(rules):
        grid = _Grid.of(group)
        if grid is None:
            continue
        inside = [word for word in rest if grid.box.holds(word.box)]
        if table := grid.table(inside):
            tables.append(table)
            rest = [word for word in rest if not grid.box.holds(word.box)]
    return tables, rest


def _meeting(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Rules that cross or touch, in groups."""
    groups: list[list[Rule]] = []
    for rule in rules:
        touching = [group for group in groups if any(_meet(rule, other) for other in group)]
        groups = [group for group in groups if not any(group is other for other in touching)]
        groups.append([rule, *(other for group in touching for other in group)])
    yield from groups


def _meet(one: Rule, other: Rule) -> bool:
    if one.is_lying == other.is_lying:
        return abs(one.at - other.at) <= _NEAR and one.start <= other.end + _NEAR and other.start <= one.end + _NEAR
    return one.start - _NEAR <= other.at <= one.end + _NEAR and other.start - _NEAR <= one.at <= other.end + _NEAR


def _steps(values: Sequence[float]) -> list[float]:
    """Distinct places, those of one line as one."""
    found: list[float] = []
    for value in sorted(values):
        if not found or value - found[-1] > _NEAR:
            found.append(value)
    return found


@dataclass(frozen=True)
class _Grid:
    """Where the lines of a table stand; cells without a line between them are one."""

    across: list[float]
    down: list[float]
    lying: list[Rule]
    standing: list[Rule]

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> _Grid | None:
        lying = [rule for rule in rules if rule.is_lying]
        standing = [rule for rule in rules if not rule.is_lying]
        if not lying or not standing:
            return None
        # Many tables are open at their sides: there the ends of the other lines are the border.
        across = _steps([rule.at for rule in standing] + [end for rule in lying for end in (rule.start, rule.end)])
        down = _steps([rule.at for rule in lying] + [end for rule in standing for end in (rule.start, rule.end)])
        return cls(across, down, lying, standing) if len(across) > 2 and len(down) > 2 else None

    @property
    def box(self) -> Box:
        return Box(self.across[0], self.down[0], self.across[-1], self.down[-1])

    def table(self, words: Sequence[Word]) -> RawTable | None:
        """None for frames around text and for charts."""
        names = self._cells()
        texts: dict[int, Cell] = {}
        for name in {name for row in names for name in row}:
            places = [(i, j) for i, row in enumerate(names) for j, other in enumerate(row) if other == name]
            boxes = [self._place(i, j) for i, j in places]
            found = [word for word in words if any(box.holds(word.box) for box in boxes)]
            texts[name] = tuple(" ".join(word.text for word in row) for row in rows_of(found))
        full = sum(map(bool, texts.values()))
        if full < 2 or full < _MIN_FULL * len(texts):
            return None
        rows = [[texts[name] if name not in row[:j] or len(set(row)) > 1 else () for j, name in enumerate(row)]
                for row in names]  # fmt: skip
        columns = [j for j in range(len(rows[0])) if any(row[j] for row in rows)]
        kept = tuple(tuple(row[j] for j in columns) for row in rows if any(row))
        if len(kept) < 2 or len(columns) < 2 or len(texts) < 4:
            return None
        spanning = Counter(name for row in names for name in row)
        return RawTable(self.box, kept, sum(1 for name, num in spanning.items() if num > 1 and texts[name]))

    def _place(self, i: int, j: int) -> Box:
        return Box(self.across[j], self.down[i], self.across[j + 1], self.down[i + 1])

    def _cells(self) -> list[list[int]]:
        """A number per place; places of one cell share it."""
        width, height = len(self.across) - 1, len(self.down) - 1
        names = [[i * width + j for j in range(width)] for i in range(height)]

        def join(one: int, other: int) -> None:
            for row in names:
                row[:] = [one if name == other else name for name in row]

        for i in range(height):
            for j in range(width):
                place = self._place(i, j)
                if j + 1 < width and not _drawn(self.standing, place.right, place.middle):
                    join(names[i][j], names[i][j + 1])
                if i + 1 < height and not _drawn(self.lying, place.bottom, (place.left + place.right) / 2):
                    join(names[i][j], names[i + 1][j])
        return names


def _drawn(rules: Sequence[Rule], at: float, through: float) -> bool:
    return any(abs(rule.at - at) <= _NEAR and rule.start <= through <= rule.end for rule in rules)


def with_unruled(lines: Sequence[Line]) -> list[Line | RawTable]:
    """At least three lines in a row, of equally many cells that stand below each other, become a table."""
    found: list[Line | RawTable] = []
    run: list[tuple[Line, list[tuple[str, Box]]]] = []

    def finish() -> None:
        if len(run) >= _MIN_LINES:
            box = Box.around([line.box for line, _ in run])
            found.append(RawTable(box, tuple(tuple((text,) for text, _ in cells) for _, cells in run)))
        else:
            found.extend(line for line, _ in run)
        run.clear()

    for line in lines:
        cells = line.cells()
        if len(cells) < _MIN_CELLS or (run and not _continues(run[-1][1], cells)):
            finish()
        if len(cells) >= _MIN_CELLS:
            run.append((line, cells))
        else:
            found.append(line)
    finish()
    return found


def _continues(above: list[tuple[str, Box]], below: list[tuple[str, Box]]) -> bool:
    """As many cells, each partly under the one above."""
    return len(above) == len(below) and all(
        one.left < other.right and other.left < one.right for (_, one), (_, other) in zip(above, below, strict=True)
    )
