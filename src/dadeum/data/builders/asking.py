"""What a model is asked to draft from a chunk, and how its reply is read; the sentences stand in drafting.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from dadeum.core.examples import Turn
from dadeum.documents.chunks import Chunk
from dadeum.models.replies import objects_in

DIFFICULTIES = ("easy", "medium", "hard")
_LETTER = re.compile(r"[^\W\d_]")
_HANGUL = re.compile(r"[가-힣]")
_MIN_KOREAN = 0.3
"""Share of a text's letters from which it is Korean: laws and manuals are full of names in Latin letters."""


@dataclass(frozen=True)
class Draft:
    """A question as a model wrote it; nothing is known of it yet."""

    question: str
    answer: str
    difficulty: str
    """easy, medium or hard; empty for anything else."""


@dataclass(frozen=True)
class Asking:
    """One call: a chunk, and how many questions about it."""

    chunk: Chunk
    number: int
    kind: str = "questions"

    @property
    def system_turn(self) -> str:
        return str(_words()[_language(self.chunk.text)]["system"])

    @property
    def material(self) -> str:
        # Put together, not formatted: a chunk may have braces.
        told = str(_words()[_language(self.chunk.text)]["user"]).replace("{number}", str(self.number))
        before, _, after = told.partition("{document}")
        between, _, end = after.partition("{text}")
        return f"{before}{self.chunk.document}{between}{self.chunk.text}{end}"

    @property
    def turns(self) -> list[Turn]:
        return [{"role": "system", "content": self.system_turn}, {"role": "user", "content": self.material}]

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the reply, for endpoints that hold a model to one."""
        text = {"type": "string"}
        one = _object({"question": text, "answer": text, "difficulty": text | {"enum": [*DIFFICULTIES]}})
        return _object({"questions": {"type": "array", "items": one}})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def read_drafts(reply: str) -> list[Draft] | None:
    """The questions of a reply, also of one without the list around them; None where there is none to read."""
    objects = list(objects_in(reply))
    lists = [found["questions"] for found in objects if isinstance(found.get("questions"), list)]
    rows = lists[0] if lists else [found for found in objects if "question" in found]
    if not lists and not rows:
        return None
    return [_draft(row) for row in rows if isinstance(row, dict)]


def _draft(row: dict[str, Any]) -> Draft:
    said = {name: row.get(name) for name in ("question", "answer", "difficulty")}
    text = {name: " ".join(value.split()) if isinstance(value, str) else "" for name, value in said.items()}
    difficulty = text["difficulty"].lower()
    return Draft(text["question"], text["answer"], difficulty if difficulty in DIFFICULTIES else "")


def is_korean(text: str) -> bool:
    return len(_HANGUL.findall(text)) >= _MIN_KOREAN * max(len(_LETTER.findall(text)), 1)


def _language(text: str) -> str:
    return "ko" if is_korean(text) else "en"


def prompt_version() -> str:
    return str(_words()["version"])


@cache
def _words() -> dict[str, Any]:
    file = resources.files("dadeum.data.builders").joinpath("drafting.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found
