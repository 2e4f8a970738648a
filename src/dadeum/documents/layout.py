"""Words of a page as lines in reading order: columns one after the other, text between tables, margins kept apart.

A gutter is a strip that no word crosses over at least three rows with text on both sides; rows that cross it (a title)
part the page into bands, and within a band the left column comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from dadeum.documents.geometry import Box
from dadeum.documents.pdf_pages import Word

_STEP = 3.0
"""Points between the places where a gutter is looked for."""
_MIN_ROWS = 3
_MIN_FILLED = 0.45
"""Share of a column's width that its rows fill on average; columns of figures in a table fill less."""
_MAX_DEPTH = 3
CELL_GAP = 1.5
"""Letter heights between two words that do not read on."""


@dataclass(frozen=True)
class Line:
    """Words of one column that stand on one line."""

    words: tuple[Word, ...]
    column: int
    """Lines of one column of one band have one number."""

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def box(self) -> Box:
        return Box.around([word.box for word in self.words])

    def cells(self) -> list[tuple[str, Box]]:
        """Parts that wide gaps keep apart."""
        groups: list[list[Word]] = []
        for word in self.words:
            if groups and word.box.left - groups[-1][-1].box.right < CELL_GAP * word.box.height:
                groups[-1].append(word)
            else:
                groups.append([word])
        return [(" ".join(w.text for w in group), Box.around([w.box for w in group])) for group in groups]


def lines_of(words: Sequence[Word]) -> list[Line]:
    """In reading order."""
    lines: list[Line] = []
    for number, column in enumerate(_columns(rows_of(words), depth=0)):
        lines += [Line(tuple(row), number) for row in column]
    return lines


def rows_of(words: Sequence[Word]) -> list[list[Word]]:
    """Words that share a line of the page, from top to bottom, each from left to right."""
    rows: list[list[Word]] = []
    middles: list[float] = []
    for word in sorted(words, key=lambda word: word.box.middle):
        if rows and word.box.middle - middles[-1] < 0.5 * min(word.box.height, rows[-1][0].box.height):
            rows[-1].append(word)
        else:
            rows.append([word])
            middles.append(word.box.middle)
    return [sorted(row, key=lambda word: word.box.left) for row in rows]


def _columns(rows: list[list[Word]], depth: int) -> list[list[list[Word]]]:
    """The rows as columns in reading order."""
    gutter = _gutter(rows) if depth < _MAX_DEPTH and len(rows) >= _MIN_ROWS else None
    if gutter is None:
        return [rows] if rows else []
    found: list[list[list[Word]]] = []
    band: list[list[Word]] = []
    for row in [*rows, None]:
        if row is not None and not any(word.box.left < gutter < word.box.right for word in row):
            band.append(row)
            continue
        found += _split(band, gutter, depth)
        band = []
        if row is not None:
            # Consecutive rows across the page are one column.
            found += [[row]]
    return _merged(found, gutter)


def _split(band: list[list[Word]], gutter: float, depth: int) -> list[list[list[Word]]]:
    left = [part for row in band if (part := [word for word in row if word.box.right <= gutter])]
    right = [part for row in band if (part := [word for word in row if word.box.left >= gutter])]
    if min(len(left), len(right)) < _MIN_ROWS:  # a title, or the last line of a paragraph
        return [[row] for row in band]
    return [*_columns(left, depth + 1), *_columns(right, depth + 1)]


def _merged(columns: list[list[list[Word]]], gutter: float) -> list[list[list[Word]]]:
    """Single rows one below the other joined again."""
    found: list[list[list[Word]]] = []
    was_single = False
    for column in columns:
        is_single = len(column) == 1
        if is_single and was_single:
            found[-1] += column
        else:
            found.append(list(column))
        was_single = is_single
    return found


def _gutter(rows: list[list[Word]]) -> float | None:
    """Where the rows part into columns, if they do."""
    height = median(word.box.height for row in rows for word in row)
    left = min(row[0].box.left for row in rows)
    right = max(max(word.box.right for word in row) for row in rows)
    places = np.arange(left + 0.15 * (right - left), left + 0.85 * (right - left), _STEP)
    if not len(places):
        return None
    crossed = np.zeros((len(rows), len(places)), dtype=bool)
    margin = 0.4 * height
    for index, row in enumerate(rows):
        starts = np.searchsorted(places, [word.box.left - margin for word in row])
        ends = np.searchsorted(places, [word.box.right + margin for word in row])
        for start, end in zip(starts, ends, strict=True):
            crossed[index, start:end] = True
    if (~crossed).sum(axis=0).max() < _MIN_ROWS:
        return None
    scores = [
        _score(rows, crossed[:, index], place) if (~crossed[:, index]).sum() >= _MIN_ROWS else 0.0
        for index, place in enumerate(places)
    ]
    best = max(scores)
    if not best:
        return None
    plateau = [place for place, score in zip(places, scores, strict=True) if score >= 0.98 * best]
    return float(plateau[len(plateau) // 2])


def _score(rows: list[list[Word]], crossed: np.ndarray, place: float) -> float:
    """Rows of the narrower side, over all bands that this gutter makes."""
    score, start = 0.0, 0
    for end in [*np.flatnonzero(crossed), len(rows)]:
        band = rows[start:end]
        start = end + 1
        if len(band) >= _MIN_ROWS:
            left = [part for row in band if (part := [word for word in row if word.box.right <= place])]
            right = [part for row in band if (part := [word for word in row if word.box.left >= place])]
            fewest = min(len(left), len(right))
            if fewest >= _MIN_ROWS and _is_filled(left) and _is_filled(right):
                score += fewest
    return score


def _is_filled(rows: list[list[Word]]) -> bool:
    """Running text fills its column; labels and figures do not."""
    width = max(row[-1].box.right for row in rows) - min(row[0].box.left for row in rows)
    filled = sum(word.box.width for row in rows for word in row) / len(rows)
    height = median(row[0].box.height for row in rows)
    return width > 6 * height and filled >= _MIN_FILLED * width
