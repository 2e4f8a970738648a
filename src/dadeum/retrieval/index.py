"""Index: chunks of documents that can be searched by words and by meaning, kept in a folder.

Nothing else is needed: no server, no approximate structure to tune. `add` and `remove` work on the copy in memory;
`save` makes them visible to everybody at once. Only new chunks are encoded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_type_hints

import numpy as np

from dadeum.core.errors import DataError, ModelError, RunError
from dadeum.core.progress import Progress, silent
from dadeum.documents.chunks import Chunk
from dadeum.retrieval import stored
from dadeum.retrieval.dense import nearest
from dadeum.retrieval.encoder import Encoder
from dadeum.retrieval.hybrid import DEPTH, fused
from dadeum.retrieval.lexical import Lexical
from dadeum.retrieval.ranking import Ranking
from dadeum.retrieval.words import content_words, signature

if TYPE_CHECKING:
    import pyarrow as pa

By = Literal["words", "meaning", "both"]


@dataclass(frozen=True)
class Hit:
    """A chunk that was found."""

    chunk: str
    document: str
    first_page: int
    last_page: int
    score: float
    """BM25, cosine or fused ranks, as was searched; comparable only within one way of searching."""
    text: str


class Searchable(Protocol):
    """What a folder (`Index`) and a database (`postgres.PostgresIndex`) both are."""

    meaning_weight: float

    def add(self, chunks: Sequence[Chunk], progress: Progress = silent) -> None: ...
    def remove(self, documents: Collection[str]) -> int: ...
    def save(self) -> None: ...
    def documents(self) -> dict[str, int]: ...
    def search(self, questions: Sequence[str], k: int = 5, by: By | None = None) -> list[list[Hit]]: ...
    def close(self) -> None: ...
    def __len__(self) -> int: ...


class Searching(ABC):
    """By words, by meaning or by both: the same for a folder and for a database, which only rank each way alone."""

    encoder: Encoder | None
    meaning_weight: float
    place: object
    """What errors call it."""

    def rank(self, questions: Sequence[str], k: int, by: By | None = None) -> Ranking:
        """The best `k` chunks of each question, as numbers of the index's own."""
        by = way(by, self.encoder, self.meaning_weight, k, self.place)
        if by == "words":
            return self._by_words(questions, k)
        if by == "meaning":
            return self._by_meaning(questions, k)
        depth = max(k, DEPTH)
        both = [self._by_words(questions, depth), self._by_meaning(questions, depth)]
        return fused(both, k, [1.0, self.meaning_weight or 1.0])

    @abstractmethod
    def _by_words(self, questions: Sequence[str], k: int) -> Ranking: ...

    @abstractmethod
    def _by_meaning(self, questions: Sequence[str], k: int) -> Ranking: ...


class Index(Searching):
    """`Index.create` makes one, `Index.open` reads one; nothing is on disk before `save`."""

    def __init__(self, folder: Path, encoder: Encoder | None, generation: int, table: pa.Table, vectors: np.ndarray):
        self.folder = self.place = folder
        self.encoder = encoder
        self._generation = generation
        self.meaning_weight = 0.0
        """Of meaning beside words 1 (`hybrid.best_weight` on validation questions); 0: by words unless asked."""
        self._table = table
        self._vectors = vectors

    @classmethod
    def create(cls, folder: Path, encoder: Encoder | None = None) -> Index:
        """An empty index; without an encoder it is searched by words only. RunError where there is one already."""
        if (folder / "index.json").exists():
            raise RunError("retrieval.index_exists", folder=folder)
        return cls(folder, encoder, 0, _schema().empty_table(), np.zeros((0, 0), dtype=np.float32))

    @classmethod
    def open(cls, folder: Path, encoder: Encoder | None = None, verify: bool = True, reread: bool = False) -> Index:
        """The index as it was saved last; later saves of others are not seen.

        ModelError when `encoder` is not the model that made the vectors. Without an encoder only words are searched.
        `reread`: read the words again (after Kiwi was renewed), without encoding anything.
        """
        found = stored.read(folder, verify)
        head, table = found.head, found.table
        if encoder is not None:
            check_model(encoder, head.model, head.revision, str(folder))
        if head.words != signature():
            if not reread:
                raise RunError("retrieval.other_words", place=folder, found=head.words, needed=signature())
            words = content_words(table["text"].to_pylist())
            table = table.set_column(table.schema.get_field_index("words"), "words", [_word_lists(words)])
        opened = cls(folder, encoder, head.generation, table, found.vectors)
        opened._made_by = (head.model, head.revision)
        opened.meaning_weight = head.meaning_weight
        return opened

    _made_by: tuple[str | None, str] | None = None
    """Model and revision of the vectors of an index that was opened."""

    # -- what is in it --------------------------------------------------------------------------
    def __len__(self) -> int:
        return int(self._table.num_rows)

    def documents(self) -> dict[str, int]:
        """Document → how many chunks it has, in the order they came."""
        return dict(Counter(self._table["document"].to_pylist()))

    @cached_property
    def ids(self) -> list[str]:
        """Of the chunks; a `Ranking` speaks of places in this list."""
        found: list[str] = self._table["id"].to_pylist()
        return found

    def texts(self) -> list[str]:
        found: list[str] = self._table["text"].to_pylist()
        return found

    # -- changing it ----------------------------------------------------------------------------
    def add(self, chunks: Sequence[Chunk], progress: Progress = silent) -> None:
        """DataError for an id that is there already: remove its document first."""
        import pyarrow as pa

        check_ids(chunks, frozenset(self.ids))
        if self._made_by and self._made_by[0] and self.encoder is None:
            raise ModelError("retrieval.needs_model", place=self.folder, model=self._made_by[0])
        if not chunks:
            return
        texts = [chunk.text for chunk in chunks]
        columns = {name: [getattr(chunk, name) for chunk in chunks] for name in _schema().names if name != "words"}
        new = pa.table(columns | {"words": _word_lists(content_words(texts, progress))})
        vectors = new_vectors(self.encoder, texts, progress)
        old = self._vectors if len(self) else np.zeros((0, vectors.shape[1]), dtype=np.float32)
        self._set(pa.concat_tables([self._table, new.cast(self._table.schema)]), np.concatenate([old, vectors]))

    def remove(self, documents: Collection[str]) -> int:
        """Take out all chunks of these documents; returns how many. DataError for a document that is not there."""
        missing = sorted(set(documents) - set(self.documents()))
        if missing:
            raise DataError("retrieval.no_such_document", document=missing[0], num=len(missing), place=self.folder)
        gone = frozenset(documents)
        kept = np.array([document not in gone for document in self._table["document"].to_pylist()], dtype=bool)
        self._set(self._table.filter(kept), self._vectors[kept])
        return int((~kept).sum())

    def _set(self, table: pa.Table, vectors: np.ndarray) -> None:
        self._table, self._vectors = table, vectors
        for name in ("ids", "_lexical"):
            self.__dict__.pop(name, None)

    def save(self) -> None:
        """To the folder, in one step. RunError when someone else saved since this one was opened."""
        model, revision = self._model()
        vectors = self._vectors if len(self) else np.zeros((0, self._vectors.shape[1]), dtype=np.float32)
        head: dict[str, Any] = {
            "model": model,
            "revision": revision,
            "dimensions": vectors.shape[1],
            "words": signature(),
        }
        head["meaning_weight"] = float(self.meaning_weight)
        self._generation = stored.write(self.folder, self._generation, head, self._table, vectors)

    def _model(self) -> tuple[str | None, str]:
        if self.encoder is not None:
            return self.encoder.name, self.encoder.revision
        return self._made_by or (None, "")

    def close(self) -> None:
        """Nothing is held open; for databases there is."""

    # -- searching ------------------------------------------------------------------------------
    def search(self, questions: Sequence[str], k: int = 5, by: By | None = None) -> list[list[Hit]]:
        """Per question the k best chunks; `by` words, meaning or both (the default where both were found better)."""
        rows = self.rank(questions, k, by).rows()
        wanted = np.array(sorted({at for row in rows for at, _ in row}), dtype=np.int64)
        kept = self._table.select(["id", "document", "first_page", "last_page", "text"]).take(wanted).to_pylist()
        chunks = dict(zip(wanted.tolist(), kept, strict=True))
        return [
            [
                Hit(
                    chunk=(one := chunks[at])["id"], document=one["document"], first_page=one["first_page"],
                    last_page=one["last_page"], score=score, text=one["text"],
                )
                for at, score in row
            ]
            for row in rows
        ]  # fmt: skip

    def _by_words(self, questions: Sequence[str], k: int) -> Ranking:
        return self._lexical.search(content_words(questions), k)

    def _by_meaning(self, questions: Sequence[str], k: int) -> Ranking:
        assert self.encoder is not None
        return nearest(self.encoder.encode_questions(list(questions)), self._vectors, k)

    @cached_property
    def _lexical(self) -> Lexical:
        return Lexical(self._table["words"].combine_chunks())


# -- shared with the database ---------------------------------------------------------------------
def way(by: By | None, encoder: Encoder | None, meaning_weight: float, k: int, place: object) -> By:
    """How to search; ModelError where vectors are asked for and there is no model.

    Meaning is not trusted unseen: fused evenly with an English model, BM25 falls from 69 % to 13 % right on Korean.
    """
    if k < 1:
        raise DataError("retrieval.bad_k", k=k)
    if by is None:
        return "both" if encoder is not None and meaning_weight > 0 else "words"
    if by != "words" and encoder is None:
        raise ModelError("retrieval.no_model", place=place, by=by)
    return by


def check_model(encoder: Encoder, name: str | None, revision: str, place: str) -> None:
    """ModelError unless `encoder` made the vectors that are stored."""
    if name is None:
        raise ModelError("retrieval.words_only", place=place, asked=encoder.name)
    if (encoder.name, encoder.revision) != (name, revision):
        asked = f"{encoder.name} ({encoder.revision})"
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


def _schema() -> pa.Schema:
    import pyarrow as pa

    kinds = {str: pa.string(), int: pa.int32(), bool: pa.bool_()}
    columns = [(name, kinds[kind]) for name, kind in get_type_hints(Chunk).items()]
    return pa.schema([*columns, ("words", pa.list_(pa.string()))])


def _word_lists(words: Sequence[Sequence[str]]) -> pa.ListArray:
    import pyarrow as pa

    return pa.array(words, type=pa.list_(pa.string()))
