"""What models know beside the data, in a run: questions of four choices, the same for each of them.

What training does not change is asked before it and remembered.
"""

from __future__ import annotations

from pathlib import Path

from dadeum.core.errors import RecipeError
from dadeum.core.progress import Progress
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.stages import Seq2Seq
from dadeum.evaluation.ability.measure import compared, measure
from dadeum.evaluation.ability.questions import questions_hash
from dadeum.evaluation.ability.result import Answered
from dadeum.evaluation.answers.remembered import given_weights, remembered, weights_hash
from dadeum.evaluation.answers.repair_scores import AbilityScores
from dadeum.models.fresh import in_run


def ability_scores(recipe: Recipe, run: Run, progress: Progress) -> AbilityScores | None:
    """None where the recipe does not ask for it."""
    if not recipe.evaluate.ability:
        return None
    tuned = measure(in_run(recipe, run), run.adapter_folder(recipe), progress, "tuned")
    others = _unchanged(recipe, run, progress)
    differences = {name: compared(tuned, other) for name, other in others.items()}
    return AbilityScores(systems={"tuned": tuned} | others, differences=differences)


def problems_of_ability(recipe: Recipe) -> list[RecipeError]:
    """What would keep the questions from being asked, found before anything is loaded."""
    is_encoder = any(isinstance(stage, Seq2Seq) for stage in recipe.stages)
    asked = recipe.evaluate.ability and is_encoder
    return [RecipeError("evaluate.ability.no_decoder", base=recipe.model.base)] if asked else []


def measure_before(recipe: Recipe, run: Run, progress: Progress) -> None:
    """Those that training does not change."""
    if recipe.evaluate.ability:
        _unchanged(recipe, run, progress)


def _unchanged(recipe: Recipe, run: Run, progress: Progress) -> dict[str, Answered]:
    weights = given_weights(recipe)
    found = {"before": _once(recipe, run, weights, "before", progress)} if weights is not None else {}
    return found | {"base_model": _once(recipe, run, None, "base_model", progress)}


def _once(recipe: Recipe, run: Run, weights: Path | None, who: str, progress: Progress) -> Answered:
    asked = {
        "questions": questions_hash(),
        "model": recipe.model.model_dump(mode="json"),
        "render": recipe.render.model_dump(mode="json"),
        "weights": weights_hash(weights),
    }
    found = remembered(
        run, f"{who}_ability", asked,
        lambda: {"found": measure(in_run(recipe, run), weights, progress, who).model_dump(mode="json")},
    )  # fmt: skip
    return Answered.model_validate(found["found"])
