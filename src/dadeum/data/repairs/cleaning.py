"""All clean steps over a data set, each one counted, and every row that was removed or changed kept as it was read.

`prepare` cleans a recipe's rows; `clean_examples` cleans Examples of files without a recipe.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dadeum.core.clean_steps import CleanStep, step_name
from dadeum.core.examples import Example
from dadeum.core.progress import Progress, silent
from dadeum.data.engine import keeping_objects
from dadeum.data.repairs.row_kinds import ExampleRows, LineOf, RowKind, source_line
from dadeum.data.repairs.transforms import Rules, apply_step
from dadeum.data.rows import Removed, Row, as_json, remove
from dadeum.data.similar.fingerprints import Memory

CHANGED = "changed"
"""`kind` and `reason` of a row that is used, but not as it was read."""
CUT = "cut_input"
"""Stands among the steps of a changed row when the token limit cut it (`render.truncation`)."""


@dataclass(frozen=True)
class StepCount:
    """What one step did."""

    step: str
    changed: int
    """Rows whose text it changed; a later step may have removed them."""
    removed: int
    seconds: float


@dataclass(frozen=True)
class CleanedRows:
    """Rows after all steps."""

    rows: list[Row]
    removed: list[Removed]
    """In the order of the steps; `original` is still empty."""
    steps: list[StepCount]


@dataclass(frozen=True)
class Cleaned:
    """Examples after all steps: as many as came in = `examples` + `removed`."""

    examples: list[Example]
    removed: list[Removed]
    """In the order of the steps."""
    changed: list[Removed]
    """One per example that is used otherwise than it was read, with what it was."""
    steps: list[StepCount]


def clean_rows(
    rows: list[Row], steps: Sequence[CleanStep], rules: Rules, memory: Memory, progress: Progress = silent
) -> CleanedRows:
    """The steps in their order. Raises DataError where a step cannot do anything on such rows."""
    removed: list[Removed] = []
    counts = []
    for number, step in enumerate(steps, start=1):
        started = time.perf_counter()
        applied = apply_step(step, rows, rules, memory)
        seconds = time.perf_counter() - started
        counts.append(StepCount(step_name(step), applied.num_changed, len(applied.removed), seconds))
        rows = applied.rows
        removed += applied.removed
        progress("data.progress.clean", number, len(steps))
    return CleanedRows(rows, removed, counts)


def clean_examples(
    examples: Sequence[Example],
    steps: Sequence[CleanStep],
    *,
    seed: int = 42,
    similarity: float = 0.9,
    split_of: Mapping[str, str] | None = None,
    line_of: LineOf = source_line,
    progress: Progress = silent,
) -> Cleaned:
    """The steps over Examples; those that no step touched are the very ones that were given.

    `original` is what `line_of` makes of an example, with its split where `split_of` knows one. Raises DataError as
    `clean_rows` does.
    """
    with keeping_objects():
        return _clean_examples(examples, steps, ExampleRows(examples, split_of, line_of), seed, similarity, progress)


def _clean_examples(
    examples: Sequence[Example],
    steps: Sequence[CleanStep],
    kind: ExampleRows,
    seed: int,
    similarity: float,
    progress: Progress,
) -> Cleaned:
    every = list(kind.rows)
    sources = tuple(dict.fromkeys(example.source for example in examples))
    cleaned = clean_rows(kind.rows, steps, Rules(kind, seed, similarity, sources), Memory(), progress)
    if len(cleaned.rows) + len(cleaned.removed) != len(every):
        raise AssertionError(
            f"{len(every)} rows in, {len(cleaned.rows)} + {len(cleaned.removed)} out: a bug in cleaning."
        )
    return Cleaned(
        [kind.example(row) for row in cleaned.rows],
        with_originals(cleaned.removed, every, kind),
        changed_rows(cleaned.rows, kind),
        cleaned.steps,
    )


def with_originals(removed: Iterable[Removed], rows: Iterable[Row], kind: RowKind) -> list[Removed]:
    """`removed` with the content as read, of those that are among `rows`; the others come with theirs."""
    removed = list(removed)
    wanted = {item.id for item in removed}
    by_id = {row.id: row for row in rows if row.id in wanted}
    return [
        replace(item, original=as_json(kind.original(by_id[item.id]))) if item.id in by_id else item for item in removed
    ]


def changed_rows(rows: Iterable[Row], kind: RowKind, cut: Collection[str] = ()) -> list[Removed]:
    """One line per row that is used otherwise than it was read: what changed it, and what it was.

    `cut` are ids of rows whose input the token limit shortened after all steps.
    """
    changed = []
    for row in rows:
        causes = row.changed_by if row.as_read != (row.fields, row.reason) else ()
        if row.id in cut:
            causes = (*causes, CUT)
        if causes:
            changed.append(remove(row, CHANGED, ", ".join(causes), CHANGED, as_json(kind.original(row))))
    return changed
