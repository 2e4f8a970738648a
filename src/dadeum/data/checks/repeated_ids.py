"""An id stands for one row: where it stands for two different ones, something was overwritten, joined or shifted."""

from __future__ import annotations

from collections import defaultdict

from dadeum.core.examples import Example
from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context

CODE = "DA107"
NAME = "repeated_ids"

MIN_DISTINCT = 0.5
"""Share of distinct ids under which the column is no id of rows but of documents, people or conversations."""


def check(context: Context) -> list[Finding]:
    """Ids are compared within a source: every file may count from 1."""
    by_id: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (_, example) in enumerate(context.placed):
        if name := example.extra.get("id", "").strip():
            by_id[example.source][name].append(row)
    found, num_ids = [], 0
    for rows_of in by_id.values():
        if len(rows_of) < MIN_DISTINCT * sum(map(len, rows_of.values())):
            continue
        for name, rows in rows_of.items():
            if len({_content(context.placed[row][1]) for row in rows}) > 1:
                num_ids += 1
                found += [Hit(row, found={"repeated": name}) for row in rows]
    return context.finding(CODE, NAME, "warn", found, {"ids": num_ids})


def _content(example: Example) -> tuple[str, ...]:
    turns = [*example.prompt, *example.completion, *example.rejected]
    return (example.text, example.label, *(turn["content"] for turn in turns))
