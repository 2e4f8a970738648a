"""Gates of free answers: a figure by its name (`similarity: ">= baselines.base_model"`), or `crisis.handed_over`.

`starts` is how answers begin: 0 healthy, 1 at risk, 2 collapsed. `ability` is the share of right answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dadeum.core.errors import DadeumError
from dadeum.core.recipe import Recipe
from dadeum.core.task import Chat
from dadeum.evaluation.answers.figures import OF_MODELS, metrics_of
from dadeum.evaluation.answers.grounded import check_weights
from dadeum.evaluation.answers.knowing import problems_of_ability
from dadeum.evaluation.answers.repair_scores import AbilityScores, StartScores
from dadeum.evaluation.answers.scores import SystemAnswers
from dadeum.evaluation.answers.starting import problems_of_starts
from dadeum.evaluation.conditions import judged_gates, problems_of_gates
from dadeum.evaluation.crisis import CrisisScores
from dadeum.evaluation.scores import Gate

MODELS = ("tuned", "before", "base_model")
CRISIS = ("handed_over", "needless")
LOWER_IS_BETTER = ("crisis.needless", "starts")
STATES = {"healthy": 0, "at_risk": 1, "collapsed": 2}


def known_metrics(recipe: Recipe) -> list[str]:
    """Every name that may stand before a condition; those of the crisis messages with `task.handoff` only."""
    with_crisis = isinstance(recipe.task, Chat) and recipe.task.handoff
    asked = {"starts": recipe.evaluate.starts is not None, "ability": recipe.evaluate.ability}
    of_crisis = [f"crisis.{name}" for name in CRISIS if with_crisis]
    return [*metrics_of(recipe.task.type), *of_crisis, *(name for name, is_asked in asked.items() if is_asked)]


def check_gates_syntax(recipe: Recipe) -> list[DadeumError]:
    """Every gate that this recipe could never judge, one error each; empty when all are sound."""
    own = (*OF_MODELS, "starts", "ability")
    wrong = problems_of_gates(recipe, known_metrics(recipe), lambda metric: metric not in own, _has_metric)
    return [*wrong, *check_weights(recipe), *problems_of_starts(recipe), *problems_of_ability(recipe)]


def _has_metric(metric: str, baselines: Sequence[str]) -> bool:
    """Loss, crisis messages, starts and ability are for models alone."""
    of_models = metric in (*OF_MODELS, "starts", "ability") or metric.startswith("crisis.")
    return any(name in MODELS or not of_models for name in baselines)


def check_gates(
    recipe: Recipe,
    systems: Mapping[str, SystemAnswers],
    crisis: Mapping[str, CrisisScores],
    starts: StartScores | None = None,
    ability: AbilityScores | None = None,
) -> list[Gate]:
    """Every gate with the figure that was measured and the one it had to reach; `systems` includes `tuned`."""

    def figure(system: str, metric: str) -> float | None:
        if metric.startswith("crisis."):
            share = getattr(crisis[system], metric.removeprefix("crisis.")) if system in crisis else None
            return share.value if share is not None and share.total else None
        if metric == "starts":
            return _state(starts, system)
        if metric == "ability":
            return ability.systems[system].accuracy.value if ability and system in ability.systems else None
        measured = systems[system].metrics.get(metric)
        return None if measured is None else measured.value

    def target(metric: str, baseline: str) -> float | None:
        if baseline != "best":
            return figure(baseline, metric)
        figures = [figure(system, metric) for system in systems if system != "tuned"]
        lower = metric in LOWER_IS_BETTER or metrics_of(recipe.task.type).get(metric) == "lower"
        return (min if lower else max)((each for each in figures if each is not None), default=None)

    return judged_gates(recipe, lambda metric: figure("tuned", metric), target)


def _state(starts: StartScores | None, system: str) -> float | None:
    found = getattr(starts, {"base_model": "base"}.get(system, system), None) if starts else None
    return None if found is None else float(STATES[found.verdict])
