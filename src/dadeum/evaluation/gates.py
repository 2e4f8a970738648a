"""Gates: the figures that a recipe demands, such as `macro_f1: ">= baselines.tfidf"`; a failed one is exit code 1.

Conditions are read by a pattern, never run as code; `check_gates_syntax` finds every mistake before weights are loaded.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dadeum.core.errors import RecipeError
from dadeum.core.recipe import Recipe
from dadeum.evaluation.scores import Gate, Generation, SystemScores

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt,
}  # fmt: skip
_CONDITION = re.compile(
    r"\s*(?P<operator>>=|<=|>|<)\s*(?:baselines\.(?P<baseline>\w+)|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))\s*"
)
_COUNTED = ("accuracy", "macro_f1")
_PROBABILISTIC = ("ece", "brier", "roc_auc", "average_precision")
_PER_CLASS = ("precision", "recall", "f1")
_GENERATED = ("json_valid", "schema_valid", "agreement", "accuracy")
_LOWER_IS_BETTER = ("ece", "brier")


@dataclass(frozen=True)
class Condition:
    """A parsed condition: an operator, and either a number or a baseline's name (`best` for the best of them)."""

    operator: str
    number: float | None
    baseline: str | None


def parse_condition(metric: str, condition: str) -> Condition:
    """`">= baselines.tfidf"`, `">= 0.8"`; RecipeError for anything else."""
    found = _CONDITION.fullmatch(condition)
    if found is None:
        raise RecipeError("evaluate.gates.bad_condition", metric=metric, condition=condition)
    number = found["number"]
    return Condition(found["operator"], None if number is None else float(number), found["baseline"])


def known_metrics(recipe: Recipe) -> list[str]:
    """Every name that may stand before a condition: `macro_f1`, `recall.BLOCK`, `generation.json_valid`."""
    of_classes = [f"{kind}.{label}" for kind in _PER_CLASS for label in recipe.task.labels]
    return [*_COUNTED, *_PROBABILISTIC, *of_classes, *(f"generation.{name}" for name in _GENERATED)]


def check_gates_syntax(recipe: Recipe) -> list[RecipeError]:
    """Every gate that this recipe could never judge, one error each; empty when all are sound."""
    problems: list[RecipeError] = []
    for metric, condition in recipe.evaluate.gates.items():
        try:
            _check_gate(recipe, metric, parse_condition(metric, condition))
        except RecipeError as problem:
            problems.append(problem)
    return problems


def _check_gate(recipe: Recipe, metric: str, condition: Condition) -> None:
    known = known_metrics(recipe)
    if metric not in known:
        near = difflib.get_close_matches(metric, known, n=1, cutoff=0.4)
        raise RecipeError(
            "evaluate.gates.unknown_metric", metric=metric, near=near[0] if near else "-", known=", ".join(known)
        )
    generated = metric.startswith("generation.")
    if generated and recipe.evaluate.generate_rows == 0:
        raise RecipeError("evaluate.gates.no_generation", metric=metric)
    if condition.baseline is None:
        return
    baselines = recipe.evaluate.baselines
    if condition.baseline not in (*baselines, "best"):
        near = difflib.get_close_matches(condition.baseline, [*baselines, "best"], n=1, cutoff=0.4)
        raise RecipeError(
            "evaluate.gates.unknown_baseline",
            metric=metric, baseline=condition.baseline, near=near[0] if near else "-",
            known=", ".join([*baselines, "best"] if baselines else ["-"]),
        )  # fmt: skip
    named = baselines if condition.baseline == "best" else (condition.baseline,)
    able = [] if generated else [name for name in named if name != "majority" or metric not in _PROBABILISTIC]
    if not able:
        raise RecipeError("evaluate.gates.baseline_lacks_metric", metric=metric, baseline=condition.baseline)


def check_gates(recipe: Recipe, systems: Mapping[str, SystemScores], generation: Generation | None) -> list[Gate]:
    """Every gate with the figure that was measured and the one it had to reach; `systems` includes `tuned`."""
    gates = []
    for metric, text in recipe.evaluate.gates.items():
        condition = parse_condition(metric, text)
        value = metric_of(metric, systems["tuned"], generation)
        target = condition.number
        if condition.baseline is not None:
            target = _baseline_target(metric, condition.baseline, systems)
        passed = value is not None and target is not None and _OPERATORS[condition.operator](value, target)
        gates.append(Gate(metric=metric, condition=text.strip(), value=value, target=target, passed=passed))
    return gates


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
    best = min if metric in _LOWER_IS_BETTER else max
    return best((figure for figure in figures if figure is not None), default=None)
