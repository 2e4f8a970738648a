"""evaluate(recipe, run): how good is the tuned model, beside baselines, on rows that nothing has seen.

Decisions are judged by the probability of their labels, free answers by what was written, retrievers by where they
put the right chunk; all leave evaluation/scores.json and evaluation/samples.jsonl, written atomically.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dadeum.core.errors import Problems
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.task import Decide, Retrieve
from dadeum.evaluation.gates import check_gates_syntax
from dadeum.evaluation.judge import judge_problems

if TYPE_CHECKING:
    from dadeum.evaluation.answers.scores import AnswerScores
    from dadeum.evaluation.decide.scores import Scores
    from dadeum.evaluation.retrieve.scores import RetrievalScores


def evaluate(recipe: Recipe, run: Run, progress: Progress = silent) -> Scores | AnswerScores | RetrievalScores:
    """Judge the trained model of `run`.

    RecipeError for a gate that cannot be judged, MissingExtra for a judge without its package, RunError when data or
    adapter are missing, DataError for test rows that cannot be judged, ModelError when scores are not numbers.
    """
    problems = [*check_gates_syntax(recipe), *judge_problems(recipe)]
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
    run.require(run.adapter_folder(recipe), "train")
    if isinstance(recipe.task, Decide):
        from dadeum.evaluation.decide.evaluate import evaluate as judge_decisions

        return judge_decisions(recipe, run, progress)
    if isinstance(recipe.task, Retrieve):
        from dadeum.evaluation.retrieve.evaluate import evaluate as judge_rankings

        return judge_rankings(recipe, run, progress)
    from dadeum.evaluation.answers.evaluate import evaluate as judge_answers

    return judge_answers(recipe, run, progress)


def asks_before(recipe: Recipe) -> bool:
    """Whether a model is asked that training does not change."""
    examined = recipe.evaluate.starts is not None or recipe.evaluate.ability
    return examined or bool({"base_model", "before"} & set(recipe.baselines))


def score_base(recipe: Recipe, run: Run, progress: Progress = silent) -> None:
    """The untuned model, and the weights that training goes on from, on the test rows.

    Call it before training; `evaluate` reuses what it stored.
    """
    if isinstance(recipe.task, Decide):
        from dadeum.evaluation.decide.evaluate import score_base as score_decisions

        score_decisions(recipe, run, progress)
    elif isinstance(recipe.task, Retrieve):
        from dadeum.evaluation.retrieve.evaluate import rank_base

        rank_base(recipe, run, progress)
    else:
        from dadeum.evaluation.answers.evaluate import answer_base

        answer_base(recipe, run, progress)
