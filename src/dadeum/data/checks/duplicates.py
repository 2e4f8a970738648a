"""Rows of one label that are equal or nearly equal: weight nobody asked for."""

from __future__ import annotations

from typing import Any

from dadeum.core.examples import Example
from dadeum.core.findings import Finding
from dadeum.data.context import Context, short, shown
from dadeum.data.duplicates import near_copies

CODE = "DA301"
NAME = "duplicates"


def check(context: Context) -> list[Finding]:
    similarity = context.recipe.data.near_duplicate_similarity
    found: list[tuple[str, Example, dict[str, Any]]] = []
    num_exact = 0
    for label in context.labels:
        rows = [placed for placed in context.placed if placed[1].label == label]
        copies = near_copies([example.text for _, example in rows], similarity, context.memory)
        for copy, (kept, value) in copies.items():
            other = rows[kept][1]
            what = {"like": other.id, "like_text": short(other.text), "similarity": round(value, 3)}
            found.append((*rows[copy], what))
            num_exact += rows[copy][1].text == other.text
    if not found:
        return []
    values = {"exact": num_exact, "near": len(found) - num_exact, "similarity": similarity}
    return [Finding(CODE, NAME, "warn", len(found), context.num_rows, values, shown(found))]
