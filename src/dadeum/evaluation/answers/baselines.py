"""The baselines of a recipe by their names: what the tuned model is compared with and no model is asked for."""

from __future__ import annotations

from collections.abc import Callable

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.core.task import Answer
from dadeum.evaluation.answers import extractive
from dadeum.evaluation.answers.quoting import quoted
from dadeum.evaluation.answers.rows import Rows
from dadeum.evaluation.answers.systems import Spoken, constant, nearest

Baseline = Callable[[list[Example], list[Example]], Spoken]
"""(train rows, rows to answer) → what it says."""

BASELINES: dict[str, dict[str, Baseline]] = {
    "chat": {"constant": constant, "nearest": nearest},
    "summarize": {"constant": extractive.typical, "lead": extractive.lead, "textrank": extractive.textrank},
    "answer": {"constant": constant},
}
"""By task: `constant` of summaries, which all differ, is no commonest one. Models are asked elsewhere."""


def baseline(task: str, name: str) -> Baseline:
    return BASELINES[task][name]


def answered_by(recipe: Recipe, name: str, rows: Rows) -> Spoken:
    """What a baseline says; `sentence` reads what each question was shown, the others learn from the train split."""
    if isinstance(recipe.task, Answer) and name == "sentence":
        return quoted(recipe.task, rows)
    return baseline(recipe.task.type, name)(rows.train, rows.answered)
