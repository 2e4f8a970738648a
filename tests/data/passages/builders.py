"""Small recipes about documents, and a tokenizer that counts letters, so that nothing is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.data.prepare import Prepared, prepare
from dadeum.models.render import Fitted
from tests.corpora import ANSWER, RETRIEVE

TOPICS = ("도서관", "수영장", "주차장", "체육관", "미술관", "식물원", "보건소", "박물관", "공연장", "캠핑장")


class Letters:
    """A `Fits` whose tokens are letters; `limit` letters of a prompt have room."""

    def __init__(self, limit: int = 10**6) -> None:
        self.limit = limit

    def count(self, text: str) -> int:
        return len(text)

    def has_room(self, example: Example) -> bool:
        return sum(len(turn["content"]) for turn in example.prompt) <= self.limit

    def __call__(self, examples: list[Example]) -> list[Fitted]:
        return [Fitted(example, len(example.prompt[-1]["content"]), 1) for example in examples]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def corpus_file(folder: Path, documents: dict[str, str] | None = None) -> Path:
    """Ten documents, each with words of its own."""
    texts = documents or {
        f"doc-{number:02d}": f"{topic} 요금은 {number}천 원입니다. {topic} 관리자는 {number}층에 있습니다."
        for number, topic in enumerate(TOPICS, start=1)
    }
    path = folder / "corpus.json"
    path.write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
    return path


def asked() -> list[dict[str, Any]]:
    """Two questions a document."""
    rows = []
    for number, topic in enumerate(TOPICS, start=1):
        rows += [
            {"question": f"{topic}에서 내야 하는 돈은?", "answer": f"{number}천 원입니다."},
            {"question": f"{topic} 일을 맡은 사람은 어디에 있나요?", "answer": f"{number}층에 있습니다."},
        ]
        for row in rows[-2:]:
            row["relevant_chunks"] = [f"doc-{number:02d}"]
    return rows


def recipe(task: dict[str, Any], corpus: dict[str, Any], *sources: dict[str, Any], **changes: Any) -> Recipe:
    """`task` is what differs from RETRIEVE or ANSWER of tests/corpora.py."""
    whole = (RETRIEVE if task.get("type") == "retrieve" else ANSWER) | task
    method = "contrastive" if whole["type"] == "retrieve" else "sft"
    raw = {
        "name": "tiny",
        "task": whole,
        "model": {"base": "nobody/loads-this", "adapter": {"type": "none"}},
        "data": {"corpus": {"size_tokens": None} | corpus, "sources": list(sources)},
        "stages": [{"name": "only", "method": method, "epochs": 1, "learning_rate": 1e-3, "batch_size": 8}],
    }
    data = changes.pop("data", {})
    return Recipe.model_validate(raw | changes | {"data": raw["data"] | data})


def prepared(
    folder: Path, task: dict[str, Any], rows: list[dict[str, Any]] | None = None, fits: Any = None, **changes: Any
) -> Prepared:
    """The ten documents and these questions, through `prepare`."""
    source = {"path": str(lines(folder / "questions.jsonl", asked() if rows is None else rows))}
    made = recipe(task, {"sources": [str(corpus_file(folder))]}, source, **changes)
    return prepare(made, fits or Letters())


RETRIEVING = {"type": "retrieve"}
ANSWERING: dict[str, Any] = {"type": "answer"}
