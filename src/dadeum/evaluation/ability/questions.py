"""The questions of `questions/*.yaml`: one file per subject, each question with one right answer and three wrong ones.

They were written by a language model and reviewed by nobody. They measure change between two states of one model.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

SUBJECTS = ("everyday", "science", "places", "vocabulary", "grammar", "numbers", "reasoning", "reading")
"""File names, in the order in which they are asked and told."""
NUM_CHOICES = 4
_SEED = 42
"""Of the places of the right answers: the same for every run, so that runs can be compared."""


@dataclass(frozen=True)
class Question:
    id: str
    """`<subject>:<number>`."""
    subject: str
    text: str
    """What is asked, after the passage it is about."""
    choices: tuple[str, ...]
    right: int
    """Place of the right answer among the choices."""

    @property
    def prompt(self) -> str:
        """The user's turn."""
        return _wording().format(question=self.text)


@cache
def questions() -> tuple[Question, ...]:
    """All of them; the right answer stands equally often in each place within a subject."""
    return tuple(question for subject in SUBJECTS for question in _of_subject(subject))


@cache
def questions_hash() -> str:
    """sha256 of what is asked: answers to other questions, or in another wording, are not comparable."""
    asked = [[one.id, one.prompt, *one.choices, one.right] for one in questions()]
    return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()


def _of_subject(subject: str) -> list[Question]:
    rows: list[dict[str, Any]] = yaml.safe_load(_read(f"questions/{subject}.yaml"))
    drawn = random.Random(f"{_SEED}:{subject}")
    places = [number % NUM_CHOICES for number in range(len(rows))]
    drawn.shuffle(places)
    found = []
    for number, (row, place) in enumerate(zip(rows, places, strict=True), start=1):
        choices = drawn.sample(row["wrong"], NUM_CHOICES - 1)
        choices.insert(place, row["right"])
        text = " ".join(part for part in (row.get("text"), row["ask"]) if part)
        found.append(Question(f"{subject}:{number}", subject, text, tuple(choices), place))
    return found


@cache
def _wording() -> str:
    return str(yaml.safe_load(_read("wording.yaml"))["asked"])


def _read(path: str) -> str:
    return resources.files("dadeum.evaluation.ability").joinpath(path).read_text(encoding="utf-8")
