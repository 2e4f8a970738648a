"""The verdict on retrieval in words: does the tuned model, alone or with BM25, find more than BM25 alone?

`scores.verdict` decides; here it is said so that somebody who never trained a model can act on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.measured import Measured
from dadeum.core.pages import printable
from dadeum.core.words import Words
from dadeum.evaluation.answers.scores import Difference
from dadeum.evaluation.answers.words import change, change_interval, figure, figure_interval
from dadeum.evaluation.cautions import Verdict, cautions, not_measured
from dadeum.evaluation.report_words import rate, say, short_name, system_name
from dadeum.evaluation.retrieve.facts import RetrievalFacts
from dadeum.evaluation.retrieve.scores import MAIN, RetrievalScores
from dadeum.evaluation.retrieve.words import count, joined, metric_name

ROLES = {"before": "base_model", "after": "tuned", "hybrid": "tuned_hybrid", "baseline": "bm25"}
BESIDE = "recall@5"
"""Shown beside the main figure: what an answering model is given is about so many chunks."""
_SAID = (("tuned", "bm25"), ("tuned_hybrid", "bm25"), ("tuned", "base_model"))


@dataclass(frozen=True)
class Figure:
    """One of the numbers at the top."""

    role: str
    system: str
    name: Words
    value: Measured
    beside: Measured


def judge(facts: RetrievalFacts) -> Verdict[Figure]:
    """Everything the first section says."""
    scores = facts.scores
    if scores is None:
        return not_measured()
    total = sum(scores.judged_by.values())
    limits = cautions(facts.recipe, total, scores.warnings, "asked")
    limits[1:1] = _limits(scores)
    return Verdict(scores.verdict, headline(scores), reading(scores), figures(scores), limits, scores.gates)


def headline(scores: RetrievalScores) -> Words:
    """Against BM25 and against the model before tuning: two sentences."""
    against = "words_alone" if _is_bm25(scores) else scores.verdict
    found = _difference(scores, "tuned", "base_model")
    before = "not_measured" if found is None else found.outcome
    parts = [say(f"retrieve.headline.bm25.{against}"), say(f"retrieve.headline.base_model.{before}")]
    return Words(" ".join(part.ko for part in parts), " ".join(part.en for part in parts))


def _is_bm25(scores: RetrievalScores) -> bool:
    """Whether validation gave meaning no weight, so that what is served is BM25 itself."""
    return scores.served == "tuned_hybrid" and scores.hybrid_weight == 0


def _difference(scores: RetrievalScores, system: str, baseline: str) -> Difference | None:
    pair = next((one for one in scores.comparisons if (one.system, one.baseline) == (system, baseline)), None)
    return pair.differences[MAIN] if pair else None


def figures(scores: RetrievalScores) -> list[Figure]:
    """Before, after, with BM25, and BM25, where they were measured."""
    return [
        Figure(role, system, system_name(system), found.metrics[MAIN], found.metrics[BESIDE])
        for role, system in ROLES.items()
        if (found := scores.systems.get(system)) is not None
    ]


# -- what the numbers say -------------------------------------------------------------------------
def reading(scores: RetrievalScores) -> list[Words]:
    """What to do, what is served and why, the differences, and who is worse off."""
    kind = "words_alone" if _is_bm25(scores) else scores.verdict
    said = [say(f"retrieve.advice.{kind}"), _served(scores)]
    for system, baseline in _SAID:
        if (found := _difference(scores, system, baseline)) is not None:
            said.append(_told(scores, system, baseline, found))
    said += _worse_parts(scores)
    if scores.gates:
        said.append(say("retrieve.gates", system=system_name(scores.served)))
    return said


def _served(scores: RetrievalScores) -> Words:
    how = scores.hybrids["tuned_hybrid"]
    if how.num_questions == 0:
        return say("retrieve.served.not_chosen")
    values = {"total": count(how.num_questions), "how": joined(how), "hybrid": rate(how.chosen)}
    kind = "words_alone" if _is_bm25(scores) else scores.served
    return say(f"retrieve.served.{kind}", words=rate(how.words), meaning=rate(how.meaning), **values)


def _told(scores: RetrievalScores, system: str, baseline: str, found: Difference) -> Words:
    return say(
        "retrieve.difference",
        metric=metric_name(MAIN),
        system=short_name(system),
        baseline=short_name(baseline),
        one=rate(scores.systems[system].metrics[MAIN].value),
        other=rate(scores.systems[baseline].metrics[MAIN].value),
        difference=change(MAIN, found.value),
        interval=change_interval(MAIN, found),
        outcome=say(f"retrieve.outcome.{found.outcome}"),
    )


def _worse_parts(scores: RetrievalScores) -> list[Words]:
    """Parts on which BM25 is surely better: an average can hide them."""
    if _is_bm25(scores):
        return []
    worse = [
        value
        for way in ("domain", "difficulty")
        for value, part in scores.parts.get(way, {}).items()
        if value and part.difference is not None and part.difference.outcome == "worse"
    ]
    return [say("retrieve.worse_parts", names=printable(", ".join(worse)))] if worse else []


def _limits(scores: RetrievalScores) -> list[Words]:
    """Where the questions' documents stood, and how large a difference has to be to be seen."""
    said = []
    if not any(notice.key == "evaluate.retrieve.notices.seen" for notice in scores.warnings):
        said.append(say("retrieve.caution.other_documents", documents=scores.num_groups))
    found = _difference(scores, scores.served, "bm25")
    if found is not None and found.high > found.low:
        said.append(say("retrieve.caution.size", metric=metric_name(MAIN), half=rate((found.high - found.low) / 2)))
    return said


# -- the ending of a run --------------------------------------------------------------------------
def three_lines(scores: RetrievalScores) -> list[Words]:
    """Before, after, baseline: exactly three sentences, whatever was measured."""
    return [_line(scores, role) for role in ("before", "after", "baseline")]


def _line(scores: RetrievalScores, role: str) -> Words:
    found = scores.systems.get(ROLES[role])
    if found is None:
        return say(f"retrieve.summary.no_{role}")
    value = found.metrics[MAIN]
    hybrid = scores.systems.get({"before": "base_hybrid", "after": "tuned_hybrid"}.get(role, ""))
    rest = Words("", "")
    if hybrid is not None:
        rest = say("retrieve.summary.with_bm25", value=figure(MAIN, hybrid.metrics[MAIN].value))
    return say(
        f"retrieve.summary.{role}",
        total=count(sum(scores.judged_by.values())),
        metric=metric_name(MAIN),
        value=figure(MAIN, value.value),
        interval=figure_interval(MAIN, value),
        rest=rest,
    )
