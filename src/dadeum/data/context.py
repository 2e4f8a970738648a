"""What a check gets to see, and how it shows the rows that it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from dadeum.core.examples import Example
from dadeum.core.plugins import find
from dadeum.core.recipe import Recipe
from dadeum.data.fingerprints import Memory
from dadeum.data.token_lengths import TokenLengths

MAX_SHOWN = 3
_MAX_TEXT_CHARACTERS = 200


class Tokens(Protocol):
    """What the tokenizer makes of the labels; `tokens.TokenCounter` is one."""

    label_spans: list[list[int]]
    """Token ids that tell the labels apart, in the order of `task.labels`."""


@dataclass(frozen=True)
class Context:
    """All examples of a run. Lazy parts are computed once for all checks."""

    recipe: Recipe
    splits: dict[str, list[Example]]
    tokens: Tokens | None = None
    """None: label_collision is silent."""
    lengths: TokenLengths | None = None
    """None: token_length is silent."""

    @cached_property
    def placed(self) -> list[tuple[str, Example]]:
        """(split, example) of all splits, in their order."""
        return [(split, example) for split, examples in self.splits.items() for example in examples]

    @property
    def num_rows(self) -> int:
        return len(self.placed)

    @cached_property
    def labels(self) -> Counter[str]:
        """Rows per label over all splits."""
        return Counter(example.label for _, example in self.placed)

    @cached_property
    def memory(self) -> Memory:
        """Fingerprints of all texts, for checks that compare them."""
        memory = Memory()
        memory.of([example.text for _, example in self.placed])
        return memory

    @cached_property
    def parsed(self) -> list[Any]:
        """Every answer as the task reads it."""
        task = self.recipe.task
        parse = find("tasks", task.type).parse
        return [parse(task, answer_of(example)) for _, example in self.placed]


def shown(rows: Iterable[tuple[str, Example, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Up to three (split, example, what was found) as rows of a Finding."""
    first = [row for row, _ in zip(rows, range(MAX_SHOWN), strict=False)]
    return [{"id": example.id, "split": split, "text": short(example.text), **found} for split, example, found in first]


def short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT_CHARACTERS else text[:_MAX_TEXT_CHARACTERS] + "…"


def answer_of(example: Example) -> str:
    """What the example teaches the model to write; empty when it has no answer."""
    return example.completion[-1]["content"] if example.completion else ""


def listed(counts: Counter[str], most: int = 5) -> str:
    """`'spam' 12, 'ham' 3`, the most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in counts.most_common(most))
