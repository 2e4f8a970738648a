"""Tokens of questions and chunks under an embedding model: nothing is left out for its length, but all is counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dadeum.core.examples import Example
from dadeum.core.messages import Message
from dadeum.core.recipe import Recipe
from dadeum.core.task import Retrieve
from dadeum.data.passages.corpus import Passages
from dadeum.models.render import Fitted
from dadeum.tasks import retrieve


class QuestionCounter:
    """What `TokenCounter` is for models that write, for an embedding model; loads its tokenizer once, no weights."""

    def __init__(self, recipe: Recipe) -> None:
        from dadeum.models.embed import embedder_tokenizer, text_limit

        if not isinstance(recipe.task, Retrieve):
            raise AssertionError(f"{recipe.task.type} has no questions to count")
        self.recipe = recipe
        self.task = recipe.task
        self.label_spans: list[list[int]] = []
        self.escaped: dict[str, str] = {}
        self.made: Path | None = None
        self.is_ready = True
        self.notes: list[Message] = []
        self.limit = recipe.task.max_seq_length or text_limit(recipe.model.base, recipe.model.revision)
        """Tokens of a text that the model reads, its own marks included; None: all."""
        self._tokenizer: Any = embedder_tokenizer(recipe.model.base, recipe.model.revision)
        self._tokens: dict[str, int] = {}
        """Chunk id → tokens as the model reads it, where `look_at` has seen the chunks."""
        self._chunks_of: dict[str, list[str]] = {}

    def count(self, text: str) -> int:
        """Tokens without the model's own marks."""
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def look_at(self, passages: Passages) -> list[Message]:
        """Count the chunks as the model reads them, into `passages.facts` too; what there is to say of it."""
        read = self._read([retrieve.chunk_text(self.task, chunk.text) for chunk in passages.chunks])
        self._tokens = {chunk.id: tokens for chunk, tokens in zip(passages.chunks, read, strict=True)}
        self._chunks_of = {name: [part.id for part in parts] for name, parts in passages.of_document.items()}
        facts = passages.facts
        facts.limit_tokens = self.limit
        facts.over_limit = sum(tokens > self.limit for tokens in read) if self.limit else 0
        if not facts.over_limit:
            return []
        lost = sum(max(0, tokens - self.limit) for tokens in read) / max(sum(read), 1) if self.limit else 0.0
        values = {"num": facts.over_limit, "total": len(read), "limit": self.limit, "longest": max(read), "lost": lost}
        return [Message("data.passages.over_limit", values)]

    def __call__(self, examples: list[Example]) -> list[Fitted]:
        """Tokens of the question as prompt, of its longest right chunk as answer; every example stays."""
        asked = self._read([retrieve.query_text(self.task, example.text) for example in examples])
        return [
            Fitted(example, tokens, self._gold(retrieve.relevant(example)))
            for example, tokens in zip(examples, asked, strict=True)
        ]

    def _gold(self, ids: Sequence[str]) -> int:
        chunks = [one for name in ids for one in ([name] if name in self._tokens else self._chunks_of.get(name, []))]
        return max((self._tokens[one] for one in chunks), default=0)

    def _read(self, texts: list[str]) -> list[int]:
        """Tokens of each text with the model's marks, however long."""
        return [len(ids) for ids in self._tokenizer(texts, verbose=False)["input_ids"]] if texts else []
