"""What a run folder knows about free answers, read once for the report and the comparison."""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl
from dadeum.documents.chunks import Chunk
from dadeum.documents.stored import read_chunks
from dadeum.evaluation.answers.scores import AnswerSample, AnswerScores
from dadeum.evaluation.report_facts import Facts, damaged_scores, read_run


@dataclass(frozen=True)
class AnswerFacts(Facts):
    scores: AnswerScores | None
    samples: list[AnswerSample]
    chunks: dict[str, Chunk]
    """What prompts of grounded answers showed, by id, as far as the run still has it."""


def read_facts(recipe: Recipe, run: Run) -> AnswerFacts:
    """Read every file of the run that exists; RunError when one of them is damaged."""
    samples = read_samples(run)
    chunks = _chunks(run, {one.id for sample in samples for one in sample.shown})
    return AnswerFacts(**vars(read_run(recipe, run)), scores=read_scores(run), samples=samples, chunks=chunks)


def _chunks(run: Run, wanted: set[str]) -> dict[str, Chunk]:
    path = run.split_path("chunks")
    if not wanted or not path.exists():
        return {}
    return {chunk.id: chunk for chunk in read_chunks(path) if chunk.id in wanted}


def read_scores(run: Run) -> AnswerScores | None:
    """scores.json, None when `evaluate` has not run; RunError when it cannot be read."""
    if not run.scores_path.exists():
        return None
    with damaged_scores(run):
        return AnswerScores.model_validate_json(run.scores_path.read_text(encoding="utf-8"))


def read_samples(run: Run) -> list[AnswerSample]:
    """Every answered row, in file order; [] when `evaluate` has not run."""
    with damaged_scores(run):
        return [AnswerSample.model_validate(row) for row in read_jsonl(run.samples_path)]
