"""How much of a summary was taken over from the dialogue word for word.

Fragments are Grusky et al.'s (2018): the longest run of morphemes that stands in the dialogue too, from left to right.
`coverage` is the share of morphemes in any fragment, `density` the mean length of the fragment a morpheme stands in,
`copied` the share in fragments of `LONG` and more. What is good depends on the task: compare with people's summaries.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.letters import tidy
from dadeum.core.rouge import words
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._references import Better

TASKS = ("summarize",)
FIGURES: dict[str, Better] = {"copied": "neither", "coverage": "neither", "density": "neither"}

LONG = 6
"""Morphemes, two or three words with their particles: shorter runs are idiom and chance."""


def per_row(asked: Asked) -> dict[str, np.ndarray]:
    """NaN for an answer without a word."""
    found = np.full((len(asked.rows), len(FIGURES)), np.nan)
    for place, (answer, row) in enumerate(zip(asked.answers, asked.rows, strict=True)):
        said = words(tidy(answer))
        if said:
            lengths = fragments(said, words(row.text))
            long = sum(length for length in lengths if length >= LONG)
            found[place] = [long, sum(lengths), sum(length**2 for length in lengths)]
            found[place] /= len(said)
    return dict(zip(FIGURES, found.T, strict=True))


def fragments(said: list[str], source: list[str]) -> list[int]:
    """Lengths of the fragments, in order.

    By hand: a b x c d e of source c d e a b: (a b), nothing for x, (c d e), so 2 and 3.
    """
    starts: dict[str, list[int]] = {}
    for place, word in enumerate(source):
        starts.setdefault(word, []).append(place)
    found, at = [], 0
    while at < len(said):
        longest = max((_shared(said, at, source, start) for start in starts.get(said[at], ())), default=0)
        if longest:
            found.append(longest)
        at += max(longest, 1)
    return found


def _shared(said: list[str], at: int, source: list[str], start: int) -> int:
    length = 0
    while at + length < len(said) and start + length < len(source) and said[at + length] == source[start + length]:
        length += 1
    return length
