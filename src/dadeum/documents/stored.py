"""Chunks as a file: `run.split_path("chunks")`, which evaluation, training and `ask` read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from dadeum.core.run import atomic
from dadeum.documents.chunks import Chunk

_KINDS = {str: pa.string(), int: pa.int32(), bool: pa.bool_()}
SCHEMA = pa.schema([(name, _KINDS[kind]) for name, kind in get_type_hints(Chunk).items()])


def write_chunks(path: Path, chunks: Sequence[Chunk]) -> None:
    """Atomically, in the given order."""
    columns = {name: [getattr(chunk, name) for chunk in chunks] for name in SCHEMA.names}
    with atomic(path) as temporary:
        pq.write_table(pa.table(columns, schema=SCHEMA), temporary)


def read_chunks(path: Path) -> list[Chunk]:
    """All chunks, in file order."""
    return [Chunk(**row) for row in pq.read_table(path, schema=SCHEMA).to_pylist()]
