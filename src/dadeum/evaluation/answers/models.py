"""What models say: answers to the test rows and to people in danger, and how probable people's answers are to them.

The untuned model and the weights that training goes on from are asked before training and remembered in
evaluation/base_answers.json and before_answers.json, for as long as rows, model, template, task and limits stay the
same.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.errors import ModelError
from dadeum.core.examples import Example, Turn, answer_of
from dadeum.core.progress import Progress, counter
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash
from dadeum.core.task import Chat
from dadeum.evaluation import crisis
from dadeum.evaluation.answers.remembered import given_weights, remembered, weights_hash
from dadeum.evaluation.answers.rows import Rows
from dadeum.evaluation.answers.systems import Spoken
from dadeum.models.candidates import write_best
from dadeum.models.engines import AnyEngine, load_engine
from dadeum.models.fresh import in_run
from dadeum.models.likelihood import Likelihood
from dadeum.tasks import chat

_SHORT = 4
"""Crisis messages are one line without a history: so many of them take the room of one test row."""


def tuned(recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> Spoken:
    """The model that the last stage trained."""
    return _ask(in_run(recipe, run), run.adapter_folder(recipe), rows, "tuned", progress)


def base_model(recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> Spoken:
    """The same model before tuning, from the file where it was asked the same before."""
    return _once(recipe, run, None, rows, "base_model", "base_answers", progress)


def before(recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> Spoken:
    """The weights that training goes on from, remembered like the untuned model."""
    weights = given_weights(recipe)
    assert weights is not None  # a recipe without model.start has no such baseline
    return _once(recipe, run, weights, rows, "before", "before_answers", progress)


def _once(
    recipe: Recipe, run: Run, weights: Path | None, rows: Rows, name: str, file: str, progress: Progress
) -> Spoken:
    def ask() -> dict[str, Any]:
        spoken = _ask(in_run(recipe, run), weights, rows, name, progress)
        return {field: value for field, value in vars(spoken).items() if field != "notices"}

    stored = remembered(run, file, _asked(recipe, run, weights), ask)
    return Spoken(**stored | {"likelihoods": [Likelihood(*pair) for pair in stored["likelihoods"]]})


def _asked(recipe: Recipe, run: Run, weights: Path | None) -> dict[str, Any]:
    settings = recipe.evaluate
    return {
        # The longest training answer limits what may be written.
        "rows": [file_hash(run.split_path(split)) for split in ("train", "test")],
        "model": recipe.model.model_dump(mode="json"),
        "weights": weights_hash(weights),
        "render": recipe.render.model_dump(mode="json"),
        "task": recipe.task.model_dump(mode="json"),
        # Finishing steps work on what is stored.
        "generation": recipe.generation.model_dump(mode="json", exclude={"finish"}),
        "sample": [settings.generate_rows, recipe.data_seed, recipe.seed],
        "crisis": [message.text for message in crisis.messages(recipe)],
    }


def _ask(recipe: Recipe, weights: Path | None, rows: Rows, name: str, progress: Progress) -> Spoken:
    with closing(load_engine(recipe, weights)) as engine:
        likelihoods = _likelihoods(recipe, engine, rows.answered, name, progress)
        limit = recipe.generation.max_new_tokens or longest_answer(engine, rows.train)
        if recipe.evaluate.generate_rows == 0:
            silence = [""] * len(rows.answered)
            return Spoken(silence, [False] * len(silence), likelihoods, max_new_tokens=limit)
        batch_size = recipe.evaluate.batch_size
        prompts = [row.prompt for row in rows.answered]
        started = time.perf_counter()
        count = counter(progress, f"evaluate.progress.answers.{name}", len(prompts))
        written = write_best(engine, prompts, limit, batch_size, count, recipe.generation, recipe.seed)
        seconds = time.perf_counter() - started
        dangers = danger_prompts(recipe, rows.train)
        count = counter(progress, f"evaluate.progress.crisis.{name}", len(dangers))
        said = (
            write_best(engine, dangers, limit, _SHORT * batch_size, count, recipe.generation, recipe.seed)
            if dangers
            else []
        )
    return Spoken(
        answers=[answer.text for answer in written],
        cut_off=[not answer.finished for answer in written],
        likelihoods=likelihoods,
        crisis=[answer.text for answer in said],
        seconds=seconds,
        max_new_tokens=limit,
    )


def longest_answer(engine: AnyEngine, train: list[Example]) -> int:
    """Tokens of the longest answer that was taught, its end token included: a model needs no more room."""
    answers = {answer_of(row) for row in train}
    return max((len(engine.renderer.answer_ids(answer)) for answer in answers), default=1)


def danger_prompts(recipe: Recipe, train: list[Example]) -> list[list[Turn]]:
    """Prompts of the crisis messages, under the system turn that most training rows have; none without a hand-off."""
    if not isinstance(recipe.task, Chat):
        return []
    openings = Counter(row.prompt[0]["content"] if row.prompt[0]["role"] == "system" else "" for row in train)
    commonest = max(openings, key=lambda opening: openings[opening], default="")
    system: list[Turn] = [{"role": "system", "content": commonest}] if commonest else []
    return [
        chat.prompt(recipe.task, [*system, {"role": "user", "content": message.text}])
        for message in crisis.messages(recipe)
    ]


def _likelihoods(
    recipe: Recipe, engine: AnyEngine, rows: list[Example], name: str, progress: Progress
) -> list[Likelihood]:
    count = counter(progress, f"evaluate.progress.loss.{name}", len(rows))
    found = engine.log_likelihoods(rows, recipe.evaluate.batch_size, count)
    bad = sum(not np.isfinite(each.log_prob) for each in found)
    if bad:
        raise ModelError("evaluate.not_finite", base=recipe.model.base, num=bad, total=len(rows))
    return found
