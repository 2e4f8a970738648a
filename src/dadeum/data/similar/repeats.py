"""Rows that say the same again: equal, or nearly equal in what they ask and in what they answer.

A like question with another answer is no repetition, and on a long shared document a like question is not one either
when the few words that differ are the question itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dadeum.core.examples import Example
from dadeum.data.similar.duplicates import near_copies
from dadeum.data.similar.fingerprints import MAX_TEXTS, Memory
from dadeum.data.similar.pairs import Pairs, first_rows, folded, hashed
from dadeum.data.similar.shingles import Ints

MAX_BARE_CHARACTERS = 50
"""Up to here one character more costs more than a tenth of the 3-grams or nearly so."""
MIN_LINE_SIMILARITY = 0.5
"""Of the lines that only one of two long inputs has; a changed particle or number leaves more than half in common."""

_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Repeat:
    """A row that says what an earlier one said."""

    row: int
    kept: int
    """The earlier row."""
    similarity: float
    """Of the inputs; 1.0 where they are equal."""


def repeats(examples: Sequence[Example], pairs: Pairs, similarity: float, memory: Memory) -> list[Repeat]:
    """Rows with free answers that repeat an earlier row, in their order.

    Costs one search for near copies over the inputs and one over the answers of the rows whose inputs are alike.
    """
    texts = [example.text for example in examples]
    kept = _like_or_bare(texts, similarity, memory)
    groups = np.array([kept[row][0] if row in kept else row for row in range(len(examples))], dtype=np.int64)
    crowded = np.flatnonzero(np.bincount(groups, minlength=len(examples))[groups] > 1)
    answers = _kept_answers(examples, crowded, pairs, similarity)
    first: dict[tuple[int, int], int] = {}
    found = []
    for row, answer in zip(crowded.tolist(), answers.tolist(), strict=True):
        earlier = first.setdefault((int(groups[row]), answer), row)
        if earlier == row:
            continue
        if pairs.inputs[row] == pairs.inputs[earlier]:
            found.append(Repeat(row, earlier, 1.0))
        elif _differ_little(examples[row], examples[earlier]):
            found.append(Repeat(row, earlier, kept[row][1] if row in kept else 1.0))
    return found


def like_earlier(texts: Sequence[str], similarity: float, memory: Memory) -> dict[int, tuple[int, float]]:
    """`near_copies` in bounded memory: more than MAX_TEXTS texts are compared within blocks that begin alike.

    Near copies that differ in their first characters may then be missed, equal ones never.
    """
    return near_copies(texts, similarity, memory) if len(texts) <= MAX_TEXTS else _in_blocks(texts, similarity)


def _like_or_bare(texts: Sequence[str], similarity: float, memory: Memory) -> dict[int, tuple[int, float]]:
    """`like_earlier`, joined with short texts that are equal but for spaces and signs."""
    copies = like_earlier(texts, similarity, memory)
    first = first_rows(hashed(map(bare, texts))).tolist()
    joined = {row: kept for row, kept in enumerate(first) if row != kept and row not in copies}
    found = {}
    for row in sorted(copies.keys() | joined.keys()):
        kept, value = copies[row] if row in copies else (joined[row], 0.0)
        while kept in copies or kept in joined:
            kept, value = (copies[kept][0] if kept in copies else joined[kept]), 0.0
        found[row] = (kept, value or jaccard(texts[row], texts[kept]))
    return found


def _in_blocks(texts: Sequence[str], similarity: float) -> dict[int, tuple[int, float]]:
    num_blocks = -(-len(texts) // MAX_TEXTS)
    order = sorted(range(len(texts)), key=texts.__getitem__)
    copies: dict[int, tuple[int, float]] = {}
    start = 0
    for number in range(1, num_blocks + 1):
        end = max(start, len(texts) * number // num_blocks)
        while 0 < end < len(texts) and texts[order[end]] == texts[order[end - 1]]:
            end += 1  # equal texts stay together
        block = sorted(order[start:end])
        found = near_copies([texts[row] for row in block], similarity)
        copies |= {block[copy]: (block[kept], value) for copy, (kept, value) in found.items()}
        start = end
    return copies


def bare(text: str) -> str:
    """A short text without what is no letter and no digit: its 3-grams are too few to forgive a missing space."""
    return _NO_WORD.sub("", text).casefold() or text if len(text) <= MAX_BARE_CHARACTERS else text


def _kept_answers(examples: Sequence[Example], rows: Ints, pairs: Pairs, similarity: float) -> Ints:
    """For each of the rows the first of them with a like answer."""
    texts = [
        "\n".join(turn["content"] for turn in (*examples[row].completion, *examples[row].rejected)) for row in rows
    ]
    copies = near_copies(texts, similarity)
    return np.array([copies[place][0] if place in copies else place for place in range(len(rows))], dtype=np.int64)


def _differ_little(one: Example, other: Example) -> bool:
    """The system turns are equal, and the lines that only one input has are alike too."""
    if _instruction(one) != _instruction(other):
        return False
    ours, theirs = (dict.fromkeys(map(folded, example.text.splitlines())) for example in (one, other))
    only_ours, only_theirs = (
        "\n".join(line for line in lines if line not in others) for lines, others in ((ours, theirs), (theirs, ours))
    )
    if not only_ours or not only_theirs or bare(only_ours) == bare(only_theirs):
        return True
    return jaccard(only_ours, only_theirs) >= MIN_LINE_SIMILARITY


def _instruction(example: Example) -> str:
    return "\n".join(turn["content"] for turn in example.prompt if turn["role"] == "system")


def jaccard(one: str, other: str) -> float:
    """Shared share of the character 3-grams of two texts; 1 for equal texts, however short."""
    if one == other:
        return 1.0
    ours, theirs = ({text[start : start + 3] for start in range(len(text) - 2)} for text in (one, other))
    return len(ours & theirs) / max(len(ours | theirs), 1)
