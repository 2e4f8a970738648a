"""Files without a recipe → rows of one shape: format, task and splits found by content, and said aloud."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dadeum.core.errors import DataError
from dadeum.core.examples import SPLITS, Example
from dadeum.core.korean import nfc, squash
from dadeum.core.messages import Message
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Source
from dadeum.core.run import file_hash
from dadeum.data.engine import keeping_objects
from dadeum.data.formats._beside import SPLIT_WORDS, Beside, find_beside
from dadeum.data.formats._convert import FileRows, convert_rows
from dadeum.data.formats._recognise import recognise
from dadeum.data.formats.base import Layout
from dadeum.data.formats.retrieval import IdMap, join, map_in, read_maps
from dadeum.data.nearest import nearest
from dadeum.data.passages.beside import holds_chunks, passages_beside, told, without_texts
from dadeum.data.passages.corpus import Passages
from dadeum.data.reading.sources import existing, read_source
from dadeum.data.rows import BadRow, Removed, Table

TASKS = ("decide", "chat", "summarize", "answer", "retrieve", "prefer", "text")
"""Kinds of job that rows can be for; `text` has nothing to answer."""

_MAX_COLUMNS_TOLD = 12


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
    passages: Passages | None = None
    """Chunks or documents in files beside the questions that are asked about them."""


def read_corpus(files: Sequence[Given], task: str | None = None, progress: Progress = silent) -> Corpus:
    """Read, recognise and convert. Raises DataError for a file that cannot be read or recognised.

    `task` None guesses it from the first file; the others must have the same.
    """
    if task not in (None, *TASKS):
        raise DataError("data.no_such_task", task=task, near=nearest(str(task), TASKS), known=", ".join(TASKS))
    files = [replace(given, path=existing(given.path, "data.no_such_file")) for given in files]
    reading = _Reading(task)
    maps: list[IdMap] = []
    beside: list[tuple[Table, Given, str | None]] = []
    with keeping_objects():
        for number, (given, name) in enumerate(zip(files, source_names(files), strict=True), start=1):
            split = given.split or (split_in(given.path) if len(files) > 1 else None)
            found = _open(given, name, split)
            if isinstance(found, Table) and len(files) > 1 and holds_chunks(found):
                beside.append((found, given, split))
            elif isinstance(found, Table):
                reading.take(found, given, split, (given.path,))
            else:
                maps += found
            progress("data.progress.read", number, len(files))
        passages = passages_beside([table.path for table, _, _ in beside] if reading.asks else [], maps, reading.asks)
        if reading.asks:
            reading.notes += told(passages)
            maps, beside = without_texts(maps), []
        for table, given, split in beside:
            reading.take(table, given, split, (given.path,))
        for joined in join(maps):
            given = next(given for given in files if given.path == joined.table.path)
            paths = tuple(dict.fromkeys(member.path for member in joined.members))
            reading.notes += joined.notes
            reading.take(joined.table, given, joined.split, paths)
    return Corpus(reading.task or "text", reading.splits, reading.files, reading.unread, reading.notes, passages)


def source_names(files: Sequence[Given]) -> list[str]:
    """The files' stems, counted up where two are equal: rows are told apart by them."""
    names: list[str] = []
    for given in files:
        stem = nfc(given.path.stem)
        counted = (f"{stem}-{count}" for count in itertools.count(2))
        names.append(next(name for name in itertools.chain([stem], counted) if name not in names))
    return names


def split_in(path: Path) -> str | None:
    """The split that a file's name speaks of: `mail_test.csv`, `dev.jsonl`."""
    words = re.split(r"[\W_]+", path.stem.casefold())
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)


def _open(given: Given, name: str, split: str | None) -> Table | list[IdMap]:
    """The file's rows, or the JSON objects by id that it holds."""
    try:
        table = read_source(Source(path=str(given.path), name=name))
    except DataError as error:
        maps = read_maps(given.path, name, split) if error.key == "data.json_not_rows" else []
        if not maps:
            raise
        return maps
    found = map_in(table, split)
    return table if found is None else [found]


@dataclass
class _Reading:
    """What is known so far, file by file."""

    task: str | None
    splits: dict[str, list[Example]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    files: list[FileFacts] = field(default_factory=list)
    unread: list[Removed] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)
    guessed_by: Path | None = None
    """The file that the task was guessed from; None when the user named it."""
    asks: bool = False
    """Some file's questions name what answers them."""
    shared: dict[str, str] = field(default_factory=dict)

    def take(self, table: Table, given: Given, split: str | None, paths: Sequence[Path]) -> None:
        """Convert all rows of a table; `paths` are the files that they were read from."""
        if not table.rows:
            raise _nothing_read(table.path, table.num_rows, table.bad)
        task = self.task if self.guessed_by is None else None
        name, module, layout = recognise(table, task, given.label)
        self._agree_on_task(table.path, layout)
        self.asks = self.asks or (name == "question_answer" and "document" in layout.at)
        beside = find_beside(table, layout)
        num_rows = table.num_rows
        done = convert_rows(table, module, layout, beside, split, self.shared)
        if done.after is None:
            raise _nothing_read(table.path, num_rows, done.unread)
        facts = FileFacts(
            name=table.name,
            path=" + ".join(map(str, paths)),
            format=name,
            container=table.format,
            encoding=table.encoding,
            sha256=" + ".join(map(file_hash, paths)),
            num_rows=num_rows,
            num_unread=len(done.unread),
            columns=_fields(table, layout, beside),
            before=done.before,
            after=done.after,
        )
        self.files.append(facts)
        self._note(facts, layout, done, is_by_name=split is not None and given.split is None)
        self._note_beside(facts.name, beside)
        self.unread += done.unread
        for place, examples in done.splits.items():
            self.splits[place] += examples

    def _agree_on_task(self, path: Path, layout: Layout) -> None:
        """The first file decides, unless the user has. Raises DataError for files with different jobs."""
        if self.task is None:
            self.task, self.guessed_by = layout.tasks[0], path
        elif self.guessed_by is not None and layout.tasks[0] != self.task:
            raise DataError(
                "data.two_tasks", path=self.guessed_by, task=self.task, other_path=path, other=layout.tasks[0],
            )  # fmt: skip

    def _note(self, facts: FileFacts, layout: Layout, done: FileRows, is_by_name: bool) -> None:
        """What was taken for what."""
        columns = _told(facts.columns)
        shape, task = Message(f"data.format.{facts.format}"), Message(f"doctor.tasks.{self.task}")
        values = {"source": facts.name, "format": shape, "columns": columns, "task": task}
        self.notes += [Message("data.note.read", values), *layout.notes]
        places = ", ".join(f"{place} {len(examples):,}" for place, examples in done.splits.items() if examples)
        if "split" in facts.columns:
            self.notes.append(Message("data.note.split_by_column", {"source": facts.name, "splits": places}))
        elif is_by_name:
            self.notes.append(Message("data.note.split_by_name", {"source": facts.name, "splits": places}))
        if self.task == "text":
            self.notes.append(Message("data.note.no_answers", {"source": facts.name}))

    def _note_beside(self, name: str, beside: Beside) -> None:
        for column, count in beside.skipped.items():
            self.notes.append(Message("data.note.long_values", {"source": name, "column": column, "count": count}))


def _nothing_read(path: Path, total: int, bad: Sequence[BadRow] | Sequence[Removed]) -> DataError:
    """Every reason, and what was found in the first row."""
    reasons = Counter(row.reason for row in bad).most_common()
    listed = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
    return DataError("data.nothing_read", path=path, total=total, reasons=listed, detail=bad[0].detail or "-")


def _told(columns: dict[str, str]) -> str:
    """`question ← Q, answer ← A`, on one line, the first of many."""
    told = [squash(name if name == column else f"{name} ← {column}") for name, column in columns.items()]
    rest = len(told) - _MAX_COLUMNS_TOLD
    return ", ".join(told[:_MAX_COLUMNS_TOLD]) + (f", … +{rest}" if rest > 0 else "")


def _fields(table: Table, layout: Layout, beside: Beside) -> dict[str, str]:
    """Field → column, for what the model sees, the split and the facts beside it."""
    fields = {name: ", ".join(columns) for name, columns in layout.columns.items()}
    if beside.split is not None:
        fields["split"] = table.columns[beside.split]
    if beside.time:
        fields["time"] = ", ".join(table.columns[at] for at in beside.time)
    for name, at in beside.rest:
        fields.setdefault(name, table.columns[at])
    return fields
