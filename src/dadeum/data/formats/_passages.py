"""Names that columns go by in files of chunks, and of questions about them."""

from __future__ import annotations

CHUNKS = {
    "id": ("id", "chunk_id", "_id", "passage_id", "조각", "조각 id", "청크", "청크 id"),
    "text": ("text", "content", "page_content", "passage", "chunk", "contents", "본문", "내용"),
    "document": ("document", "document_id", "doc_id", "doc", "source", "file", "file_name", "title", "문서", "파일명"),
    "first_page": ("first_page", "page", "page_number", "쪽", "페이지"),
    "last_page": ("last_page", "마지막 쪽"),
}
QUESTIONS = {
    "question": ("question", "questions", "query", "q", "질문", "질의", "문의", "text"),
    "answer": ("answer", "answers", "a", "response", "답변", "응답", "답", "대답", "정답"),
    "relevant_chunks": (
        "relevant_chunks", "relevant_chunk", "relevant_docs", "relevant_documents", "relevant", "chunk_ids",
        "chunk_id", "document", "document_id", "doc_id", "관련 문단", "관련 문서", "근거 문단", "근거 문서", "문서",
    ),
    "domain": ("domain", "category", "topic", "분야", "영역", "주제"),
    "difficulty": ("difficulty", "level", "난이도"),
}  # fmt: skip
QUESTION_IDS = {"id": ("id", "_id", "query_id", "question_id", "qid", "번호", "아이디", "질문 id")}
