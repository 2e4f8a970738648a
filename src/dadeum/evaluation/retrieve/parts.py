"""Figures of some of the questions: of one domain, one difficulty, one document, of documents seen in training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from dadeum.core.recipe import Recipe
from dadeum.evaluation.retrieve.figures import Drawing, PerQuestion
from dadeum.evaluation.retrieve.questions import Questions
from dadeum.evaluation.retrieve.scores import MAIN, SHOWN, PartScores
from dadeum.tasks.retrieve import DIFFICULTY, DOMAIN

_MOST_ORIGINS = 12
"""More documents make a table that nobody reads, of three questions each."""


def parts(
    questions: Questions, columns: Mapping[str, PerQuestion], beside: str, recipe: Recipe
) -> dict[str, dict[str, PartScores]]:
    """`domain`, `difficulty`, `origin`, `seen` → value → figures, where there is more than one value."""
    rows = questions.test.rows
    ways = {
        DIFFICULTY: [row.extra.get(DIFFICULTY, "") for row in rows],
        DOMAIN: [row.extra.get(DOMAIN, "") for row in rows],
        "seen": ["seen" if seen else "unseen" for seen in questions.seen],
    }
    if len({row.origin for row in rows}) <= _MOST_ORIGINS:
        ways["origin"] = [row.origin for row in rows]
    return {
        way: {
            value: _part(questions, columns, beside, recipe, np.array([other == value for other in values]))
            for value, _ in Counter(values).most_common()
        }
        for way, values in ways.items()
        if len(set(values)) > 1
    }


def _part(
    questions: Questions, columns: Mapping[str, PerQuestion], beside: str, recipe: Recipe, chosen: np.ndarray
) -> PartScores:
    groups = [row.group for row, is_in in zip(questions.test.rows, chosen, strict=True) if is_in]
    drawing = Drawing(groups, recipe.seed, recipe.evaluate.bootstrap_samples)
    only = {system: {name: found[name][chosen] for name in SHOWN} for system, found in columns.items()}
    difference = drawing.differences(only[beside], only["bm25"], [MAIN])[MAIN] if "bm25" in only else None
    return PartScores(
        num_rows=int(chosen.sum()),
        systems={
            system: {name: float(values.mean()) for name, values in found.items()} for system, found in only.items()
        },
        difference=difference,
    )
