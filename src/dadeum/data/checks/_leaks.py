"""Which rows of a later split are known from an earlier one, and how: equal, equal input, masked, or nearly equal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dadeum.core.examples import Example, answer_of
from dadeum.core.korean import masked
from dadeum.data.similar.duplicates import LEAK_SIMILARITY, nearest_known
from dadeum.data.similar.fingerprints import MAX_TEXTS, Memory
from dadeum.data.similar.pairs import Pairs
from dadeum.data.similar.repeats import bare, jaccard
from dadeum.data.similar.shingles import Ints
from dadeum.tasks.retrieve import relevant

SURE_SIMILARITY = 0.9
"""From here on two questions are one, whatever is answered. Below it their answers must be alike too: "how do I apply
for A" and "how do I apply for B" share seven tenths of their 3-grams."""
ANSWER_SIMILARITY = 0.5
"""Of two answers that say the same with another name, number or ending."""
MIN_TEMPLATE_CHARACTERS = 15
"""Shorter free answers are equal after masking by chance: "8" and "9" are both a number."""

_MASKABLE = re.compile("[0-9@님씨]")


class Leak(NamedTuple):
    """A row that is known."""

    row: int
    like: int
    """The earlier row that tells of it."""
    how: str
    """exact, input (equal input, another answer), masked or near."""


def find_leaks(
    examples: Sequence[Example], pairs: Pairs, here: Sequence[int], before: Sequence[int], memory: Memory
) -> list[Leak]:
    """One Leak per row of `here` that is known from `before`, the surest kind first. Rows are positions in `examples`.

    Labels do not matter: a known text with another label is known all the same.
    """
    if not here or not before:
        return []
    leaks = _equal(pairs, here, before)
    known = {leak.row for leak in leaks}
    leaks += _masked(examples, [row for row in here if row not in known], before)
    known = {leak.row for leak in leaks}
    leaks += _bare(examples, [row for row in here if row not in known], before)
    known = {leak.row for leak in leaks}
    leaks += _near(examples, [row for row in here if row not in known], before, memory)
    return sorted(leak for leak in leaks if not _ask_elsewhere(examples[leak.row], examples[leak.like], leak.how))


def _ask_elsewhere(example: Example, other: Example, how: str) -> bool:
    """Like questions that different chunks or documents answer: knowing one tells nothing of the other."""
    ours, theirs = set(relevant(example)), set(relevant(other))
    return how in ("masked", "near") and bool(ours and theirs) and not ours & theirs


def _equal(pairs: Pairs, here: Sequence[int], before: Sequence[int]) -> list[Leak]:
    inputs, answers, labelled = pairs.inputs.tolist(), pairs.answers.tolist(), pairs.labelled.tolist()
    known_pairs = {(inputs[row], answers[row]): row for row in reversed(before)}
    known_inputs = {inputs[row]: row for row in reversed(before)}
    leaks = []
    for row in here:
        pair = known_pairs.get((inputs[row], answers[row]))
        if pair is not None:
            leaks.append(Leak(row, pair, "exact"))
        elif inputs[row] in known_inputs:
            leaks.append(Leak(row, known_inputs[inputs[row]], "exact" if labelled[row] else "input"))
    return leaks


def _masked(examples: Sequence[Example], here: Sequence[int], before: Sequence[int]) -> list[Leak]:
    wanted = {row: template for row in here if (template := _template(examples[row]))}
    templates = set(wanted.values())
    known: dict[int, int] = {}
    for row in before:
        if templates and (template := _template(examples[row])) in templates:
            known.setdefault(template, row)
    return [Leak(row, known[template], "masked") for row, template in wanted.items() if template in known]


def _template(example: Example) -> int:
    """A number for what is left without names and numbers; 0 where nothing is masked or too little is left."""
    if example.label:
        return hash(masked(example.text))
    if not _MASKABLE.search(example.text):
        return 0  # masking is slow, and most free texts have nothing to mask
    answer = masked(answer_of(example))
    return hash((masked(example.text), answer)) if len(answer) >= MIN_TEMPLATE_CHARACTERS else 0


def _bare(examples: Sequence[Example], here: Sequence[int], before: Sequence[int]) -> list[Leak]:
    """Short texts with free answers that are equal but for spaces and signs.

    Not labelled ones: `data.split.group: near_duplicate` must be able to keep apart whatever is called a leak.
    """
    known = {hash(bare(examples[row].text)): row for row in reversed(before)}
    texts = ((row, hash(bare(examples[row].text))) for row in here if not examples[row].label)
    return [Leak(row, known[text], "near") for row, text in texts if text in known]


def _near(examples: Sequence[Example], here: Sequence[int], before: Sequence[int], memory: Memory) -> list[Leak]:
    """Like texts, and like answers where there are free ones; before them all, a block at a time."""
    leaks = []
    few = len(here) + len(before) <= MAX_TEXTS
    for start in range(0, len(before), MAX_TEXTS):
        block = before[start : start + MAX_TEXTS]
        texts, known = ([examples[row].text for row in rows] for rows in (here, block))
        close: Ints = nearest_known(texts, known, LEAK_SIMILARITY, memory if few else None)
        pairs = ((here[place], block[int(close[place])]) for place in np.flatnonzero(close >= 0).tolist())
        found = [Leak(row, like, "near") for row, like in pairs if _is_known(examples[row], examples[like])]
        leaks += found
        seen = {leak.row for leak in found}
        here = [row for row in here if row not in seen]
    return leaks


def _is_known(example: Example, other: Example) -> bool:
    if example.label or jaccard(example.text, other.text) >= SURE_SIMILARITY:
        return True
    ours, theirs = answer_of(example), answer_of(other)
    if not ours and not theirs:
        return example.extra.get("document") == other.extra.get("document")
    return jaccard(ours, theirs) >= ANSWER_SIMILARITY
