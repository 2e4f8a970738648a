"""What models are asked beside the test rows, where the recipe wants it: beginnings of answers, general ability."""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.measured import Notice
from dadeum.core.progress import Progress
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.evaluation.answers.knowing import ability_scores, measure_before
from dadeum.evaluation.answers.repair_scores import AbilityScores, StartScores
from dadeum.evaluation.answers.rows import Rows
from dadeum.evaluation.answers.starting import examine_before, start_scores
from dadeum.models.started import unknown_rows


@dataclass(frozen=True)
class More:
    """None where it was not asked for."""

    starts: StartScores | None = None
    ability: AbilityScores | None = None


def asked_more(recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> More:
    """The trained model of a run, and those that it is held against."""
    return More(start_scores(recipe, run, rows, progress), ability_scores(recipe, run, progress))


def ask_before(recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> None:
    """The models that training does not change."""
    examine_before(recipe, run, rows, progress)
    measure_before(recipe, run, progress)


def notices(recipe: Recipe, more: More | None) -> list[Notice]:
    """Of a bare adapter nobody knows which rows it was taught; chosen answers have no weights to ask for more."""
    unknown = unknown_rows(recipe)
    wanted = recipe.evaluate.starts is not None or recipe.evaluate.ability
    chosen = [Notice(key="evaluate.repair.chosen")] if wanted and more is None else []
    return [*([unknown] if unknown else []), *chosen]
