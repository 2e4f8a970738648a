"""The clean steps of a recipe, by name. A step changes fields in place or throws rows out with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dadeum.core.korean import nfc
from dadeum.core.plugins import find
from dadeum.core.recipe import CleanStep, Recipe
from dadeum.data.characters import squash_spaces, strip_html
from dadeum.data.duplicates import near_copies
from dadeum.data.fingerprints import Memory
from dadeum.data.rows import Removed, Row, Value, remove

Clean = Callable[[str], str]

# -- steps ----------------------------------------------------------------------------------------
_TEXT_STEPS: dict[str, Clean] = {"nfc": nfc, "strip_html": strip_html, "squash_spaces": squash_spaces}


def apply_step(step: CleanStep, rows: list[Row], recipe: Recipe, memory: Memory) -> tuple[list[Row], list[Removed]]:
    """(rows that remain, in their order; the rest with reason and detail) after one step of `data.clean`."""
    if step in _TEXT_STEPS:
        _change_text(rows, _TEXT_STEPS[step], recipe)
        return rows, []
    if step == "drop_empty":
        return _part(rows, {index: "" for index, row in enumerate(rows) if not row.text.strip()}, "empty")
    if step == "drop_exact_duplicates":
        return _part(rows, _exact_copies(rows), "exact_duplicate")
    return _part(rows, _near_copies(rows, recipe.data.near_duplicate_similarity, memory), "near_duplicate")


def _change_text(rows: Iterable[Row], change: Clean, recipe: Recipe) -> None:
    task = recipe.task
    plain_text = find("tasks", task.type).plain_text
    for row in rows:
        fields = {name: _changed(value, change) for name, value in row.fields.items()}
        if fields != row.fields:
            row.fields, row.text = fields, plain_text(task, fields)
        row.reason = change(row.reason) if row.reason is not None else None


def _changed(value: Value, change: Clean) -> Value:
    if isinstance(value, str):
        return change(value)
    return [item for item in map(change, value) if item]


def _exact_copies(rows: list[Row]) -> dict[int, str]:
    """Index of every row whose text and label stood before → id of the first one."""
    first: dict[tuple[str, str], str] = {}
    copies = {}
    for index, row in enumerate(rows):
        kept = first.setdefault((row.text, row.label), row.id)
        if kept != row.id:
            copies[index] = kept
    return copies


def _near_copies(rows: list[Row], similarity: float, memory: Memory) -> dict[int, str]:
    """Index of every row that is nearly an earlier kept row of its label → id of that row and the similarity."""
    memory.of([row.text for row in rows])
    by_label: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_label.setdefault(row.label, []).append(index)
    copies = {}
    for indices in by_label.values():
        for copy, (kept, value) in near_copies([rows[index].text for index in indices], similarity, memory).items():
            copies[indices[copy]] = f"{rows[indices[kept]].id} ({value:.2f})"
    return copies


def _part(rows: list[Row], gone: dict[int, Any], reason: str) -> tuple[list[Row], list[Removed]]:
    kept = [row for index, row in enumerate(rows) if index not in gone]
    return kept, [remove(rows[index], reason, detail) for index, detail in sorted(gone.items())]
