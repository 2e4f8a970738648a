"""`data.corpus` → Passages: documents cut into chunks, or chunks that are ready, with all that there is to say of them.

Ids that question files name are looked up here: chunks, documents, and documents by the name of their file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dadeum.core.errors import DadeumError, DataError, Problems
from dadeum.core.messages import Message
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Corpus
from dadeum.data.passages.ready import are_ready, read_ready
from dadeum.data.reading.sources import existing
from dadeum.data.similar.repeats import bare
from dadeum.documents.chunks import Chunk, chunks, whole
from dadeum.documents.document import Document
from dadeum.documents.texts import read_documents
from dadeum.retrieval.lexical import Lexical
from dadeum.retrieval.ranking import Ranking
from dadeum.retrieval.words import content_words

Count = Callable[[str], int]
_SHOWN = 3


@dataclass
class Facts:
    """What the manifest holds under `corpus`."""

    documents: int = 0
    """With text."""
    chunks: int = 0
    mean_tokens: float = 0.0
    longest_tokens: int = 0
    pages: int = 0
    unread_pages: int = 0
    """Scanned, failed: their text is not in any chunk."""
    same_text: int = 0
    """Documents whose text another one has, too."""
    limit_tokens: int | None = None
    """What the embedding model reads of a chunk, its own marks included."""
    over_limit: int | None = None
    """Chunks whose end it does not read; None where nobody counted."""


@dataclass
class Passages:
    """All chunks of a recipe, ready to be looked up and searched by words."""

    chunks: list[Chunk]
    facts: Facts
    notes: list[Message] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """File name of a document → its id."""

    @cached_property
    def by_id(self) -> dict[str, Chunk]:
        return {chunk.id: chunk for chunk in self.chunks}

    @cached_property
    def place(self) -> dict[str, int]:
        return {chunk.id: at for at, chunk in enumerate(self.chunks)}

    @cached_property
    def of_document(self) -> dict[str, list[Chunk]]:
        found: dict[str, list[Chunk]] = defaultdict(list)
        for chunk in self.chunks:
            found[chunk.document].append(chunk)
        return dict(found)

    @cached_property
    def first_of(self) -> dict[str, str]:
        """Document → the first document of the same text, which may be itself."""
        first: dict[str, str] = {}
        return {
            name: first.setdefault(bare("".join(chunk.text[chunk.repeated :] for chunk in parts)), name)
            for name, parts in self.of_document.items()
        }

    @cached_property
    def words(self) -> list[list[str]]:
        return content_words([chunk.text for chunk in self.chunks])

    @cached_property
    def lexical(self) -> Lexical:
        return Lexical(self.words)

    def search(self, questions: Sequence[str], k: int) -> Ranking:
        """By words, as BM25 ranks."""
        return self.lexical.search(content_words(questions), k)

    def found(self, name: str) -> str | None:
        """Id of the chunk, or of a document of several chunks, that somebody calls so; None for neither."""
        if name in self.by_id:
            return name
        parts = self.of_document.get(self.names.get(name, name))
        if parts is None:
            return None
        return parts[0].id if len(parts) == 1 else parts[0].document

    def document_of(self, name: str) -> str:
        """Of an id that `found` gave."""
        return self.by_id[name].document if name in self.by_id else name

    def chunks_of(self, name: str) -> list[Chunk]:
        """The chunks that such an id names: one, or all of a document."""
        return [self.by_id[name]] if name in self.by_id else self.of_document[name]


def read_passages(corpus: Corpus, count: Count, progress: Progress = silent) -> Passages:
    """Raises DataError, or Problems when several sources have one."""
    read = _Reader(corpus, count)
    problems: list[DadeumError] = []
    for number, source in enumerate(corpus.sources, start=1):
        try:
            read.source(existing(Path(source), "data.passages.no_file"), progress)
        except DataError as error:
            problems.append(error)
        progress("data.progress.documents", number, len(corpus.sources))
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
    return read.passages()


class _Reader:
    """Gathers the chunks of all sources."""

    def __init__(self, corpus: Corpus, count: Count) -> None:
        self._corpus = corpus
        self._count = count
        self._chunks: list[Chunk] = []
        self._notes: list[Message] = []
        self._names: dict[str, list[str]] = defaultdict(list)
        self._path_of: dict[str, Path] = {}
        """Document → the source it came from."""
        self._silent: list[str] = []
        """Documents without text."""
        self._pages = self._unread = 0

    def source(self, path: Path, progress: Progress) -> None:
        if are_ready(path):
            ready, notes = read_ready(path, self._count)
            for name in dict.fromkeys(chunk.document for chunk in ready):
                self._new(name, path)
            self._chunks += ready
            self._notes += notes
            return
        for document in read_documents(path, recognise=self._corpus.recognise, progress=progress):
            self._new(document.id, path)
            self._add(document)

    def _new(self, name: str, path: Path) -> None:
        if (other := self._path_of.setdefault(name, path)) != path:
            raise DataError("data.passages.two_documents", path=path, other=other, id=name)

    def _add(self, document: Document) -> None:
        self._notes += document.notices
        self._names[document.name].append(document.id)
        self._pages += len(document.pages)
        self._unread += len(document.of_kind("scanned")) + len(document.of_kind("failed"))
        cut = self._cut(document)
        self._chunks += cut
        if not cut:
            self._silent.append(document.id)

    def _cut(self, document: Document) -> list[Chunk]:
        size = self._corpus.size_tokens
        if size is not None:
            return chunks(document, self._count, size, self._corpus.overlap_tokens)
        return whole(document, self._count)

    def passages(self) -> Passages:
        if not self._chunks:
            sources = ", ".join(self._corpus.sources)
            raise DataError("data.passages.no_text", sources=sources, notices=_joined(self._notes))
        twice = [name for name, times in Counter(chunk.id for chunk in self._chunks).items() if times > 1]
        if twice:
            raise DataError("data.passages.two_chunks", id=twice[0], num=len(twice))
        tokens = [chunk.num_tokens for chunk in self._chunks]
        facts = Facts(
            len(self._path_of) - len(self._silent), len(tokens), round(sum(tokens) / len(tokens), 1), max(tokens),
            self._pages, self._unread,
        )  # fmt: skip
        names = {name: ids[0] for name, ids in self._names.items() if len(ids) == 1}
        found = Passages(self._chunks, facts, self._notes, names)
        found.notes += self._told(found)
        return found

    def _told(self, found: Passages) -> Iterator[Message]:
        if self._silent:
            yield Message("data.passages.silent_documents", {"num": len(self._silent), "ids": _first(self._silent)})
        twins = [name for name, first in found.first_of.items() if first != name]
        found.facts.same_text = len(twins)
        if twins:
            yield Message("data.passages.same_text", {"num": len(twins), "ids": _first(twins)})
        values: dict[str, Any] = vars(found.facts)
        yield Message("data.passages.cut", values)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _joined(notes: Sequence[Message]) -> object:
    """The first notice, as a part of a sentence."""
    return notes[0] if notes else "-"
