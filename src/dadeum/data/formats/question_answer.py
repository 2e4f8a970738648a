"""Questions and answers, with the text or the documents that the answer stands in where the file has them.

A question that names its documents needs no answer: it can be searched for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dadeum.data.formats._beside import values_of
from dadeum.data.formats._turns import history_in
from dadeum.data.formats.base import SYSTEM, Halves, Layout, Unread, assistant, lines, matched, system, text_in, user
from dadeum.data.reading.cells import text_of
from dadeum.data.rows import Table

RANK = 5
NEEDS = {
    "question": ("question", "questions", "q", "query", "질문", "질의", "문의", "문제"),
    "answer": ("answer", "answers", "a", "response", "답변", "응답", "답", "대답", "정답"),
}
TASKS = ("answer", "chat")
MAY = {
    "context": ("context", "passage", "지문", "문맥", "본문", "근거문", "참고문"),
    "document": (
        "relevant_chunks",
        "relevant_docs",
        "relevant_documents",
        "relevant_chunk",
        "chunk_ids",
        "관련 문서",
        "관련 문단",
        "근거 문서",
    ),
    "system": SYSTEM,
    "history": ("history", "이전 대화", "대화 이력"),
}


QUESTIONS = {"question": NEEDS["question"], "document": MAY["document"]}
"""What a file to search with has at least."""


def recognise(table: Table, task: str | None, label: str | None) -> Layout | None:
    layout = matched(table, TASKS, NEEDS, MAY)
    if layout is not None:
        return replace(layout, tasks=(*TASKS, "retrieve")) if "document" in layout.at else layout
    return matched(table, ("retrieve",), QUESTIONS, {name: known for name, known in MAY.items() if name != "document"})


def convert(cells: Sequence[Any], layout: Layout) -> Halves:
    """The context stands above the question; the documents' names go beside the row, the model does not see them."""
    asked = lines((layout.optional(cells, "context"), layout.text(cells, "question")))
    document = values_of(cells[layout.at["document"]]) if "document" in layout.at else ""
    answer, others = _answers(cells, layout) if _is_answered(cells, layout) else ("", "")
    extra = ({"document": document} if document else {}) | ({"answers": others} if others else {})
    before = [*system(layout.optional(cells, "system")), *history_in(cells, layout)]
    return Halves([*before, *user(asked)], assistant(answer) if answer else [], [], extra=extra)


def _is_answered(cells: Sequence[Any], layout: Layout) -> bool:
    """Whether there must be an answer; one that is missing beside documents is nobody's mistake."""
    return "document" not in layout.at or ("answer" in layout.at and bool(text_of(cells[layout.at["answer"]]).strip()))


def _answers(cells: Sequence[Any], layout: Layout) -> tuple[str, str]:
    """The answer and, in SQuAD's layout `{"text": [...], "answer_start": [...]}`, the other ones, one a line."""
    cell = cells[layout.at["answer"]]
    if not isinstance(cell, dict) or not isinstance(cell.get("text"), list):
        return layout.text(cells, "answer"), ""
    column = layout.columns["answer"][0]
    if not cell["text"]:
        raise Unread("missing_field", f"{column}.text: []")
    first, *rest = (text_in(text, f"{column}.text") for text in cell["text"])
    return first, lines(text for text in dict.fromkeys(rest) if text != first)
