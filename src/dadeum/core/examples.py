"""One training row, in TRL's column names, and the parquet files that carry it between steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

SPLITS = ("train", "validation", "test")


class Turn(TypedDict):
    """One message of a conversation: role is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True)
class Example:
    """A prompt-completion row. The loss is taken on `completion` (plus its end token) only."""

    id: str
    """`<source>:<row number in the file>`, unique in a run."""
    source: str
    """Name of the data source in the recipe."""
    origin: str
    """Where the row came from inside its source (board, sender, document); the source name if unknown."""
    group: str
    """Rows of one group never stand in two splits."""
    text: str
    """The input as plain text: what baselines see and what duplicates are compared by."""
    prompt: list[Turn]
    completion: list[Turn]
    label: str
    """Gold label of a decision task; empty for free-text tasks."""


_TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "source", "origin", "group", "text")),
        ("prompt", _TURNS),
        ("completion", _TURNS),
        ("label", pa.string()),
    ]
)


def to_table(examples: Iterable[Example]) -> pa.Table:
    """Arrow table with `SCHEMA`, in the given order."""
    rows = list(examples)
    # Column by column: asdict would copy every turn, a tenth of a millisecond a row.
    return pa.Table.from_pydict({name: [getattr(row, name) for row in rows] for name in SCHEMA.names}, schema=SCHEMA)


def read_examples(path: Path) -> list[Example]:
    """All rows of one split, in file order."""
    return list(iterate(pq.read_table(path, schema=SCHEMA)))


def iterate(table: pa.Table) -> Iterator[Example]:
    """The rows of a table with `SCHEMA` as Examples."""
    for row in table.to_pylist():
        yield Example(**row)
