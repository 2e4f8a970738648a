"""What a run folder knows about decisions, read once for the report, and who got which rows wrong."""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl
from dadeum.evaluation.decide.baselines import CLASSICAL
from dadeum.evaluation.decide.scores import Sample, Scores, SystemScores
from dadeum.evaluation.report_facts import Facts, damaged_scores, read_run


@dataclass(frozen=True)
class DecideFacts(Facts):
    scores: Scores | None
    samples: list[Sample]


def read_facts(recipe: Recipe, run: Run) -> DecideFacts:
    """Read every file of the run that exists; RunError when one of them is damaged."""
    samples = [Sample.model_validate(row) for row in read_jsonl(run.samples_path)]
    return DecideFacts(**vars(read_run(recipe, run)), scores=read_scores(run), samples=samples)


def read_scores(run: Run) -> Scores | None:
    """scores.json, None when `evaluate` has not run; RunError when it cannot be read."""
    if not run.scores_path.exists():
        return None
    with damaged_scores(run):
        return Scores.model_validate_json(run.scores_path.read_text(encoding="utf-8"))


# -- systems --------------------------------------------------------------------------------------
def best_baseline(scores: Scores) -> str | None:
    """The classical baseline with the highest accuracy, then macro F1; None when none was measured."""
    known = [system for system in CLASSICAL if system in scores.systems]
    return max(
        known, key=lambda name: (scores.systems[name].accuracy.value, scores.systems[name].macro_f1.value), default=None
    )


def num_right(system: SystemScores) -> int:
    """The diagonal of the confusion matrix."""
    return sum(row[index] for index, row in enumerate(system.confusion))


def num_judged(system: SystemScores) -> int:
    return sum(map(sum, system.confusion))


# -- errors ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Mistakes:
    """Test rows sorted by who got them wrong; the most confident first."""

    rival: str | None
    """The baseline that `only_tuned` and `only_rival` compare with."""
    wrong: list[Sample]
    only_tuned: list[Sample]
    only_rival: list[Sample]


def mistakes(samples: list[Sample], rival: str | None) -> Mistakes:
    """All rows of each kind; the report shows the first of them and says of how many."""
    ordered = sorted(samples, key=lambda sample: -sample.confidence)
    wrong = [sample for sample in ordered if sample.predicted != sample.label]
    if rival is None or not all(rival in sample.baselines for sample in samples):
        return Mistakes(None, wrong, [], [])
    right = [sample for sample in ordered if sample.predicted == sample.label]
    return Mistakes(
        rival,
        wrong,
        [sample for sample in right if sample.baselines[rival] != sample.label],
        [sample for sample in wrong if sample.baselines[rival] == sample.label],
    )
