"""Every place that a check pointed at, as one parquet file: for notebooks, and for a diff in CI.

One line per hit, written column by column and batch by batch: a million hits need no million dicts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dadeum.core.findings import Finding, Hit
from dadeum.core.run import atomic
from dadeum.data.context import Context
from dadeum.data.rows import Removed

ROWS_FILE = "rows.parquet"
UNREAD = "unreadable_rows"
"""The check whose rows never became an Example: they stand in `Context.unread` and have no hits."""
_REPEATED = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("code", _REPEATED),
        ("name", _REPEATED),
        ("severity", _REPEATED),
        ("id", pa.string()),
        ("source", _REPEATED),
        ("split", _REPEATED),
        ("part", _REPEATED),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("text", pa.string()),
        ("found", pa.string()),
    ]
)
_BATCH_LINES = 1 << 16
_BEFORE_CHARACTERS = 40
_EXCERPT_CHARACTERS = 160
_JSON = json.JSONEncoder(ensure_ascii=False, default=str)


def write_rows(path: Path, context: Context, findings: Sequence[Finding]) -> int:
    """Write all hits of all findings, and all unread rows; returns how many. Without any, the columns are there.

    `start` and `end` count characters of the whole text `part` of the row; `text` is the text around the place,
    `found` what was found there as JSON, null where there is nothing more to say.
    """
    num_lines = 0
    with atomic(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
        for finding in findings:
            lines: Sequence[Any] = context.unread if finding.name == UNREAD else finding.hits
            for start in range(0, len(lines), _BATCH_LINES):
                batch = lines[start : start + _BATCH_LINES]
                columns = _unread(batch) if finding.name == UNREAD else _hits(batch, context)
                writer.write_batch(_batch(finding, columns, len(batch)))
            num_lines += len(lines)
    return num_lines


def _batch(finding: Finding, columns: Mapping[str, list[Any]], num_lines: int) -> pa.RecordBatch:
    said = {name: [getattr(finding, name)] * num_lines for name in ("code", "name", "severity")}
    every = {**said, **columns}
    return pa.RecordBatch.from_pydict({name: every[name] for name in SCHEMA.names}, schema=SCHEMA)


def _hits(hits: Sequence[Hit], context: Context) -> dict[str, list[Any]]:
    placed = context.placed
    return {
        "id": [placed[hit.row][1].id for hit in hits],
        "source": [placed[hit.row][1].source for hit in hits],
        "split": [placed[hit.row][0] for hit in hits],
        "part": [hit.part for hit in hits],
        "start": [hit.start for hit in hits],
        "end": [hit.end for hit in hits],
        "text": [_excerpt(context.text_of(hit), hit.start) for hit in hits],
        "found": [_JSON.encode(hit.found) if hit.found else None for hit in hits],
    }


def _unread(rows: Sequence[Removed]) -> dict[str, list[Any]]:
    return {
        "id": [row.id for row in rows],
        "source": [row.source for row in rows],
        "split": [None] * len(rows),
        "part": [""] * len(rows),
        "start": [0] * len(rows),
        "end": [0] * len(rows),
        "text": [_excerpt(row.text, 0) for row in rows],
        "found": [_JSON.encode({"reason": row.reason, "detail": row.detail}) for row in rows],
    }


def _excerpt(text: str, place: int) -> str:
    start = max(0, place - _BEFORE_CHARACTERS)
    excerpt = text[start : start + _EXCERPT_CHARACTERS]
    # Half a surrogate pair, as broken JSON can hold it, has no place in a file of UTF-8.
    return excerpt if excerpt.isascii() else excerpt.encode("utf-8", "replace").decode("utf-8")
