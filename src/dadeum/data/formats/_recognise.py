"""Ask the formats, most telling first; when none knows the file, say what it lacks."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from dadeum.core.errors import DataError
from dadeum.core.messages import Message
from dadeum.core.plugins import find, names
from dadeum.data.formats.base import Format, Layout
from dadeum.data.reading.columns import plain_name
from dadeum.data.rows import Table

_PACKAGE = "data.formats"
KNOWN_TASKS = {"decide", "chat", "summarize", "answer", "retrieve", "prefer", "text"}
_SIMILAR = 0.8
"""difflib ratio from which a column name passes for a mistyped one: instuction, complation."""


def formats() -> list[tuple[str, Format]]:
    """Name and module of every format, in the order in which they are asked."""
    found = [(name, cast(Format, find(_PACKAGE, name))) for name in names(_PACKAGE)]
    return sorted(found, key=lambda named: named[1].RANK)


def recognise(table: Table, task: str | None, label: str | None) -> tuple[str, Format, Layout]:
    """The first format that knows the file and, where a task is given, fits it.

    A column `task` that names one task in every row counts as a guess; `data build` writes it. A label for all rows
    makes any table a decision. Raises DataError, naming columns and shapes, or the tasks that the file can be used for.
    """
    column, written = _written_task(table)
    for wanted in (task,) if task or not written else (written, None):
        known = list(_known(table, wanted, label))
        for name, module, layout in known:
            if wanted is None or wanted in layout.tasks:
                return name, module, _with_task(layout, table, column) if wanted == written else layout
    if not known and label is not None:
        raise DataError("data.label_not_possible", path=table.path, label=label, columns=", ".join(table.columns))
    if not known:
        near = _near(table)
        raise DataError("data.unknown_shape", path=table.path, columns=", ".join(table.columns) or "-", near=near)
    tasks = ", ".join(dict.fromkeys(name for _, _, layout in known for name in layout.tasks))
    shape = Message(f"data.format.{known[0][0]}")
    raise DataError("data.task_not_possible", path=table.path, task=task, tasks=tasks, format=shape)


def _written_task(table: Table) -> tuple[str, str | None]:
    """(column, the one known task that it names), or ("", None)."""
    column = next((column for column in table.columns if plain_name(column) == "task"), "")
    if not column:
        return "", None
    at = table.columns.index(column)
    values = {row[at] if isinstance(row[at], str) else "" for row in table.rows}
    return (column, values.pop()) if len(values) == 1 and values <= KNOWN_TASKS else ("", None)


def _with_task(layout: Layout, table: Table, column: str) -> Layout:
    """The layout with the task that the file names as its first."""
    if not column:
        return layout
    task = table.rows[0][table.columns.index(column)]
    tasks = (task, *(name for name in layout.tasks if name != task))
    return replace(layout, tasks=tasks, columns=layout.columns | {"task": (column,)})


def _known(table: Table, task: str | None, label: str | None) -> Iterator[tuple[str, Format, Layout]]:
    for name, module in formats():
        if label is None or name == "table":
            layout = module.recognise(table, task, label)
            if layout is not None:
                yield name, module, layout


def _near(table: Table) -> Message:
    """The format of which most columns are there, mistyped ones by half, and the columns that are not."""
    best, share = Message("data.no_near_shape"), 0.0
    plain = [plain_name(column) for column in table.columns]
    for name, module in formats():
        points = {known[0]: _likeness(known, plain) for known in module.NEEDS.values()}
        found = sum(points.values()) / len(points)
        if found > share:
            missing = ", ".join(column for column, point in points.items() if point < 1) or ", ".join(points)
            best, share = (
                Message("data.near_shape", {"format": Message(f"data.format.{name}"), "missing": missing}),
                found,
            )
    return best


def _likeness(known: tuple[str, ...], plain: list[str]) -> float:
    """1 for a column of the name, a half for one that is nearly it, else 0."""
    names = [plain_name(name) for name in known]
    if set(names) & set(plain):
        return 1.0
    return 0.5 if any(difflib.get_close_matches(name, plain, n=1, cutoff=_SIMILAR) for name in names) else 0.0
