"""Questions about documents as checks see them: rows of a run or a bare file, with the chunks that answer them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Protocol

from dadeum.core.examples import Example
from dadeum.core.messages import Message
from dadeum.documents.chunks import Chunk
from dadeum.tasks import answer, retrieve

TASKS = ("retrieve", "answer")
DOCUMENT = "document"
"""Key of `Example.extra` under which a bare file keeps what answers a question, a line each."""
REVIEW, DRAFT = "review", "draft"
"""Column, and the value in it, of a question that a model wrote and nobody has read."""
_BEGINNING = 20
"""Letters by which the text of a document is known again in the place of an answer."""


class Documents(Protocol):
    """What questions are asked about; `data.passages.corpus.Passages` is one."""

    @property
    def chunks(self) -> list[Chunk]: ...
    @property
    def by_id(self) -> dict[str, Chunk]: ...
    @property
    def of_document(self) -> dict[str, list[Chunk]]: ...
    def found(self, name: str) -> str | None:
        """Id of the chunk or document that is called so; None for neither."""
        ...

    def chunks_of(self, name: str) -> list[Chunk]:
        """Of an id that `found` gave."""
        ...


@dataclass(frozen=True)
class Asked:
    """One question."""

    row: int
    """Position among all rows."""
    split: str
    question: str
    answer: str
    """What a person answered, without citations; empty where nobody did."""
    named: tuple[str, ...]
    """What answers it, as the file says."""
    chunks: tuple[Chunk, ...]
    """… as far as it is known."""
    missing: tuple[str, ...]
    """Named and neither a chunk nor a document; empty without a corpus."""
    domain: str
    difficulty: str
    is_draft: bool

    @property
    def source(self) -> str:
        """The texts that answer it."""
        return "\n".join(chunk.text for chunk in self.chunks)


def asked_of(rows: Sequence[tuple[str, Example]], documents: Documents | None, is_run: bool) -> list[Asked]:
    """(split, example) → the questions among them. A bare file's rows are some where they name what answers them."""
    found = []
    for at, (split, example) in enumerate(rows):
        named = retrieve.relevant(example) if retrieve.RELEVANT in example.extra else _named(example, documents)
        if not named and not is_run:
            continue
        known = {name: documents.found(name) if documents else None for name in named}
        chunks = [chunk for name in known.values() if name and documents for chunk in documents.chunks_of(name)]
        source = "\n\n".join(chunk.text for chunk in chunks)
        found.append(
            Asked(
                at, split, example.text, _answer(example, source), tuple(named),
                tuple({chunk.id: chunk for chunk in chunks}.values()),
                tuple(name for name, place in known.items() if place is None and documents is not None),
                example.extra.get(retrieve.DOMAIN, ""), example.extra.get(retrieve.DIFFICULTY, ""),
                example.extra.get(REVIEW, "").strip().lower() == DRAFT,
            )
        )  # fmt: skip
    return found


def _named(example: Example, documents: Documents | None) -> list[str]:
    """A line each, or parted by commas where the line as a whole is not known: an id may have a comma of its own."""
    lines = [line.strip() for line in example.extra.get(DOCUMENT, "").split("\n") if line.strip()]
    if documents is None:
        return lines
    parts = [[line] if documents.found(line) else re.split(r"[,;]", line) for line in lines]
    return [name.strip() for line in parts for name in line if name.strip()]


def _answer(example: Example, source: str) -> str:
    """What a person answered; neither a refusal that the recipe teaches nor the documents themselves."""
    if answer.kind(example) != "answerable" and answer.GOLD_ANSWER not in example.extra:
        return ""
    found = answer.gold_answer(example)
    is_source = len(found) >= len(source) > 0 and found[:_BEGINNING] == source[:_BEGINNING]
    return "" if is_source else found


def statistics(asked: Sequence[Asked], documents: Documents | None) -> dict[str, Any]:
    """How many questions, about how much, and of which kinds; what is not known is left out."""
    facts: dict[str, Any] = {"questions": len(asked), "distinct": len({one.question for one in asked})}
    if answers := [len(one.answer) for one in asked if one.answer]:
        facts |= {"answered": len(answers), "mean_answer_characters": round(fmean(answers), 1)}
    facts["mean_question_characters"] = round(fmean(len(one.question) for one in asked), 1) if asked else 0.0
    if documents is not None:
        facts |= {"documents": len(documents.of_document), "chunks": len(documents.chunks)}
        facts["chunks_asked"] = len({chunk.id for one in asked for chunk in one.chunks})
        facts |= dict(_contexts(asked))
    for kind in ("domain", "difficulty", "split"):
        counts = Counter(str(getattr(one, kind)) for one in asked if getattr(one, kind))
        facts |= {kind: dict(counts.most_common())} if counts else {}
    return facts


def _contexts(asked: Sequence[Asked]) -> Iterator[tuple[str, float]]:
    """What stands behind a question: letters and tokens of its chunks together."""
    with_chunks = [one for one in asked if one.chunks]
    if with_chunks:
        yield "mean_context_characters", round(fmean(len(one.source) for one in with_chunks), 1)
        tokens = [sum(chunk.num_tokens for chunk in one.chunks) for one in with_chunks]
        if any(tokens):
            yield "mean_context_tokens", round(fmean(tokens), 1)


def told(asked: Sequence[Asked], documents: Documents | None) -> Iterator[Message]:
    """The statistics as sentences; none where nothing is asked."""
    facts = statistics(asked, documents)
    if not asked:
        return
    yield Message("data.builders.questions", facts)
    if "answered" in facts:
        yield Message("data.builders.answers", facts)
    if documents is not None:
        yield Message("data.builders.contexts", {"letters": facts.get("mean_context_characters", 0), **facts})
    for kind in ("domain", "difficulty"):
        if kind in facts:
            counts = ", ".join(f"{name} {count:,}" for name, count in facts[kind].items())
            yield Message(f"data.builders.{kind}", {"counts": counts})
