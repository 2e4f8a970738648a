"""Did going on from given weights cost anything? Paired differences tuned − before, against a stated tolerance.

"No worse" is a claim like any other: it takes an interval that leaves out a loss beyond the tolerance. Rows that were
made for the repair do not count, since they are what it was taught.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Literal

import numpy as np

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.evaluation.answers.figures import MIN_GROUPS, PerRow, Resampling, judged_rows, metrics_of
from dadeum.evaluation.answers.repair_scores import AbilityScores, Cost, Held, Regression
from dadeum.evaluation.answers.scores import Better

MADE_FOR_REPAIR = ("no-warning", "correction")
"""Rows of these names: what `dadeum data make` writes, and files called so."""
LOSS_TOLERANCE = 0.02
"""Of the loss, relative to that of the given weights."""
TOLERANCE = 0.02
"""Of figures between 0 and 1 that measure closeness."""
SHARES = {"refused_right": 0.05}
"""Figures that are a share of yes and no, each with its tolerance."""
ENOUGH = 15
"""Groups of rows from which "no worse" may be said: of fewer, a bootstrap interval is too narrow."""
_RULE_OF_THREE = 3
"""None of n went wrong: up to 3 / n still may, with 95 % confidence (Hanley and Lippman-Hand 1983)."""


def regression(
    recipe: Recipe,
    rows: Sequence[Example],
    per_row: Mapping[str, PerRow],
    counted: Sequence[str],
    ability: AbilityScores | None,
) -> Regression | None:
    """None where there is nothing before to compare with."""
    if "before" not in per_row:
        return None
    repair = made_for_repair(recipe)
    general = np.array([not _is_made(row, repair) for row in rows], dtype=bool)
    metrics = list(dict.fromkeys(["loss", *counted]))
    figures = _held(recipe, rows, per_row, metrics, general)
    labels = np.array([row.source for row in rows], dtype=object)
    sources = [source for source, _ in Counter(labels[general].tolist()).most_common()]
    by_source = {source: _held(recipe, rows, per_row, metrics, general & (labels == source)) for source in sources}
    if ability is not None:
        figures = [*figures, *_of_ability(ability)]
    return Regression(
        verdict=verdict(figures),
        num_rows=int(general.sum()),
        left_out=dict(Counter(labels[~general].tolist()).most_common()),
        figures=figures,
        by_source={source: held for source, held in by_source.items() if held} if len(sources) > 1 else {},
    )


def verdict(figures: Sequence[Held]) -> Cost | Literal["not_measured"]:
    """One figure that is worse makes all worse; all have to be no worse for that to be said."""
    outcomes = {found.outcome for found in figures}
    if not outcomes:
        return "not_measured"
    kinds: tuple[Cost, ...] = ("worse", "undecided")
    return next((kind for kind in kinds if kind in outcomes), "no_worse")


# -- which rows -----------------------------------------------------------------------------------
def made_for_repair(recipe: Recipe) -> frozenset[str]:
    """Names of the recipe's sources that are made for a repair, or lie in a file called so."""
    return frozenset(
        source.name or str(source.make or PurePath(source.path or "").stem)
        for source in recipe.data.sources
        if source.make in MADE_FOR_REPAIR or (source.path and _is_named(PurePath(source.path).stem))
    )


def _is_made(row: Example, names: frozenset[str]) -> bool:
    return row.source in names or _is_named(row.source) or _is_named(row.origin)


def _is_named(name: str) -> bool:
    """`no_warning_3000`, `korean_sft_correction`."""
    words = name.lower().replace("_", "-")
    return any(f"-{made}-" in f"-{words}-" for made in MADE_FOR_REPAIR)


# -- one figure -----------------------------------------------------------------------------------
def _held(
    recipe: Recipe, rows: Sequence[Example], per_row: Mapping[str, PerRow], metrics: Sequence[str], chosen: np.ndarray
) -> list[Held]:
    """Figures of the chosen rows; those that neither model has there are left out."""
    if not chosen.any():
        return []
    groups = [row.group for row, is_chosen in zip(rows, chosen, strict=True) if is_chosen]
    resampling = Resampling(groups, recipe.seed, recipe.evaluate.bootstrap_samples)
    better = metrics_of(recipe.task.type)
    found = []
    for metric in metrics:
        if metric in per_row["tuned"] and metric in per_row["before"]:
            tuned, before = (per_row[name][metric][chosen] for name in ("tuned", "before"))
            held = _one(metric, better[metric], tuned, before, resampling)
            found += [held] if held else []
    return found


def _one(metric: str, better: Better, tuned: np.ndarray, before: np.ndarray, resampling: Resampling) -> Held | None:
    difference = resampling.difference(metric, better, tuned, before)
    if difference is None or tuned.ndim > 1:
        return None
    known = judged_rows(tuned) & judged_rows(before)
    mean = float(before[known].mean())
    tolerance = LOSS_TOLERANCE * mean if metric == "loss" else SHARES.get(metric, TOLERANCE)
    num_groups = len(np.unique(resampling.numbers[known]))
    lost = (difference.low, difference.high) if better == "lower" else (-difference.high, -difference.low)
    return Held(
        metric=metric, before=mean, tuned=float(tuned[known].mean()), value=difference.value, low=difference.low,
        high=difference.high, tolerance=tolerance, num_rows=difference.num_rows,
        outcome=cost_of(lost, tolerance, num_groups, metric in SHARES),
    )  # fmt: skip


def cost_of(lost: tuple[float, float], tolerance: float, num_groups: int, is_share: bool) -> Cost:
    """`lost` is the interval of how much worse it became.

    By hand: 0.01 to 0.05 with a tolerance of 0.02 is worse (it lost something, perhaps more than is tolerated);
    0.005 to 0.015 is no worse; -0.01 to 0.03 may be either.
    """
    low, high = lost
    if num_groups < MIN_GROUPS:
        return "undecided"
    if low > 0 and high >= tolerance:
        return "worse"
    few = num_groups < ENOUGH or (is_share and _RULE_OF_THREE / num_groups > tolerance)
    return "no_worse" if high < tolerance and not few else "undecided"


def _of_ability(ability: AbilityScores) -> list[Held]:
    """By its own verdict; a model that only guessed before has nothing to lose, and nothing is said of it."""
    found = ability.differences.get("before")
    if found is None or found.at_chance:
        return []
    before, tuned = (ability.systems[name].accuracy.value for name in ("before", "tuned"))
    return [
        Held(
            metric="ability", before=before, tuned=tuned, value=found.accuracy.value, low=found.accuracy.low,
            high=found.accuracy.high, tolerance=found.tolerance, num_rows=found.num, outcome=found.verdict,
        )
    ]  # fmt: skip
