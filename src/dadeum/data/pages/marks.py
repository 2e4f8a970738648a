"""A text from data as a reader sees it: the part around a place, the place marked, what hides in it written out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dadeum.core.pages import visible
from dadeum.core.words import Html, wording

EXCERPT_CHARACTERS = 360
_BEFORE_CHARACTERS = 90
_BLANK_LINES = re.compile(r"\n{3,}")
_SHOWN_SPACE = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥"})


def marked(text: str, spans: Iterable[tuple[int, int]], most: int = EXCERPT_CHARACTERS) -> Html:
    """Up to `most` characters around the first of `spans`, every span in them marked; says how much is left out."""
    places = _merged(spans, len(text))
    if not text.strip() and not places:
        return Html(f'<span class="left-out">{wording("doctor.rows.empty").__html__()}</span>')
    start = max(0, places[0][0] - _BEFORE_CHARACTERS) if places and len(text) > most else 0
    start = max(0, min(start, len(text) - most))
    end = min(len(text), start + most)
    html = [_left_out(start)] if start else []
    position = start
    for first, last in places:
        first, last = max(first, position), min(last, end)
        if first < last:
            html += [_shown(text[position:first]), f"<mark>{_shown_mark(text[first:last])}</mark>"]
            position = last
    html.append(_shown(text[position:end]))
    if end < len(text):
        html.append(_left_out(len(text) - end))
    return Html("".join(html))


def _merged(spans: Iterable[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Spans in order, inside the text, joined where they touch."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(length, end)) for start, end in spans if end > start):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged


def _shown(text: str) -> Html:
    return visible(_BLANK_LINES.sub(lambda match: f"\n⏎×{len(match[0])}\n", text))


def _shown_mark(text: str) -> Html:
    """A mark over nothing but spaces shows them."""
    return visible(text.translate(_SHOWN_SPACE)) if not text.strip(" \n\t") else _shown(text)


def _left_out(num: int) -> str:
    return f'<span class="left-out">{wording("doctor.rows.left_out", num=num).__html__()}</span>'
