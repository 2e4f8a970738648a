"""Rows of one label that are equal or nearly equal: weight nobody asked for."""

from __future__ import annotations

from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context, short
from dadeum.data.duplicates import near_copies

CODE = "DA301"
NAME = "duplicates"


def check(context: Context) -> list[Finding]:
    similarity = context.recipe.data.near_duplicate_similarity if context.recipe else 0.9
    found: list[Hit] = []
    num_exact = 0
    for label in context.labels:
        rows = [row for row, (_, example) in enumerate(context.placed) if example.label == label]
        texts = [context.placed[row][1].text for row in rows]
        for copy, (kept, value) in near_copies(texts, similarity, context.memory).items():
            other = context.placed[rows[kept]][1]
            what = {"like": other.id, "like_text": short(other.text), "similarity": round(value, 3)}
            found.append(Hit(rows[copy], found=what))
            num_exact += texts[copy] == other.text
    values = {"exact": num_exact, "near": len(found) - num_exact, "similarity": similarity}
    return context.finding(CODE, NAME, "warn", found, values)
