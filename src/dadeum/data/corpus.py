"""Files without a recipe → rows of one shape: format, task and splits found by content, and said aloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dadeum.core.examples import Example
from dadeum.core.messages import Message
from dadeum.core.progress import Progress, silent
from dadeum.data.rows import Removed


@dataclass(frozen=True)
class Given:
    """A file as the user named it."""

    path: Path
    label: str | None = None
    """One label for all of its rows: `mail.csv=BLOCK`."""
    split: str | None = None
    """train, validation or test; None looks for a `split` column, then at the file's name, then takes train."""


@dataclass(frozen=True)
class FileFacts:
    """One file as it was read."""

    name: str
    """Source name of its rows."""
    path: str
    format: str
    """Name of the file in `formats/` that recognised it, such as `messages`."""
    container: str
    """csv, jsonl, json, parquet or xlsx."""
    encoding: str | None
    sha256: str
    num_rows: int
    """Rows of the file: used and unread together."""
    num_unread: int
    columns: dict[str, str]
    """Field → column that it was read from."""
    before: str
    """One row as it stands in the file."""
    after: Example
    """The same row, converted."""


@dataclass(frozen=True)
class Corpus:
    """All rows of the given files."""

    task: str
    """decide, chat, summarize, answer, retrieve, prefer or text."""
    splits: dict[str, list[Example]]
    """train, validation, test, each present, possibly empty."""
    files: list[FileFacts]
    unread: list[Removed] = field(default_factory=list)
    """Rows that could not become an Example, with the reason."""
    notes: list[Message] = field(default_factory=list)
    """What was guessed: format, columns, task, splits."""


def read_corpus(files: Sequence[Given], task: str | None = None, progress: Progress = silent) -> Corpus:
    """Read, recognise and convert. Raises DataError for a file that cannot be read or recognised."""
    raise NotImplementedError
