"""Lines to paragraphs: which line goes on in the next one, over columns and pages too.

A line goes on where it is full: the next line's first word had no room on it. Lists, titles, gaps and indents begin a
paragraph of their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from dadeum.documents.joints import Joint
from dadeum.documents.layout import Line
from dadeum.documents.tables import RawTable

_BULLET = re.compile(
    r"^(?:[•‣◦∙·※*○●◎◇◆□■▪▫▶▷►☞➜✓✔△▲▽▼★☆-](?:\s|$)|[①-⑳㉠-㉻⓪❶-❿]|\d{1,2}[.)](?:\s|$)|\(\d{1,2}\)|[【□■○※☞]"
    r"|[A-Za-z][.)]\s|[ivxIVX]{1,4}[.)]\s|#{1,6}\s)"
)
_SYLLABLE_BULLET = re.compile(r"^(?:[가-힣][.)]\s|\([가-힣]\)|[가-힣]\s?\d+\s?[가-힣](?:[\s(【]|$))")
"""As Korean lists count, and articles of a law; also what a broken line may begin with."""
_ENDED = re.compile(r"[.?!:;>\])」』】][\"'”’)\]」』]*$")
_SENTENCE_END = re.compile(r"[.?!][\"'”’)\]」』]*$")
_WIDE_GAP = 1.45
"""Times the usual distance of lines: a paragraph ended."""
_INDENT = 0.8
"""Letter heights."""


@dataclass(frozen=True)
class TextLine:
    """A line of one column, with what is left to know of its place."""

    text: str
    left: float
    right: float
    top: float
    bottom: float
    first_width: float
    """Width of its first word."""
    ends_with_space: bool
    column: int

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @classmethod
    def of(cls, line: Line, text: str) -> TextLine:
        box = line.box
        return cls(text, *box[::2], *box[1::2], line.words[0].box.width, line.words[-1].ends_with_space, line.column)


@dataclass
class PageLayout:
    """A page's lines and tables in reading order; small, so that all pages of a document can be kept."""

    number: int
    height: float
    items: list[TextLine | RawTable] = field(default_factory=list)


@dataclass
class Paragraph:
    """Lines, and the joints between them."""

    lines: list[TextLine]
    joints: list[Joint] = field(default_factory=list)
    edge: float = 0.0
    """Right edge of the last line's column."""


def paragraphs(items: Sequence[TextLine | RawTable]) -> list[Paragraph | RawTable]:
    """Of one page, in their order."""
    edges: dict[int, float] = {}
    lefts: dict[int, float] = {}
    for item in items:
        if isinstance(item, TextLine):
            edges[item.column] = max(edges.get(item.column, 0.0), item.right)
            lefts[item.column] = min(lefts.get(item.column, item.left), item.left)
    pitch = _pitch(items)
    found: list[Paragraph | RawTable] = []
    for item in items:
        before = found[-1] if found else None
        if isinstance(item, RawTable):
            found.append(item)
        elif isinstance(before, Paragraph) and _goes_on(before, item, pitch):
            before.joints.append(joint(before.lines[-1], item, before.edge))
            before.lines.append(item)
            before.edge = edges[item.column]
        else:
            found.append(Paragraph([item], edge=edges[item.column]))
    return found


def joint(before: TextLine, line: TextLine, edge: float) -> Joint:
    room = edge - before.right
    return Joint(before.text, line.text, before.ends_with_space, had_room=room > 1.3 * before.height)


def goes_on_over_a_break(before: Paragraph, line: TextLine) -> bool:
    """Whether a paragraph goes on in the first line of the next column or page."""
    last = before.lines[-1]
    return (
        not _SENTENCE_END.search(last.text)
        and _is_full(last, line, before.edge)
        and _same_size(last, line)
        and not _begins(last, line)
        and (len(before.lines) > 1 or last.right - last.left > 12 * last.height)
    )


def _goes_on(before: Paragraph, line: TextLine, pitch: float) -> bool:
    last = before.lines[-1]
    if last.column != line.column or line.top < last.top:
        return goes_on_over_a_break(before, line)
    if line.top - last.top > _WIDE_GAP * pitch or not _same_size(last, line) or _begins(last, line):
        return False
    indent = _INDENT * line.height
    is_hanging = len(before.lines) > 1 or bool(_BULLET.match(last.text) or _SYLLABLE_BULLET.match(last.text))
    if line.left > last.left + indent and not is_hanging:
        return False
    if len(before.lines) > 1 and line.left > last.left + indent:
        return False
    return _is_full(last, line, before.edge)


def _is_full(last: TextLine, line: TextLine, edge: float) -> bool:
    return edge - last.right < line.first_width + 0.5 * last.height


def _same_size(last: TextLine, line: TextLine) -> bool:
    return abs(last.height - line.height) < 0.2 * max(last.height, line.height)


def _begins(last: TextLine, line: TextLine) -> bool:
    """A list item or an article begins here."""
    return bool(_BULLET.match(line.text) or (_SYLLABLE_BULLET.match(line.text) and _ENDED.search(last.text)))


def _pitch(items: Sequence[TextLine | RawTable]) -> float:
    """The usual distance from line to line."""
    steps = [
        line.top - before.top
        for before, line in pairwise(items)
        if isinstance(before, TextLine) and isinstance(line, TextLine) and 0 < line.top - before.top < 4 * line.height
    ]
    return median(steps) if steps else 20.0
