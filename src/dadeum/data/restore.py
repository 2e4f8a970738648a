"""Removed and changed rows back as they were read: a JSONL file that is a source again.

Rows that are used unchanged, and what `restore` writes, together are all rows that could be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from dadeum.core.errors import DataError, RunError
from dadeum.core.examples import SPLITS
from dadeum.core.run import atomic
from dadeum.data.nearest import nearest
from dadeum.data.rows import UNREAD, UNREADABLE

_OWN_FILES = {"removed.parquet", *(f"{split}.jsonl" for split in SPLITS)}
_UNREADABLE_START = f'{{"{UNREADABLE}": '


def restore(folder: Path, reasons: Sequence[str] | None, out: Path) -> int:
    """Write the original rows of a run (or of a folder with its removed.parquet) to `out`; how many were written.

    `reasons` are those of the table, `changed` among them; None takes all but rows that could not be read: they are
    written as they stood in their file (`{"unreadable": ...}` where not even its reader understood them), and only
    when their reason is asked for. Raises RunError when there is no table or it keeps no originals, DataError for a
    reason that the table does not have and for an `out` that is the folder's own.
    """
    if out.resolve().parent == folder.resolve() and out.name in _OWN_FILES:
        raise DataError("data.repairs.own_file", path=out)
    table = pq.read_table(_removed_path(folder))
    if "original" not in table.column_names:
        raise RunError("data.repairs.no_originals", folder=folder)
    rows = list(zip(*(table[name].to_pylist() for name in ("reason", "kind", "original")), strict=True))
    known = sorted({reason for reason, _, _ in rows})
    for reason in reasons or ():
        if reason not in known:
            listed = ", ".join(known) or "-"
            raise DataError("data.repairs.unknown_reason", reason=reason, near=nearest(reason, known), known=listed)
    if reasons is None:
        read = (original for _, kind, original in rows if kind != UNREAD)
        wanted = [original for original in read if not original.startswith(_UNREADABLE_START)]
    else:
        wanted = [original for reason, _, original in rows if reason in reasons]
    with atomic(out) as temporary:
        temporary.write_text("".join(f"{original}\n" for original in wanted), encoding="utf-8")
    return len(wanted)


def _removed_path(folder: Path) -> Path:
    for path in (folder / "data" / "removed.parquet", folder / "removed.parquet"):
        if path.exists():
            return path
    raise RunError("errors.missing_step", path="data/removed.parquet", step="data build", folder=folder)
