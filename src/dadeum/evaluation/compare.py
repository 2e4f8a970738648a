"""compare(run, run): did the second run get better, on exactly the same test rows?

Paired throughout; two unpaired intervals that overlap say far less. Each kind of answer has its own comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dadeum.core.errors import RunError
from dadeum.core.run import Run, read_json

if TYPE_CHECKING:
    from dadeum.evaluation.answers.compare import AnswersComparison
    from dadeum.evaluation.decide.compare import RunComparison
    from dadeum.evaluation.retrieve.compare import RetrievalComparison

    AnyComparison = RunComparison | AnswersComparison | RetrievalComparison


def compare(first: Run, second: Run, seed: int = 42, samples: int = 2000) -> AnyComparison:
    """Judge the second run against the first, row by row.

    RunError when one of them has not been evaluated, or when the two were judged on different rows or tasks: their
    figures can then not be compared at all.
    """
    tasks = [_task(run) for run in (first, second)]
    if tasks[0] != tasks[1]:
        found = {"task_first": tasks[0], "task_second": tasks[1]}
        raise RunError("evaluate.compare.different_tasks", first=first.folder, second=second.folder, **found)
    if tasks[0] == "decide":
        from dadeum.evaluation.decide.compare import compare as compare_decisions

        return compare_decisions(first, second, seed, samples)
    if tasks[0] == "retrieve":
        from dadeum.evaluation.retrieve.compare import compare as compare_rankings

        return compare_rankings(first, second, seed, samples)
    from dadeum.evaluation.answers.compare import compare as compare_answers

    return compare_answers(first, second, seed, samples)


def describe(found: AnyComparison, language: str) -> list[str]:
    """The comparison in a few sentences, the conclusion last."""
    return found.sentences(language)


def _task(run: Run) -> str:
    run.require(run.scores_path, "evaluate")
    return str(read_json(run.scores_path).get("task", "decide"))
