"""Retrieve: a question → the chunks of the corpus that answer it.

What answers a question stands beside it: ids of chunks, or ids of whole documents where nobody said which part.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from dadeum.core.examples import Example, Turn
from dadeum.core.task import Retrieve

RELEVANT = "relevant"
"""Key of `Example.extra`: ids of the chunks (or documents) that answer the question, as a JSON list."""
DOMAIN, DIFFICULTY = "domain", "difficulty"
"""Keys of `Example.extra` by which figures are broken down."""


def prompt(question: str) -> list[Turn]:
    """The question alone; prefixes are the model's business (`query_text`)."""
    return [{"role": "user", "content": question}]


def relevant(example: Example) -> list[str]:
    """Ids of what answers the question, in the order of the file."""
    found: list[str] = json.loads(example.extra.get(RELEVANT, "[]"))
    return found


def as_extra(ids: Sequence[str]) -> str:
    """Ids as `Example.extra` keeps them."""
    return json.dumps(list(ids), ensure_ascii=False)


def query_text(task: Retrieve, question: str) -> str:
    """What the model reads of a question."""
    return task.query_prefix + question


def chunk_text(task: Retrieve, text: str) -> str:
    """What the model reads of a chunk."""
    return task.chunk_prefix + text
