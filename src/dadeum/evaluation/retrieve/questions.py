"""The test questions of a run, what is right for them, and the corpus that is searched.

A gold id is a chunk's or a document's. Where it is a document's any of its chunks is right, and a ranking is read as
one of documents: each stands where its best chunk does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dadeum.core.errors import DataError
from dadeum.core.examples import SPLITS, Example, asked_hash, read_examples
from dadeum.core.run import Run
from dadeum.documents.chunks import Chunk
from dadeum.documents.stored import read_chunks
from dadeum.retrieval.ranking import NOTHING, Ranking
from dadeum.tasks.retrieve import relevant


@dataclass(frozen=True)
class Corpus:
    chunks: list[Chunk]

    @cached_property
    def places(self) -> dict[str, int]:
        return {chunk.id: place for place, chunk in enumerate(self.chunks)}

    @cached_property
    def documents(self) -> dict[str, int]:
        """Document → number."""
        return {name: number for number, name in enumerate(dict.fromkeys(chunk.document for chunk in self.chunks))}

    @cached_property
    def document_of(self) -> np.ndarray:
        """Place of a chunk → number of its document."""
        return np.array([self.documents[chunk.document] for chunk in self.chunks], dtype=np.int64)

    @cached_property
    def hash(self) -> str:
        """Of ids and texts; in any order of the file."""
        digest = hashlib.sha256()
        for said in sorted(json.dumps([chunk.id, chunk.text], ensure_ascii=False) for chunk in self.chunks):
            digest.update(said.encode() + b"\n")
        return digest.hexdigest()

    def right(self, ids: Sequence[str]) -> tuple[bool, frozenset[int]]:
        """(whether documents are judged, numbers of what is right); DataError for an id that nothing has."""
        by_document = any(name not in self.places and name in self.documents for name in ids)
        found = set()
        for name in ids:
            if name not in self.places and name not in self.documents:
                raise DataError("evaluate.retrieve.unknown_gold", id=name, num=len(self.chunks))
            if name not in self.places:
                found.add(self.documents[name])
            else:
                found.add(int(self.document_of[self.places[name]]) if by_document else self.places[name])
        return by_document, frozenset(found)


@dataclass(frozen=True)
class Asked:
    """Questions of one split with what is right for each."""

    rows: list[Example]
    corpus: Corpus
    by_document: list[bool]
    gold: list[frozenset[int]]
    """Places of chunks, or numbers of documents."""
    num_without: int
    """Questions of the split that have no right chunk, and are left out."""

    @property
    def texts(self) -> list[str]:
        return [row.text for row in self.rows]

    def ranks(self, ranking: Ranking) -> list[list[int]]:
        """Per question the places of everything right, from 1."""
        found = []
        for positions, by_document, gold in zip(ranking.positions, self.by_document, self.gold, strict=True):
            known = positions[positions != NOTHING]
            units = dict.fromkeys((self.corpus.document_of[known] if by_document else known).tolist())
            found.append([rank for rank, unit in enumerate(units, start=1) if unit in gold])
        return found

    def gold_documents(self) -> list[set[int]]:
        """Per question the documents that hold what is right."""
        of = self.corpus.document_of
        return [
            set(gold) if by_document else {int(of[place]) for place in gold}
            for by_document, gold in zip(self.by_document, self.gold, strict=True)
        ]


@dataclass(frozen=True)
class Questions:
    corpus: Corpus
    num_rows: dict[str, int]
    train: Asked
    validation: Asked
    test: Asked
    asked_hash: str
    """Of the test questions and what is right for them: the same for runs that can be compared."""

    @cached_property
    def seen(self) -> np.ndarray:
        """Test questions one of whose documents training questions were about: there should be none."""
        taught = set().union(*self.train.gold_documents())
        return np.array([bool(documents & taught) for documents in self.test.gold_documents()], dtype=bool)


def read_questions(run: Run) -> Questions:
    """RunError when data are missing, DataError for nothing to ask, or a right chunk that is not in the corpus."""
    splits = {split: read_examples(run.require(run.split_path(split), "data build")) for split in SPLITS}
    corpus = Corpus(read_chunks(run.require(run.split_path("chunks"), "data build")))
    if not corpus.chunks:
        raise DataError("evaluate.retrieve.empty_corpus", path=run.split_path("chunks"))
    asked = {split: _asked(rows, corpus) for split, rows in splits.items()}
    if not asked["test"].rows:
        key = "evaluate.retrieve.no_gold_at_all" if splits["test"] else "evaluate.empty_test"
        raise DataError(key, path=run.split_path("test"), num=len(splits["test"]))
    sizes = {split: len(rows) for split, rows in splits.items()}
    return Questions(corpus, sizes, asked["train"], asked["validation"], asked["test"], _hash(splits["test"]))


def _asked(rows: Sequence[Example], corpus: Corpus) -> Asked:
    kept = [row for row in rows if relevant(row)]
    found = [corpus.right(relevant(row)) for row in kept]
    return Asked(kept, corpus, [one[0] for one in found], [one[1] for one in found], len(rows) - len(kept))


def _hash(test: Sequence[Example]) -> str:
    said = [asked_hash(test), *(json.dumps([row.id, sorted(relevant(row))], ensure_ascii=False) for row in test)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
