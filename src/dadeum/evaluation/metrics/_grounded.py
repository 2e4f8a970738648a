"""Grounded answers as metrics get to see them, and what stands in the chunks that they rest on.

Closeness to people's answers means something only where an answer is expected; there citations are taken off, and
figures that say BY_VALUE read 30만 원 and 300,000원 as the same. What GROUNDED figures look at is all of it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from types import ModuleType

import numpy as np

from dadeum.core.examples import Example, answer_of
from dadeum.core.korean import nfc
from dadeum.core.korean_quantities import quantities
from dadeum.core.measured import Notice
from dadeum.core.morphemes import morphemes
from dadeum.core.task import Answer
from dadeum.evaluation.asked import Asked
from dadeum.tasks import answer

SIGNATURE = "citations:left-out|numbers:by-value|rows:answerable"
"""What is done to grounded answers before a figure that says BY_VALUE reads them."""


class Views:
    """One system's answers as each metric is to see them."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._is_grounded = isinstance(asked.recipe.task, Answer)

    def measured(self, module: ModuleType) -> dict[str, np.ndarray]:
        """Its figures, one value per row; NaN where no answer is expected."""
        given = module.per_row(self._of(module))
        several = given if isinstance(given, dict) else {module.__name__.rpartition(".")[2]: given}
        return {name: self._on_all_rows(module, np.asarray(values, dtype=float)) for name, values in several.items()}

    def notices(self, module: ModuleType) -> list[Notice]:
        found: list[Notice] = module.notices(self._of(module)) if hasattr(module, "notices") else []
        return found

    def _of(self, module: ModuleType) -> Asked:
        if self._sees_all(module):
            return self._asked
        return self._valued if getattr(module, "BY_VALUE", False) else self._plain

    def _sees_all(self, module: ModuleType) -> bool:
        return not self._is_grounded or getattr(module, "GROUNDED", False)

    def _on_all_rows(self, module: ModuleType, values: np.ndarray) -> np.ndarray:
        if self._sees_all(module):
            return values
        found = np.full((len(self._asked.rows), *values.shape[1:]), np.nan)
        found[self._places] = values
        return found

    @cached_property
    def _places(self) -> list[int]:
        return [place for place, row in enumerate(self._asked.rows) if answer.kind(row) == "answerable"]

    @cached_property
    def _plain(self) -> Asked:
        asked = self._asked
        taught = [without_citations(row) for row in asked.train if answer.kind(row) == "answerable"]
        return replace(
            asked,
            rows=[without_citations(asked.rows[place]) for place in self._places],
            answers=[answer.split_citations(asked.answers[place])[0] for place in self._places],
            train=taught or asked.train,
        )

    @cached_property
    def _valued(self) -> Asked:
        plain = self._plain
        said = by_value([*plain.answers, *map(answer_of, plain.rows)])
        rows = [
            replace(row, completion=[{"role": "assistant", "content": text}])
            for row, text in zip(plain.rows, said[len(plain.answers) :], strict=True)
        ]
        return replace(plain, rows=rows, answers=said[: len(plain.answers)])


def without_citations(row: Example) -> Example:
    said = answer.split_citations(answer_of(row))[0]
    return replace(row, completion=[{"role": "assistant", "content": said}])


def by_value(texts: list[str]) -> list[str]:
    """Numbers as digits: `월 삼십만 원` → `월 300000 원`; `3만 5천` → `35000`."""
    composed = [nfc(text) for text in texts]
    morphemes(composed)  # all in one go
    return [_by_value(text) for text in composed]


def _by_value(text: str) -> str:
    shown, at = [], 0
    for each in quantities(text):
        shown += [text[at : each.start], digits(each.value)]
        at = each.end
    return "".join([*shown, text[at:]])


def digits(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)


def plain_answers(asked: Asked) -> list[str]:
    """Without citations, where the task has any."""
    if not isinstance(asked.recipe.task, Answer):
        return asked.answers
    return [answer.split_citations(said)[0] for said in asked.answers]


def source_of(asked: Asked, row: Example) -> str:
    """What an answer may say: the dialogue, or the chunks that were shown and the question itself."""
    if not isinstance(asked.recipe.task, Answer):
        return row.text
    chunks = [asked.chunks[id] for id in answer.shown(row) if id in asked.chunks]
    return "\n".join([*(f"{chunk.document}\n{chunk.text}" for chunk in chunks), row.text])
