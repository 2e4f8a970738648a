"""Topics of made answers: a bank of words, ways to ask and to answer, and the function that draws one fact.

The Korean stands in `no_warning/*.yaml`, so that a topic can be read and grown without code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from random import Random
from typing import Any

import yaml

from dadeum.core.korean_writing import Word

Facts = Mapping[str, Any]
"""Name of a blank → what stands in it."""
Draw = Callable[[Mapping[str, Any], Random], Facts]
MAX_SIMILARITY = 0.8
"""Shared 3-grams (Jaccard) of question and answer from which two rows of a topic are near duplicates."""
MAX_MISSES = 150
"""Draws in a row that bring nothing new after which a topic counts as told to its end."""


@dataclass(frozen=True)
class MadeRow:
    """A conversation and the category that it stands in."""

    category: str
    turns: tuple[str, ...]
    """User and assistant in turn."""

    @property
    def said(self) -> str:
        return "\n".join(self.turns)

    def as_json(self) -> dict[str, Any]:
        messages = [{"role": ("user", "assistant")[at % 2], "content": turn} for at, turn in enumerate(self.turns)]
        return {"messages": messages, "category": self.category}


@dataclass(frozen=True)
class Topic:
    """One topic of a bank file."""

    name: str
    category: str
    facts: str
    """Name of the function that draws."""
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    bank: Mapping[str, Any]


@cache
def topics() -> tuple[Topic, ...]:
    """Of all bank files, by file and place."""
    folder = resources.files("dadeum.data.builders").joinpath("no_warning")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return tuple(
        Topic(name, bank["category"], bank["facts"], _lines(bank["asks"]), _lines(bank["answers"]), bank)
        for file in files
        for name, bank in yaml.safe_load(file.read_text(encoding="utf-8")).items()
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.strip().splitlines())


def drawn(topic: Topic, draw_facts: Draw, seed: int) -> Iterator[MadeRow]:
    """Rows of a topic until it has nothing new: every fact, question and answer once, none like an earlier one."""
    draw = Random(f"{seed} {topic.name}")
    seen: set[Any] = set()
    kept: list[frozenset[str]] = []
    misses = 0
    while misses < MAX_MISSES:
        facts = {blank: _written(value) for blank, value in draw_facts(topic.bank, draw).items()}
        misses += 1
        if (fact := tuple(facts.items())) in seen:
            continue
        # Ways to answer take turns: drawn by chance, one of them might become a stock phrase.
        row = MadeRow(
            topic.category,
            (filled(draw.choice(topic.asks), facts), filled(topic.answers[len(kept) % len(topic.answers)], facts)),
        )
        grams = shingles(row.said)
        if not seen.isdisjoint(row.turns) or any(alike(grams, other) for other in kept):
            continue
        seen.update((fact, *row.turns))
        kept.append(grams)
        misses = 0
        yield row


def filled(template: str, facts: Mapping[str, Word]) -> str:
    return template.format_map(facts)


def shingles(text: str) -> frozenset[str]:
    return frozenset(text[at : at + 3] for at in range(len(text) - 2))


def alike(one: frozenset[str], other: frozenset[str], *, similarity: float = MAX_SIMILARITY) -> bool:
    short, long = sorted((len(one), len(other)))
    return short >= similarity * long and len(one & other) >= similarity * len(one | other)


def _written(value: Any) -> Word:
    return Word(f"{value:,}" if isinstance(value, int) else value)
