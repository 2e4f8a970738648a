"""A source as read → rows with fields and label; what cannot become a row is one error, or is listed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.examples import Example
from dadeum.core.korean import nfc
from dadeum.core.messages import Message
from dadeum.core.recipe import Source
from dadeum.core.run import file_hash
from dadeum.core.task import Decide
from dadeum.data.nearest import nearest
from dadeum.data.reading.cells import field_value, is_missing, label_text, text_of
from dadeum.data.reading.columns import FieldMap, find_columns, is_list_field
from dadeum.data.reading.sources import read_source
from dadeum.data.repairs.row_kinds import FieldRows
from dadeum.data.rows import BadRow, Removed, Row, Table, as_json, excerpt, remove, row_id

# Spreadsheets and exports end in them; they say nothing, so they are listed and no reason to stop.
_HARMLESS = {"blank_row"}
_SHOWN = 3


@dataclass(frozen=True)
class SourceRows:
    """What one source gave."""

    name: str
    file_name: str
    format: str
    encoding: str | None
    sha256: str
    num_rows: int
    """Rows of the file: `rows` (or `examples`) and `removed` together."""
    field_map: FieldMap
    rows: list[Row]
    removed: list[Removed]
    examples: list[Example] = field(default_factory=list)
    """Conversations, for tasks that have turns and no fields; `rows` is empty then."""
    notes: list[Message] = field(default_factory=list)
    """What was left aside, to be told."""


def read_rows(source: Source, task: Decide, seed: int) -> SourceRows:
    """Read, map, label and sample one source. Raises DataError, or lists bad rows when the recipe says drop."""
    _check_labels(source, task)
    table = read_source(source)
    field_map = find_columns(table, source, task)
    rows, bad = _map_rows(table, field_map, source, task)
    bad = sorted([*table.bad, *bad], key=lambda row: row.number)
    if source.on_bad_rows == "raise":
        raise_for(bad, table, table.num_rows, task)
    removed = [
        Removed(
            row_id(table.name, row.number),
            table.name,
            table.name,
            row.text,
            "",
            row.reason,
            row.detail,
            original=row.original,
        )
        for row in bad
    ]
    taken = drawn(len(rows), source.sample, f"{seed}:{table.name}")
    kind = FieldRows(task)
    removed += [
        remove(row, "not_sampled", original=as_json(kind.original(row)))
        for at, row in enumerate(rows)
        if at not in taken
    ]
    rows = [row for at, row in enumerate(rows) if at in taken]
    return SourceRows(
        table.name, table.path.name, table.format, table.encoding, file_hash(table.path), table.num_rows,
        field_map, rows, removed,
    )  # fmt: skip


def _check_labels(source: Source, task: Decide) -> None:
    """Labels that the recipe itself names must be labels of the task."""
    for value in [*([source.label] if source.label is not None else []), *source.label_values.values()]:
        if value not in task.labels:
            raise DataError(
                "data.recipe_label", path=source.path, label=value, near=nearest(value, task.labels),
                labels=", ".join(task.labels),
            )  # fmt: skip


def _map_rows(table: Table, field_map: FieldMap, source: Source, task: Decide) -> tuple[list[Row], list[BadRow]]:
    """Rows with a usable label, and the rest as bad rows."""
    position = {name: table.columns.index(column) for name, column in field_map.columns.items()}
    inputs = [(name, position[name], is_list_field(name)) for name in task.input_fields]
    reason_at = position.get(task.reason_field) if task.reason_field else None
    kind = FieldRows(task)
    rows, bad = [], []
    for number, cells in zip(table.numbers, table.rows, strict=True):
        fields = {name: field_value(cells[at], is_list) for name, at, is_list in inputs}
        label = source.label if source.label is not None else label_text(cells[position["label"]])
        label = field_map.label_values.get(label, label)
        origin = nfc(text_of(cells[position["origin"]])).strip() if "origin" in position else ""
        reason = text_of(cells[reason_at]) if reason_at is not None else None
        text = kind.plain_text(fields)
        row = Row(row_id(table.name, number), table.name, origin or table.name, fields, label, reason, text)
        if label in task.labels:
            rows.append(row)
        else:
            problem = "missing_label" if is_missing(label) else "unknown_label"
            bad.append(BadRow(number, problem, excerpt(label), text, as_json(kind.original(row))))
    return rows, bad


def drawn(num: int, size: int | None, seed: str) -> set[int]:
    """Which of `num` rows are taken; all of them when there are no more than `size`."""
    everything = range(num)
    return set(everything if size is None or size >= num else random.Random(seed).sample(everything, size))


def raise_for(bad: list[BadRow], table: Table, total: int, task: Decide | None = None) -> None:
    """One DataError for all bad rows of a file of `total` rows; its sentence follows the reason when they share one."""
    bad = [row for row in bad if row.reason not in _HARMLESS]
    if not bad:
        return
    reasons = Counter(row.reason for row in bad)
    places: dict[str, Any] = {
        "path": table.path,
        "count": len(bad),
        "total": total,
        "lines": ", ".join(str(row.number) for row in bad[:_SHOWN]) + (", …" if len(bad) > _SHOWN else ""),
        "found": bad[0].detail,
        "text": excerpt(bad[0].text)[:80],
    }
    if len(reasons) > 1:
        listed = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        raise DataError("data.bad_rows.several", **places, reasons=listed)
    (reason,) = reasons
    if reason == "unknown_label" and task is not None:
        values = Counter(row.detail for row in bad)
        commonest = next(iter(values.most_common(1)))[0]
        places |= {
            "values": ", ".join(f"{value!r} ({count})" for value, count in values.most_common(5)),
            "labels": ", ".join(task.labels),
            "near": nearest(commonest, task.labels),
            "commonest": commonest,
        }
    raise DataError(f"data.bad_rows.{reason}", **places)
