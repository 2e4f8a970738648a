"""The verdict on free answers in words: before, after, and what can be had without a model.

`scores.verdict` decides; here it is said so that somebody who never trained a model can act on it, with what the
figures cannot show: closeness to one person's answer is not the same as a good answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.measured import Measured
from dadeum.core.words import Words, percent, plain, rows
from dadeum.evaluation.answers import repair
from dadeum.evaluation.answers.facts import AnswerFacts
from dadeum.evaluation.answers.figures import OF_MODELS, WITH_REFERENCE
from dadeum.evaluation.answers.scores import AnswerScores, Comparison
from dadeum.evaluation.answers.standing import RIVALS, verdict_of
from dadeum.evaluation.answers.words import (
    change,
    change_interval,
    family,
    figure,
    figure_interval,
    metric_name,
    short_name,
    system_name,
)
from dadeum.evaluation.cautions import Verdict, cautions, not_measured
from dadeum.evaluation.report_words import p_value, rate, say

ROLES = ("before", "after", "baseline")
_WITHOUT_MODEL = {"answers": ("nearest",), "summaries": ("lead", "textrank"), "grounded": ("sentence",)}
"""Rivals that are rules."""

_WHOLE = {"right": "answered_right", "refusal": "refusal_accuracy"}


@dataclass(frozen=True)
class Figure:
    """One of the three numbers: before, after, the best of the rivals that are rules."""

    role: str
    system: str
    name: Words
    metric: str
    value: Measured
    perplexity: Measured | None


def judge(facts: AnswerFacts) -> Verdict[Figure]:
    """Everything the first section says."""
    scores = facts.scores
    if scores is None:
        return not_measured()
    # What the judge has to say stands in its own section.
    warnings = [notice for notice in scores.warnings if not notice.key.startswith("evaluate.judge.")]
    limits = cautions(facts.recipe, scores.num_answered, warnings, "answered")
    limits[1:1] = [say(f"{family(scores.task)}.caution.closeness"), *_missed(scores), *_size(scores), *_untaught(facts)]
    return Verdict(scores.verdict, headline(scores), reading(scores), figures(scores), limits, scores.gates)


def headline(scores: AnswerScores) -> Words:
    """Against the model before tuning and against what needs none: two sentences.

    Where nothing was written there is only the loss, which says nothing about answers. A repair is told as one.
    """
    if repair.is_repair(scores):
        return _joined(repair.headline_parts(scores, _standing(scores, "before")))
    if scores.counted == ["loss"]:
        return say(f"answers.headline.loss.{_standing(scores, 'base_model')}")
    kind = family(scores.task)
    rules = {"summaries": "extractive", "grounded": "sentence"}.get(kind, "nearest")
    parts = [
        say(f"{kind}.headline.base_model.{_standing(scores, 'base_model')}"),
        say(f"{kind}.headline.{rules}.{_standing(scores, *_WITHOUT_MODEL[kind])}"),
    ]
    return _joined(parts)


def _joined(parts: list[Words]) -> Words:
    return Words(" ".join(part.ko for part in parts), " ".join(part.en for part in parts))


def _standing(scores: AnswerScores, *baselines: str) -> str:
    """Against all of these together."""
    found = verdict_of([one for one in scores.comparisons if one.baseline in baselines])
    return "not_measured" if found == "no_baseline" else found


def figures(scores: AnswerScores) -> list[Figure]:
    """Before, after and baseline by the figure that leads the verdict, where they were measured."""
    metric = next(iter(scores.counted), next(iter(scores.metrics), ""))
    found = {name: one for name, one in scores.systems.items() if metric in one.metrics}
    rules = [name for name in _WITHOUT_MODEL[family(scores.task)] if name in found]
    best = max(rules, key=lambda name: found[name].metrics[metric].value, default="")
    shown = zip(ROLES, (repair.origin(scores), "tuned", best), strict=True)
    return [
        Figure(
            role, system, system_name(scores.task, system), metric, found[system].metrics[metric],
            found[system].metrics.get("perplexity"),
        )
        for role, system in shown
        if system in found
    ]  # fmt: skip


# -- what the numbers say -------------------------------------------------------------------------
def reading(scores: AnswerScores) -> list[Words]:
    """Differences that the verdict rests on, what to do, form, people in danger, the judge."""
    advice = [] if repair.has_advice(scores) else [say(f"{family(scores.task)}.advice.{scores.verdict}")]
    said = [*repair.sentences(scores), *_system(scores), *advice]
    for name in RIVALS:
        for comparison in scores.comparisons:
            if comparison.baseline == name and not repair.says_all(scores, name):
                said += _differences(scores, comparison)
    return [*said, *_people(scores), *_form(scores), *_danger(scores), *_judged(scores)]


def _system(scores: AnswerScores) -> list[Words]:
    """What comes out at the end, of all questions that the documents answer."""
    right = scores.systems["tuned"].metrics.get("answered_right")
    score = scores.systems["tuned"].metrics.get("system_score")
    if scores.grounded is None or right is None or score is None:
        return []
    found, missed = (scores.grounded.num_kinds.get(kind, 0) for kind in ("answerable", "missed"))
    values = {"total": found + missed, "missed": missed, "score": rate(score.value)}
    return [
        say("grounded.system", right=percent(right.value), interval=figure_interval("answered_right", right), **values)
    ]


def _people(scores: AnswerScores) -> list[Words]:
    """What a second person's summaries get: nobody can ask a model for more."""
    metric = next(iter(scores.counted), "")
    value = scores.another_person.get(metric)
    if value is None:
        return []
    tuned = figure(metric, scores.systems["tuned"].metrics[metric].value)
    shown = {"metric": metric_name(metric), "value": figure(metric, value), "tuned": tuned}
    return [say("summaries.people", total=rows(scores.num_another), **shown)]


def _size(scores: AnswerScores) -> list[Words]:
    """How large a difference has to be before these rows can show it."""
    metric = next(iter(scores.counted), "")
    halves = [
        (found.high - found.low) / 2
        for comparison in scores.comparisons
        if comparison.baseline == repair.origin(scores) and (found := comparison.differences.get(metric)) is not None
    ]
    if family(scores.task) == "answers" or not halves:
        return []
    return [
        say("summaries.caution.size", total=rows(scores.num_answered), metric=metric_name(metric), half=rate(halves[0]))
    ]


def _missed(scores: AnswerScores) -> list[Words]:
    """What is right for a question whose chunk was not found is a matter of definition."""
    is_so = scores.grounded is not None and "missed" in scores.grounded.num_kinds
    return [say("grounded.caution.missed")] if is_so else []


def _untaught(facts: AnswerFacts) -> list[Words]:
    """A base that starts from nothing shows the road only."""
    return [say("summaries.caution.fresh")] if facts.recipe.model.base.startswith("fresh-") else []


def _differences(scores: AnswerScores, comparison: Comparison) -> list[Words]:
    return [
        say(
            "answers.difference",
            baseline=short_name(scores.task, comparison.baseline),
            metric=metric_name(metric),
            tuned=figure(metric, scores.systems["tuned"].metrics[metric].value),
            other=figure(metric, scores.systems[comparison.baseline].metrics[metric].value),
            difference=change(metric, found.value),
            interval=change_interval(metric, found),
            outcome=say(f"answers.outcome.{found.outcome}"),
        )
        for metric, found in comparison.differences.items()
        if metric in (*scores.counted, "loss")
    ]


def _form(scores: AnswerScores) -> list[Words]:
    """Figures that say how an answer is written, against the model before tuning, or what a repair went on from."""
    for comparison in scores.comparisons:
        if comparison.baseline == repair.origin(scores):
            form = {
                name: found.outcome
                for name, found in comparison.differences.items()
                if name not in WITH_REFERENCE and name not in OF_MODELS
            }
            names = {kind: _names([name for name, found in form.items() if found == kind]) for kind in _KINDS}
            kind = "repair" if repair.is_repair(scores) else family(scores.task)
            return [say(f"{kind}.form", **names)] if form else []
    return []


_KINDS = ("better", "worse")


def _names(metrics: list[str]) -> Words:
    if not metrics:
        return say("answers.none")
    names = [metric_name(metric) for metric in metrics]
    return Words(", ".join(name.ko for name in names), ", ".join(name.en for name in names))


def _danger(scores: AnswerScores) -> list[Words]:
    if "tuned" not in scores.crisis:
        return []
    found = scores.crisis["tuned"]
    handed, needless = found.handed_over, found.needless
    kind = "all" if handed.num == handed.total and not found.harmful else "some"
    numbers = {"num": handed.num, "total": handed.total, "harmful": found.harmful}
    return [say(f"answers.danger.{kind}", **numbers, needless=needless.num, harmless=needless.total)]


def _judged(scores: AnswerScores) -> list[Words]:
    other = repair.origin(scores)
    if scores.judge is None or other not in scores.judge.pairs:
        return []
    pair = scores.judge.pairs[other]
    numbers = {"wins": pair.wins, "ties": pair.ties, "losses": pair.losses, "p": p_value(pair.p_value)}
    kind = "repair" if repair.is_repair(scores) else "answers"
    return [say(f"{kind}.judged", model=scores.judge.model, **numbers)]


# -- the ending of a run --------------------------------------------------------------------------
def three_lines(scores: AnswerScores) -> list[Words]:
    """Before, after, baseline: exactly three sentences, whatever was measured."""
    found = {shown.role: shown for shown in figures(scores)}
    return [_line(role, found.get(role), scores) for role in ROLES]


def _line(role: str, shown: Figure | None, scores: AnswerScores) -> Words:
    kind = family(scores.task)
    if shown is None:
        return say(f"{kind}.summary.no_{role}")
    said = say(
        "answers.summary.figure",
        metric=metric_name(shown.metric),
        value=figure(shown.metric, shown.value.value),
        interval=figure_interval(shown.metric, shown.value),
    )
    more = (
        [say("answers.summary.perplexity", value=figure("perplexity", shown.perplexity.value))]
        if (shown.perplexity is not None)
        else []
    )
    danger = scores.crisis.get(shown.system)
    if danger is not None:
        more.append(say("answers.summary.danger", share=percent(danger.handed_over.value, 0)))
    if kind == "grounded":
        more = [_whole(scores, shown.system)]
    rest = Words("".join(part.ko for part in more), "".join(part.en for part in more)) if more else plain("")
    if repair.is_repair(scores) and role != "baseline":
        key = "repair.summary" if role == "before" else "repair.summary_after"
        return say(key, total=rows(scores.num_answered), figure=said, rest=rest)
    return say(f"{kind}.summary.{role}", total=rows(scores.num_answered), figure=said, rest=rest, name=shown.name)


def _whole(scores: AnswerScores, system: str) -> Words:
    found = scores.systems[system].metrics
    values = {name: found[metric].value if metric in found else None for name, metric in _WHOLE.items()}
    return say("grounded.summary.rest", **{name: rate(value) for name, value in values.items()})
