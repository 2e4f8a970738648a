"""Conditions of gates, such as `">= baselines.tfidf"`: read by a pattern, never run as code.

What the names before a condition mean is said by the kind of answer: `decide/gates.py`, `answers/gates.py`.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dadeum.core.errors import RecipeError
from dadeum.core.recipe import Recipe
from dadeum.evaluation.scores import Gate

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt,
}  # fmt: skip
_CONDITION = re.compile(
    r"\s*(?P<operator>>=|<=|>|<)\s*(?:baselines\.(?P<baseline>\w+)|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))\s*"
)
Rule = Callable[[str, Sequence[str]], bool]
"""(metric, baselines that are named) → whether one of them has this metric."""


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


def problems_of_gates(
    recipe: Recipe, known: Sequence[str], needs_answers: Callable[[str], bool], rule: Rule
) -> list[RecipeError]:
    """Every gate that this recipe could never judge, one error each; empty when all are sound.

    `needs_answers` is True for a metric that only generated answers can give.
    """
    problems: list[RecipeError] = []
    for metric, text in recipe.evaluate.gates.items():
        try:
            condition = parse_condition(metric, text)
            if metric not in known:
                raise _unknown("evaluate.gates.unknown_metric", metric, known, metric=metric)
            if needs_answers(metric) and recipe.evaluate.generate_rows == 0:
                raise RecipeError("evaluate.gates.no_generation", metric=metric)
            if condition.baseline is not None:
                _check_baseline(recipe, metric, condition.baseline, rule)
        except RecipeError as problem:
            problems.append(problem)
    return problems


def _check_baseline(recipe: Recipe, metric: str, baseline: str, rule: Rule) -> None:
    baselines = recipe.baselines
    if baseline not in (*baselines, "best"):
        known = [*baselines, "best"] if baselines else []
        raise _unknown("evaluate.gates.unknown_baseline", baseline, known, metric=metric, baseline=baseline)
    if not rule(metric, baselines if baseline == "best" else (baseline,)):
        raise RecipeError("evaluate.gates.baseline_lacks_metric", metric=metric, baseline=baseline)


def _unknown(key: str, name: str, known: Sequence[str], **values: str) -> RecipeError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return RecipeError(key, near=near[0] if near else "-", known=", ".join(known or ["-"]), **values)


def judged_gates(
    recipe: Recipe, value_of: Callable[[str], float | None], target_of: Callable[[str, str], float | None]
) -> list[Gate]:
    """Every gate with the figure that was measured and the one it had to reach.

    `target_of(metric, baseline)` gives a baseline's figure; `best` is a baseline too.
    """
    gates = []
    for metric, text in recipe.evaluate.gates.items():
        condition = parse_condition(metric, text)
        value, target = value_of(metric), condition.number
        if condition.baseline is not None:
            target = target_of(metric, condition.baseline)
        passed = value is not None and target is not None and _OPERATORS[condition.operator](value, target)
        gates.append(Gate(metric=metric, condition=text.strip(), value=value, target=target, passed=passed))
    return gates
