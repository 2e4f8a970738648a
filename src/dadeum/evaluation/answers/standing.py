"""Better, worse, or nobody can say: what the paired differences to one baseline, and to all, come to.

Only closeness to people's answers counts here, and of grounded answers the right refusals. Speech level, repetition
and the like are shown beside it: an answer can hold every form and say nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from dadeum.core.measured import Notice
from dadeum.evaluation.answers.figures import CLOSENESS
from dadeum.evaluation.answers.scores import Comparison, Difference, Standing

RIVALS = ("before", "base_model", "nearest", "lead", "textrank", "sentence")
"""Whom the tuned model has to beat, as far as its task has them; `constant` is no rival, only a floor."""
_REFUSING = ("refused_right",)
"""Grounded answers have two sides: refusing wrongly is seen in closeness already, not refusing is seen here alone."""
_BLIND = {"similarity": "evaluate.metrics.similarity.english_model"}
"""Figure → notice that takes its meaning away."""


def counted(measured: Collection[str], notices: Sequence[Notice]) -> list[str]:
    """Figures that the verdict rests on, of those that were measured.

    The loss only where nothing was written: a model can find people's answers more likely and write no better.
    """
    said = {notice.key for notice in notices}
    written = [name for name in CLOSENESS if name in measured and _BLIND.get(name) not in said]
    if written:
        return [*written, *(name for name in _REFUSING if name in measured)]
    return [name for name in ("loss",) if name in measured]


def standing(differences: Mapping[str, Difference], counted: Collection[str]) -> Standing:
    """All counted figures together; `undecided` without any."""
    outcomes = {found.outcome for metric, found in differences.items() if metric in counted}
    if {"better", "worse"} <= outcomes:
        return "mixed"
    kinds: tuple[Standing, ...] = ("better", "worse", "as_good")
    return next((kind for kind in kinds if kind in outcomes), "undecided")


def verdict_of(comparisons: Sequence[Comparison]) -> Standing | Literal["no_baseline"]:
    """Better only than all rivals; a rival that does as well makes the whole `as_good`."""
    found = {comparison.standing for comparison in comparisons if comparison.baseline in RIVALS}
    if not found:
        return "no_baseline"
    if "mixed" in found or {"better", "worse"} <= found:
        return "mixed"
    kinds: tuple[Standing, ...] = ("worse", "undecided", "as_good")
    return next((kind for kind in kinds if kind in found), "better")
