"""What a model is asked for when examples are expanded, and the conversations in what it replies.

The sentences stand in expanding.yaml.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dadeum.core.examples import Turn
from dadeum.data.builders.expand_examples import Style
from dadeum.data.builders.expand_words import words
from dadeum.data.builders.made_topics import MadeRow
from dadeum.models.replies import objects_in

_ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "system": "system"}
_BLANK = re.compile(r"\{([a-z]+)\}")
_TAKEN_CHARACTERS = 60
_HALF = re.compile("[\ud800-\udfff]")
"""Half of a character outside the first plane, as JSON may write it alone: no file can hold it."""
BROKEN = "\ufffd"
"""In its place."""


@dataclass(frozen=True)
class Wish:
    """One call: some examples of a category, and how many new ones are wanted."""

    style: Style
    examples: tuple[MadeRow, ...]
    number: int
    draw: int
    """Which draw of examples of this category it is."""
    taken: tuple[str, ...] = ()
    """Questions that are there already."""
    kind: str = "conversations"

    @property
    def system_turn(self) -> str:
        told, levels = words(), words()["levels"]
        latin = told["latin"]["code" if self.style.has_code else "none"]
        return _filled(told["system"], {"level": levels.get(self.style.level, levels["other"]), "latin": latin})

    @property
    def material(self) -> str:
        told, style = words(), self.style
        rounds, answers = style.max_turns // 2, [turn for row in style.examples for turn in row.turns[1::2]]
        questions = "\n".join(f"- {question.splitlines()[0][:_TAKEN_CHARACTERS]}" for question in self.taken)
        return _filled(
            told["user"],
            {
                "category": style.category,
                "examples": "\n".join(json.dumps(_messages(row), ensure_ascii=False) for row in self.examples),
                "taken": _filled(told["taken"], {"questions": questions}) + "\n\n" if questions else "",
                "number": str(self.number),
                "rounds": _filled(told["rounds"][{1: "one", 2: "two"}.get(rounds, "more")], {"num": str(rounds)}),
                "shortest": str(min(map(len, answers))),
                "longest": str(max(map(len, answers))),
            },
        )

    @property
    def turns(self) -> list[Turn]:
        return [{"role": "system", "content": self.system_turn}, {"role": "user", "content": self.material}]

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the reply, for endpoints that hold a model to one."""
        role, text = {"type": "string", "enum": ["user", "assistant"]}, {"type": "string"}
        turn = _object({"role": role, "content": text})
        one = _object({"messages": {"type": "array", "items": turn}})
        return _object({"conversations": {"type": "array", "items": one}})


def _messages(row: MadeRow) -> dict[str, Any]:
    return {"messages": row.as_json()["messages"]}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _filled(template: str, values: Mapping[str, str]) -> str:
    """In one pass, not formatted: examples may have braces, and so has the JSON of the prompt."""
    return _BLANK.sub(lambda blank: values.get(blank[1], blank[0]), template)


def read_conversations(reply: str) -> list[list[Turn]] | None:
    """Of a reply, also without the list around them or as question and answer; None where there is none to read.

    Of a conversation whose shape is another, no turns.
    """
    objects = list(objects_in(reply))
    lists = [found["conversations"] for found in objects if isinstance(found.get("conversations"), list)]
    rows = lists[0] if lists else [found for found in objects if "messages" in found or "question" in found]
    return [_turns(row) for row in rows] if lists or rows else None


def _turns(row: Any) -> list[Turn]:
    if isinstance(row, dict) and "question" in row:
        row = [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row.get("answer")}]
    elif isinstance(row, dict):
        row = row.get("messages")
    if not isinstance(row, list) or not all(isinstance(turn, dict) for turn in row):
        return []
    return [{"role": _role(turn.get("role")), "content": _text(turn.get("content"))} for turn in row]


def _role(value: Any) -> str:
    return _ROLES.get(value.lower(), readable(value)) if isinstance(value, str) else ""


def _text(value: Any) -> str:
    return readable(value).strip() if isinstance(value, str) else ""


def readable(text: str) -> str:
    """A text that can be written to a file; what is broken in it stays to be seen."""
    return _HALF.sub(BROKEN, text)


def prompt_version() -> str:
    return str(words()["version"])
