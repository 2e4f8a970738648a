"""The two final runs on the test rows: every figure that matters, paired, and what `dadeum compare` says of them.

The same rows, draws and groups as `dadeum compare`; figures that it does not pair (areas, single labels) are drawn
here in the same way. A figure without a value per row cannot be paired, and is said to be missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dadeum.core.measured import Measured, Notice
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.stats import bootstrap
from dadeum.evaluation.answers.figures import MIN_GROUPS
from dadeum.evaluation.compare import compare, describe
from dadeum.tuning.record import Objective, Tested

if TYPE_CHECKING:
    from dadeum.evaluation.answers.compare import AnswersComparison
    from dadeum.evaluation.answers.scores import Difference
    from dadeum.evaluation.decide.compare import RunComparison
    from dadeum.evaluation.decide.scores import Sample
    from dadeum.evaluation.retrieve.compare import RetrievalComparison

_ON_TEST = {"eval_loss": "loss"}
"""Objectives that a test calls by another name."""
_COSTS = ("peak_memory_mb", "train_seconds", "num_trainable")
_BESIDE = ("system_score", "unsupported_numbers", "unsupported_names")
"""Of free answers: shown beside the closeness that the verdict rests on."""
_AREAS = ("roc_auc", "average_precision")


@dataclass(frozen=True)
class OnTest:
    """What the test rows say of the two."""

    num_rows: int
    tested: tuple[Tested, ...]
    sentences: dict[str, tuple[str, ...]]
    """By language; without the conclusion, which `Tested` draws from the interval of each figure."""
    notices: tuple[Notice, ...]


def on_test(recipe: Recipe, default: Run, tuned: Run, objectives: Sequence[Objective]) -> OnTest:
    """The tuned run against the recipe as it was; RunError where they were not judged on the same rows."""
    samples = recipe.evaluate.bootstrap_samples
    found = compare(default, tuned, recipe.data_seed, samples)
    asked = [_ON_TEST.get(one.name, one.name) for one in objectives if one.name not in _COSTS]
    directions: dict[str, Literal["maximize", "minimize"]] = _directions(recipe)
    directions |= {_ON_TEST.get(one.name, one.name): one.direction for one in objectives}
    pairs, num_rows = _pairs(recipe, default, tuned, found, asked)
    tested = tuple(
        Tested(
            metric=metric, default=old, tuned=new, difference=difference, direction=directions[metric],
            verdict=_verdict(difference, directions[metric], num_groups),
        )
        for metric, (old, new, difference, num_groups) in pairs.items()
        if metric in directions
    )  # fmt: skip
    missing = [name for name in asked if name not in pairs and name in directions and name not in _ON_TEST.values()]
    notices = [Notice(key="tune.finish.notice.unpaired", values={"metric": name}) for name in missing]
    sentences = {language: tuple(describe(found, language)[:-1]) for language in ("ko", "en")}
    return OnTest(num_rows, tested, sentences, tuple(notices))


Pairs = dict[str, tuple[Measured, Measured, Measured, int]]
"""Figure → the recipe as it was, tuned, their difference, and the groups of rows behind it."""


def _pairs(
    recipe: Recipe,
    default: Run,
    tuned: Run,
    found: RunComparison | AnswersComparison | RetrievalComparison,
    asked: Sequence[str],
) -> tuple[Pairs, int]:
    from dadeum.evaluation.answers.compare import AnswersComparison
    from dadeum.evaluation.decide.compare import RunComparison

    if isinstance(found, RunComparison):
        return _of_decisions(recipe, default, tuned, found, asked), found.num_rows
    if isinstance(found, AnswersComparison):
        return _of_answers(default, tuned, found, asked), found.num_rows
    return _of_rankings(default, tuned, found, asked), found.num_questions


def _directions(recipe: Recipe) -> dict[str, Literal["maximize", "minimize"]]:
    from dadeum.evaluation.gates import better_side

    sides = better_side(recipe).items()
    return {name: "maximize" if side == "higher" else "minimize" for name, side in sides if side != "neither"}


def _verdict(
    difference: Measured, direction: Literal["maximize", "minimize"], num_groups: int
) -> Literal["better", "worse", "unclear"]:
    if num_groups < MIN_GROUPS or math.isnan(difference.low) or difference.low <= 0 <= difference.high:
        return "unclear"
    return "better" if (difference.low > 0) == (direction == "maximize") else "worse"


# -- decisions ------------------------------------------------------------------------------------
def _of_decisions(recipe: Recipe, default: Run, tuned: Run, found: RunComparison, asked: Sequence[str]) -> Pairs:
    from dadeum.evaluation.decide.compare import read_judged

    num = found.num_rows
    known: Pairs = {
        "macro_f1": (*found.macro_f1, found.macro_f1_difference, num),
        "accuracy": (*found.accuracy, found.accuracy_difference, num),
    }
    (scores, old), (_, new) = read_judged(default), read_judged(tuned)
    drawn: Pairs = {}
    for metric in dict.fromkeys([*asked, *known]):
        if metric in known:
            drawn[metric] = known[metric]
        elif (figure := _figure(metric, scores.labels)) is not None:
            both = _drawn(figure, scores.labels, old, new, recipe.data_seed, recipe.evaluate.bootstrap_samples)
            if not math.isnan(both[2].value):
                drawn[metric] = (*both, num)
    return drawn


Figure = Callable[[np.ndarray, np.ndarray], float]
"""(gold label indices, probabilities of shape (rows, labels)) → the figure."""


def _figure(metric: str, labels: Sequence[str]) -> Figure | None:
    """How a figure is made of rows; None for what only generated answers give."""
    from dadeum.evaluation.decide.calibration import brier, reliability
    from dadeum.evaluation.decide.scorers import confusion, per_class

    kind, _, label = metric.partition(".")
    if kind in ("precision", "recall", "f1"):
        return lambda gold, said: float(
            getattr(per_class(tuple(labels), confusion(gold, said.argmax(1), len(labels)))[label], kind)
        )
    if metric == "brier":
        return lambda gold, said: brier(said, gold)
    if metric == "ece":
        return lambda gold, said: reliability(said, gold).ece
    return (lambda gold, said: _area(metric, gold == 0, said[:, 0])) if metric in _AREAS else None


def _area(metric: str, positive: np.ndarray, scores: np.ndarray) -> float:
    """NaN for rows of one kind: such a draw is left out."""
    if positive.all() or not positive.any():
        return math.nan
    from sklearn.metrics import average_precision_score, roc_auc_score

    return float((roc_auc_score if metric == "roc_auc" else average_precision_score)(positive, scores))


def _drawn(
    figure: Figure, labels: Sequence[str], old: Sequence[Sample], new: Sequence[Sample], seed: int, samples: int
) -> tuple[Measured, Measured, Measured]:
    """Both and their difference, each draw of rows the same for all three."""
    gold = np.array([labels.index(row.label) for row in old], dtype=np.int64)
    first, second = (np.array([[row.probabilities[label] for label in labels] for row in rows]) for rows in (old, new))

    def interval(of: Callable[[np.ndarray], float]) -> Measured:
        drawn = bootstrap(of, len(gold), seed, samples)
        return Measured(value=drawn.value, low=drawn.low, high=drawn.high)

    return (
        interval(lambda rows: figure(gold[rows], first[rows])),
        interval(lambda rows: figure(gold[rows], second[rows])),
        interval(lambda rows: figure(gold[rows], second[rows]) - figure(gold[rows], first[rows])),
    )


# -- free answers, rankings -----------------------------------------------------------------------
def _of_answers(default: Run, tuned: Run, found: AnswersComparison, asked: Sequence[str]) -> Pairs:
    from dadeum.evaluation.answers.compare import read_judged

    (old, _), (new, _) = read_judged(default), read_judged(tuned)
    before, after = old.systems["tuned"].metrics, new.systems["tuned"].metrics
    shown = [*asked, *(name for name in old.counted if name in new.counted), *_BESIDE]
    return {
        name: (before[name], after[name], _measured(found.differences[name]), _groups(found.differences[name]))
        for name in dict.fromkeys(shown)
        if name in found.differences
    }


def _of_rankings(default: Run, tuned: Run, found: RetrievalComparison, asked: Sequence[str]) -> Pairs:
    from dadeum.evaluation.retrieve.compare import OF_MEANING, read_judged
    from dadeum.evaluation.retrieve.scores import SHOWN

    pairs: Pairs = {}
    (old, _), (new, _) = read_judged(default), read_judged(tuned)
    for name in dict.fromkeys([*asked, *SHOWN]):
        if name not in found.differences:
            continue
        alone = name.startswith(OF_MEANING)
        before, after = (scores.systems["tuned" if alone else scores.served].metrics for scores in (old, new))
        metric, difference = name.removeprefix(OF_MEANING), found.differences[name]
        pairs[name] = (before[metric], after[metric], _measured(difference), _groups(difference))
    return pairs


def _measured(difference: Difference) -> Measured:
    return Measured(value=difference.value, low=difference.low, high=difference.high)


def _groups(difference: Difference) -> int:
    """Only whether there are enough of them: the comparison has counted them where they lie."""
    return 0 if difference.outcome == "undecided" else MIN_GROUPS
