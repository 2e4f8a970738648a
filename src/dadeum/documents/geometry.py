"""Places on a page as it is seen: y grows downwards, pages that are stored on their side stand upright."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_MAX_RULE = 2.0
"""Points; a thicker path is a box or a picture, and its edges may be rules."""
_MIN_RULE = 8.0


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, boxes: Sequence[Box]) -> Box:
        return cls(
            min(box.left for box in boxes),
            min(box.top for box in boxes),
            max(box.right for box in boxes),
            max(box.bottom for box in boxes),
        )

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    def is_beside(self, before: Box) -> bool:
        """On one line with `before`: two letters of one word may only part sideways by less than a letter."""
        height = max(self.height, before.height, 1.0)
        return abs(self.middle - before.middle) < height * 0.8 and -height < self.left - before.right < height * 1.5

    def holds(self, other: Box) -> bool:
        """The middle of `other` is inside."""
        across = (other.left + other.right) / 2
        return self.left <= across <= self.right and self.top <= other.middle <= self.bottom


class Rule(NamedTuple):
    """A straight line, lying or standing."""

    is_lying: bool
    at: float
    """y of a lying one, x of a standing one."""
    start: float
    end: float


def rules_of(box: Box) -> list[Rule]:
    """The rules that a path draws: itself where it is thin, its edges where it is a frame."""
    if box.height <= _MAX_RULE:
        return [Rule(True, box.middle, box.left, box.right)] if box.width >= _MIN_RULE else []
    if box.width <= _MAX_RULE:
        return [Rule(False, (box.left + box.right) / 2, box.top, box.bottom)] if box.height >= _MIN_RULE else []
    if box.width < _MIN_RULE or box.height < _MIN_RULE:
        return []
    return [
        *(Rule(True, at, box.left, box.right) for at in (box.top, box.bottom)),
        *(Rule(False, at, box.top, box.bottom) for at in (box.left, box.right)),
    ]


class Frame(NamedTuple):
    """The visible part of a page in the file's coordinates (y upwards), and its quarter turns."""

    left: float
    bottom: float
    right: float
    top: float
    rotation: int

    @property
    def width(self) -> float:
        return self.right - self.left if self.rotation in (0, 180) else self.top - self.bottom

    @property
    def height(self) -> float:
        return self.top - self.bottom if self.rotation in (0, 180) else self.right - self.left

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """As a viewer shows it."""
        if self.rotation == 90:
            return Box(bottom - self.bottom, left - self.left, top - self.bottom, right - self.left)
        if self.rotation == 180:
            return Box(self.right - right, bottom - self.bottom, self.right - left, top - self.bottom)
        if self.rotation == 270:
            return Box(self.top - top, self.right - right, self.top - bottom, self.right - left)
        return Box(left - self.left, self.top - top, right - self.left, self.top - bottom)

    def share(self, box: Box) -> float:
        """Of the page's area."""
        width = min(box.right, self.width) - max(box.left, 0.0)
        height = min(box.bottom, self.height) - max(box.top, 0.0)
        return max(width, 0.0) * max(height, 0.0) / max(self.width * self.height, 1.0)
