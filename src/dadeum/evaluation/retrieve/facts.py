"""What a run folder knows about retrieval, read once for the report and the comparison."""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl
from dadeum.evaluation.report_facts import Facts, damaged_scores, read_run
from dadeum.evaluation.retrieve.scores import RetrievalSample, RetrievalScores


@dataclass(frozen=True)
class RetrievalFacts(Facts):
    scores: RetrievalScores | None
    samples: list[RetrievalSample]


def read_facts(recipe: Recipe, run: Run) -> RetrievalFacts:
    """Read every file of the run that exists; RunError when one of them is damaged."""
    return RetrievalFacts(**vars(read_run(recipe, run)), scores=read_scores(run), samples=read_samples(run))


def read_scores(run: Run) -> RetrievalScores | None:
    """scores.json, None when `evaluate` has not run; RunError when it cannot be read."""
    if not run.scores_path.exists():
        return None
    with damaged_scores(run):
        return RetrievalScores.model_validate_json(run.scores_path.read_text(encoding="utf-8"))


def read_samples(run: Run) -> list[RetrievalSample]:
    """Every test question, in file order; [] when `evaluate` has not run."""
    with damaged_scores(run):
        return [RetrievalSample.model_validate(row) for row in read_jsonl(run.samples_path)]
