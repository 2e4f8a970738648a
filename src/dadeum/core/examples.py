"""One training row, in TRL's column names, and the parquet files that carry it between steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

SPLITS = ("train", "validation", "test")


class Turn(TypedDict):
    """One message of a conversation: role is `system`, `user` or `assistant`."""

    role: str
    content: str


class Part(NamedTuple):
    """One text of a row, for checks that look at every text."""

    name: str
    """`input`, or the role and the turn's number such as `user.2`."""
    role: str
    """`system`, `user`, `assistant` or `rejected`."""
    text: str


@dataclass(frozen=True, slots=True)
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
    rejected: list[Turn] = field(default_factory=list)
    """The worse answer of a preference pair; empty otherwise."""
    extra: dict[str, str] = field(default_factory=dict)
    """What the file says beside input and answer and the model never sees. `id`, `document`, `speaker` and `time`
    have these names whatever their columns are called; several values of one are joined by newlines."""


_TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "source", "origin", "group", "text")),
        ("prompt", _TURNS),
        ("completion", _TURNS),
        ("label", pa.string()),
        ("rejected", _TURNS),
        ("extra", pa.map_(pa.string(), pa.string())),
    ]
)


def parts(example: Example) -> Iterator[Part]:
    """The texts that people wrote: all turns, or the input alone where the answer is a label."""
    if example.label:
        yield Part("input", "user", example.text)
        return
    for number, turn in enumerate([*example.prompt, *example.completion], start=1):
        yield Part(f"{turn['role']}.{number}", turn["role"], turn["content"])
    for turn in example.rejected:
        yield Part("rejected", "rejected", turn["content"])


def answer_of(example: Example) -> str:
    """What the example teaches the model to write; empty when it has no answer."""
    return example.completion[-1]["content"] if example.completion else ""


def asked_hash(examples: Iterable[Example]) -> str:
    """sha256 of what is asked and answered, in order: rows, inputs, and people's answers.

    Prompts are left out: they hang on instruction, format and token limit, and runs that differ in these are compared.
    """
    digest = hashlib.sha256()
    for row in examples:
        said = [row.id, row.text, answer_of(row), row.label, row.extra.get("references", "")]
        digest.update(json.dumps(said, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def to_table(examples: Iterable[Example]) -> pa.Table:
    """Arrow table with `SCHEMA`, in the given order."""
    rows = list(examples)
    # Column by column: asdict would copy every turn, a tenth of a millisecond a row.
    columns = {name: [getattr(row, name) for row in rows] for name in SCHEMA.names}
    columns["extra"] = [list(extra.items()) for extra in columns["extra"]]
    return pa.Table.from_pydict(columns, schema=SCHEMA)


def read_examples(path: Path) -> list[Example]:
    """All rows of one split, in file order."""
    return list(iterate(pq.read_table(path, schema=SCHEMA)))


def iterate(table: pa.Table) -> Iterator[Example]:
    """The rows of a table with `SCHEMA` as Examples."""
    for row in table.to_pylist():
        yield Example(**{**row, "extra": dict(row["extra"] or ())})
