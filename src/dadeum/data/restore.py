"""Removed and changed rows back as they were read: a JSONL file that is a source again.

Rows that are used unchanged, and what `restore` writes, together are all rows that could be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from dadeum.core.errors import DataError, RunError
from dadeum.core.run import atomic
from dadeum.data.nearest import nearest
from dadeum.data.rows import UNREADABLE

_UNREADABLE_START = f'{{"{UNREADABLE}": '


def restore(folder: Path, reasons: Sequence[str] | None, out: Path) -> int:
    """Write the original rows of a run (or of a folder with its removed.parquet) to `out`; how many were written.

    `reasons` are those of the table, `changed` among them; None takes all but rows that no reader understood, which
    are written, as `{"unreadable": ...}`, only when their reason is asked for. Raises RunError when there is no
    table or it keeps no originals, DataError for a reason that the table does not have.
    """
    table = pq.read_table(_removed_path(folder))
    if "original" not in table.column_names:
        raise RunError("data.repairs.no_originals", folder=folder)
    rows = list(zip(table["reason"].to_pylist(), table["original"].to_pylist(), strict=True))
    known = sorted({reason for reason, _ in rows})
    for reason in reasons or ():
        if reason not in known:
            listed = ", ".join(known) or "-"
            raise DataError("data.repairs.unknown_reason", reason=reason, near=nearest(reason, known), known=listed)
    if reasons is None:
        wanted = [original for _, original in rows if not original.startswith(_UNREADABLE_START)]
    else:
        wanted = [original for reason, original in rows if reason in reasons]
    with atomic(out) as temporary:
        temporary.write_text("".join(f"{original}\n" for original in wanted), encoding="utf-8")
    return len(wanted)


def _removed_path(folder: Path) -> Path:
    for path in (folder / "data" / "removed.parquet", folder / "removed.parquet"):
        if path.exists():
            return path
    raise RunError("errors.missing_step", path="data/removed.parquet", step="data build", folder=folder)
