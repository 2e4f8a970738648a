"""How answers begin, in a run: the tuned model, the weights it went on from, and the untuned model, asked alike.

Leaves evaluation/starts.json. What training does not change is asked before it and remembered.
"""

from __future__ import annotations

from pathlib import Path

from dadeum.core.errors import DataError, RecipeError
from dadeum.core.examples import Example, Turn, answer_of
from dadeum.core.progress import Progress
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash, write_json
from dadeum.core.stages import Seq2Seq
from dadeum.core.task import Chat
from dadeum.evaluation.answers.remembered import given_weights, remembered, weights_hash
from dadeum.evaluation.answers.repair_scores import StartScores
from dadeum.evaluation.answers.rows import Rows
from dadeum.models.fresh import in_run
from dadeum.starts.examine import Limits, each_once, evenly, examine
from dadeum.starts.prompts import Asked, for_task, read_asked, shipped_prompts
from dadeum.starts.result import Starts

LEAST = 40
"""Prompts below which dadeum's own fill up those of a chat: 20 are the least that a verdict can be relied on with."""
MOST = 200
"""Prompts of test rows that are asked at most, evenly over them."""


def start_scores(recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> StartScores | None:
    """None where the recipe does not ask for it."""
    if recipe.evaluate.starts is None:
        return None
    asked, num_own = asked_of(recipe, rows)
    sides = {"tuned": _examined(recipe, run, run.adapter_folder(recipe), asked.prompts, rows.train, "tuned", progress)}
    sides |= _unchanged(recipe, run, rows, asked.prompts, progress)
    found = StartScores(
        **sides,
        num_own=num_own,
        num_shipped=len(asked.prompts) - num_own,
        from_file=Path(recipe.evaluate.starts.prompts or "").name,
        notices=asked.notices,
    )
    write_json(run.scores_path.parent / "starts.json", found.model_dump(mode="json"))
    return found


def examine_before(recipe: Recipe, run: Run, rows: Rows, progress: Progress) -> None:
    """Those that training does not change; what cannot be examined is found out before hours of training."""
    if recipe.evaluate.starts is not None:
        _unchanged(recipe, run, rows, asked_of(recipe, rows)[0].prompts, progress)


def problems_of_starts(recipe: Recipe) -> list[RecipeError | DataError]:
    """What would keep the examination from being made, found before anything is loaded."""
    wanted = recipe.evaluate.starts
    if wanted is None:
        return []
    if any(isinstance(stage, Seq2Seq) for stage in recipe.stages):
        return [RecipeError("starts.no_decoder", base=recipe.model.base)]
    if wanted.prompts is None:
        return []
    if not Path(wanted.prompts).is_file():
        return [DataError("evaluate.repair.no_prompts", path=wanted.prompts)]
    try:
        read_asked(Path(wanted.prompts))
    except DataError as problem:
        return [problem]
    return []


# -- what is asked --------------------------------------------------------------------------------
def asked_of(recipe: Recipe, rows: Rows) -> tuple[Asked, int]:
    """Distinct prompts and how many of them are the recipe's own; of a chat filled up to LEAST."""
    wanted = recipe.evaluate.starts
    assert wanted is not None
    if wanted.prompts is not None:
        asked = for_task(read_asked(Path(wanted.prompts)), recipe.task)
        own = each_once(asked.prompts)
        return Asked(own, asked.notices), len(own)
    own = evenly(each_once([_question(row.prompt) for row in rows.answered]), MOST)
    if len(own) >= LEAST or not isinstance(recipe.task, Chat):
        return Asked(own), len(own)
    more = for_task(Asked(shipped_prompts(LEAST - len(own))), recipe.task)
    filled = each_once([*own, *more.prompts])[:LEAST]
    return Asked(filled, more.notices), len(own)


def _question(prompt: list[Turn]) -> list[Turn]:
    """Up to the last thing that the user says, whatever a row has behind it."""
    asked = list(prompt)
    while len(asked) > 1 and asked[-1]["role"] != "user":
        asked.pop()
    return asked


# -- who is asked ---------------------------------------------------------------------------------
def _unchanged(
    recipe: Recipe, run: Run, rows: Rows, prompts: list[list[Turn]], progress: Progress
) -> dict[str, Starts]:
    """The given weights by the same yardstick as the tuned model, and the base by its own figures alone."""
    found = {"base": _once(recipe, run, None, prompts, [], "base", progress)}
    weights = given_weights(recipe)
    if weights is not None:
        found["before"] = _once(recipe, run, weights, prompts, rows.train, "before", progress)
    return found


def _once(
    recipe: Recipe, run: Run, weights: Path | None, prompts: list[list[Turn]], train: list[Example], who: str,
    progress: Progress,
) -> Starts:  # fmt: skip
    key = {
        "prompts": prompts,
        "model": recipe.model.model_dump(mode="json"),
        "render": recipe.render.model_dump(mode="json"),
        "task": recipe.task.type,
        "limits": recipe.evaluate.model_dump(mode="json", include={"starts", "batch_size"}),
        "seed": recipe.seed,
        "taught": file_hash(run.split_path("train")) if train else None,
        "weights": weights_hash(weights),
    }
    stored = remembered(
        run,
        f"{'base_model' if who == 'base' else who}_starts",
        key,
        lambda: {"found": _examined(recipe, run, weights, prompts, train, who, progress).model_dump(mode="json")},
    )
    return Starts.model_validate(stored["found"])


def _examined(
    recipe: Recipe, run: Run, weights: Path | None, prompts: list[list[Turn]], train: list[Example], who: str,
    progress: Progress,
) -> Starts:  # fmt: skip
    wanted = recipe.evaluate.starts
    assert wanted is not None
    limits = Limits(wanted.answers, wanted.max_new_tokens, recipe.evaluate.batch_size)

    def say(stage: str, done: int, total: int) -> None:
        part = "answers" if ".answers." in stage else "first"
        progress(f"evaluate.progress.starts.{part}.{who}", done, total)

    taught = [answer_of(row) for row in train]
    return examine(in_run(recipe, run), weights, prompts, base=False, taught=taught, limits=limits, progress=say)
