"""Files of chunks or documents given beside bare files of questions, with no recipe to say which is which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dadeum.core.messages import Message
from dadeum.data.formats.base import match
from dadeum.data.formats.question_answer import NEEDS
from dadeum.data.formats.retrieval import IdMap
from dadeum.data.passages.corpus import Facts, Passages
from dadeum.data.passages.ready import NAMES, read_ready
from dadeum.data.rows import Table
from dadeum.documents.chunks import Chunk

_LABEL = {"label": ("label", "labels", "class", "spam")}


def holds_chunks(table: Table) -> bool:
    """An id and a text, and nothing asked, answered or labelled."""
    return {"id", "text"} <= match(table.columns, NAMES).keys() and not match(table.columns, NEEDS | _LABEL)


def passages_beside(chunk_files: Sequence[Path], maps: Sequence[IdMap], asks: bool) -> Passages | None:
    """All chunks and documents that questions are asked about; None where there are none.

    `asks`: some rows name what answers them, so every object of texts is a corpus; else those that relevant documents
    name are.
    """
    found = [chunk for path in chunk_files for chunk in read_ready(path, _uncounted)[0]]
    linked = {name for one in maps if one.role == "relevant" for ids in one.entries.values() for name in ids}
    for one in maps:
        if one.role != "relevant" and (asks or linked & one.entries.keys()):
            found += [Chunk(key, key, text, 1, 1, 0) for key, text in one.entries.items()]
    # Two files may hold the same documents.
    return Passages(list({chunk.id: chunk for chunk in found}.values()), Facts()) if found else None


def _uncounted(_: str) -> int:
    return 0


def without_texts(maps: Sequence[IdMap]) -> list[IdMap]:
    """What is left of the objects by id where texts are a corpus: queries with their relevant documents."""
    return list(maps) if any(one.role == "relevant" for one in maps) else []


def told(passages: Passages | None) -> Iterator[Message]:
    if passages is not None:
        values = {"documents": len(passages.of_document), "chunks": len(passages.chunks)}
        yield Message("data.builders.beside", values)
