"""Sentences said again are left out, and so is every round but the first of a loop that the answer ends in."""

from __future__ import annotations

import re

from dadeum.core.loops import loops
from dadeum.core.speech import Level

MIN_SENTENCE_CHARACTERS = 10
"""Shorter sentences are said twice on purpose."""
_SENTENCE = re.compile(r"[^\s.!?…。](?:[^.!?…。\n]+|\.(?=\w))*[.!?…。]*[\"'”’)]*")


def apply(text: str, level: Level | None = None) -> str:
    """The first of equal sentences stays where it stood."""
    return _without_loop(_without_repeats(text))


def _without_repeats(text: str) -> str:
    seen: set[str] = set()
    kept: list[str] = []
    at = num_dropped = 0
    for match in _SENTENCE.finditer(text):
        said = "".join(character for character in match.group() if character.isalnum() or character == "#")
        again = len(said) >= MIN_SENTENCE_CHARACTERS and said in seen
        seen.add(said)
        num_dropped += again
        # What stands between two sentences goes with the second.
        kept += [] if again else [text[at : match.end()]]
        at = match.end()
    return "".join([*kept, text[at:]]).rstrip() if num_dropped else text


def _without_loop(text: str) -> str:
    """Its shortest round is looked for: "네 네 네 네" is a loop of one word, not of two."""
    trimmed = text.rstrip()
    again = next(iter(loops(trimmed)), 0)
    return trimmed[: len(trimmed) - again].rstrip(" \n,") if again else text
