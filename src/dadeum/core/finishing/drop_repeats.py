"""Sentences said again are left out, and so is every round but the first of a loop that the answer ends in."""

from __future__ import annotations

import re

from dadeum.core.speech import Level

MIN_SENTENCE_CHARACTERS = 10
"""Shorter sentences are said twice on purpose."""
MIN_ROUNDS = 4
"""Rounds from which the end of an answer is a loop; three are emphasis."""
MAX_PERIOD = 80
"""Characters of one round; a longer round is a sentence, and seen as one."""
MIN_LOOP_CHARACTERS = 12
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
    for period in range(2, min(MAX_PERIOD, len(trimmed) // MIN_ROUNDS + 1) + 1):
        again = _again(trimmed, period)
        # The last round may lack its end, such as the space after it.
        looped = again + period
        if looped + 1 >= MIN_ROUNDS * period and looped >= MIN_LOOP_CHARACTERS and _is_word(trimmed[-period:]):
            return trimmed[: len(trimmed) - again].rstrip(" \n,")
    return text


def _again(text: str, period: int) -> int:
    """How many of the last characters equal the one a period before."""
    found = 0
    while found + period < len(text) and text[-1 - found] == text[-1 - found - period]:
        found += 1
    return found


def _is_word(round_: str) -> bool:
    """Two letters or more that differ: laughter, dots and lines may go on for as long as they like."""
    return len({character for character in round_ if character.isalpha()}) > 1
