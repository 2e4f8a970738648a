"""Gates of retrieval: `recall@5: ">= baselines.bm25"` judges what is served; `tuned.recall@5` one system by name.

What is served is the tuned model alone or with BM25, whichever was better on validation questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dadeum.core.errors import RecipeError
from dadeum.core.measured import Measured
from dadeum.core.recipe import Recipe
from dadeum.evaluation.conditions import judged_gates, problems_of_gates
from dadeum.evaluation.retrieve.figures import metrics
from dadeum.evaluation.scores import Gate

OURS = ("tuned", "tuned_hybrid")


def known_metrics() -> list[str]:
    """Every name that may stand before a condition."""
    return [*metrics(), *(f"{system}.{name}" for system in OURS for name in metrics())]


def check_gates_syntax(recipe: Recipe) -> list[RecipeError]:
    """Every gate that this recipe could never judge, one error each; empty when all are sound."""
    return problems_of_gates(recipe, known_metrics(), lambda metric: False, _has_metric)


def _has_metric(metric: str, baselines: Sequence[str]) -> bool:
    return True


def check_gates(recipe: Recipe, systems: Mapping[str, Mapping[str, Measured]], served: str) -> list[Gate]:
    """Every gate with the figure that was measured and the one it had to reach."""

    def value(metric: str) -> float:
        system, _, name = metric.rpartition(".")
        return systems[system or served][name].value

    def target(metric: str, baseline: str) -> float | None:
        name = metric.rpartition(".")[2]
        others = [system for system in systems if system not in OURS] if baseline == "best" else [baseline]
        return max((systems[other][name].value for other in others), default=None)

    return judged_gates(recipe, value, target)
