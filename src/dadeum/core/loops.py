"""A loop that a text ends in: the same words round after round, as models write that do not find an end."""

from __future__ import annotations

MIN_ROUNDS = 4
"""Rounds from which the end of a text is a loop; three are emphasis."""
MAX_PERIOD = 80
"""Characters of one round; a longer round is a sentence, and seen as one."""
MIN_LOOP_CHARACTERS = 12


def loops(text: str) -> list[int]:
    """For every round length that the end fits, shortest first: characters after the first round. Empty without a loop.

    The last round may lack its end: a limit on length does not wait for it. By hand: "네" and four times " 좋아요" end
    in a loop of rounds of four characters, 12 of them said again.
    """
    found = []
    for period in range(2, min(MAX_PERIOD, len(text) // MIN_ROUNDS + 1) + 1):
        again = _again(text, period)
        looped = again + period
        # The last round may lack its end, such as the space after it.
        if looped + 1 >= MIN_ROUNDS * period and looped >= MIN_LOOP_CHARACTERS and _is_word(text[-period:]):
            found.append(again)
    return found


def _again(text: str, period: int) -> int:
    """How many of the last characters equal the one a period before."""
    found = 0
    while found + period < len(text) and text[-1 - found] == text[-1 - found - period]:
        found += 1
    return found


def _is_word(round_: str) -> bool:
    """Two letters or more that differ: laughter, dots and lines may go on for as long as they like."""
    return len({character for character in round_ if character.isalpha()}) > 1
