"""Documents that are text already: .txt, .md, and a corpus file {id: text}; and any of them, or a folder, by its path.

Lines stay as they are: a text file has no right edge that says which of them go on.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.progress import Progress, silent
from dadeum.documents.characters import cleaned
from dadeum.documents.document import Block, Document, Page, document_id
from dadeum.documents.pdf import read_pdf
from dadeum.documents.spacing import respaced

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")
_CELL_END = re.compile(r"(?<!\\)\|")


def read_documents(path: Path, *, recognise: bool = False, progress: Progress = silent) -> Iterator[Document]:
    """The documents in a file, or in all readable files of a folder by their names; one at a time."""
    path = Path(path)
    if not path.is_dir():
        yield from _read_file(path, recognise, progress)
        return
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in _READERS)
    if not files:
        raise DataError("documents.no_documents", path=path, known=", ".join(_READERS))
    seen: dict[str, Path] = {}
    for file in files:
        for document in _read_file(file, recognise, progress):
            if (other := seen.setdefault(document.id, file)) != file:
                raise DataError("documents.two_ids", path=file, other=other, id=document.id)
            yield document


def _read_file(path: Path, recognise: bool, progress: Progress) -> Iterator[Document]:
    if path.suffix.lower() == ".pdf":
        yield read_pdf(path, recognise=recognise, progress=progress)
        return
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError("documents.unknown_kind", path=path, known=", ".join(_READERS))
    yield from reader(path)


def read_text(path: Path) -> Iterator[Document]:
    """One document of one page."""
    content = _content(path)
    yield _document(document_id(path.name, content), path.name, _decoded(content, path))


def read_corpus(path: Path) -> Iterator[Document]:
    """{id: text}: each entry a document of one page under its own id, which question files refer to."""
    try:
        found = json.loads(_decoded(_content(path), path), object_pairs_hook=lambda pairs: _no_key_twice(pairs, path))
    except json.JSONDecodeError as error:
        raise DataError("documents.broken_json", path=path, line=error.lineno, detail=error.msg) from error
    if not isinstance(found, dict) or not found:
        raise DataError("documents.not_a_corpus", path=path, found=type(found).__name__)
    for key, value in found.items():
        if not isinstance(value, str) or not key.strip():
            raise DataError("documents.not_a_text", path=path, key=key, found=type(value).__name__)
        yield _document(key, key, value)


def _no_key_twice(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, number in Counter(key for key, _ in pairs).items() if number > 1)
        raise DataError("documents.two_keys", path=path, key=twice)
    return found


_READERS: dict[str, Callable[[Path], Iterator[Document]]] = {
    ".pdf": lambda path: iter([read_pdf(path)]), ".txt": read_text, ".md": read_text, ".json": read_corpus,
}  # fmt: skip


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError("documents.missing_file", path=path) from error
    except OSError as error:
        raise DataError("documents.unreadable_file", path=path, detail=error.strerror) from error
    if not content.strip():
        raise DataError("documents.empty_file", path=path)
    return content


def _decoded(content: bytes, path: Path) -> str:
    marked = [name for mark, name in _MARKS if content.startswith(mark)]
    for encoding in (*marked, "utf-8", "cp949"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError("documents.unknown_encoding", path=path)


def _document(key: str, name: str, text: str) -> Document:
    changes: Counter[str] = Counter()
    parts = _BLANK_LINES.split(respaced(cleaned(text, changes), changes))
    blocks = tuple(block for part in parts if part.strip() for block in _blocks(part.strip("\n")))
    return Document(key, name, (Page(1, "text" if blocks else "empty", blocks),), +changes)


def _blocks(part: str) -> Iterator[Block]:
    """Text, and Markdown tables where there are any."""
    lines = part.rstrip().split("\n")
    start = 0
    for index in range(1, len(lines)):
        if index > start and "|" in lines[index - 1] and _TABLE_RULE.match(lines[index]) and "|" in lines[index]:
            end = next((i for i in range(index + 1, len(lines)) if "|" not in lines[i]), len(lines))
            if start < index - 1:
                yield Block("\n".join(lines[start : index - 1]))
            table = lines[index - 1 : end]
            yield Block("\n".join(table), tuple(_cells(line) for line in (table[0], *table[2:])))
            start = end
    if start < len(lines):
        yield Block("\n".join(lines[start:]))


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return tuple(cell.strip().replace("\\|", "|") for cell in _CELL_END.split(inner))
