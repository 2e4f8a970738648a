"""Only runs that were judged on exactly the same test rows can stand in one table; says how they differ otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dadeum.core.errors import RunError
from dadeum.core.run import Run

_SHOWN = 3


class HasId(Protocol):
    @property
    def id(self) -> str: ...


def require_same_rows(runs: Sequence[Run], hashes: Sequence[str], samples: Sequence[Sequence[HasId]]) -> None:
    """RunError for the first run whose rows are not those of the first."""
    first = [row.id for row in samples[0]]
    for run, digest, rows in zip(runs[1:], hashes[1:], samples[1:], strict=True):
        ids = [row.id for row in rows]
        if digest == hashes[0] and ids == first:
            continue
        only_first, only_second = _without(first, ids), _without(ids, first)
        folders = {"first": runs[0].folder, "second": run.folder}
        if not only_first and not only_second:
            raise RunError("compare.same_ids_other_rows", num=len(ids), **folders)
        key = "compare.different_rows" if digest != hashes[0] else "compare.different_sample"
        raise RunError(
            key, num_first=len(first), num_second=len(ids), num_only_first=len(only_first),
            num_only_second=len(only_second), only_first=_some(only_first), only_second=_some(only_second), **folders,
        )  # fmt: skip


def _without(ids: Sequence[str], others: Sequence[str]) -> list[str]:
    known = set(others)
    return [each for each in ids if each not in known]


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_SHOWN]) + (" …" if len(ids) > _SHOWN else "") if ids else "-"
