"""How good are the tuned model's decisions, beside baselines, on rows that nothing has seen.

Scores the label by the probability of the candidate answers, calibrates on validation, lets the model answer freely,
and compares row by row with each baseline. Leaves evaluation/scores.json and evaluation/samples.jsonl.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from dadeum.core.errors import ModelError
from dadeum.core.examples import SPLITS, Example
from dadeum.core.measured import Notice
from dadeum.core.progress import Progress, counter, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, atomic, file_hash, fingerprint, write_json, write_jsonl
from dadeum.evaluation.decide.baselines import CLASSICAL, Judged, majority, tfidf
from dadeum.evaluation.decide.calibration import calibrate, softmax
from dadeum.evaluation.decide.compare import Judgement, judge_pair
from dadeum.evaluation.decide.gates import check_gates
from dadeum.evaluation.decide.rows import (
    Rows,
    accuracy_by_origin,
    judge_generation,
    read_rows,
    row_notices,
    samples,
    task_of,
)
from dadeum.evaluation.decide.scorers import Answers, Resampling, score_system
from dadeum.evaluation.decide.scores import Calibration, Scores, SystemScores
from dadeum.models.engines import Engine, load_decider
from dadeum.tasks import decide


@dataclass(frozen=True)
class Tuned:
    """What the trained model said."""

    answers: Answers
    calibration: Calibration | None
    generated: dict[int, str]
    """Test row → free answer, for the sampled rows."""
    notices: list[Notice]


def evaluate(recipe: Recipe, run: Run, progress: Progress = silent) -> Scores:
    """Judge the trained model of `run` and write scores.json and samples.jsonl, both atomically.

    RunError when data are missing, DataError for an empty test split or a label that the task does not know, ModelError
    when the model's scores are not numbers. Gates and adapter were looked at by the caller.
    """
    rows = read_rows(task_of(recipe), run)
    baselines: dict[str, Judged] = {name: _baseline(name, recipe, run, rows, progress) for name in recipe.baselines}
    tuned = _tuned(recipe, run, rows, progress)
    scores = _judge(recipe, file_hash(run.split_path("test")), rows, tuned, baselines)
    answers = {"tuned": tuned.answers} | {name: judged.answers for name, judged in baselines.items()}
    found = samples(task_of(recipe), rows, answers, tuned.generated)
    write_jsonl(run.samples_path, (sample.model_dump(mode="json") for sample in found))
    write_json(run.scores_path, scores.model_dump(mode="json"))
    return scores


def score_base(recipe: Recipe, run: Run, progress: Progress = silent) -> SystemScores:
    """The untuned model on the test rows: "before". Call it before training; `evaluate` reuses what it stored.

    Kept in evaluation/base_scores.npz for as long as test rows, model, template and labels stay the same.
    """
    rows = read_rows(task_of(recipe), run)
    resampling = Resampling(recipe.seed, recipe.evaluate.bootstrap_samples)
    return score_system(task_of(recipe).labels, rows.test_gold, _base_answers(recipe, run, rows, progress), resampling)


# -- systems --------------------------------------------------------------------------------------
def _baseline(name: str, recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> Judged:
    if name == "base_model":
        return Judged(_base_answers(recipe, run, rows, progress))
    progress(f"evaluate.progress.{name}", 0, 1)
    judged = (
        majority(task_of(recipe), rows.train, rows.test)
        if name == "majority"
        else tfidf(task_of(recipe), rows.train, rows.validation, rows.test, recipe.seed)
    )
    progress(f"evaluate.progress.{name}", 1, 1)
    return judged


def _base_answers(recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> Answers:
    path = run.scores_path.parent / "base_scores.npz"
    key = fingerprint(
        {
            "test": file_hash(run.split_path("test")),
            "model": recipe.model.model_dump(mode="json"),
            "render": recipe.render.model_dump(mode="json"),
            "candidates": decide.candidates(task_of(recipe)),
        }
    )
    if path.exists():
        with np.load(path) as stored:
            if str(stored["key"]) == key:
                return _as_it_comes(stored["log_scores"], float(stored["seconds"]))
    with closing(load_decider(recipe, None)) as engine:
        log_scores, seconds = _score(recipe, engine, rows.test, "base_model", progress)
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, key=key, log_scores=log_scores, seconds=seconds)
    return _as_it_comes(log_scores, seconds)


def _as_it_comes(log_scores: np.ndarray, seconds: float) -> Answers:
    return Answers(log_scores.argmax(1), softmax(log_scores), seconds)


def _tuned(recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> Tuned:
    with closing(load_decider(recipe, run.adapter_folder(recipe))) as engine:
        scored = _score(recipe, engine, rows.validation, "validation", progress)
        validation_scores = scored[0]
        # A search judges its trials on validation rows alone (tuning/trial.py): the same rows have the same scores.
        if [row.prompt for row in rows.test] != [row.prompt for row in rows.validation]:
            scored = _score(recipe, engine, rows.test, "test", progress)
        test_scores, seconds = scored
        generated = _generate(recipe, engine, rows, progress)
    found = calibrate(task_of(recipe).labels, validation_scores, rows.validation_gold, test_scores, rows.test_gold)
    answers = Answers(test_scores.argmax(1), found.probabilities, seconds)
    return Tuned(answers, found.calibration, generated, found.notices)


def _score(
    recipe: Recipe, engine: Engine, examples: list[Example], what: str, progress: Progress
) -> tuple[np.ndarray, float]:
    """Log scores, shape (rows, labels), and the seconds they took; ModelError when some are not numbers."""
    if not examples:
        return np.zeros((0, len(task_of(recipe).labels))), 0.0
    prompts = [example.prompt for example in examples]
    count = counter(progress, f"evaluate.progress.{what}", len(prompts))
    started = time.perf_counter()
    scores = engine.score(prompts, decide.candidates(task_of(recipe)), recipe.evaluate.batch_size, count)
    seconds = time.perf_counter() - started
    # -inf is a label that the model rules out; NaN, or no label left, is a model that has come apart.
    bad = int(np.sum(np.isnan(scores).any(1) | ~np.isfinite(scores.max(1))))
    if bad:
        raise ModelError("evaluate.not_finite", base=recipe.model.base, num=bad, total=len(prompts))
    return scores, seconds


def _generate(recipe: Recipe, engine: Engine, rows: Rows, progress: Progress) -> dict[int, str]:
    """Free answers to a seeded sample of test rows, by row index."""
    num_sampled = min(recipe.evaluate.generate_rows, len(rows.test))
    if num_sampled == 0:
        return {}
    random = np.random.default_rng(recipe.data_seed)
    sampled = sorted(random.choice(len(rows.test), num_sampled, replace=False).tolist())
    # No tokenizer needs more tokens than bytes, so an answer like those that were taught is never cut off.
    longest = max(len(row.completion[-1]["content"].encode()) for row in [*rows.train, *rows.test])
    prompts = [rows.test[index].prompt for index in sampled]
    count = counter(progress, "evaluate.progress.generation", num_sampled)
    answers = engine.generate(prompts, longest + 8, recipe.evaluate.batch_size, count)
    return dict(zip(sampled, answers, strict=True))


# -- results --------------------------------------------------------------------------------------
def _judge(recipe: Recipe, test_hash: str, rows: Rows, tuned: Tuned, baselines: dict[str, Judged]) -> Scores:
    task, gold = task_of(recipe), rows.test_gold
    resampling = Resampling(recipe.seed, recipe.evaluate.bootstrap_samples)
    answers = {"tuned": tuned.answers} | {name: judged.answers for name, judged in baselines.items()}
    systems = {name: score_system(task.labels, gold, found, resampling) for name, found in answers.items()}
    judgements = {
        name: judge_pair(gold, tuned.answers.predicted, answers[name].predicted, len(task.labels), resampling)
        for name in baselines
    }
    generation = judge_generation(task, rows, tuned.answers, tuned.generated)
    notices = [*row_notices(task, rows), *tuned.notices, *_result_notices(task.labels, systems["tuned"], len(gold))]
    return Scores(
        task=task.type,
        labels=list(task.labels),
        positive=task.labels[0],
        num_rows={split: len(getattr(rows, split)) for split in SPLITS},
        systems=systems,
        by_origin=accuracy_by_origin(rows, answers),
        calibration=tuned.calibration,
        generation=generation,
        comparisons=[judged.as_comparison(name) for name, judged in judgements.items()],
        gates=check_gates(recipe, systems, generation),
        verdict=_verdict(systems, judgements),
        test_hash=test_hash,
        warnings=notices + [notice for judged in baselines.values() for notice in judged.notices],
    )


def _result_notices(labels: tuple[str, ...], tuned: SystemScores, num_rows: int) -> list[Notice]:
    """Results that look better, or less telling, than they are."""
    if tuned.accuracy.value == 1:
        # A bootstrap cannot leave 100 %; this is what so few rows can exclude (Clopper & Pearson 1934).
        percent = round(100 * (1 - 0.025 ** (1 / num_rows)), 1)
        return [Notice(key="evaluate.notices.all_right", values={"num": num_rows, "percent": percent})]
    answered = [label for label, column in zip(labels, zip(*tuned.confusion, strict=True), strict=True) if any(column)]
    if len(answered) == 1:
        return [Notice(key="evaluate.notices.one_answer", values={"num": num_rows, "label": answered[0]})]
    return []


def _verdict(systems: dict[str, SystemScores], judgements: dict[str, Judgement]) -> str:
    """Against the classical baseline with the highest accuracy, then macro F1."""
    measured = [name for name in CLASSICAL if name in judgements]
    if not measured:
        return "no_baseline"
    best = max(measured, key=lambda name: (systems[name].accuracy.value, systems[name].macro_f1.value))
    return judgements[best].outcome
