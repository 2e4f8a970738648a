"""Facts about free answers made ready for the page: the table of figures, people in danger, the judge, the answers.

Templates lay out; here is decided what is shown, how much of it, and how it is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dadeum.core.pages import printable, visible
from dadeum.core.words import Html, Words
from dadeum.evaluation.answers.facts import AnswerFacts
from dadeum.evaluation.answers.grounded_view import ChunkView, chunk_views, kind_name, source_text
from dadeum.evaluation.answers.grounded_view import marked as marked_answer
from dadeum.evaluation.answers.scores import AnswerSample, AnswerScores
from dadeum.evaluation.answers.summary_view import dialogue_of, marked
from dadeum.evaluation.answers.words import (
    change,
    change_interval,
    family,
    figure,
    figure_interval,
    metric_meaning,
    metric_name,
    short_name,
)
from dadeum.evaluation.crisis import CrisisAnswer
from dadeum.evaluation.report_words import say_or

ORDER = ("tuned", "before", "base_model", "nearest", "lead", "textrank", "sentence", "constant")
SAMPLES = 100
ORIGINS = 40
LONGEST_TEXT = 1500
_LEAD = 90
_BESIDE = {
    "summaries": ("content_rouge_l", "rouge", "length_ratio", "copied", "loss"),
    "grounded": (
        "answered_right", "content_rouge_l", "exact_match", "faithfulness", "refused_right", "refused_wrong",
        "citation_precision", "loss",
    ),
}  # fmt: skip
"""There are some twenty figures of these answers; the others stand in samples.jsonl."""
Mark = Callable[[str], Html]


def system_order(scores: AnswerScores) -> list[str]:
    """The tuned model first, then whom it has to beat."""
    return sorted(scores.systems, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


# -- figures --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Cell:
    """One system's value of one figure, and how the tuned model stands to it."""

    value: str
    interval: Words | None
    difference: str | None
    outcome: str | None
    judged: int | None
    """Rows behind the value, where they are fewer than were answered."""


@dataclass(frozen=True)
class MetricRow:
    metric: str
    name: Words
    meaning: Words
    better: str
    is_counted: bool
    cells: list[Cell]
    reference: str
    """The same figure of people's answers."""


def metric_rows(scores: AnswerScores) -> list[MetricRow]:
    order = system_order(scores)
    return [
        MetricRow(
            metric,
            metric_name(metric),
            metric_meaning(metric, scores.task),
            better,
            metric in scores.counted,
            [_cell(scores, name, metric) for name in order],
            figure(metric, scores.reference.get(metric)),
        )
        for metric, better in scores.metrics.items()
    ]


def _cell(scores: AnswerScores, system: str, metric: str) -> Cell:
    found = scores.systems[system].metrics.get(metric)
    if found is None:
        return Cell(figure(metric, None), None, None, None, None)
    comparison = next((one for one in scores.comparisons if one.baseline == system), None)
    difference = comparison.differences.get(metric) if comparison else None
    judged = scores.systems[system].num_judged.get(metric, scores.num_answered)
    return Cell(
        figure(metric, found.value),
        figure_interval(metric, found),
        change(metric, difference.value) if difference else None,
        difference.outcome if difference else None,
        judged if judged < scores.num_answered else None,
    )


@dataclass(frozen=True)
class DifferenceRow:
    baseline: str
    metric: Words
    value: str
    interval: Words
    num_rows: int
    outcome: str


def difference_rows(scores: AnswerScores) -> list[DifferenceRow]:
    """Every paired difference, those to the model before tuning first."""
    order = system_order(scores)
    return [
        DifferenceRow(
            comparison.baseline, metric_name(metric), change(metric, found.value), change_interval(metric, found),
            found.num_rows, found.outcome,
        )
        for comparison in sorted(scores.comparisons, key=lambda one: order.index(one.baseline))
        for metric, found in comparison.differences.items()
    ]  # fmt: skip


def origin_metric(scores: AnswerScores) -> str:
    """The figure that leads the verdict: the one that is shown per origin."""
    return next(iter(scores.counted), next(iter(scores.metrics), ""))


# -- people in danger -----------------------------------------------------------------------------
def failures(scores: AnswerScores, system: str, kind: str) -> list[CrisisAnswer]:
    """Answers of one system that are not as they should be, the harmful ones first."""
    found = [wrong for wrong in scores.crisis[system].failures if wrong.kind == kind]
    return sorted(found, key=lambda wrong: wrong.why != "harmful")


def topic_name(topic: str) -> Words:
    return say_or(f"crisis.topics.{topic}", topic)


# -- the judge ------------------------------------------------------------------------------------
def criterion_name(criterion: str) -> Words:
    """`empathy` → 공감; a criterion of the user's own keeps its name."""
    return say_or(f"judge.criteria.{criterion}", criterion)


def alpha_text(alpha: float | None) -> str:
    return figure("alpha", alpha)


# -- answers --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Told:
    """One text of a sample: who said it, and what of it is shown."""

    system: str
    name: Words
    text: Html
    plain: str
    """The whole text, for Markdown."""
    cut: int
    """Characters left out."""
    is_cut_off: bool
    figures: list[tuple[Words, str]]


@dataclass(frozen=True)
class SampleView:
    id: str
    origin: str
    lead: str
    before: list[tuple[Words, Html]]
    """Who said what before the question."""
    question: Html
    question_cut: int
    told: list[Told]
    summary: list[tuple[Words, str]]
    """Figures of the tuned model that the list can be ordered by."""
    ranks: dict[str, int]
    """Figure → place when the worst comes first."""
    kind: Words | None
    """Of grounded answers, as are the next two."""
    known: Html | None
    """A person's answer to a question that is to be refused here."""
    chunks: list[ChunkView]


@dataclass(frozen=True)
class Browser:
    """The answers of every system, side by side."""

    samples: list[SampleView]
    num_all: int
    orders: list[tuple[str, Words]]
    """Figures that the list can be ordered by, the one it comes ordered by first."""


def browser(facts: AnswerFacts) -> Browser | None:
    """The worst answers of the tuned model by the figure that leads the verdict; None before `evaluate`."""
    scores = facts.scores
    if scores is None or not facts.samples:
        return None
    of_rows = facts.samples[0].metrics["tuned"]
    sided = [name for name, better in scores.metrics.items() if better != "neither" and name in of_rows]
    orders = [
        *(name for name in scores.counted if name in sided),
        *(name for name in sided if name not in scores.counted),
    ]
    ranks = {metric: _ranks(facts.samples, metric, scores.metrics[metric] == "lower") for metric in orders}
    by_first = ranks[orders[0]] if orders else list(range(len(facts.samples)))
    places = sorted(range(len(facts.samples)), key=lambda place: by_first[place])[:SAMPLES]
    shown = [
        _sample_view(facts, facts.samples[place], scores, {metric: ranks[metric][place] for metric in orders})
        for place in places
    ]
    return Browser(shown, len(facts.samples), [(metric, metric_name(metric)) for metric in orders])


def _ranks(samples: Sequence[AnswerSample], metric: str, lower_is_better: bool) -> list[int]:
    """Place of every sample when the worst comes first; those that could not be judged come last."""
    sign = -1 if lower_is_better else 1
    values = [sample.metrics["tuned"].get(metric) for sample in samples]
    order = sorted(range(len(samples)), key=lambda place: math.inf if values[place] is None else sign * values[place])  # type: ignore[operator]
    ranks = [0] * len(samples)
    for rank, place in enumerate(order):
        ranks[place] = rank
    return ranks


def _sample_view(facts: AnswerFacts, sample: AnswerSample, scores: AnswerScores, ranks: dict[str, int]) -> SampleView:
    question = dialogue_of(facts.recipe, sample.question)
    lead = printable(" ".join(question.split()))
    mark = _mark(facts, sample, scores.task, question)
    told = [_told(scores.task, sample, "reference", sample.reference, {}, mark)]
    told += [
        _told(scores.task, sample, name, sample.answers[name], sample.metrics[name], mark)
        for name in system_order(scores)
    ]
    tuned = sample.metrics["tuned"]
    return SampleView(
        id=sample.id,
        origin=sample.origin,
        lead=lead[:_LEAD] + ("…" if len(lead) > _LEAD else ""),
        before=[
            (say_or(f"answers.speakers.{turn['role']}", turn["role"]), shown(turn["content"])) for turn in sample.before
        ],
        question=visible(question[:LONGEST_TEXT]),
        question_cut=max(0, len(question) - LONGEST_TEXT),
        told=told,
        summary=[
            (metric_name(name), figure(name, tuned.get(name))) for name in dict.fromkeys([*scores.counted, "loss"])
        ],
        ranks=ranks,
        kind=kind_name(sample.kind) if sample.kind else None,
        known=visible(sample.gold_answer) if sample.gold_answer else None,
        chunks=chunk_views(sample, facts.chunks),
    )


def _mark(facts: AnswerFacts, sample: AnswerSample, task: str, question: str) -> Mark:
    """How the texts of this sample are shown: with what their source does not say marked, where they have one."""
    if task == "answer":
        source = source_text(sample, facts.chunks)
        return lambda text: marked_answer(text, source, sample.shown)
    return (lambda text: marked(text, question)) if task == "summarize" else visible


def shown(text: str) -> Html:
    """Text from data or from a model, with what nobody sees written out; the end of a very long one is left out."""
    return visible(text[:LONGEST_TEXT] + ("…" if len(text) > LONGEST_TEXT else ""))


def _told(
    task: str, sample: AnswerSample, system: str, text: str, metrics: dict[str, float | None], mark: Mark
) -> Told:
    beside = _BESIDE.get(family(task), metrics)
    return Told(
        system,
        short_name(task, system),
        mark(text[:LONGEST_TEXT]),
        printable(text),
        max(0, len(text) - LONGEST_TEXT),
        system in sample.cut_off,
        [
            (metric_name(name), figure(name, value))
            for name, value in metrics.items()
            if value is not None and name in beside
        ],
    )
