"""`dadeum data draft`: chunks → questions with answers that a model wrote, looked at at once, for people to review.

Accepted drafts stand in the file with `review: draft`, the others with their reason in `<name>.rejected.jsonl`. Both
grow as replies come: a second call goes on with the chunks that neither of them has.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.progress import Progress, silent
from dadeum.core.run import append_jsonl, read_jsonl
from dadeum.data.builders.asking import Asking, Draft, prompt_version, read_drafts
from dadeum.data.builders.authors import Author
from dadeum.data.builders.draft_rules import Rules
from dadeum.data.texts.questions import bare
from dadeum.documents.chunks import Chunk

MIN_LETTERS = 40
"""Letters and digits of a chunk that is worth asking about; shorter ones are headings and page numbers."""
_REPLY_CHARACTERS = 500


@dataclass
class Drafted:
    """What became of the chunks and the drafts."""

    out: Path
    rejected_file: Path
    chunks: int = 0
    """Asked about now."""
    done_before: int = 0
    short: int = 0
    """Chunks too short to ask about."""
    beyond_limit: int = 0
    failed: int = 0
    """Chunks without a reply: asked again by the next call."""
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    detail: str = ""
    """Of the last failure."""


def rejected_path(out: Path) -> Path:
    return out.with_name(f"{out.stem}.rejected.jsonl")


def chosen(chunks: Sequence[Chunk], out: Path, limit: int | None = None, seed: int = 42) -> tuple[list[Chunk], Drafted]:
    """The chunks to ask about, drawn with the seed, and what is left out; nothing is asked yet."""
    drafted = Drafted(out, rejected_path(out))
    done = {name for row in read_jsonl(out) for name in _ids(row)}
    done |= {str(row.get("chunk")) for row in read_jsonl(drafted.rejected_file)}
    long = [chunk for chunk in chunks if len(bare(chunk.text)) >= MIN_LETTERS]
    drafted.short = len(chunks) - len(long)
    # Drawn from all, not from what is left: a second call with the same limit asks about the same chunks.
    order = random.Random(seed).sample(long, len(long))[:limit]
    drafted.beyond_limit = len(long) - len(order)
    left = [chunk for chunk in order if chunk.id not in done]
    drafted.done_before = len(order) - len(left)
    return left, drafted


def _ids(row: dict[str, Any]) -> list[str]:
    named = row.get("relevant_chunks", [])
    return [str(name) for name in named] if isinstance(named, list) else [str(named)]


def draft(
    chunks: Sequence[Chunk], drafted: Drafted, author: Author, per_chunk: int = 2, progress: Progress = silent
) -> Drafted:
    """Ask about each of the chunks (see `chosen`), a few at a time: the same replies give the same file.

    Raises DataError when not one reply came.
    """
    rules = Rules()
    for row in read_jsonl(drafted.out):
        rules.remember(str(row.get("question", "")))
    drafted.out.parent.mkdir(parents=True, exist_ok=True)
    progress("data.builders.progress", 0, len(chunks))
    for start in range(0, len(chunks), author.at_once):
        askings = [Asking(chunk, per_chunk) for chunk in chunks[start : start + author.at_once]]
        replies = dict(author.write(askings))
        for index, asking in enumerate(askings):
            reply = replies[index]
            if reply.text is None:
                drafted.failed += 1
                drafted.detail = reply.detail or drafted.detail
            else:
                drafted.chunks += 1
                _take(drafted, rules, asking, reply.text, author.name)
        progress("data.builders.progress", start + len(askings), len(chunks))
        if not all(reply.asked for reply in replies.values()):
            # Nobody answers there; what is left is asked by the next call.
            drafted.failed += len(chunks) - start - len(askings)
            break
    if chunks and not drafted.chunks:
        raise DataError("data.builders.no_reply", address=author.address or author.name, detail=drafted.detail)
    return drafted


def _take(drafted: Drafted, rules: Rules, asking: Asking, reply: str, model: str) -> None:
    """Accept or turn away each draft of a reply; a reply without any leaves a row, so that nobody asks again."""
    chunk, made = asking.chunk, {"drafted_by": model, "prompt_version": prompt_version()}
    drafts = read_drafts(reply)
    if not drafts:
        reason = "unreadable" if drafts is None else "nothing_to_ask"
        _reject(drafted, {"chunk": chunk.id, "reason": reason, "detail": reply[:_REPLY_CHARACTERS]} | made)
        return
    for place, one in enumerate(drafts):
        reason, found = rules.fault(one, chunk) if place < asking.number else ("too_many", str(asking.number))
        said = {"question": one.question, "answer": one.answer}
        if reason:
            _reject(drafted, {"chunk": chunk.id, "reason": reason, "detail": found} | said | made)
            continue
        rules.remember(one.question)
        append_jsonl(drafted.out, _row(one, chunk) | made)
        drafted.accepted += 1


def _row(one: Draft, chunk: Chunk) -> dict[str, Any]:
    row: dict[str, Any] = {"question": one.question, "answer": one.answer, "relevant_chunks": [chunk.id]}
    return row | {"difficulty": one.difficulty, "review": "draft"}


def _reject(drafted: Drafted, row: dict[str, Any]) -> None:
    append_jsonl(drafted.rejected_file, row)
    drafted.rejected[row["reason"]] += 1
