"""Answer: a question and chunks of documents → an answer that stands in them, with its place, or a refusal.

Chunks are shown numbered from 1; an answer ends with the numbers it rests on (`… 30만 원입니다. [2]`). The same text is
built for training, evaluation and `dadeum ask`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal, Protocol

from dadeum.core.examples import Example, Turn, answer_of
from dadeum.core.finishing import finish
from dadeum.core.speech import Level
from dadeum.core.task import Answer

SHOWN = "shown"
"""Key of `Example.extra`: ids of the chunks in the order in which the prompt shows them, as a JSON list."""
KIND = "kind"
"""Key of `Example.extra`: one of `Kind`."""
Kind = Literal["answerable", "missed", "unanswerable"]
"""The right chunk is shown; it was searched and not found; it was kept back on purpose, or there is none."""
GOLD_ANSWER = "gold_answer"
"""Key of `Example.extra`: what a person answered, where a refusal is taught because the chunk is not shown."""
_CITED = re.compile(r"(?:\s*\[\d{1,2}(?:\s*,\s*\d{1,2})*\])+(?P<stop>\s*[.。])?\s*$")
_NUMBER = re.compile(r"\d{1,2}")


class Passage(Protocol):
    """A chunk, or what a search found."""

    @property
    def document(self) -> str: ...
    @property
    def first_page(self) -> int: ...
    @property
    def text(self) -> str: ...


def prompt(task: Answer, question: str, passages: Sequence[Passage]) -> list[Turn]:
    """What the model is given. A chunk's own braces and numbers stay as they are."""
    shown = numbered(passages)
    before, _, after = task.instruction.partition("{chunks}")
    # Filled from both sides: a question or a chunk that holds `{question}` is no slot.
    asked = before.replace("{question}", question) + shown + after.replace("{question}", question)
    system: list[Turn] = [{"role": "system", "content": task.system}] if task.system else []
    return [*system, {"role": "user", "content": asked}]


def numbered(passages: Sequence[Passage]) -> str:
    """Chunks as the prompt shows them."""
    return "\n\n".join(
        f"[{number}] {passage.document} p.{passage.first_page}\n{passage.text}"
        for number, passage in enumerate(passages, start=1)
    )


def completion(task: Answer, answer: str, cited: Sequence[int]) -> list[Turn]:
    """The answer that is taught, with the numbers (from 1) of the chunks that it rests on."""
    numbers = "".join(f"[{number}]" for number in sorted(set(cited))) if task.citations else ""
    return [{"role": "assistant", "content": f"{answer} {numbers}" if numbers else answer}]


def refusal(task: Answer) -> list[Turn]:
    """What is taught where the chunks hold no answer."""
    return [{"role": "assistant", "content": task.refusal}]


def split_citations(text: str) -> tuple[str, list[int]]:
    """An answer without the numbers at its end, and those numbers; `[2023]` and numbers inside it stay text.

    `[1][2]`, `[1, 2]` and `[2].` are read: models write all three.
    """
    found = _CITED.search(text)
    if found is None:
        return text, []
    said = text[: found.start()].rstrip()
    stop = (found["stop"] or "").strip()
    said += "" if not said or said.endswith((".", "。", "!", "?")) else stop
    return said, [int(number) for number in _NUMBER.findall(found.group())]


def finished(text: str, steps: Sequence[str], level: Level | None = None) -> str:
    """`text` after the steps of `generation.finish`; the numbers at its end stay as they were written."""
    found = _CITED.search(text)
    if found is None:
        return finish(text, steps, level)
    said = finish(text[: found.start()].rstrip(), steps, level)
    return said + text[found.start() :].rstrip()


def is_refusal(task: Answer, text: str) -> bool:
    """The refusal, whatever its spaces and citations."""
    return "".join(split_citations(text)[0].split()) == "".join(task.refusal.split())


def kind(example: Example) -> Kind:
    found = example.extra.get(KIND, "answerable")
    return found  # type: ignore[return-value]


def shown(example: Example) -> list[str]:
    """Ids of the chunks in the prompt, in its order."""
    found: list[str] = json.loads(example.extra.get(SHOWN, "[]"))
    return found


def gold_answer(example: Example) -> str:
    """What a person answered, without citations; empty where nobody knows an answer."""
    if kind(example) != "answerable":
        return example.extra.get(GOLD_ANSWER, "")
    return split_citations(answer_of(example))[0]
