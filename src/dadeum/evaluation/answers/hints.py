"""What to improve: rules over the figures of grounded answers, each hint with the figure that it rests on.

The same figures always give the same hints. What few rows say is no reason to change anything, so shares are looked at
from `ENOUGH` rows on. Thresholds are what a user would notice, not what statistics would find.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dadeum.core.measured import Notice
from dadeum.core.recipe import Recipe
from dadeum.core.task import Answer
from dadeum.evaluation.answers.scores import AnswerScores, GroundedScores, OriginScores

ENOUGH = 10
ADVISED = 100
"""Rows to learn from; 100 to 500 are advised."""
FEW = 50
"""Test rows whose interval is wider than ± 0.14 for a share."""
NOTICED = 0.1
"""Share of questions that anybody would notice: one of ten."""
NUMBERS = 0.05
GOOD = 0.8
GAP = 0.2
_RIGHT = "answered_right"


@dataclass(frozen=True)
class Figures:
    recipe: Recipe
    task: Answer
    scores: AnswerScores
    grounded: GroundedScores

    def rows(self, metric: str) -> int:
        return self.scores.systems["tuned"].num_judged.get(metric, 0)

    def value(self, metric: str, least: int = ENOUGH) -> float | None:
        """Of the tuned model; None where too few rows say it."""
        found = self.scores.systems["tuned"].metrics.get(metric)
        return found.value if found is not None and self.rows(metric) >= least else None


def hints(recipe: Recipe, task: Answer, scores: AnswerScores, grounded: GroundedScores) -> list[Notice]:
    """Most important first; one that says so where nothing stands out."""
    figures = Figures(recipe, task, scores, grounded)
    found = [notice for rule in RULES for notice in rule(figures)]
    return found or [_hint("none")]


def _hint(rule: str, /, **values: str | float) -> Notice:
    return Notice(key=f"evaluate.grounded.hints.{rule}", values=values)


def _percent(share: float) -> int:
    return round(100 * share)


# -- rules ------------------------------------------------------------------------------------
def _few_rows(of: Figures) -> list[Notice]:
    train, test = of.scores.num_rows["train"], of.scores.num_answered
    found = [_hint("few_to_learn", num=train, advised=ADVISED)] if train < ADVISED else []
    return [*found, *([_hint("few_to_judge", num=test, wanted=FEW)] if test < FEW else [])]


def _lost(of: Figures) -> list[Notice]:
    """Where right answers are lost more often: in finding or in answering."""
    found, missed = (of.grounded.num_kinds.get(kind, 0) for kind in ("answerable", "missed"))
    right = of.value(_RIGHT)
    if right is None:
        return []
    total = found + missed
    lost = round(found - right * total)
    values = {"total": total, "missed": missed, "lost": lost, "found": found}
    if missed / total >= NOTICED and missed >= lost:
        kind = "retriever" if of.task.retriever else "bm25"
        return [_hint(f"retrieval_{kind}", percent=_percent(found / total), chunks=of.task.chunks, **values)]
    if found and lost / found >= NOTICED:
        return [_hint("answering", percent=_percent(lost / found), **values)]
    return []


def _refusals(of: Figures) -> list[Notice]:
    wrong, right = of.value("refused_wrong"), of.value("refused_right")
    share = _percent(of.task.unanswerable)
    hinted = []
    if wrong is not None and wrong >= NOTICED:
        hinted.append(_hint("refused_wrong", percent=_percent(wrong), num=of.rows("refused_wrong"), share=share))
    if right is not None and right < GOOD:
        hinted.append(_hint("refused_right", percent=_percent(right), num=of.rows("refused_right"), share=share))
    return hinted


def _grounds(of: Figures) -> list[Notice]:
    numbers, faithful = of.value("unsupported_numbers"), of.value("faithfulness")
    people = of.scores.reference.get("unsupported_numbers", 0.0)
    hinted = []
    if numbers is not None and numbers - people >= NUMBERS:
        kind = "sampled" if of.scores.generation.temperature else "taught"
        hinted.append(_hint(f"numbers_{kind}", percent=_percent(numbers), people=_percent(people)))
    if faithful is not None and faithful < GOOD:
        hinted.append(_hint("unfaithful", percent=_percent(faithful), chunks=of.task.chunks))
    return hinted


def _citations(of: Figures) -> list[Notice]:
    precision, recall = of.value("citation_precision"), of.value("citation_recall")
    hinted = []
    if precision is not None and precision < GOOD:
        hinted.append(_hint("citation_precision", percent=_percent(precision), num=of.rows("citation_precision")))
    if recall is not None and recall < GOOD:
        hinted.append(_hint("citation_recall", percent=_percent(recall), num=of.rows("citation_recall")))
    return hinted


def _form(of: Figures) -> list[Notice]:
    cut_off = of.value("cut_off")
    if cut_off is None or cut_off < NUMBERS:
        return []
    return [_hint("cut_off", percent=_percent(cut_off), limit=of.scores.max_new_tokens)]


def _weak_parts(of: Figures) -> list[Notice]:
    """The difficulty and the domain that fall most behind all rows."""
    right = of.value(_RIGHT)
    if right is None:
        return []
    hinted = []
    for kind, parts in (("difficulty", of.grounded.by_difficulty), ("domain", of.grounded.by_domain)):
        label, value = _weakest(parts)
        if right - value >= GAP:
            shares = {"percent": _percent(value), "all": _percent(right)}
            hinted.append(_hint(f"weak_{kind}", name=label, num=parts[label].num_rows, **shares))
    return hinted


def _weakest(parts: Mapping[str, OriginScores]) -> tuple[str, float]:
    known = {
        label: part.systems["tuned"][_RIGHT]
        for label, part in parts.items()
        if part.num_rows >= ENOUGH and _RIGHT in part.systems["tuned"]
    }
    return min(known.items(), key=lambda pair: (pair[1], pair[0]), default=("", 1.0))


def _rivals(of: Figures) -> list[Notice]:
    """A model that only finds the place is not worth its time."""
    standing = {one.baseline: one.standing for one in of.scores.comparisons}
    return [_hint("sentence_as_good")] if standing.get("sentence") in ("as_good", "worse") else []


RULES: tuple[Callable[[Figures], list[Notice]], ...] = (
    _lost, _refusals, _grounds, _citations, _form, _weak_parts, _rivals, _few_rows,
)  # fmt: skip
