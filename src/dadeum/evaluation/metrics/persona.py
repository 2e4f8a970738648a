"""Persona held: 1 for an answer that stays in its role, 0 for one that steps out of it.

Stepping out: it calls itself a program or another product, writes the user's turns, or leaves the language of the
reference. Patterns stand in persona.yaml. What the training answers do or the system turn says belongs to the role,
and a user who asks whether this is a machine is to be told so: there such an answer is right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from dadeum.core.examples import Example, answer_of
from dadeum.core.letters import is_korean, letters, tidy
from dadeum.core.measured import Notice
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._texts import question_of, taught_sample, word_list

TASKS = ("chat",)
BETTER = "higher"

TAUGHT_SHARE = 0.01
"""Share of training answers that do it from which it belongs to the role."""
MIN_LETTERS = 12
"""Letters of an answer from which its language is judged: "OK!" has none of its own."""


@dataclass(frozen=True)
class Reason:
    """One way of stepping out of the role."""

    name: str
    said: re.Pattern[str]
    told: re.Pattern[str]
    """In a system turn: then it is the role."""
    asked: re.Pattern[str]
    """In the user's last turn: then it is the answer to a question."""


def per_row(asked: Asked) -> np.ndarray:
    """1 or 0; NaN for an empty answer."""
    in_role = taught(taught_sample(asked.train, asked.recipe.seed))
    pairs = zip(asked.answers, asked.rows, strict=True)
    found = [(tidy(answer), row) for answer, row in pairs]
    return np.array([float(not why(answer, row, in_role)) if answer else np.nan for answer, row in found])


def notices(asked: Asked) -> list[Notice]:
    """What was not held against the answers because it was taught, and how often each reason was found."""
    in_role = taught(taught_sample(asked.train, asked.recipe.seed))
    found = [Notice(key=f"evaluate.metrics.persona.taught.{name}") for name in sorted(in_role)]
    reasons = [name for said, row in zip(asked.answers, asked.rows, strict=True) for name in why(said, row, in_role)]
    for name in sorted(set(reasons)):
        values: dict[str, str | int | float] = {"num": reasons.count(name), "total": len(asked.answers)}
        found.append(Notice(key=f"evaluate.metrics.persona.found.{name}", values=values))
    return found


def why(answer: str, row: Example, in_role: frozenset[str] = frozenset()) -> list[str]:
    """Names of the reasons for which this answer steps out of its role; [] where it stays in it."""
    text, question = tidy(answer), question_of(row)
    told = "\n".join(turn["content"] for turn in row.prompt if turn["role"] == "system")
    found = [
        reason.name
        for reason in _reasons()
        if reason.name not in in_role
        and reason.said.search(text)
        and not reason.told.search(told)
        and not reason.asked.search(question)
    ]
    return [*found, "language"] if _switches(text, answer_of(row)) else found


@lru_cache(maxsize=4)
def taught(answers: Sequence[str]) -> frozenset[str]:
    """Reasons that at least TAUGHT_SHARE of the training answers give: they belong to the role."""
    return frozenset(
        reason.name
        for reason in _reasons()
        if answers and sum(bool(reason.said.search(answer)) for answer in answers) >= TAUGHT_SHARE * len(answers)
    )


def _switches(answer: str, reference: str) -> bool:
    """A Korean reference answered in another language, or the other way round."""
    judged = letters(answer)[1] >= MIN_LETTERS and letters(reference)[1] > 0
    return judged and is_korean(answer) != is_korean(reference)


@cache
def _reasons() -> tuple[Reason, ...]:
    return tuple(
        Reason(
            name, _pattern("|".join([*words["ko"], *words["en"]])), _pattern(words["told"]), _pattern(words["asked"])
        )
        for name, words in word_list("persona").items()
    )


def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)
