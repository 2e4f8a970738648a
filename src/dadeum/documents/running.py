"""Headers, footers and page numbers: lines at the edge of a page that come back on other pages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from dadeum.documents.paragraphs import PageLayout, TextLine

_MARGIN = 0.12
"""Share of the page's height at its top and bottom where they may stand."""
_MAX_LINES = 4
"""At each edge."""
_MIN_PAGES = 3
_MIN_SHARE = 0.4
"""Of the pages: left and right pages may have different ones."""
_PLACE = 6.0
"""Points by which the place of a line may vary."""
_NUMBER = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"^[\W_]*(?:p(?:age|\.)?\s*)?(?:\d{1,3}|[ivxlc]{1,6})(?:\s*(?:/|of)\s*\d{1,4})?[\W_]*$", re.I)
_AWAY = 0.8
"""Heights of a page number between it and the text."""
_Key = tuple[str, bool, int]


def remove_running(layouts: Sequence[PageLayout], changes: Counter[str]) -> None:
    """Take them out of every page, in place."""
    seen: dict[_Key, set[int]] = defaultdict(set)
    for layout in layouts:
        for key, _ in _edges(layout):
            seen[key].add(layout.number)
    with_text = sum(bool(layout.items) for layout in layouts)
    needed = max(_MIN_PAGES, _MIN_SHARE * with_text)
    for layout in layouts:
        removed = [line for line in _lines(layout) if _is_page_number(layout, line)]
        changes["page_numbers"] += len(removed)
        for (text, is_top, place), line in _edges(layout):
            # A line may be a few points off from page to page.
            on = set().union(*(seen.get((text, is_top, place + off), ()) for off in (-1, 0, 1)))
            if len(on) >= needed and not any(line is other for other in removed):
                removed.append(line)
                changes["page_numbers" if _PAGE_NUMBER.match(line.text) else "running_lines"] += 1
        layout.items = [item for item in layout.items if not any(item is line for line in removed)]


def _lines(layout: PageLayout) -> list[TextLine]:
    """From top to bottom."""
    return sorted((item for item in layout.items if isinstance(item, TextLine)), key=lambda line: line.top)


def _edges(layout: PageLayout) -> list[tuple[_Key, TextLine]]:
    """Lines near the top or the bottom, with what makes them equal on other pages."""
    lines = _lines(layout)
    found: list[tuple[_Key, TextLine]] = []
    for is_top, edge in ((True, lines[:_MAX_LINES]), (False, lines[-_MAX_LINES:])):
        for line in edge:
            away = line.bottom if is_top else layout.height - line.top
            if away <= _MARGIN * layout.height:
                found.append(((_NUMBER.sub("#", line.text), is_top, round(away / _PLACE)), line))
    return found


def _is_page_number(layout: PageLayout, line: TextLine) -> bool:
    """A number alone above or below everything else, at a distance."""
    if not _PAGE_NUMBER.match(line.text):
        return False
    places = [
        (item.top, item.bottom) if isinstance(item, TextLine) else (item.box.top, item.box.bottom)
        for item in layout.items
        if item is not line
    ]
    away = _AWAY * line.height
    return bool(places) and (
        all(top >= line.bottom + away for top, _ in places) or all(bottom <= line.top - away for _, bottom in places)
    )
