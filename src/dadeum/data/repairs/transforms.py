"""The clean steps by name: a step changes the texts of rows in place, or finds rows to remove and says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dadeum.core.clean_steps import CleanStep, step_name
from dadeum.core.korean import nfc
from dadeum.core.mojibake import repair
from dadeum.core.personal import mask_personal
from dadeum.core.recipe import Recipe
from dadeum.data.repairs.removals import Gone, balanced, mixed_speech, over_share, over_size, with_phrases
from dadeum.data.repairs.row_kinds import RowKind
from dadeum.data.rows import Removed, Row, Value, remove, source_name
from dadeum.data.similar.duplicates import near_copies
from dadeum.data.similar.fingerprints import Memory

Clean = Callable[[str], str]
_REPEATED_TEXTS = 1024
"""Texts remembered by a text step: a system prompt stands in every row."""


@dataclass(frozen=True)
class Rules:
    """What the steps need to know beside the rows."""

    kind: RowKind
    seed: int
    similarity: float
    """Jaccard similarity of character 3-grams from which two rows are near duplicates."""
    sources: tuple[str, ...]
    """Names that `resample` may use, also of sources of which no row is left."""

    @classmethod
    def of(cls, recipe: Recipe, kind: RowKind) -> Rules:
        sources = tuple(source_name(source) for source in recipe.data.sources)
        return cls(kind, recipe.seed, recipe.data.near_duplicate_similarity, sources)


@dataclass(frozen=True)
class Applied:
    """What one step did."""

    rows: list[Row]
    """What remains, in its order."""
    removed: list[Removed]
    num_changed: int = 0


def apply_step(step: CleanStep, rows: list[Row], rules: Rules, memory: Memory) -> Applied:
    """One step of `data.clean`. Raises DataError where the step cannot do anything on rows like these."""
    name = step_name(step)
    change = _text_step(name, rules.kind)
    if change is not None:
        return Applied(rows, [], _change_text(name, rows, change, rules.kind))
    reason, gone = _find_removals(name, step, rows, rules, memory)
    kept = [row for index, row in enumerate(rows) if index not in gone]
    return Applied(kept, [remove(rows[index], reason, detail) for index, detail in sorted(gone.items())])


def _text_step(name: str, kind: RowKind) -> Clean | None:
    steps: dict[str, Clean] = {
        "repair_encoding": repair,
        "nfc": nfc,
        "strip_html": kind.strip_html,
        "squash_spaces": kind.squash,
        "mask_pii": mask_personal,
    }
    return steps.get(name)


def _find_removals(name: str, step: Any, rows: list[Row], rules: Rules, memory: Memory) -> tuple[str, Gone]:
    """(reason, index of every row to remove → detail)."""
    kind, seed = rules.kind, rules.seed
    found: dict[str, tuple[str, Callable[[], Gone]]] = {
        "drop_empty": ("empty", lambda: {index: "" for index, row in enumerate(rows) if kind.is_empty(row)}),
        "drop_exact_duplicates": ("exact_duplicate", lambda: _exact_copies(rows, kind)),
        "drop_near_duplicates": ("near_duplicate", lambda: _near_copies(rows, kind, rules.similarity, memory)),
        "trim_mixed_speech": ("mixed_speech", lambda: mixed_speech(rows, kind)),
        "drop_phrases": ("phrase", lambda: with_phrases(rows, kind, step.drop_phrases)),
        "cap_phrase_share": ("phrase_capped", lambda: over_share(rows, kind, step.cap_phrase_share, seed)),
        "balance": ("balanced", lambda: balanced(rows, step.balance, seed)),
        "resample": ("not_sampled", lambda: over_size(rows, step.resample, rules.sources, seed)),
    }
    reason, find = found[name]
    return reason, find()


# -- texts ----------------------------------------------------------------------------------------
def _change_text(name: str, rows: Iterable[Row], change: Clean, kind: RowKind) -> int:
    """How many rows have another text now."""
    change = lru_cache(_REPEATED_TEXTS)(change)
    num_changed = 0
    for row in rows:
        fields = {field: _changed(value, change) for field, value in row.fields.items()}
        reason = change(row.reason) if row.reason is not None else None
        if fields != row.fields or reason != row.reason:
            row.change(name, fields, reason)
            row.text = kind.input_text(row)
            num_changed += 1
    return num_changed


def _changed(value: Value, change: Clean) -> Value:
    if isinstance(value, str):
        return change(value)
    return [item for item in map(change, value) if item]


# -- duplicates -----------------------------------------------------------------------------------
def _exact_copies(rows: list[Row], kind: RowKind) -> Gone:
    """Index of every row whose content and label stood before → id of the first one."""
    first: dict[tuple[str, str], str] = {}
    copies = {}
    for index, row in enumerate(rows):
        kept = first.setdefault((kind.compared(row), row.label), row.id)
        if kept != row.id:
            copies[index] = kept
    return copies


def _near_copies(rows: list[Row], kind: RowKind, similarity: float, memory: Memory) -> Gone:
    """Index of every row that is nearly an earlier kept row of its label → id of that row and the similarity."""
    texts = [kind.compared(row) for row in rows]
    memory.of(texts)
    by_label: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_label.setdefault(row.label, []).append(index)
    copies = {}
    for indices in by_label.values():
        for copy, (kept, value) in near_copies([texts[index] for index in indices], similarity, memory).items():
            copies[indices[copy]] = f"{rows[indices[kept]].id} ({value:.2f})"
    return copies
