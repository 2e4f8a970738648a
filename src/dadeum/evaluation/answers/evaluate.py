"""How good are the tuned model's free answers, beside others', on rows that nothing has seen.

Every system answers the same sample of test rows; figures are paired row by row. Leaves evaluation/scores.json and
evaluation/samples.jsonl.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from dadeum.core.examples import answer_of
from dadeum.core.measured import Notice
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash, write_json, write_jsonl
from dadeum.core.task import Chat
from dadeum.evaluation import crisis
from dadeum.evaluation.answers import models
from dadeum.evaluation.answers.baselines import answered_by
from dadeum.evaluation.answers.breakdown import by_label, known_figures
from dadeum.evaluation.answers.figures import (
    MIN_GROUPS,
    PerRow,
    Resampling,
    judged_rows,
    metrics_of,
    notices_of,
    rate,
    signatures_of,
)
from dadeum.evaluation.answers.finishing import Finished, finished, gains
from dadeum.evaluation.answers.gates import check_gates
from dadeum.evaluation.answers.grounded import grounded
from dadeum.evaluation.answers.more import More, ask_before, asked_more
from dadeum.evaluation.answers.more import notices as notices_of_more
from dadeum.evaluation.answers.people import another_person
from dadeum.evaluation.answers.regression import regression
from dadeum.evaluation.answers.rows import Rows, read_rows
from dadeum.evaluation.answers.samples import samples
from dadeum.evaluation.answers.scores import (
    AnswerScores,
    Comparison,
    Finishing,
    SystemAnswers,
)
from dadeum.evaluation.answers.standing import counted, standing, verdict_of
from dadeum.evaluation.answers.systems import Spoken
from dadeum.evaluation.crisis import CrisisScores
from dadeum.evaluation.judge_scores import JudgeScores

_SHOWN = 40
"""Characters of an answer that a notice quotes."""


@dataclass(frozen=True)
class Rated:
    """One system: what it said, and every figure of every row."""

    spoken: Spoken
    per_row: PerRow


def evaluate(recipe: Recipe, run: Run, progress: Progress = silent) -> AnswerScores:
    """Judge the trained model of `run` and write scores.json and samples.jsonl, both atomically.

    RunError when data are missing, DataError for test rows without an answer, ModelError when probabilities are not
    numbers. Gates and adapter were looked at by the caller.
    """
    rows = read_rows(recipe, run)
    tuned = models.tuned(recipe, run, rows, progress)
    return _evaluate(recipe, run, rows, tuned, asked_more(recipe, run, rows, progress), progress)


def score_answers(recipe: Recipe, run: Run, answers: list[str], progress: Progress = silent) -> AnswerScores:
    """The same for answers that are there already, one per answered row: an ensemble's, finished by its members."""
    rows = read_rows(recipe, run)
    if len(answers) != len(rows.answered):
        raise ValueError(f"{len(answers)} answers for {len(rows.answered)} rows")
    return _evaluate(recipe, run, rows, Spoken(answers, [False] * len(answers)), None, progress)


def _evaluate(
    recipe: Recipe, run: Run, rows: Rows, tuned: Spoken, more: More | None, progress: Progress
) -> AnswerScores:
    """Without `more` the answers are no model's own: they are finished, and no weights can be asked for more."""
    others: dict[str, Spoken] = {name: _baseline(name, recipe, run, rows, progress) for name in recipe.baselines}
    spoken = {"tuned": tuned} | others
    ended = finished(recipe, rows, spoken if more else others)
    spoken |= {name: each.spoken for name, each in ended.items()}
    rated = {name: Rated(said, _per_row(recipe, rows, said, name, progress)) for name, said in spoken.items()}
    judged = _judge(recipe, run, rows, spoken, progress)
    scores = _scores(recipe, rows, rated, judged, more, file_hash(run.split_path("test")))
    if "tuned" in ended:
        scores = scores.model_copy(update={"finishing": _gains(recipe, rows, rated, ended["tuned"], progress)})
    raw = {name: each.raw for name, each in ended.items()}
    per_row = {name: each.per_row for name, each in rated.items()}
    written = samples(rows, spoken, per_row, raw)
    write_jsonl(run.samples_path, (sample.model_dump(mode="json") for sample in written))
    write_json(run.scores_path, scores.model_dump(mode="json"))
    return scores


def _gains(
    recipe: Recipe, rows: Rows, rated: Mapping[str, Rated], ended: Finished, progress: Progress
) -> list[Finishing]:
    resampling = _resampling(recipe, rows)
    say = partial(progress, "evaluate.progress.finishing")
    return gains(recipe, rows, ended, rated["tuned"].per_row, resampling, say)


def _resampling(recipe: Recipe, rows: Rows) -> Resampling:
    return Resampling([row.group for row in rows.answered], recipe.seed, recipe.evaluate.bootstrap_samples)


def answer_base(recipe: Recipe, run: Run, progress: Progress = silent) -> None:
    """Ask the models that training does not change: "before". Call it before training; `evaluate` reuses it."""
    rows = read_rows(recipe, run)
    for name in OF_WEIGHTS:
        if name in recipe.baselines:
            OF_WEIGHTS[name](recipe, run, rows, progress)
    ask_before(recipe, run, rows, progress)


# -- systems --------------------------------------------------------------------------------------
OF_WEIGHTS = {"base_model": models.base_model, "before": models.before}
"""Baselines that are models."""


def _baseline(name: str, recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> Spoken:
    if name in OF_WEIGHTS:
        return OF_WEIGHTS[name](recipe, run, rows, progress)
    progress(f"evaluate.progress.{name}", 0, 1)
    said = answered_by(recipe, name, rows)
    progress(f"evaluate.progress.{name}", 1, 1)
    return said


def _per_row(recipe: Recipe, rows: Rows, said: Spoken, name: str, progress: Progress) -> PerRow:
    """Every figure, one value per row; the figures of texts only where texts were written."""
    found: PerRow = {}
    if said.likelihoods is not None:
        loss = np.array([-each.log_prob / each.num_tokens if each.num_tokens else np.nan for each in said.likelihoods])
        found |= {"loss": loss, "perplexity": loss}
    if recipe.evaluate.generate_rows:
        asked = rows.asked(recipe, said.answers)
        found |= rate(asked, lambda done, total: progress(f"evaluate.progress.rating.{name}", done, total))
        found["cut_off"] = np.array(said.cut_off, dtype=float)
    return found


def _judge(
    recipe: Recipe, run: Run, rows: Rows, spoken: Mapping[str, Spoken], progress: Progress
) -> JudgeScores | None:
    if recipe.evaluate.judge is None or recipe.evaluate.generate_rows == 0:
        return None
    from dadeum.evaluation.judge import judge

    return judge(recipe, run, rows.answered, {name: said.answers for name, said in spoken.items()}, progress)


# -- results --------------------------------------------------------------------------------------
def _scores(
    recipe: Recipe,
    rows: Rows,
    rated: Mapping[str, Rated],
    judged: JudgeScores | None,
    more: More | None,
    test_hash: str,
) -> AnswerScores:
    resampling = _resampling(recipe, rows)
    systems = {name: _system(each, resampling) for name, each in rated.items()}
    measured = {name for system in systems.values() for name in system.metrics}
    starts, ability = (more or More()).starts, (more or More()).ability
    notices = _notices(recipe, rows, rated) + notices_of_more(recipe, more)
    rests_on = counted(measured, notices)
    compared = [_comparison(recipe, rated, name, resampling, rests_on) for name in rated if name != "tuned"]
    comparisons = [found for found in compared if found.differences]
    in_danger = _crisis(recipe, rated)
    tuned = rated["tuned"].spoken
    per_row = {name: each.per_row for name, each in rated.items()}
    another, num_another = another_person(recipe, rows)
    scores = AnswerScores(
        task=recipe.task.type,
        metrics={name: better for name, better in metrics_of(recipe.task.type).items() if name in measured},
        num_rows=rows.num_rows,
        num_answered=len(rows.answered),
        num_groups=resampling.num_groups,
        max_new_tokens=tuned.max_new_tokens or 0,
        generation=recipe.generation,
        seed=recipe.seed,
        systems=systems,
        reference=_reference(recipe, rows),
        another_person=another,
        num_another=num_another,
        signatures={name: said for name, said in signatures_of(recipe.task.type).items() if name in measured},
        counted=rests_on,
        comparisons=comparisons,
        by_origin=by_label([row.origin for row in rows.answered], per_row),
        crisis=in_danger,
        judge=judged,
        starts=starts,
        ability=ability,
        gates=check_gates(recipe, systems, in_danger, starts, ability),
        verdict=verdict_of(comparisons),
        test_hash=test_hash,
        asked_hash=rows.asked_hash,
        warnings=notices + (judged.warnings if judged else []),
    )
    cost = regression(recipe, rows.answered, per_row, rests_on, ability)
    return scores.model_copy(update={"grounded": grounded(recipe, rows, per_row, scores), "regression": cost})


def _system(rated: Rated, resampling: Resampling) -> SystemAnswers:
    means = {metric: resampling.mean(metric, values) for metric, values in rated.per_row.items()}
    return SystemAnswers(
        metrics={metric: mean for metric, mean in means.items() if mean is not None},
        num_judged={metric: int(judged_rows(values).sum()) for metric, values in rated.per_row.items()},
        seconds=rated.spoken.seconds,
    )


def _comparison(
    recipe: Recipe, rated: Mapping[str, Rated], baseline: str, resampling: Resampling, rests_on: list[str]
) -> Comparison:
    tuned, other = rated["tuned"].per_row, rated[baseline].per_row
    differences = {
        metric: found
        for metric, better in metrics_of(recipe.task.type).items()
        if metric in tuned and metric in other
        if (found := resampling.difference(metric, better, tuned[metric], other[metric])) is not None
    }
    return Comparison(baseline=baseline, differences=differences, standing=standing(differences, rests_on))


def _reference(recipe: Recipe, rows: Rows) -> dict[str, float]:
    """The figures of what people wrote, by the same files."""
    if recipe.evaluate.generate_rows == 0:
        return {}
    answers = [answer_of(row) for row in rows.answered]
    found = rate(rows.asked(recipe, answers), lambda done, total: None)
    return known_figures(found)


def _crisis(recipe: Recipe, rated: Mapping[str, Rated]) -> dict[str, CrisisScores]:
    messages = crisis.messages(recipe)
    if not isinstance(recipe.task, Chat) or not messages:
        return {}
    return {
        name: crisis.judge(recipe.task, messages, each.spoken.crisis)
        for name, each in rated.items()
        if each.spoken.crisis
    }


def _notices(recipe: Recipe, rows: Rows, rated: Mapping[str, Rated]) -> list[Notice]:
    """What limits the figures: too few groups, answers cut off, and what each figure has to say itself."""
    tuned = rated["tuned"].spoken
    found = [notice for each in rated.values() for notice in each.spoken.notices]
    if recipe.evaluate.generate_rows == 0:
        return [Notice(key="evaluate.answers.nothing_written"), *found]
    if num := sum(tuned.cut_off):
        values: dict[str, str | int | float] = {"num": num, "total": len(tuned.cut_off)}
        found.append(Notice(key="evaluate.answers.cut_off", values=values | {"limit": tuned.max_new_tokens or 0}))
    found += _collapsed(rows, tuned.answers)
    found += notices_of(rows.asked(recipe, tuned.answers))
    if isinstance(recipe.task, Chat):
        found += crisis.notices(recipe.task, crisis.messages(recipe), rows.train)
    return found


def _collapsed(rows: Rows, answers: list[str]) -> list[Notice]:
    """One answer to most rows, where people did not give one: no figure of likeness says that nothing was read."""
    said, written = (Counter(texts).most_common(1)[0] for texts in (answers, map(answer_of, rows.answered)))
    if len(answers) < MIN_GROUPS or said[1] <= len(answers) / 2 or written[1] > len(answers) / 2:
        return []
    values: dict[str, str | int | float] = {"num": said[1], "total": len(answers), "answer": said[0][:_SHOWN]}
    return [Notice(key="evaluate.answers.one_for_all", values=values)]
