"""The same index in PostgreSQL with pgvector, for teams that share one: three tables, exact search, the same BM25.

`add` and `remove` stand in a transaction that `save` commits; others read the old state until then. Vectors are
compared exactly (no HNSW index is made): the order is that of the folder, up to float32 sums.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from dadeum.core.errors import DataError, MissingExtra, ModelError, RunError, first_line
from dadeum.core.progress import Progress, silent
from dadeum.documents.chunks import Chunk
from dadeum.retrieval import queries
from dadeum.retrieval.encoder import Encoder
from dadeum.retrieval.hybrid import Fusion
from dadeum.retrieval.lexical import K1, B
from dadeum.retrieval.ranking import Ranking, empty
from dadeum.retrieval.searching import By, Facts, Hit, Searching, Settings, check_ids, check_model, new_vectors
from dadeum.retrieval.words import content_words, signature

if TYPE_CHECKING:
    import psycopg

_FORMAT = 2
_ROWS_AT_ONCE = 256


class PostgresIndex(Searching):
    """`create` makes the tables, `open` finds them; use it in one thread, like the connection that it holds."""

    def __init__(self, connection: psycopg.Connection[Any], encoder: Encoder | None, name: str, place: str):
        self.encoder = encoder
        self.place = place
        self._connection = connection
        self._queries = queries.named(name)
        self._model: str | None = None
        self._revision = ""
        self._dimensions = 0
        self._is_changed = False
        self.settings: Settings = {}

    @classmethod
    def create(cls, url: str, encoder: Encoder | None = None, name: str = "dadeum") -> PostgresIndex:
        """An empty index; nothing is in the database before `save`. RunError where `name` is taken."""
        made = cls(*_connected(url, encoder, name))
        with made._closed_on_error():
            if made._exists():
                raise RunError("retrieval.index_exists", folder=made.place)
            made._start()
        return made

    @classmethod
    def open(cls, url: str, encoder: Encoder | None = None, name: str = "dadeum") -> PostgresIndex:
        """ModelError when `encoder` is not the model that made the vectors; without one only words are searched."""
        opened = cls(*_connected(url, encoder, name))
        with opened._closed_on_error():
            opened._check()
        return opened

    def _check(self) -> None:
        if not self._exists():
            raise RunError("retrieval.no_index", folder=self.place)
        [(found,)] = self._rows("format")
        if found != _FORMAT:
            raise RunError("retrieval.unknown_format", path=self.place, found=found, known=_FORMAT)
        [(self._model, self._revision, self._dimensions, words, settings)] = self._rows("head")
        [(self.meaning_weight, self.method)] = self._rows("fusion")
        self._connection.commit()
        self.settings = json.loads(settings)
        if words != signature():
            raise RunError("retrieval.other_words", place=self.place, found=words, needed=signature())
        if self.encoder is not None:
            check_model(self.encoder, self._model, self._revision, self.place)

    def _exists(self) -> bool:
        found = self._rows("exists")[0][0] is not None and bool(self._rows("format"))
        self._connection.commit()
        return found

    def _start(self) -> None:
        """Tables; the column of vectors needs their length, which one encoded word tells."""
        if self.encoder is not None:
            self._model, self._revision = self.encoder.name, self.encoder.revision
            self._dimensions = new_vectors(self.encoder, ["0"], silent).shape[1]
            with self._told("retrieval.no_extension"):
                self._connection.execute(self._queries["extension"])
        with self._told("retrieval.no_tables"):
            self._connection.execute(self._queries["create"])
            if self._dimensions:
                # A number of ours: DDL takes no parameters.
                self._connection.execute(self._queries["vectors"] + f"vector({int(self._dimensions)})")
        self._is_changed = True
        head = (_FORMAT, self._model, self._revision, self._dimensions, 0.0, self.method, signature(), "{}")
        self._rows("write_head", head)

    # -- what is in it --------------------------------------------------------------------------
    def __len__(self) -> int:
        return int(self._rows("count")[0][0])

    def documents(self) -> dict[str, int]:
        return {document: int(num) for document, num in self._rows("documents")}

    def chunk_ids(self, documents: Collection[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for document, chunk in self._rows("ids", (sorted(documents),)):
            found.setdefault(document, []).append(chunk)
        return found

    def facts(self) -> Facts:
        num_bytes = int(self._rows("size")[0][0] or 0)
        fusion = Fusion(self.method, self.meaning_weight)
        return Facts(len(self), self._model, self._revision, self._dimensions, fusion, num_bytes, self.settings)

    def check(self) -> None:
        """RunError where words or vectors do not fit their chunks; the database keeps its pages whole itself."""
        for query in ("bad_words", "bad_vectors") if self._dimensions else ("bad_words",):
            if num := int(self._rows(query)[0][0]):
                raise RunError("retrieval.ask.not_whole", place=self.place, num=num, total=len(self))

    # -- changing it ----------------------------------------------------------------------------
    def add(self, chunks: Sequence[Chunk], progress: Progress = silent) -> None:
        known = {one for (one,) in self._rows("known", ([chunk.id for chunk in chunks],))}
        check_ids(chunks, known)
        if self._model is not None and self.encoder is None:
            raise ModelError("retrieval.needs_model", place=self.place, model=self._model)
        texts = [chunk.text for chunk in chunks]
        words = content_words(texts, progress)
        vectors = new_vectors(self.encoder, texts, progress)
        # All of them or none; what was added before stays.
        with self._told(), self._connection.transaction():
            self._is_changed = True
            for start in range(0, len(chunks), _ROWS_AT_ONCE):
                part = slice(start, start + _ROWS_AT_ONCE)
                self._add(chunks[part], words[part], vectors[part])

    def _add(self, chunks: Sequence[Chunk], words: Sequence[list[str]], vectors: np.ndarray) -> None:
        """Many rows a round trip: one by one, 100,000 chunks are 300,000 answers to wait for."""
        names = [field.name for field in fields(Chunk)]
        values = [
            (*(getattr(chunk, name) for name in names), len(own)) for chunk, own in zip(chunks, words, strict=True)
        ]
        counts = [Counter(own) for own in words]
        with self._connection.cursor() as cursor:
            cursor.executemany(self._queries["add_chunk"], values)
            its_words = ((list(own), list(own.values()), chunk.id) for own, chunk in zip(counts, chunks, strict=True))
            cursor.executemany(self._queries["add_words"], its_words)
            if vectors.shape[1]:
                its_vector = ((_written(vector), chunk.id) for vector, chunk in zip(vectors, chunks, strict=True))
                cursor.executemany(self._queries["add_vector"], its_vector)

    def remove(self, documents: Collection[str]) -> int:
        missing = sorted(set(documents) - set(self.documents()))
        if missing:
            raise DataError("retrieval.no_such_document", document=missing[0], num=len(missing), place=self.place)
        self._is_changed = True
        return len(self._rows("remove", (sorted(documents),)))

    def save(self) -> None:
        """For everybody at once."""
        self._rows("write_own", (float(self.meaning_weight), self.method, json.dumps(self.settings)))
        with self._told():
            self._connection.commit()
        self._is_changed = False

    def close(self) -> None:
        """What was not saved is gone."""
        self._connection.close()

    # -- searching ------------------------------------------------------------------------------
    def search(self, questions: Sequence[str], k: int = 5, by: By | None = None) -> list[list[Hit]]:
        rows = self.rank(questions, k, by).rows()
        wanted = sorted({at for row in rows for at, _ in row})
        names = ("chunk", "document", "first_page", "last_page", "text")
        found = {place: dict(zip(names, rest, strict=True)) for place, *rest in self._rows("chunks", (wanted,))}
        if not self._is_changed:
            self._connection.rollback()  # A transaction left open would keep the server from cleaning up.
        return [[Hit(**found[at], score=score) for at, score in row] for row in rows]

    def _by_words(self, questions: Sequence[str], k: int) -> Ranking:
        asked = ((words, K1, B, B, k) for words in content_words(questions))
        return _ranking([self._rows("by_words", each) for each in asked], k)

    def _by_meaning(self, questions: Sequence[str], k: int) -> Ranking:
        assert self.encoder is not None
        vectors = np.asarray(self.encoder.encode_questions(list(questions)), dtype=np.float32)
        return _ranking([self._rows("by_meaning", (_written(each), _written(each), k)) for each in vectors], k)

    # -- the connection -------------------------------------------------------------------------
    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._told():
            cursor = self._connection.execute(self._queries[query], values)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _told(self, key: str = "retrieval.database_failed") -> Iterator[None]:
        """What the database refuses, as a sentence of ours."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise RunError(key, place=self.place, detail=first_line(error)) from error


def _ranking(rows: Sequence[Sequence[tuple[Any, ...]]], k: int) -> Ranking:
    found = empty(len(rows), k)
    for number, row in enumerate(rows):
        for rank, (place, score) in enumerate(row):
            found.positions[number, rank], found.scores[number, rank] = place, score
    return found


def _written(vector: np.ndarray) -> str:
    """As pgvector reads it; nine digits give a float32 back as it was."""
    return "[" + ",".join(f"{number:.9g}" for number in vector.tolist()) + "]"


def _connected(url: str, encoder: Encoder | None, name: str) -> tuple[Any, Encoder | None, str, str]:
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtra("retrieval.missing_postgres") from error
    if not name.isidentifier() or not name.isascii():
        raise DataError("retrieval.bad_name", name=name)
    try:
        connection = psycopg.connect(url, connect_timeout=10)
    except (psycopg.Error, UnicodeError) as error:
        raise RunError("retrieval.no_database", place=_place(url, name), detail=_detail(error, url)) from error
    return connection, encoder, name, _place(url, name)


def _place(url: str, name: str) -> str:
    """Host, database and index; never the password."""
    from psycopg import Error
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except Error:
        return f"postgresql://?/{name}"
    return f"postgresql://{parts.get('host') or 'localhost'}/{parts.get('dbname') or '?'} ({name})"


def _detail(error: Exception, url: str) -> str:
    from psycopg import Error
    from psycopg.conninfo import conninfo_to_dict

    try:
        secret = conninfo_to_dict(url).get("password")
    except Error:
        return type(error).__name__  # A URL that cannot be taken apart is repeated in what the driver says.
    return first_line(error).replace(str(secret), "***") if secret else first_line(error)
