"""The verdict of a run in words: before, after, baseline, and what follows from them.

`scores.verdict` decides whether the tuned model beats the best classical baseline; here it is said so that
somebody who never trained a model can act on it, with everything that limits it beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.measured import Measured
from dadeum.core.recipe import Recipe
from dadeum.core.words import Words, percent, plain, rows
from dadeum.evaluation.cautions import Verdict, cautions, not_measured
from dadeum.evaluation.decide.compare import SIGNIFICANT
from dadeum.evaluation.decide.facts import DecideFacts, best_baseline, num_judged, num_right
from dadeum.evaluation.decide.scores import Comparison, Scores
from dadeum.evaluation.report_words import (
    p_value,
    percent_interval,
    points,
    points_interval,
    resolution,
    say,
    short_name,
    system_name,
)


@dataclass(frozen=True)
class Figure:
    """One of the three numbers: before, after, baseline."""

    role: str
    system: str
    name: Words
    accuracy: Measured
    macro_f1: Measured
    right: int
    total: int


def judge(facts: DecideFacts) -> Verdict[Figure]:
    """Everything the first section says."""
    scores = facts.scores
    if scores is None:
        return not_measured()
    kind, recipe = kind_of(scores), facts.recipe
    said = reading(kind, recipe, scores)
    return Verdict(
        kind,
        headline(scores),
        said,
        figures(scores),
        cautions(recipe, num_test_rows(scores), scores.warnings),
        scores.gates,
    )


def kind_of(scores: Scores) -> str:
    """`scores.verdict`, unless the test cannot tell anything or the model only learnt to repeat one label."""
    tuned = scores.systems["tuned"]
    if sum(1 for row in tuned.confusion if sum(row)) < 2:
        return "one_label"
    if scores.verdict in ("as_good", "worse") and best_baseline(scores) == "majority":
        return "as_majority"
    return scores.verdict


def headline(scores: Scores) -> Words:
    """The conclusion as one sentence."""
    kind, rival = kind_of(scores), best_baseline(scores)
    return say(f"verdict.{kind}", baseline=short_name(rival) if rival else plain(""))


def figures(scores: Scores) -> list[Figure]:
    """Before, after, baseline: those that were measured."""
    roles = {"before": "base_model", "after": "tuned", "baseline": best_baseline(scores)}
    return [_figure(role, system, scores) for role, system in roles.items() if system in scores.systems and system]


def _figure(role: str, system: str, scores: Scores) -> Figure:
    found = scores.systems[system]
    name = system_name(system)
    return Figure(role, system, name, found.accuracy, found.macro_f1, num_right(found), num_judged(found))


def num_test_rows(scores: Scores) -> int:
    """Rows that the tuned model was judged on."""
    return num_judged(scores.systems["tuned"])


# -- what the numbers say -------------------------------------------------------------------------
def reading(kind: str, recipe: Recipe, scores: Scores) -> list[Words]:
    """Difference to the baseline, what to do about it, unseen origins, and what the tuning itself changed."""
    said: list[Words] = []
    rival = _comparison(scores, best_baseline(scores))
    if rival and kind != "one_label":
        said += [_difference(rival, scores), *_unseen(recipe, scores, rival.baseline)]
    only = only_answer(scores)
    if only is not None and kind != "one_label":
        said.append(say("verdict.collapsed", label=only, total=rows(num_test_rows(scores))))
    said.append(say(f"verdict.advice.{kind}"))
    if rival and kind == "as_good":
        width = resolution(rival.accuracy_difference)
        said.append(say("verdict.resolution", total=rows(num_test_rows(scores)), width=width))
    before = _comparison(scores, "base_model")
    if before and kind != "one_label":
        said.append(_gain(before, scores))
    return said


def only_answer(scores: Scores) -> str | None:
    """The label that the tuned model gave to every test row; None when it gave more than one."""
    given = [index for index, column in enumerate(zip(*scores.systems["tuned"].confusion, strict=True)) if any(column)]
    return scores.labels[given[0]] if len(given) == 1 else None


def _comparison(scores: Scores, baseline: str | None) -> Comparison | None:
    return next((item for item in scores.comparisons if item.baseline == baseline), None)


def _difference(comparison: Comparison, scores: Scores) -> Words:
    change = comparison.accuracy_difference
    return say(
        "verdict.difference",
        baseline=short_name(comparison.baseline),
        difference=points(change.value),
        interval=points_interval(change),
        only_tuned=rows(comparison.only_tuned_right),
        only_baseline=rows(comparison.only_baseline_right),
        total=rows(num_test_rows(scores)),
        p=p_value(comparison.p_value),
    )


def _unseen(recipe: Recipe, scores: Scores, baseline: str) -> list[Words]:
    """Accuracy on held-out origins, where that is only a part of the test data: what an LLM may be better at."""
    held_out = [values for origin, values in scores.by_origin.items() if origin in recipe.data.split.hold_out]
    total = int(sum(values["num_rows"] for values in held_out))
    if not 0 < total < num_test_rows(scores) or any(baseline not in values for values in held_out):
        return []
    tuned, rival = (
        sum(values[system] * values["num_rows"] for values in held_out) / total for system in ("tuned", baseline)
    )
    names = {"baseline": short_name(baseline), "rival": percent(rival), "tuned": percent(tuned)}
    return [say("verdict.unseen", total=rows(total), **names)]


def _gain(comparison: Comparison, scores: Scores) -> Words:
    change = comparison.accuracy_difference
    clear = comparison.p_value < SIGNIFICANT
    key = "gained" if clear and change.value > 0 else "lost" if clear else "unchanged"
    return say(
        f"verdict.tuning.{key}",
        before=percent(scores.systems["base_model"].accuracy.value),
        after=percent(scores.systems["tuned"].accuracy.value),
        p=p_value(comparison.p_value),
    )


# -- the ending of a run --------------------------------------------------------------------------
def three_lines(scores: Scores) -> list[Words]:
    """Before, after, baseline: exactly three sentences, whatever was measured."""
    found = {figure.role: figure for figure in figures(scores)}
    return [_line(role, found.get(role)) for role in ("before", "after", "baseline")]


def _line(role: str, figure: Figure | None) -> Words:
    if figure is None:
        return say(f"summary.no_{role}")
    return say(
        f"summary.{role}",
        name=figure.name,
        total=rows(figure.total),
        right=rows(figure.right),
        accuracy=percent(figure.accuracy.value),
        interval=percent_interval(figure.accuracy),
    )
