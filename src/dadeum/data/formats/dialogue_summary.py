"""A dialogue (or document) and its summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dadeum.data.formats.base import SYSTEM, Halves, Layout, assistant, matched, system, user
from dadeum.data.rows import Table

RANK = 6
NEEDS = {
    "dialogue": (
        "dialogue", "dialog", "conversation", "대화", "대화문", "대화내용", "document", "passage", "article", "text",
        "content", "본문", "원문", "문서", "기사", "내용",
    ),
    "summary": ("summary", "summaries", "abstractive", "abstract", "요약", "요약문", "요약본"),
}  # fmt: skip
TASKS = ("summarize", "chat")
MAY = {"system": SYSTEM}


def recognise(table: Table, task: str | None, label: str | None) -> Layout | None:
    return matched(table, TASKS, NEEDS, MAY)


def convert(cells: Sequence[Any], layout: Layout) -> Halves:
    prompt = [*system(layout.optional(cells, "system")), *user(layout.text(cells, "dialogue"))]
    return Halves(prompt, assistant(layout.text(cells, "summary")), [])
