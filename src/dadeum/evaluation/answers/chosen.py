"""Answers that were chosen among those of several runs: stored in the run, and scored like a model's own.

No reference is looked at in choosing: of each row's answers the one most like the others is taken (core/consensus.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dadeum.core.consensus import choose_all
from dadeum.core.errors import RunError
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_json, write_json
from dadeum.evaluation.answers.evaluate import score_answers
from dadeum.evaluation.answers.facts import read_samples
from dadeum.evaluation.answers.rows import read_rows
from dadeum.evaluation.answers.scores import AnswerScores


def chosen_path(run: Run) -> Path:
    """Where a run without weights of its own keeps its answers; absent in every other run."""
    return run.folder / "evaluation" / "chosen_answers.json"


def choose_answers(run: Run, members: Mapping[str, Run]) -> dict[str, int]:
    """Choose among the members' answers to the same rows and store them; returns how many each member gave."""
    samples = {name: read_samples(member) for name, member in members.items()}
    ids = [row.id for row in next(iter(samples.values()))]
    several = list(zip(*([row.answers["tuned"] for row in rows] for rows in samples.values()), strict=True))
    places = choose_all(several)
    names = list(members)
    rows = [
        {"id": row, "from": names[place], "answer": answers[place]}
        for row, place, answers in zip(ids, places, several, strict=True)
    ]
    write_json(chosen_path(run), rows)
    return {name: places.count(number) for number, name in enumerate(names)}


def score_chosen(recipe: Recipe, run: Run, progress: Progress = silent) -> AnswerScores:
    """Scores and samples of the stored answers; RunError when the recipe asks for other rows by now."""
    rows: Sequence[Mapping[str, str]] = read_json(chosen_path(run))
    wanted = [row.id for row in read_rows(recipe, run).answered]
    if wanted != [row["id"] for row in rows]:
        raise RunError("ensemble.other_rows", path=chosen_path(run), num=len(rows), wanted=len(wanted))
    return score_answers(recipe, run, [row["answer"] for row in rows], progress)
