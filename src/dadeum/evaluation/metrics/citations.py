"""Citations: do the numbers at the end of an answer name the chunks that hold it?

`citation_precision`: share of the cited numbers that are right; a number that no chunk has is wrong.
`citation_recall`: share of the right chunks shown that are cited. Both of answers, not refusals, to
answerable questions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dadeum.core.task import Answer
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._references import Better
from dadeum.evaluation.metrics._refusals import refuses
from dadeum.tasks import answer, retrieve

TASKS = ("answer",)
FIGURES: dict[str, Better] = {"citation_precision": "higher", "citation_recall": "higher"}
GROUNDED = True


def per_row(asked: Asked) -> dict[str, np.ndarray]:
    """0..1; precision is NaN where nothing is cited, both where the recipe wants no citations."""
    found = np.full((2, len(asked.rows)), np.nan)
    task = asked.recipe.task
    if isinstance(task, Answer) and task.citations:
        for place, (said, row) in enumerate(zip(asked.answers, asked.rows, strict=True)):
            if answer.kind(row) == "answerable" and said.strip() and not refuses(task, said):
                shown = [(id, asked.chunks[id].document if id in asked.chunks else id) for id in answer.shown(row)]
                found[:, place] = judged(answer.split_citations(said)[1], shown, retrieve.relevant(row))
    return dict(zip(FIGURES, found, strict=True))


def judged(cited: Sequence[int], shown: Sequence[tuple[str, str]], relevant: Sequence[str]) -> tuple[float, float]:
    """(precision, recall); `shown` are chunk and document of each number, `relevant` chunks or documents.

    By hand: of [1][3] with the right chunks 3 and 4 shown: 1 of 2 and 1 of 2.
    """
    right = {id for pair in shown for id in pair if id in relevant}
    numbers = set(cited)
    named = [set(shown[number - 1]) & right if 1 <= number <= len(shown) else set() for number in numbers]
    precision = sum(map(bool, named)) / len(numbers) if numbers else float("nan")
    recall = len(set().union(*named)) / len(right) if right else float("nan")
    return precision, recall
