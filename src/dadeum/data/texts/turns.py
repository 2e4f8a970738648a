"""Every answer that a data set teaches or shows: last turns, and the assistant's turns before them, each once.

Some files have a row per answer of a conversation: what stands in a row's prompt is another row's answer there.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from dadeum.core.examples import Example, Turn


class AnswerTurn(NamedTuple):
    """One assistant turn of a row."""

    row: int
    """Position among all rows of the data set."""
    part: str
    """Name of the text in its row (`core.examples.parts`)."""
    text: str
    """Without space at its ends; never empty."""
    is_first: bool
    """Nothing was answered before it in its conversation."""


def answer_turns(examples: Sequence[Example]) -> list[AnswerTurn]:
    """In the order of the rows; rows with a label answer nothing in words of their own."""
    known = {_key([*example.prompt, *example.completion]) for example in examples if len(example.completion) == 1}
    found: list[AnswerTurn] = []
    for row, example in enumerate(examples):
        if example.label:
            continue
        turns = [*example.prompt, *example.completion]
        for at, is_first in _answers(turns):
            if at < len(example.prompt):
                key = _key(turns[: at + 1])
                if key in known:
                    continue
                known.add(key)
            found.append(AnswerTurn(row, f"assistant.{at + 1}", turns[at]["content"].strip(), is_first))
    return [turn for turn in found if turn.text]


def _answers(turns: Sequence[Turn]) -> Iterator[tuple[int, bool]]:
    """(place, whether it is the first) of the assistant's turns."""
    places = [at for at, turn in enumerate(turns) if turn["role"] == "assistant"]
    return ((at, at == places[0]) for at in places)


def _key(turns: Sequence[Turn]) -> Hashable:
    return hash(tuple(turn["content"] for turn in turns))
