"""Most of what the documents say is asked about: of the rest, nobody learns whether it is found.

The rows that it shows are chunks, not questions.
"""

from __future__ import annotations

from typing import Any

from dadeum.core.findings import Finding
from dadeum.data.context import MAX_SHOWN, Context, short

CODE = "DA606"
NAME = "unasked_chunks"

MIN_SHARE = 0.3
"""Share of chunks without a question from which it is worth knowing; headings and contents are never asked about."""


def check(context: Context) -> list[Finding]:
    if context.passages is None or not context.asked:
        return []
    asked = {chunk.id for one in context.asked for chunk in one.chunks}
    chunks = context.passages.chunks
    unasked = [chunk for chunk in chunks if chunk.id not in asked]
    if not asked or len(unasked) < MIN_SHARE * len(chunks):
        return []
    documents = {chunk.document for chunk in unasked} - {chunk.document for chunk in chunks if chunk.id in asked}
    # The longest say most.
    longest = sorted(unasked, key=lambda chunk: (-len(chunk.text), chunk.id))[:MAX_SHOWN]
    rows: list[dict[str, Any]] = [{"id": chunk.id, "split": "", "text": short(chunk.text)} for chunk in longest]
    values = {
        "share": len(unasked) / len(chunks), "documents": len(documents), "first": longest[0].id,
    }  # fmt: skip
    return [Finding(CODE, NAME, "info", len(unasked), len(chunks), values, rows)]
