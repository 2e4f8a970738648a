"""Pairs that are used, pairs that are left out with a reason, and the two files that keep them.

`pairs.parquet` and `left_out.jsonl` stand in the stage's folder; a stage that goes on after a kill reads them again.
Pairs read = pairs used + pairs left out, by reason.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from dadeum.core.examples import Turn
from dadeum.core.run import atomic, write_jsonl

Source = Literal["file", "sampled"]


@dataclass(frozen=True)
class Preference:
    """Two answers to one prompt, and which is better."""

    id: str
    """`<file>:<row>` (several joined by +), or the training row that was sampled for."""
    source: Source
    group: str
    """Pairs of one group never stand both in training and in validation."""
    prompt: list[Turn]
    chosen: str
    rejected: str
    why: str
    """What made one of them the better one."""
    gap: float | None
    """How far apart the two were rated, 0..1; None where only the order is known."""


@dataclass(frozen=True)
class LeftOut:
    """A pair, or a row that gave none."""

    id: str
    source: Source
    reason: str
    """Last part of a key `train.preferences.reason.<reason>`."""
    detail: str = ""


Found = list[Preference | LeftOut]


class Preferences(NamedTuple):
    """What a stage learns from."""

    train: list[Preference]
    validation: list[Preference]
    counts: dict[str, int]
    """`read`, `used`, `validation` of them, and `left_out_<reason>`."""


_TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_SCHEMA = pa.schema(
    [
        ("split", pa.string()), ("id", pa.string()), ("source", pa.string()), ("group", pa.string()),
        ("prompt", _TURNS), ("chosen", pa.string()), ("rejected", pa.string()), ("why", pa.string()),
        ("gap", pa.float64()),
    ]
)  # fmt: skip
_COUNTS = b"dadeum_counts"


def counted(train: list[Preference], validation: list[Preference], left_out: list[LeftOut]) -> Preferences:
    """The pairs with their sums."""
    used = len(train) + len(validation)
    reasons = Counter(f"left_out_{one.reason}" for one in left_out)
    counts = {"read": used + len(left_out), "used": used, "validation": len(validation)} | dict(sorted(reasons.items()))
    return Preferences(train, validation, counts)


def write_pairs(found: Preferences, left_out: list[LeftOut], folder: Path) -> None:
    """Both files; `pairs.parquet` last, so that where it stands all is there."""
    folder.mkdir(parents=True, exist_ok=True)
    write_jsonl(folder / "left_out.jsonl", map(asdict, left_out))
    rows = [{"split": "train"} | asdict(pair) for pair in found.train]
    rows += [{"split": "validation"} | asdict(pair) for pair in found.validation]
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    with atomic(folder / "pairs.parquet") as temporary:
        pq.write_table(table.replace_schema_metadata({_COUNTS: json.dumps(found.counts).encode()}), temporary)


def read_pairs(folder: Path) -> Preferences | None:
    """What `write_pairs` wrote; None where it has not."""
    if not (folder / "pairs.parquet").is_file():
        return None
    table = pq.read_table(folder / "pairs.parquet")
    sides: dict[str, list[Preference]] = {"train": [], "validation": []}
    for row in table.to_pylist():
        sides[row.pop("split")].append(Preference(**row))
    return Preferences(sides["train"], sides["validation"], json.loads(table.schema.metadata[_COUNTS]))
