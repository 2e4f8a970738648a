"""What scores of grounded answers say beside their figures: kinds of questions, parts of the system score, hints."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping

from dadeum.core.errors import RecipeError
from dadeum.core.recipe import Recipe
from dadeum.core.task import Answer
from dadeum.evaluation.answers.breakdown import by_label
from dadeum.evaluation.answers.figures import PerRow
from dadeum.evaluation.answers.hints import hints
from dadeum.evaluation.answers.rows import Rows
from dadeum.evaluation.answers.scores import AnswerScores, GroundedScores
from dadeum.evaluation.metrics.system_score import PARTS
from dadeum.tasks import answer, retrieve


def grounded(recipe: Recipe, rows: Rows, per_row: Mapping[str, PerRow], scores: AnswerScores) -> GroundedScores | None:
    """None for other tasks, and where nothing was written."""
    task = recipe.task
    if not isinstance(task, Answer) or not recipe.evaluate.generate_rows:
        return None
    kinds = [answer.kind(row) for row in rows.answered]
    found = GroundedScores(
        num_kinds=dict(Counter(kinds).most_common()),
        weights={part: task.score_weights.get(part, 0.0) for part in PARTS},
        parts=dict(PARTS),
        by_kind=by_label(kinds, per_row, least=1),
        by_difficulty=by_label([row.extra.get(retrieve.DIFFICULTY, "") for row in rows.answered], per_row),
        by_domain=by_label([row.extra.get(retrieve.DOMAIN, "") for row in rows.answered], per_row),
    )
    return found.model_copy(update={"hints": hints(recipe, task, scores, found)})


def check_weights(recipe: Recipe) -> list[RecipeError]:
    """Weights of parts that do not exist, or that leave nothing to weigh."""
    if not isinstance(recipe.task, Answer):
        return []
    weights = recipe.task.score_weights
    known = ", ".join(PARTS)
    wrong = [
        RecipeError("evaluate.grounded.unknown_part", part=part, near=_near(part), known=known)
        for part in weights
        if part not in PARTS
    ]
    if not wrong and not any(weights.values()):
        wrong.append(RecipeError("evaluate.grounded.no_weights", known=known))
    return wrong


def _near(part: str) -> str:
    near = difflib.get_close_matches(part, PARTS, n=1, cutoff=0.4)
    return near[0] if near else "-"
