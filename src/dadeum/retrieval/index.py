"""Index: chunks of documents that can be searched by words and by meaning, kept in a folder.

Nothing else is needed: no server, no approximate structure to tune. `add` and `remove` work on the copy in memory;
`save` makes them visible to everybody at once. Only new chunks are encoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np

from dadeum.core.errors import DataError, ModelError, RunError
from dadeum.core.progress import Progress, silent
from dadeum.documents.chunks import Chunk
from dadeum.retrieval import stored
from dadeum.retrieval.dense import nearest
from dadeum.retrieval.encoder import Encoder
from dadeum.retrieval.hybrid import Fusion
from dadeum.retrieval.lexical import Lexical
from dadeum.retrieval.ranking import Ranking
from dadeum.retrieval.searching import (
    By,
    Facts,
    Hit,
    Searching,
    Settings,
    check_ids,
    check_model,
    new_vectors,
)  # fmt: skip
from dadeum.retrieval.words import content_words, signature

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 8192
_OFF_LENGTH = 1e-3


class Index(Searching):
    """`Index.create` makes one, `Index.open` reads one; nothing is on disk before `save`."""

    def __init__(self, folder: Path, encoder: Encoder | None, generation: int, table: pa.Table, vectors: np.ndarray):
        self.folder = self.place = folder
        self.encoder = encoder
        self._generation = generation
        self.settings: Settings = {}
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
        opened.meaning_weight, opened.method = head.meaning_weight, head.method
        opened.settings = head.settings
        return opened

    _made_by: tuple[str | None, str] | None = None
    """Model and revision of the vectors of an index that was opened."""

    # -- what is in it --------------------------------------------------------------------------
    def __len__(self) -> int:
        return int(self._table.num_rows)

    def documents(self) -> dict[str, int]:
        """Document → how many chunks it has, in the order they came."""
        return dict(Counter(self._table["document"].to_pylist()))

    def chunk_ids(self, documents: Collection[str]) -> dict[str, list[str]]:
        """Document → ids of its chunks, in order; without those that are not in the index."""
        found: dict[str, list[str]] = {}
        for document, chunk in zip(self._table["document"].to_pylist(), self.ids, strict=True):
            if document in documents:
                found.setdefault(document, []).append(chunk)
        return found

    def facts(self) -> Facts:
        model, revision = self._model()
        fusion, num_bytes = Fusion(self.method, self.meaning_weight), stored.num_bytes(self.folder)
        return Facts(len(self), model, revision, int(self._vectors.shape[1]), fusion, num_bytes, self.settings)

    def check(self) -> None:
        """RunError where what is saved is not what was written, byte by byte; ModelError for vectors of no use."""
        vectors = stored.read(self.folder, verify=True).vectors
        for start in range(0, len(vectors) if vectors.shape[1] else 0, _ROWS_AT_ONCE):
            lengths = np.linalg.norm(vectors[start : start + _ROWS_AT_ONCE], axis=1)
            # NaN is not close to anything.
            if bad := int((~(np.abs(lengths - 1) < _OFF_LENGTH)).sum()):
                raise ModelError("retrieval.ask.not_unit", place=self.folder, num=bad, start=start)

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
        head |= {"meaning_weight": float(self.meaning_weight), "method": self.method, "settings": self.settings}
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


def _schema() -> pa.Schema:
    import pyarrow as pa

    kinds = {str: pa.string(), int: pa.int32(), bool: pa.bool_()}
    columns = [(name, kinds[kind]) for name, kind in get_type_hints(Chunk).items()]
    return pa.schema([*columns, ("words", _words_type())])


def _word_lists(words: Sequence[Sequence[str]]) -> pa.ListArray:
    import pyarrow as pa

    return pa.array(words, type=pa.list_(pa.string())).cast(_words_type())


def _words_type() -> pa.DataType:
    """Every word once, then numbers: 13 million words of 100,000 chunks are read four times as fast."""
    import pyarrow as pa

    return pa.list_(pa.dictionary(pa.int32(), pa.string()))
