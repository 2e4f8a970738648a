"""What a judge's ratings and choices come to: means with intervals, wins and losses, bias, agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dadeum.core.measured import Measured, Notice, Part
from dadeum.core.stats import bootstrap
from dadeum.evaluation.agreement import cohen_kappa, krippendorff_alpha, sign_test

Choice = Literal["first", "second", "tie"]
"""Which of two answers a judge preferred: the one of the first or of the second system, whatever the order shown."""


class PairScores(Part):
    """The tuned model against one other system. Only a choice that both orders give counts; else it is a tie."""

    wins: int
    ties: int
    losses: int
    """wins + ties + losses = pairs that were judged in both orders."""
    inconsistent: int
    """Of the ties: the choice changed when the order was swapped."""
    unjudged: int
    """Pairs of which one order or both got no readable choice."""
    p_value: float
    """Sign test on wins and losses."""
    consistency: float | None
    """Share of pairs with the same choice in both orders; None without pairs."""
    kappa: float | None
    """Cohen's kappa of the choices in the two orders; None where it is not defined."""
    shown_first: int
    """Choices for the answer that was shown first, of `decided`."""
    decided: int
    """Choices that were no tie, over both orders."""
    position_p: float
    """How likely so uneven a preference for a place is by chance; small is a judge that looks at the place."""


class Agreement(Part):
    """Two ratings of the same answers, criteria in order and in reverse."""

    num_answers: int
    alpha: dict[str, float | None]
    """Krippendorff's ordinal alpha per criterion; None where all ratings are the same."""


class Problem(Part):
    """A question that the judge did not answer readably."""

    row: str
    about: str
    """`tuned`, or `tuned/base_model` for a pair."""
    kind: Literal["unparsable", "failed"]
    detail: str


class JudgeScores(Part):
    """evaluation of free answers by a larger model; its key is never part of this."""

    model: str
    endpoint: str
    """Address without user name, password and query."""
    rubric: list[str]
    num_rows: int
    """Test rows that were to be judged."""
    num_rated: dict[str, int]
    """Answers of each system that got a readable rating."""
    systems: dict[str, dict[str, Measured]]
    """System → criterion → mean rating, 0..5; `reference` is what people wrote."""
    differences: dict[str, dict[str, Measured]]
    """Other system → criterion → tuned − other on rows where both are rated."""
    pairs: dict[str, PairScores]
    agreement: Agreement
    asked: int
    """Questions sent in this run; each may have taken several attempts."""
    cached: int
    """Questions whose answer stood in judge.jsonl."""
    unparsable: int
    failed: int
    not_asked: int
    """Left out after the endpoint had refused or could not be reached."""
    problems: list[Problem]
    """The first of them."""
    warnings: list[Notice]


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn: whole groups of rows, because near-duplicates are one observation."""

    groups: Sequence[str]
    """Group of every judged row."""
    seed: int
    samples: int


def measured(values: np.ndarray, how: Resampling) -> Measured | None:
    """Mean of the values that are there with its interval; None where none is."""
    there: list[int] = np.flatnonzero(~np.isnan(values)).tolist()
    if not there:
        return None
    names = sorted({how.groups[index] for index in there})
    members = {name: [values[index] for index in there if how.groups[index] == name] for name in names}
    sums, sizes = (np.array([kind(members[name]) for name in names], dtype=float) for kind in (sum, len))
    found = bootstrap(lambda drawn: float(sums[drawn].sum() / sizes[drawn].sum()), len(names), how.seed, how.samples)
    return Measured(value=found.value, low=found.low, high=found.high)


def by_criterion(ratings: np.ndarray, rubric: Sequence[str], how: Resampling) -> dict[str, Measured]:
    """`ratings` has shape (rows, criteria), NaN where there is none."""
    found = {name: measured(ratings[:, column], how) for column, name in enumerate(rubric)}
    return {name: one for name, one in found.items() if one is not None}


def score_pairs(choices: Sequence[tuple[Choice | None, Choice | None]]) -> PairScores:
    """Per row the choice with tuned shown first, and with tuned shown second; None where there is none."""
    both = [(one, other) for one, other in choices if one is not None and other is not None]
    agreed = [one for one, other in both if one == other]
    wins, losses = agreed.count("first"), agreed.count("second")
    shown_first = sum(one == "first" for one, _ in choices) + sum(other == "second" for _, other in choices)
    decided = sum(choice in ("first", "second") for pair in choices for choice in pair)
    kappa = cohen_kappa([one for one, _ in both], [other for _, other in both])
    return PairScores(
        wins=wins,
        ties=len(both) - wins - losses,
        losses=losses,
        inconsistent=len(both) - len(agreed),
        unjudged=len(choices) - len(both),
        p_value=sign_test(wins, losses),
        consistency=len(agreed) / len(both) if both else None,
        kappa=None if np.isnan(kappa) else kappa,
        shown_first=shown_first,
        decided=decided,
        position_p=sign_test(shown_first, decided - shown_first),
    )


def agreement_of(first: np.ndarray, again: np.ndarray, rubric: Sequence[str]) -> Agreement:
    """`first` and `again` have shape (answers, criteria), NaN where there is no rating."""
    both = ~np.isnan(first).any(1) & ~np.isnan(again).any(1)
    alphas = {
        name: krippendorff_alpha(np.stack([first[both, column], again[both, column]]))
        for column, name in enumerate(rubric)
    }
    return Agreement(
        num_answers=int(both.sum()), alpha={name: None if np.isnan(one) else one for name, one in alphas.items()}
    )


LOW_ALPHA = 0.667
"""Krippendorff's limit below which ratings allow not even tentative conclusions."""
LOW_CONSISTENCY = 0.7
BIASED = 0.05


def reading_notices(pairs: Mapping[str, PairScores], agreement: Agreement) -> list[Notice]:
    """What makes a judge's figures worth less than they look."""
    found = []
    for other, pair in pairs.items():
        if pair.position_p < BIASED:
            values: dict[str, str | int | float] = {"other": other, "first": pair.shown_first, "decided": pair.decided}
            found.append(Notice(key="evaluate.judge.position_bias", values=values))
        if pair.consistency is not None and pair.consistency < LOW_CONSISTENCY:
            values = {"other": other, "percent": round(100 * pair.consistency), "inconsistent": pair.inconsistent}
            found.append(Notice(key="evaluate.judge.inconsistent", values=values))
    for criterion, alpha in agreement.alpha.items():
        if alpha is not None and alpha < LOW_ALPHA:
            values = {"criterion": criterion, "alpha": round(alpha, 2), "num": agreement.num_answers}
            found.append(Notice(key="evaluate.judge.low_agreement", values=values))
    return found
