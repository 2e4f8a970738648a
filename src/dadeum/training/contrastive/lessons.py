"""What a run says about its questions: which chunks are taught as right, and which must never count as wrong.

A file may name whole documents; then the chunk of the document that shares most words with the question is taught,
and all of its chunks are right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dadeum.core.errors import DataError
from dadeum.core.examples import SPLITS, Example, read_examples
from dadeum.core.korean import nfc
from dadeum.core.run import Run
from dadeum.documents.chunks import Chunk
from dadeum.documents.stored import read_chunks
from dadeum.retrieval.lexical import Lexical
from dadeum.retrieval.words import content_words
from dadeum.tasks.retrieve import relevant
from dadeum.training.contrastive.alike import alike


@dataclass(frozen=True)
class Asked:
    """One question; chunks are places in `Lessons.chunks`."""

    id: str
    text: str
    taught: tuple[int, ...]
    """Each is a training row of its own."""
    right: frozenset[int]
    """Every chunk that answers it, whoever asked so, and every chunk that says what these say."""


@dataclass
class Lessons:
    chunks: list[Chunk]
    splits: dict[str, list[Asked]]
    counts: dict[str, int] = field(default_factory=dict)
    """Questions without gold chunk, gold chunks chosen by words."""

    def documents(self, splits: Sequence[str]) -> set[str]:
        """Documents that answer a question of these splits."""
        return {self.chunks[at].document for split in splits for asked in self.splits[split] for at in asked.taught}

    def barred(self, split: str) -> set[int]:
        """Chunks of documents that answer questions of other splits: what is held out is not even taught as wrong."""
        held_out = self.documents([other for other in SPLITS if other != split]) - self.documents([split])
        return {at for at, chunk in enumerate(self.chunks) if chunk.document in held_out}


def read_lessons(run: Run) -> Lessons:
    """The run's chunks and questions; DataError for a question whose gold is not in the corpus."""
    chunks = read_chunks(run.split_path("chunks"))
    rows = {split: read_examples(run.split_path(split)) if run.split_path(split).is_file() else [] for split in SPLITS}
    places = _Places(chunks)
    named = {row.id: [places.of(row.id, one) for one in relevant(row)] for row in _all(rows)}
    gold = {at for found in named.values() for group in found for at in group}
    same = alike(chunks, gold)
    right: dict[str, set[int]] = defaultdict(set)
    for row in _all(rows):
        for group in named[row.id]:
            right[_key(row.text)].update(*(same[at] for at in group))
    taught, by_words = _taught(chunks, rows, named)
    splits = {
        split: [
            Asked(row.id, row.text, taught[row.id], frozenset(right[_key(row.text)]))
            for row in examples
            if taught[row.id]
        ]
        for split, examples in rows.items()
    }
    without = sum(not taught[row.id] for row in _all(rows))
    return Lessons(chunks, splits, {"questions_without_gold": without, "gold_by_words": by_words})


class _Places:
    """Where a chunk, or each chunk of a document, stands in the corpus."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = {chunk.id: at for at, chunk in enumerate(chunks)}
        self._documents: dict[str, list[int]] = defaultdict(list)
        for at, chunk in enumerate(chunks):
            self._documents[chunk.document].append(at)

    def of(self, question: str, name: str) -> list[int]:
        if name in self._chunks:
            return [self._chunks[name]]
        if name not in self._documents:
            raise DataError("train.contrastive.unknown_gold", question=question, name=name, num=len(self._chunks))
        return self._documents[name]


def _all(rows: dict[str, list[Example]]) -> Iterable[Example]:
    return (row for split in SPLITS for row in rows[split])


def _key(question: str) -> str:
    return " ".join(nfc(question).split())


def _taught(
    chunks: Sequence[Chunk], rows: dict[str, list[Example]], named: dict[str, list[list[int]]]
) -> tuple[dict[str, tuple[int, ...]], int]:
    """(question → the chunks that are taught, how many of them words had to choose)."""
    several = {row.id: row.text for row in _all(rows) if any(len(group) > 1 for group in named[row.id])}
    words = dict(zip(several, content_words(list(several.values())), strict=True))
    searches: dict[int, Lexical] = {}
    taught, chosen = {}, 0
    for question, groups in named.items():
        found = []
        for group in groups:
            if len(group) == 1:
                found.append(group[0])
                continue
            if group[0] not in searches:
                searches[group[0]] = Lexical(content_words([chunks[at].text for at in group]))
            place = int(searches[group[0]].search([words[question]], 1).positions[0, 0])
            found.append(group[max(place, 0)])  # no word in common: the document's beginning
            chosen += 1
        taught[question] = tuple(dict.fromkeys(found))
    return taught, chosen
