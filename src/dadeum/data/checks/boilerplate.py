"""Stock phrases stay rare: warnings, "as an AI", closing lines, and whatever different answers here repeat.

A model trained on warnings in every answer wrote nothing else in production; its makers capped them at 5 %.
"""

from __future__ import annotations

from collections import Counter

from dadeum.core.examples import parts
from dadeum.core.findings import Finding, Hit
from dadeum.core.korean_phrases import listed_phrase
from dadeum.data.context import Context, listed, short
from dadeum.data.texts.boilerplate import Phrase, folded, mine, place_of

CODE = "KO104"
NAME = "boilerplate"

MAX_SHARE = 0.05
"""Share of answers with a stock phrase from which this is a warning: the cap of the Korean SFT reference project."""
MIN_ROWS = 20
"""Rows below which a share says nothing."""
_NUM_SHOWN = 3


def check(context: Context) -> list[Finding]:
    if context.task in ("decide", "retrieve"):  # nothing is written in words of its own
        return []
    answers = [
        (row, part.name, part.text)
        for row, (_, example) in enumerate(context.placed)
        for part in parts(example)
        if part.role == "assistant"
    ]
    num_rows = len({row for row, _, _ in answers})
    texts = {text: folded(text) for _, _, text in answers}
    phrases = mine(list(texts.values()))
    places = {text: _place(text, masked_text, phrases) for text, masked_text in texts.items()}
    hits = [
        Hit(row, part, found[0], found[1], {"found": found[2]})
        for row, part, text in answers
        if (found := places[text])
    ]
    kinds = Counter(hit.found["found"] for hit in hits if hit.found)
    share = len({hit.row for hit in hits}) / max(num_rows, 1)
    if num_rows < MIN_ROWS or share <= MAX_SHARE:
        return []
    shown = "; ".join(f"{short(phrase.text)} {phrase.share:.1%}" for phrase in phrases[:_NUM_SHOWN]) or "-"
    values = {"share": share, "limit": MAX_SHARE, "kinds": listed(kinds), "mined": len(phrases), "phrases": shown}
    return context.finding(CODE, NAME, "warn", hits, values, num_rows)


def _place(text: str, masked_text: str, phrases: list[Phrase]) -> tuple[int, int, str] | None:
    """(start, end, kind) of the first stock phrase."""
    if found := listed_phrase(text):
        return found
    phrase = next((phrase for phrase in phrases if phrase.text in masked_text), None)
    if phrase is None:
        return None
    start, end = place_of(phrase, text) or (0, 0)
    return start, end, "mined"
