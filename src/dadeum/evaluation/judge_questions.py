"""What a judge is asked and how its reply is read; the Korean sentences stand in judge.yaml."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

from dadeum.core.examples import Example
from dadeum.models.replies import objects_in, without_thought

Shown = Literal["A", "B", "tie"]
"""The preferred answer by the place where it was shown."""

_CHOICES: tuple[Shown, ...] = ("A", "B", "tie")
MOST = 5
"""Highest rating; the lowest is 0."""


@dataclass(frozen=True)
class Question:
    """One call to the judge. A rating has one system, a comparison two in the order shown."""

    row: int
    """Position among the judged rows."""
    systems: tuple[str, ...]
    rubric: tuple[str, ...]
    """In the order in which the judge reads them."""
    system_turn: str
    material: str
    """JSON: the conversation and the answers."""

    @property
    def kind(self) -> Literal["rate", "compare"]:
        return "rate" if len(self.systems) == 1 else "compare"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the reply, for endpoints that hold a model to one."""
        properties: dict[str, Any] = {name: {"type": "integer", "enum": [*range(MOST + 1)]} for name in self.rubric}
        if self.kind == "compare":
            properties = {"better": {"type": "string", "enum": ["A", "B", "tie"]}}
        return {
            "type": "object", "properties": properties, "required": [*properties], "additionalProperties": False,
        }  # fmt: skip


def rate(number: int, row: Example, system: str, answer: str, rubric: Sequence[str]) -> Question:
    """How good is this answer alone?"""
    words = _words()["rate"]
    scales = [words["scale"].format(name=name, **_anchors(name)) for name in rubric]
    example = json.dumps({name: 3 for name in rubric}, ensure_ascii=False)
    told = words["system"].format(criteria="\n\n".join(scales), example=example)
    return Question(number, (system,), tuple(rubric), told, _material(row, answer=answer))


def compare(
    number: int, row: Example, first: tuple[str, str], second: tuple[str, str], rubric: Sequence[str]
) -> Question:
    """Which of two (system, answer) is better? `first` is shown first."""
    names = ", ".join(f"{name} ({_anchors(name)['what']})" for name in rubric)
    told = _words()["compare"]["system"].format(criteria=names)
    material = _material(row, answer_A=first[1], answer_B=second[1])
    return Question(number, (first[0], second[0]), tuple(rubric), told, material)


def _material(row: Example, **answers: str) -> str:
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in row.prompt]
    return json.dumps({"conversation": turns, **answers}, ensure_ascii=False, indent=1)


def _anchors(name: str) -> dict[str, str]:
    known = _words()["criteria"]
    found = known[name] if name in known and name != "other" else known["other"]
    return {part: sentence.format(name=name) for part, sentence in found.items()}


# -- reading a reply --------------------------------------------------------------------------------
def read_rating(reply: str, rubric: Sequence[str]) -> dict[str, int] | None:
    """Criterion → 0..5 from the first JSON object that holds all of them; None where there is none."""
    for found in objects_in(reply):
        ratings = {name: _whole(found.get(name)) for name in rubric}
        if all(rating is not None for rating in ratings.values()):
            return {name: rating for name, rating in ratings.items() if rating is not None}
    return None


def read_choice(reply: str) -> Shown | None:
    """The choice in the first JSON object that holds one, or in a reply that is nothing else; None otherwise."""
    said = [found.get("better") for found in objects_in(reply)] or [without_thought(reply)]
    for one in said:
        name = str(one).strip(" .\"'*\n").casefold()
        for choice in _CHOICES:
            if name in _words()["choices"][choice]:
                return choice
    return None


def _whole(value: object) -> int | None:
    """0..5, also written "4" or 4.0; anything else is no rating: nothing is rounded or clipped."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if number in range(MOST + 1) else None


@cache
def _words() -> dict[str, Any]:
    file = resources.files("dadeum.evaluation").joinpath("judge.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found
