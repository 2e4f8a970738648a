"""Two tuned retrievers on exactly the same questions and chunks: what does the second find better?

Each run is judged by what it serves: the tuned model alone or with BM25, as its validation questions chose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dadeum.core.errors import RunError
from dadeum.core.messages import text
from dadeum.core.run import Run
from dadeum.evaluation.answers.scores import Difference
from dadeum.evaluation.answers.words import compared
from dadeum.evaluation.retrieve.facts import read_samples, read_scores
from dadeum.evaluation.retrieve.figures import Drawing, PerQuestion, per_question
from dadeum.evaluation.retrieve.scores import MAIN, SHOWN, RetrievalSample, RetrievalScores
from dadeum.evaluation.retrieve.words import metric_name

OF_MEANING = "tuned."
"""Before figures of the tuned model without BM25."""


@dataclass(frozen=True)
class RetrievalComparison:
    """The second run against the first: positive differences mean that its figure is higher."""

    num_questions: int
    num_groups: int
    first: dict[str, float]
    second: dict[str, float]
    differences: dict[str, Difference]

    def sentences(self, language: str) -> list[str]:
        """What was compared, a line per figure, and the conclusion last."""
        lines = [text("evaluate.retrieve.compare.asked", language, num=self.num_questions, groups=self.num_groups)]
        lines += compared(self.differences, self.first, self.second, metric_name, language)
        return [*lines, text(f"evaluate.retrieve.compare.{self.differences[MAIN].outcome}", language)]


def compare(first: Run, second: Run, seed: int = 42, samples: int = 2000) -> RetrievalComparison:
    """Judge what the second run serves against what the first serves.

    RunError when one of them has not been evaluated, or when the two searched other chunks or other questions.
    """
    before, after = read_judged(first), read_judged(second)
    require_same_corpus([first, second], [before[0], after[0]])
    if before[0].asked_hash != after[0].asked_hash:
        sizes = {"num_first": len(before[1]), "num_second": len(after[1])}
        raise RunError("evaluate.compare.different_rows", first=first.folder, second=second.folder, **sizes)
    old, new = columns(*before), columns(*after)
    drawing = Drawing([row.group for row in before[1]], seed, samples)
    return RetrievalComparison(
        num_questions=len(before[1]),
        num_groups=drawing.num_groups,
        first={name: float(values.mean()) for name, values in old.items()},
        second={name: float(values.mean()) for name, values in new.items()},
        differences=drawing.differences(new, old, list(old)),
    )


def columns(scores: RetrievalScores, rows: list[RetrievalSample]) -> PerQuestion:
    """Figures of every question: of what is served, then `tuned.…` of meaning alone."""
    num_gold = [num_right(row) for row in rows]
    served = per_question([row.ranks[scores.served] for row in rows], num_gold)
    alone = per_question([row.ranks["tuned"] for row in rows], num_gold)
    return {name: served[name] for name in SHOWN} | {f"{OF_MEANING}{name}": alone[name] for name in SHOWN}


def num_right(row: RetrievalSample) -> int:
    """Chunks that are right, or documents where these are judged."""
    if row.judged_by == "chunk":
        return len(set(row.gold))
    return len({row.chunks[name].document if name in row.chunks else name for name in row.gold})


def require_same_corpus(runs: Sequence[Run], scores: Sequence[RetrievalScores]) -> None:
    """RunError for the first run that searched other chunks than the first: more chunks are harder."""
    for run, found in zip(runs[1:], scores[1:], strict=True):
        if found.corpus_hash != scores[0].corpus_hash:
            sizes = {"num_first": scores[0].num_chunks, "num_second": found.num_chunks}
            raise RunError("evaluate.retrieve.compare.other_corpus", first=runs[0].folder, second=run.folder, **sizes)


def read_judged(run: Run) -> tuple[RetrievalScores, list[RetrievalSample]]:
    """Scores and questions of a run; RunError when it has not been evaluated, or only in part."""
    run.require(run.scores_path, "evaluate")
    run.require(run.samples_path, "evaluate")
    scores, samples = read_scores(run), read_samples(run)
    assert scores is not None
    expected = sum(scores.judged_by.values())
    if len(samples) != expected:
        values = {"found": len(samples), "expected": expected}
        raise RunError("evaluate.compare.samples_incomplete", path=run.samples_path, **values)
    return scores, samples
