"""The answers' sentences with their speech levels, and how their spaces stand: one pass of Kiwi for all checks.

Kiwi reads about 90,000 characters a second, so without `full` it reads a sample of the distinct answers.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from dadeum.core.examples import Example, parts
from dadeum.core.speech import QUOTED, Analysis, Level, Sentence, analyse, overall

BUDGET_CHARACTERS = 400_000
"""Read without `full`: 5 s on two cores, and some thousand answers, enough for any share that matters."""
MAX_CHARACTERS_PER_TEXT = 10_000
"""Read of one text without `full`, so that one book does not take the place of all other rows."""


@dataclass(frozen=True)
class Answer:
    """One text that the model is taught to write."""

    row: int
    """Position among all rows of the data set."""
    part: str
    """Name of the text in its row (`core.examples.parts`)."""
    text: str
    """As in the row, also where only its beginning was read."""
    analysis: Analysis

    @property
    def sentences(self) -> list[Sentence]:
        return self.analysis.sentences

    @cached_property
    def own(self) -> list[Sentence]:
        """Those that end outside quotation marks; all of them where the text is nothing but a quotation."""
        quotes = [quote.span() for quote in QUOTED.finditer(self.text)] if len(self.sentences) > 1 else []
        own = [sentence for sentence in self.sentences if not any(a < sentence.end <= b for a, b in quotes)]
        return own or self.sentences

    @cached_property
    def level(self) -> Level:
        """Speech level of the whole text (`speech.overall`)."""
        return overall(self.own)


@dataclass(frozen=True)
class Sentences:
    """What Kiwi read. A row stands here with all of its answers or not at all."""

    answers: list[Answer]
    """In the order of the rows."""
    num_rows: int
    """Rows that have an answer."""
    num_sampled: int
    """Rows whose answers were read: all of them, or a sample."""
    by_row: dict[int, list[Answer]] = field(repr=False)
    """The same answers by row."""


def analyse_answers(examples: Sequence[Example], full: bool, seed: int, is_text: bool = False) -> Sentences:
    """Read the assistant turns of the rows; with `is_text` (bare texts, nothing to answer) the inputs.

    Each distinct text is read once. Without `full`, rows are drawn by `seed` until their distinct texts reach
    `BUDGET_CHARACTERS`; rows with the same answers come along.
    """
    roles = {"assistant", "user"} if is_text else {"assistant"}
    rows: dict[tuple[str, ...], list[int]] = {}
    for row, example in enumerate(examples):
        texts = tuple(part.text for part in parts(example) if part.role in roles and part.text.strip())
        if texts and (is_text or not example.label):
            rows.setdefault(texts, []).append(row)
    drawn = list(rows) if full else _drawn(list(rows), seed)
    read = _read({text for texts in drawn for text in texts}, full)
    by_row = {
        row: [
            Answer(row, part.name, part.text, read[part.text])
            for part in parts(examples[row])
            if part.role in roles and part.text in read
        ]
        for row in sorted(row for texts in drawn for row in rows[texts])
    }
    answers = [answer for found in by_row.values() for answer in found]
    return Sentences(answers, sum(map(len, rows.values())), len(by_row), by_row)


def _drawn(groups: list[tuple[str, ...]], seed: int) -> list[tuple[str, ...]]:
    """Groups of texts in random order until they are BUDGET_CHARACTERS long; at least one."""
    random.Random(seed).shuffle(groups)
    drawn, length = [], 0
    for texts in groups:
        if length >= BUDGET_CHARACTERS:
            break
        drawn.append(texts)
        length += sum(min(len(text), MAX_CHARACTERS_PER_TEXT) for text in texts)
    return drawn


def _read(texts: Iterable[str], full: bool) -> dict[str, Analysis]:
    distinct = sorted(texts)
    heads = distinct if full else [text[:MAX_CHARACTERS_PER_TEXT] for text in distinct]
    return dict(zip(distinct, analyse(heads), strict=True))
