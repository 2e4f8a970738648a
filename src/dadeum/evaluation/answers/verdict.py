"""The verdict on free answers in words: before, after, and the answer of the most similar question.

`scores.verdict` decides; here it is said so that somebody who never trained a model can act on it, with what the
figures cannot show: closeness to one person's answer is not the same as a good answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.words import Words, percent, plain, rows
from dadeum.evaluation.answers.facts import AnswerFacts
from dadeum.evaluation.answers.scores import AnswerScores, Comparison
from dadeum.evaluation.answers.words import change, change_interval, figure, figure_interval, metric_name
from dadeum.evaluation.cautions import cautions
from dadeum.evaluation.report_words import p_value, say, short_name, system_name
from dadeum.evaluation.scores import Gate, Measured

ROLES = {"before": "base_model", "after": "tuned", "baseline": "nearest"}


@dataclass(frozen=True)
class Figure:
    """One of the three numbers: before, after, the most similar question's answer."""

    role: str
    system: str
    name: Words
    metric: str
    value: Measured
    perplexity: Measured | None


@dataclass(frozen=True)
class Verdict:
    kind: str
    """better | mixed | as_good | worse | undecided | no_baseline | not_measured."""
    headline: Words
    reading: list[Words]
    """The sentences under the headline, most important first."""
    figures: list[Figure]
    cautions: list[Words]
    gates: list[Gate]


def judge(facts: AnswerFacts) -> Verdict:
    """Everything the first section says."""
    scores = facts.scores
    if scores is None:
        return Verdict("not_measured", say("verdict.not_measured"), [say("verdict.run_evaluate")], [], [], [])
    # What the judge has to say stands in its own section.
    warnings = [notice for notice in scores.warnings if not notice.key.startswith("evaluate.judge.")]
    limits = cautions(facts.recipe, scores.num_answered, warnings, "answered")
    limits.insert(1, say("answers.caution.closeness"))
    return Verdict(scores.verdict, headline(scores), reading(scores), figures(scores), limits, scores.gates)


def headline(scores: AnswerScores) -> Words:
    """Against the model before tuning and against the most similar question's answer: two sentences.

    Where nothing was written there is only the loss, which says nothing about answers.
    """
    if scores.counted == ["loss"]:
        return say(f"answers.headline.loss.{_standing(scores, 'base_model')}")
    parts = [say(f"answers.headline.{name}.{_standing(scores, name)}") for name in ("base_model", "nearest")]
    return Words(" ".join(part.ko for part in parts), " ".join(part.en for part in parts))


def _standing(scores: AnswerScores, baseline: str) -> str:
    return next((found.standing for found in scores.comparisons if found.baseline == baseline), "not_measured")


def figures(scores: AnswerScores) -> list[Figure]:
    """Before, after and baseline by the figure that leads the verdict, where they were measured."""
    metric = next(iter(scores.counted), next(iter(scores.metrics), ""))
    return [
        Figure(role, system, system_name(system), metric, found.metrics[metric], found.metrics.get("perplexity"))
        for role, system in ROLES.items()
        if (found := scores.systems.get(system)) is not None and metric in found.metrics
    ]


# -- what the numbers say -------------------------------------------------------------------------
def reading(scores: AnswerScores) -> list[Words]:
    """Differences that the verdict rests on, what to do, form, people in danger, the judge."""
    said = [say(f"answers.advice.{scores.verdict}")]
    for name in ("base_model", "nearest"):
        for comparison in scores.comparisons:
            if comparison.baseline == name:
                said += _differences(scores, comparison)
    return [*said, *_form(scores), *_danger(scores), *_judged(scores)]


def _differences(scores: AnswerScores, comparison: Comparison) -> list[Words]:
    return [
        say(
            "answers.difference",
            baseline=short_name(comparison.baseline),
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
    """Figures that say how an answer is written, against the model before tuning."""
    for comparison in scores.comparisons:
        if comparison.baseline == "base_model":
            form = {
                name: found.outcome
                for name, found in comparison.differences.items()
                if name not in scores.counted and name not in ("loss", "perplexity", "similarity")
            }
            names = {kind: _names([name for name, found in form.items() if found == kind]) for kind in _KINDS}
            return [say("answers.form", **names)] if form else []
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
    if scores.judge is None or "base_model" not in scores.judge.pairs:
        return []
    pair = scores.judge.pairs["base_model"]
    numbers = {"wins": pair.wins, "ties": pair.ties, "losses": pair.losses, "p": p_value(pair.p_value)}
    return [say("answers.judged", model=scores.judge.model, **numbers)]


# -- the ending of a run --------------------------------------------------------------------------
def three_lines(scores: AnswerScores) -> list[Words]:
    """Before, after, baseline: exactly three sentences, whatever was measured."""
    found = {shown.role: shown for shown in figures(scores)}
    return [_line(role, found.get(role), scores) for role in ROLES]


def _line(role: str, shown: Figure | None, scores: AnswerScores) -> Words:
    if shown is None:
        return say(f"answers.summary.no_{role}")
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
    rest = Words("".join(part.ko for part in more), "".join(part.en for part in more)) if more else plain("")
    return say(f"answers.summary.{role}", total=rows(scores.num_answered), figure=said, rest=rest)
