"""The first section of a report: a verdict, and what limits it (few rows, their origin, a base without Korean)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Generic, TypeVar

from dadeum.core.measured import Notice
from dadeum.core.recipe import Recipe
from dadeum.core.words import Words, plain, rows, told
from dadeum.evaluation.report_words import say
from dadeum.evaluation.scores import Gate

SMALL_TEST = 200
Figure = TypeVar("Figure")


@dataclass(frozen=True)
class Verdict(Generic[Figure]):
    """What is said first, whatever the kind of answer; its figures are those of the kind."""

    kind: str
    """What `evaluate` decided, such as better, as_good, worse; not_measured where nothing was evaluated."""
    headline: Words
    reading: list[Words]
    """The sentences under the headline, most important first."""
    figures: list[Figure]
    cautions: list[Words]
    gates: list[Gate]


def not_measured() -> Verdict[Figure]:
    """Before `evaluate` has run."""
    return Verdict("not_measured", say("verdict.not_measured"), [say("verdict.run_evaluate")], [], [], [])


def cautions(recipe: Recipe, total: int, warnings: Sequence[Notice], size_key: str = "test_size") -> list[Words]:
    """`total` test rows were judged; `warnings` are what `evaluate` found to be said with its figures."""
    split = recipe.data.split
    found = [say(f"caution.{size_key}" if total >= SMALL_TEST else "caution.small_test", total=rows(total))]
    if split.hold_out:
        found.append(say("caution.held_out", origins=", ".join(split.hold_out)))
    elif split.group in ("origin", "source"):
        found.append(say(f"caution.grouped_by_{split.group}"))
    elif recipe.data.corpus is None:  # Questions are split by the documents that they are about.
        found.append(say("caution.same_origins"))
    synthetic = [
        PurePath(source.path).name if source.path else str(source.make)
        for source in recipe.data.sources
        if source.path is None or _is_synthetic(source.path)
    ]
    if synthetic:
        found.append(say("caution.synthetic", files=", ".join(synthetic)))
    if "smollm2-135m" in recipe.model.base.lower():
        found.append(say("caution.english_model", base=recipe.model.base))
    return found + [notice_words(notice) for notice in warnings]


def notice_words(notice: Notice) -> Words:
    """The sentence of a notice; its key and values where this program has no such sentence."""
    values = ", ".join(f"{name}={value}" for name, value in notice.values.items())
    return told(notice.key, dict(notice.values)) or plain(f"{notice.key} ({values})" if values else notice.key)


def _is_synthetic(path: str) -> bool:
    """Data that ships with dadeum, or says of itself that it is made up."""
    file = PurePath(path)
    return "dadeum/recipes/data/" in file.as_posix() or file.name.lower().startswith(("demo_", "synthetic"))
