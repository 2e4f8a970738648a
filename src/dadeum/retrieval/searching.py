"""What a folder and a database of chunks have in common: hits, ways of searching, and who may add to an index.

Each only ranks by words and by meaning alone; putting both together, choosing a way and refusing a wrong model is
the same for both and stands here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from dadeum.core.errors import DataError, ModelError
from dadeum.core.progress import Progress, silent
from dadeum.documents.chunks import Chunk
from dadeum.retrieval.encoder import Encoder
from dadeum.retrieval.hybrid import DEPTH, Fusion, Method, combined
from dadeum.retrieval.ranking import Ranking

By = Literal["words", "meaning", "both"]
Settings = dict[str, Any]
"""JSON that an index keeps: `by`, how it is searched when nobody says; all else belongs to those who made it."""


@dataclass(frozen=True)
class Hit:
    """A chunk that was found."""

    chunk: str
    document: str
    first_page: int
    last_page: int
    score: float
    """BM25, cosine, fused ranks or what a reranker gave; comparable only within one way of searching."""
    text: str


@dataclass(frozen=True)
class Facts:
    """What an index is, without its model."""

    num_chunks: int
    model: str | None
    """None: words only."""
    revision: str
    dimensions: int
    fusion: Fusion
    num_bytes: int
    """On disk, as it was saved last."""
    settings: Settings


class Searchable(Protocol):
    """What a folder (`Index`) and a database (`postgres.PostgresIndex`) both are."""

    encoder: Encoder | None
    meaning_weight: float
    method: Method
    settings: Settings

    @property
    def place(self) -> object: ...
    @property
    def preferred(self) -> By: ...
    def add(self, chunks: Sequence[Chunk], progress: Progress = silent) -> None: ...
    def remove(self, documents: Collection[str]) -> int: ...
    def save(self) -> None: ...
    def documents(self) -> dict[str, int]: ...
    def chunk_ids(self, documents: Collection[str]) -> dict[str, list[str]]: ...
    def facts(self) -> Facts: ...
    def check(self) -> None: ...
    def search(self, questions: Sequence[str], k: int = 5, by: By | None = None) -> list[list[Hit]]: ...
    def way(self, by: By | None = None, k: int = 1) -> By: ...
    def close(self) -> None: ...
    def __len__(self) -> int: ...


class Searching(ABC):
    """By words, by meaning or by both."""

    encoder: Encoder | None
    meaning_weight: float = 0.0
    """Of meaning beside words 1, as validation questions chose it (`hybrid`); 0: by words unless asked."""
    method: Method = "ranks"
    """How both become one ranking."""
    settings: Settings
    place: Any
    """What errors call it: a folder, or a database without its password."""

    def way(self, by: By | None = None, k: int = 1) -> By:
        """How `by` is searched here; ModelError where vectors are asked for and there is no model."""
        if k < 1:
            raise DataError("retrieval.bad_k", k=k)
        if by is None:
            return self.preferred if self.encoder is not None else "words"
        if by != "words" and self.encoder is None:
            raise ModelError("retrieval.no_model", place=self.place, by=by)
        return by

    @property
    def preferred(self) -> By:
        """What validation found best; words where nobody looked.

        Meaning is not trusted unseen: fused evenly with an English model, BM25 falls from 69 % to 13 % right on Korean.
        """
        found: By = self.settings.get("by") or ("both" if self.meaning_weight > 0 else "words")
        return found

    def rank(self, questions: Sequence[str], k: int, by: By | None = None) -> Ranking:
        """The best `k` chunks of each question, as numbers of the index's own."""
        by = self.way(by, k)
        if by == "words":
            return self._by_words(questions, k)
        if by == "meaning":
            return self._by_meaning(questions, k)
        depth = max(k, DEPTH)
        both = self._by_words(questions, depth), self._by_meaning(questions, depth)
        return combined(*both, k, Fusion(self.method, self.meaning_weight or 1.0))

    @abstractmethod
    def _by_words(self, questions: Sequence[str], k: int) -> Ranking: ...

    @abstractmethod
    def _by_meaning(self, questions: Sequence[str], k: int) -> Ranking: ...


def check_model(encoder: Encoder, name: str | None, revision: str, place: str) -> None:
    """ModelError unless `encoder` made the vectors that are stored."""
    if name is None:
        raise ModelError("retrieval.words_only", place=place, asked=encoder.name)
    asked_revision = encoder.revision  # hashes every file
    # A hash of the content is the model wherever its folder lies now.
    if asked_revision == revision and (encoder.name == name or revision.startswith("sha256:")):
        return
    asked = f"{encoder.name} ({asked_revision})"
    raise ModelError("retrieval.other_model", place=place, stored=f"{name} ({revision})", asked=asked)


def check_ids(chunks: Sequence[Chunk], known: Collection[str]) -> None:
    """DataError for the first id that comes twice or is known."""
    seen: set[str] = set()
    for chunk in chunks:
        if chunk.id in known or chunk.id in seen:
            raise DataError("retrieval.chunk_twice", chunk=chunk.id, document=chunk.document)
        seen.add(chunk.id)


def new_vectors(encoder: Encoder | None, texts: list[str], progress: Progress) -> np.ndarray:
    """(texts, dimensions), unit length; (texts, 0) without a model. ModelError for vectors that are no numbers."""
    if encoder is None:
        return np.zeros((len(texts), 0), dtype=np.float32)
    vectors = np.asarray(encoder.encode_chunks(texts, progress), dtype=np.float32)
    if not np.isfinite(vectors).all():
        bad = int(np.argmin(np.isfinite(vectors).all(axis=1)))
        raise ModelError("retrieval.not_numbers", model=encoder.name, text=texts[bad][:80])
    return vectors
