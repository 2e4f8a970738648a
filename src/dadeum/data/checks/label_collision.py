"""The tokenizer tells labels apart: no label's tokens equal, or begin, another's."""

from __future__ import annotations

from itertools import combinations

from dadeum.core.findings import Finding
from dadeum.data.context import Context

CODE = "DA502"
NAME = "label_collision"


def check(context: Context) -> list[Finding]:
    if context.tokens is None or context.decision is None:
        return []
    spans = list(zip(context.decision.labels, context.tokens.label_spans, strict=True))
    pairs = [(first, second) for first, second in combinations(spans, 2) if _collide(first[1], second[1])]
    if not pairs:
        return []
    rows = [
        {"id": "-", "split": "-", "text": f"{first[0]} / {second[0]}", "tokens": f"{first[1]} / {second[1]}"}
        for first, second in pairs[:3]
    ]
    values = {"pairs": ", ".join(f"{first[0]} / {second[0]}" for first, second in pairs)}
    return [Finding(CODE, NAME, "block", len(pairs), len(spans), values, rows)]


def _collide(first: list[int], second: list[int]) -> bool:
    shared = min(len(first), len(second))
    return first[:shared] == second[:shared]
