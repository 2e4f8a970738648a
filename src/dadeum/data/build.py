"""`dadeum data build`: write what `prepare` made to data/*.parquet, with hashes in the manifest."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dadeum.core.examples import to_table
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, atomic, file_hash
from dadeum.data.lengths.token_lengths import Fits, Learner
from dadeum.data.prepare import Prepared, prepare
from dadeum.data.reading.columns import FieldMap
from dadeum.data.repairs.cleaning import StepCount
from dadeum.data.rows import Removed
from dadeum.documents.stored import write_chunks
from dadeum.models.fresh import folder_in

__all__ = ["REMOVED_SCHEMA", "BuildResult", "build_data", "prepare", "removed_table"]

REMOVED_SCHEMA = pa.schema([(field.name, pa.string()) for field in fields(Removed)])


@dataclass(frozen=True)
class BuildResult:
    """Counts of a build; the rows themselves are in the run folder."""

    rows_in: int
    used: dict[str, int]
    """Rows per split."""
    removed: dict[str, int]
    """Rows per reason, commonest first."""
    changed: int
    """Rows that are used otherwise than they were read."""
    steps: list[StepCount]
    """What each clean step did, in its order."""
    labels: dict[str, dict[str, int]]
    """Rows per split and label."""
    guesses: dict[str, FieldMap]
    """Mappings that were guessed, by source."""
    seconds: float


def build_data(recipe: Recipe, run: Run, progress: Progress = silent, fits: Fits | None = None) -> BuildResult:
    """Build all splits of a run. `fits` applies the token limit; None loads the tokenizer of the recipe's model.

    Nothing is written before all of it can be: on a user's mistake (DataError, Problems, ModelError) the run
    folder stays as it was.
    """
    started = time.perf_counter()
    if fits is None:
        # Imported here: tokenizers are slow to load and need the model.
        from dadeum.data.lengths.tokens import counter_of

        fits = counter_of(recipe)
    prepared = prepare(recipe, fits, progress)
    if isinstance(fits, Learner) and fits.made:
        keep_base(fits.made, run)
    for name, examples in prepared.examples.items():
        _write(to_table(examples), run, name)
    if prepared.passages:
        write_chunks(run.split_path("chunks"), prepared.passages.chunks)
    _write(removed_table([*prepared.removed, *prepared.changed]), run, "removed")
    run.record("data", _record(prepared, run))
    seconds = round(time.perf_counter() - started, 2)
    return BuildResult(
        prepared.rows_in, prepared.used, prepared.removed_by_reason, len(prepared.changed), prepared.steps,
        prepared.labels, prepared.guesses, seconds,
    )  # fmt: skip


def keep_base(made: Path, run: Run) -> None:
    """The base that was made for this data, where every later step loads it; complete or absent."""
    folder = folder_in(run)
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(made, temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)


def removed_table(removed: list[Removed]) -> pa.Table:
    """Columns id, source, origin, text, label, reason, detail, kind (`rows.Removed`), original (JSON as read)."""
    columns = {field.name: [getattr(row, field.name) for row in removed] for field in fields(Removed)}
    return pa.table(columns, schema=REMOVED_SCHEMA)


def _write(table: pa.Table, run: Run, name: str) -> None:
    with atomic(run.split_path(name)) as temporary:
        pq.write_table(table, temporary)


def _record(prepared: Prepared, run: Run) -> dict[str, Any]:
    """What the manifest holds under `data`."""
    tables = [*prepared.examples, "removed", *(["chunks"] if prepared.passages else [])]
    return {
        "rows_in": prepared.rows_in,
        "used": prepared.used,
        "removed": prepared.removed_by_reason,
        "changed": len(prepared.changed),
        "clean": [{"step": step.step, "changed": step.changed, "removed": step.removed} for step in prepared.steps],
        "labels": prepared.labels,
        "token_lengths": asdict(prepared.limited.lengths) if prepared.limited else None,
        "corpus": asdict(prepared.passages.facts) if prepared.passages else None,
        "notes": prepared.notes,
        "sources": {source.name: asdict(source) for source in prepared.sources},
        "sha256": {name: file_hash(run.split_path(name)) for name in tables},
        "seconds": {step: round(value, 3) for step, value in prepared.seconds.items()},
    }
