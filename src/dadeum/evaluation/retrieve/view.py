"""Facts about retrieval made ready for the page: tables of figures, what was tried, and questions to look at.

Templates lay out; here is decided what is shown, and how much of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dadeum.core.measured import Measured
from dadeum.core.pages import printable, visible
from dadeum.core.words import Html, Words
from dadeum.evaluation.answers.scores import Difference
from dadeum.evaluation.answers.words import change, change_interval, figure, figure_interval
from dadeum.evaluation.report_words import say, short_name
from dadeum.evaluation.retrieve.facts import RetrievalFacts
from dadeum.evaluation.retrieve.figures import reciprocal
from dadeum.evaluation.retrieve.scores import MAIN, SHOWN, Hybrid, PartScores, RetrievalSample, RetrievalScores
from dadeum.evaluation.retrieve.words import joined, metric_meaning, metric_name, part_name

ORDER = ("tuned_hybrid", "tuned", "bm25", "base_hybrid", "base_model")
OF_PARTS = (MAIN, "recall@1", "recall@5")
PARTS = 30
PER_KIND = 30
"""Questions of each kind that are shown: lost to BM25, won from it, found by nobody."""
_LEAD = 110
_DEEP = 5


def system_order(scores: RetrievalScores) -> list[str]:
    """What may be served first, then whom it has to beat."""
    return [name for name in ORDER if name in scores.systems]


# -- figures --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class FigureRow:
    name: Words
    meaning: Words
    is_main: bool
    cells: list[tuple[str, Words]]
    """Value and interval of every system."""


def figure_rows(scores: RetrievalScores) -> list[FigureRow]:
    """Those of the first table."""
    return [_figure_row(scores, metric) for metric in SHOWN]


def other_rows(scores: RetrievalScores) -> list[FigureRow]:
    """The rest, which says the same where every question has one right chunk."""
    return [_figure_row(scores, metric) for metric in scores.metrics if metric not in SHOWN]


def _figure_row(scores: RetrievalScores, metric: str) -> FigureRow:
    found = [scores.systems[name].metrics[metric] for name in system_order(scores)]
    return FigureRow(metric_name(metric), metric_meaning(metric), metric == MAIN, [_cell(metric, one) for one in found])


def _cell(metric: str, found: Measured) -> tuple[str, Words]:
    return figure(metric, found.value), figure_interval(metric, found)


@dataclass(frozen=True)
class DifferenceRow:
    system: Words
    baseline: Words
    metric: Words
    value: str
    interval: Words
    outcome: str


def difference_rows(scores: RetrievalScores, metrics: Sequence[str] = SHOWN) -> list[DifferenceRow]:
    """Every paired difference in these figures."""
    return [
        DifferenceRow(
            short_name(pair.system), short_name(pair.baseline), metric_name(metric),
            change(metric, pair.differences[metric].value), change_interval(metric, pair.differences[metric]),
            pair.differences[metric].outcome,
        )
        for pair in scores.comparisons
        for metric in metrics
    ]  # fmt: skip


# -- words and meaning ----------------------------------------------------------------------------
@dataclass(frozen=True)
class TriedRow:
    how: Words
    figure: str
    share: float
    is_chosen: bool


def tried_rows(how: Hybrid) -> list[TriedRow]:
    """What was tried on validation questions, words alone first."""
    return [
        TriedRow(
            joined(how.model_copy(update={"method": one.method, "weight": one.weight})),
            figure(MAIN, one.figure),
            one.figure,
            (one.method, one.weight) == (how.method, how.weight),
        )
        for one in how.tried
    ]


# -- parts ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class PartRow:
    name: Words
    num_rows: int
    cells: list[str]
    difference: Difference | None
    change: str
    interval: Words | None


def part_rows(scores: RetrievalScores, way: str) -> list[PartRow]:
    """Values of `domain`, `difficulty`, …: the commonest first."""
    return [_part_row(scores, part_name(way, value), part) for value, part in scores.parts[way].items()][:PARTS]


def _part_row(scores: RetrievalScores, name: Words, part: PartScores) -> PartRow:
    cells = [figure(MAIN, part.systems[system][MAIN]) for system in system_order(scores)]
    found = part.difference
    return PartRow(
        name, part.num_rows, cells, found, change(MAIN, found.value) if found else "",
        change_interval(MAIN, found) if found else None,
    )  # fmt: skip


# -- questions ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Result:
    """One chunk that a system showed."""

    document: str
    pages: str
    beginning: Html
    is_right: bool


@dataclass(frozen=True)
class Told:
    system: str
    name: Words
    rank: Words
    results: list[Result]


@dataclass(frozen=True)
class QuestionView:
    id: str
    lead: str
    question: Html
    kind: Words
    right: list[Result]
    told: list[Told]
    places: dict[str, int]
    """Order → place in it."""


@dataclass(frozen=True)
class Browser:
    questions: list[QuestionView]
    num_all: int
    counts: dict[str, int]
    """`lost`, `won`, `missed`: how many there are in all."""
    orders: list[tuple[str, Words]]


def browser(facts: RetrievalFacts) -> Browser | None:
    """Questions that were lost to BM25, won from it, and found by nobody; None before `evaluate`."""
    scores = facts.scores
    if scores is None or not facts.samples:
        return None
    kinds: dict[str, Callable[[RetrievalSample], float]] = {
        "lost": lambda one: one.behind_bm25 or 0.0,
        "won": lambda one: -(one.behind_bm25 or 0.0),
        "missed": lambda one: float(not any(reciprocal(places) for places in one.ranks.values())),
    }
    ranked = {
        kind: sorted(range(len(facts.samples)), key=lambda place, of=of: -of(facts.samples[place]))  # type: ignore[misc]
        for kind, of in kinds.items()
    }
    counts = {kind: sum(of(one) > 0 for one in facts.samples) for kind, of in kinds.items()}
    shown = {place: kind for kind in reversed(kinds) for place in ranked[kind][: min(PER_KIND, counts[kind])]}
    order = {kind: {place: at for at, place in enumerate(places)} for kind, places in ranked.items()}
    views = [
        _question(facts.samples[place], scores, shown[place], {kind: order[kind][place] for kind in kinds})
        for place in sorted(shown, key=lambda place: order["lost"][place])
    ]
    return Browser(views, len(facts.samples), counts, [(kind, say(f"retrieve.orders.{kind}")) for kind in kinds])


def _question(one: RetrievalSample, scores: RetrievalScores, kind: str, places: dict[str, int]) -> QuestionView:
    lead = printable(" ".join(one.question.split()))
    right = [name for name in one.gold if name in one.chunks]
    told = [
        Told(name, short_name(name), _rank(one.ranks[name]), [_result(one, chunk) for chunk in one.found[name]])
        for name in system_order(scores)
    ]
    return QuestionView(
        id=one.id,
        lead=lead[:_LEAD] + ("…" if len(lead) > _LEAD else ""),
        question=visible(one.question),
        kind=say(f"retrieve.kinds.{kind}"),
        right=[_result(one, name) for name in right]
        or [Result(printable(name), "", Html(""), True) for name in one.gold],
        told=told,
        places=places,
    )


def _rank(ranks: Sequence[int]) -> Words:
    return say("retrieve.rank", rank=ranks[0]) if ranks else say("retrieve.not_found")


def _result(one: RetrievalSample, name: str) -> Result:
    chunk = one.chunks[name]
    first, last = chunk.pages
    pages = f"{first}" if first == last else f"{first}–{last}"
    return Result(printable(chunk.document), pages, visible(chunk.beginning), _is_right(one, name))


def _is_right(one: RetrievalSample, name: str) -> bool:
    return name in one.gold or (one.judged_by == "document" and one.chunks[name].document in one.gold)
