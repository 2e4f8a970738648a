"""What an index keeps on disk: chunks and their words in Parquet, vectors as .npy that is mapped, not read.

`index.json` names the files, their sizes and hashes, and replaces the old one in one step: a reader sees the old index
or the new one, never half of each. Files of the old one are deleted afterwards; who has them open keeps them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dadeum.core.errors import RunError, first_line
from dadeum.core.run import atomic, file_hash, read_json, write_json
from dadeum.retrieval.hybrid import Method

if TYPE_CHECKING:
    import pyarrow as pa

_HEAD = "index.json"
_FORMAT = 2
_TRIES = 5


@dataclass(frozen=True)
class Head:
    """index.json."""

    generation: int
    """Counts the saves."""
    model: str | None
    """None: words only."""
    revision: str
    dimensions: int
    meaning_weight: float
    """Of the vectors beside words 1, as validation chose it; 0: search by words."""
    method: Method
    """Of `hybrid`."""
    words: str
    """`words.signature()` of the words that are stored."""
    files: dict[str, dict[str, Any]]
    """file name → size and sha256."""
    settings: dict[str, Any]
    """Of those who made it (`searching.Settings`)."""
    format: int = _FORMAT


@dataclass(frozen=True)
class Stored:
    head: Head
    table: pa.Table
    vectors: np.ndarray
    """(chunks, dimensions), mapped."""


def read(folder: Path, verify: bool) -> Stored:
    """What was saved last. RunError where there is no index or a file is not what was written; `verify` hashes all."""
    for _ in range(_TRIES):
        head = read_head(folder)
        try:
            return _read(folder, head, verify)
        except FileNotFoundError as error:
            # A writer has replaced it since; its new head names other files.
            if read_head(folder).generation == head.generation:
                name = Path(error.filename or "").name
                raise RunError("retrieval.file_missing", folder=folder, file=name) from error
    raise RunError("retrieval.always_changing", folder=folder)


def read_head(folder: Path) -> Head:
    path = folder / _HEAD
    if not path.is_file():
        raise RunError("retrieval.no_index", folder=folder)
    found = read_json(path)
    known = {field.name for field in fields(Head)}
    if not isinstance(found, dict) or found.get("format") != _FORMAT or set(found) != known:
        version = found.get("format") if isinstance(found, dict) else found
        raise RunError("retrieval.unknown_format", path=path, found=version, known=_FORMAT)
    return Head(**found)


def num_bytes(folder: Path) -> int:
    """Of the files that make up what was saved last; 0 where nothing is."""
    if not (folder / _HEAD).is_file():
        return 0
    return sum((folder / name).stat().st_size for name in (_HEAD, *read_head(folder).files))


def _read(folder: Path, head: Head, verify: bool) -> Stored:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, written in head.files.items():
        path = folder / name
        size = path.stat().st_size
        if size != written["size"]:
            raise RunError("retrieval.wrong_size", path=path, found=size, written=written["size"])
        if verify and file_hash(path) != written["sha256"]:
            raise RunError("retrieval.wrong_hash", path=path)
    chunks, vectors = (folder / name for name in head.files)
    try:
        table = pq.read_table(chunks)
        # There is no map of nothing.
        mapped = np.load(vectors, mmap_mode="r" if table.num_rows * head.dimensions else None)
    except (pa.ArrowInvalid, ValueError, EOFError) as error:
        raise RunError("errors.damaged_file", path=folder, detail=first_line(error)) from error
    if len(mapped) != table.num_rows or mapped.shape[1:] != (head.dimensions,):
        raise RunError("retrieval.not_one_index", folder=folder, chunks=table.num_rows, vectors=mapped.shape)
    return Stored(head, table, mapped)


def write(folder: Path, before: int, head: dict[str, Any], table: pa.Table, vectors: np.ndarray) -> int:
    """Save as the generation after `before`, which must still be the last one; returns the new generation.

    RunError when another process saved in between: nothing is overwritten.
    """
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        last = read_head(folder).generation if (folder / _HEAD).exists() else 0
        if last != before:
            raise RunError("retrieval.saved_by_another", folder=folder, opened=before, last=last)
        names = (f"chunks-{before + 1}.parquet", f"vectors-{before + 1}.npy")
        with atomic(folder / names[0]) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        with atomic(folder / names[1]) as temporary, temporary.open("wb") as file:
            np.save(file, np.ascontiguousarray(vectors, dtype=np.float32))
        files = {name: {"size": (folder / name).stat().st_size, "sha256": file_hash(folder / name)} for name in names}
        written = Head(generation=before + 1, files=files, **head)
        write_json(folder / _HEAD, asdict(written))
        for old in (*folder.glob("chunks-*.parquet"), *folder.glob("vectors-*.npy")):
            if old.name not in names:
                old.unlink(missing_ok=True)
    return before + 1


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer at a time; the lock falls with the process."""
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
