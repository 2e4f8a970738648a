"""Gates of a decision: the figures that a recipe demands, such as `macro_f1: ">= baselines.tfidf"`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dadeum.core.errors import RecipeError
from dadeum.core.recipe import Recipe
from dadeum.evaluation.conditions import judged_gates, problems_of_gates
from dadeum.evaluation.decide.rows import task_of
from dadeum.evaluation.decide.scores import Generation, SystemScores
from dadeum.evaluation.scores import Gate

_COUNTED = ("accuracy", "macro_f1")
_PROBABILISTIC = ("ece", "brier", "roc_auc", "average_precision")
_PER_CLASS = ("precision", "recall", "f1")
_GENERATED = ("json_valid", "schema_valid", "agreement", "accuracy")
LOWER_IS_BETTER = ("ece", "brier")


def known_metrics(recipe: Recipe) -> list[str]:
    """Every name that may stand before a condition: `macro_f1`, `recall.BLOCK`, `generation.json_valid`."""
    of_classes = [f"{kind}.{label}" for kind in _PER_CLASS for label in task_of(recipe).labels]
    return [*_COUNTED, *_PROBABILISTIC, *of_classes, *(f"generation.{name}" for name in _GENERATED)]


def check_gates_syntax(recipe: Recipe) -> list[RecipeError]:
    """Every gate that this recipe could never judge, one error each; empty when all are sound."""
    return problems_of_gates(recipe, known_metrics(recipe), _is_generated, _has_metric)


def _is_generated(metric: str) -> bool:
    return metric.startswith("generation.")


def _has_metric(metric: str, baselines: Sequence[str]) -> bool:
    able = [name for name in baselines if name != "majority" or metric not in _PROBABILISTIC]
    return bool(able) and not _is_generated(metric)


def check_gates(recipe: Recipe, systems: Mapping[str, SystemScores], generation: Generation | None) -> list[Gate]:
    """Every gate with the figure that was measured and the one it had to reach; `systems` includes `tuned`."""
    return judged_gates(
        recipe,
        lambda metric: metric_of(metric, systems["tuned"], generation),
        lambda metric, baseline: _baseline_target(metric, baseline, systems),
    )


def metric_of(metric: str, system: SystemScores, generation: Generation | None = None) -> float | None:
    """One figure by its name in a gate; None when it was not measured."""
    kind, _, label = metric.partition(".")
    if kind == "generation":
        return None if generation is None else float(getattr(generation, label))
    if kind in _PER_CLASS:
        return float(getattr(system.per_class[label], kind))
    if kind in _COUNTED:
        return float(getattr(system, kind).value)
    figure: float | None = getattr(system, kind)
    return figure


def _baseline_target(metric: str, baseline: str, systems: Mapping[str, SystemScores]) -> float | None:
    if baseline != "best":
        return metric_of(metric, systems[baseline])
    figures = [metric_of(metric, system) for name, system in systems.items() if name != "tuned"]
    best = min if metric in LOWER_IS_BETTER else max
    return best((figure for figure in figures if figure is not None), default=None)
