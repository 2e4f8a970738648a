"""tune(recipe): rows built once, trials by workers, the best one trained again and tested once.

Everything is on disk or in the study: a search that was killed goes on where it stopped (`dadeum tune --resume`).
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from dadeum.core.errors import Problems, RecipeError, RunError
from dadeum.core.messages import text
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import dump, load_recipe
from dadeum.core.run import write_json, write_text
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.ground import Ground
from dadeum.tuning.numbers import front, importances
from dadeum.tuning.objectives import objectives_of
from dadeum.tuning.record import Look, Objective, Search, Tried
from dadeum.tuning.space import defaults, num_settings, problems_of_space, settings, tune_of
from dadeum.tuning.study import Book, Pace, open_storage, open_study, reachable, shown, storage_kind, study_name
from dadeum.tuning.supervise import State, Told, supervise
from dadeum.tuning.trial import forget_weights
from dadeum.tuning.worker import MOST_COUNTED, Orders, is_failing, tell_dead

_CUT_SHORT = ("interrupted", "out_of_time")
Ended = Literal["trials", "timeout", "exhausted", "failing", "interrupted", "running"]


@dataclass(frozen=True)
class Asked:
    """What the command line says beside the recipe."""

    workers: int = 1
    storage: str | None = None
    """URL of a database that several machines share; None: a file of the search's folder."""
    study: str | None = None
    """Name of the study there; None: made of the recipe, its space and its rows."""
    pace: Pace = field(default_factory=Pace)


def check(recipe: Recipe) -> None:
    """Every mistake in the section `tune` at once."""
    wrong = problems_of_space(recipe)
    try:
        objectives_of(recipe)
    except RecipeError as error:
        wrong.append(error)
    if wrong:
        raise wrong[0] if len(wrong) == 1 else Problems(wrong)


def begin(recipe: Recipe, path: Path) -> SearchFolder:
    """A new folder that holds the recipe; nothing is made where the section `tune` is wrong."""
    check(recipe)
    folder = SearchFolder(path)
    if path.is_dir() and any(path.iterdir()):
        raise RunError("errors.run_exists", folder=path)
    write_text(folder.recipe_path, dump(recipe))
    write_json(folder.state_path, {"id": uuid.uuid4().hex, "seconds": 0.0, "asked": study_name(recipe)})
    return folder


def reopen(path: Path) -> tuple[Recipe, SearchFolder]:
    """A search to go on with; RunError for any other folder, and where its recipe was changed in between."""
    folder = SearchFolder(path)
    if not folder.state_path.is_file():
        raise RunError("tune.no_search", folder=path)
    recipe = load_recipe(folder.recipe_path)
    check(recipe)
    if folder.state().get("asked") != study_name(recipe):
        raise RunError("tune.edited", path=folder.recipe_path)
    return recipe, folder


def located(folder: SearchFolder, asked: Asked) -> Asked:
    """With the name of the study that was begun; RunError where its trials lie elsewhere than asked for."""
    state = folder.state()
    if state.get("storage") and not asked.storage:
        raise RunError("tune.storage.not_given", url=state["storage"])
    if asked.study and asked.study != state.get("study", asked.study):
        raise RunError("tune.other_study", asked=asked.study, study=state["study"])
    return replace(asked, study=asked.study or state.get("study"))


def tune(
    recipe: Recipe, folder: SearchFolder, asked: Asked, progress: Progress = silent, told: Told = lambda state: None
) -> Search | None:
    """The whole search, as far as it is not done. None where another machine began the study and will end it."""
    from dadeum.models.kept import keeping
    from dadeum.tuning.finish import conclude
    from dadeum.tuning.page import write_page

    ground = Ground.lay(recipe, folder, progress)
    with reachable(asked.storage):
        study = _study(recipe, folder, asked, ground)
        ended = _try_settings(recipe, folder, asked, study, told)
    for trial in (folder.path / "trials").glob("*"):
        forget_weights(trial)  # kept until now where the way of writing was searched
    with reachable(asked.storage):
        if study.user_attrs["owner"] != folder.state()["id"]:
            return None
        search = record(recipe, folder, asked, study, ground, ended)
    _write(search, folder)
    with keeping():
        search = conclude(search, recipe, ground, folder, progress)
    _write(search, folder)
    write_page(search, folder)
    return search


def look_back(recipe: Recipe, folder: SearchFolder, asked: Asked) -> Search | None:
    """What a search that was interrupted has found so far; its page says that it is not over. None: no rows yet."""
    from dadeum.tuning.page import write_page

    ground = Ground(recipe, folder)
    if not ground.is_laid:
        return None
    with reachable(asked.storage):
        study = _study(recipe, folder, asked, ground)
        _take_up(study, ("interrupted",))
        # Trials may all be over: it was the winner's training that was interrupted.
        ended = _how_ended(recipe, study, _deadline(recipe, folder))
        search = record(recipe, folder, asked, study, ground, "interrupted" if ended == "running" else ended)
    _write(search, folder)
    write_page(search, folder)
    return search


def _study(recipe: Recipe, folder: SearchFolder, asked: Asked, ground: Ground) -> optuna.Study:
    storage = open_storage(asked.storage or folder.storage_url, asked.pace)
    name = asked.study or study_name(recipe)
    study = open_study(storage, name, recipe, objectives_of(recipe), ground.digest)
    if "owner" not in study.user_attrs:
        study.set_user_attr("owner", folder.state()["id"])
    folder.remember(study=name, storage=shown(asked.storage) if asked.storage else None)
    return study


# -- trials ---------------------------------------------------------------------------------------------
def _try_settings(recipe: Recipe, folder: SearchFolder, asked: Asked, study: optuna.Study, told: Told) -> Ended:
    tune = tune_of(recipe)
    before, deadline = folder.state()["seconds"], _deadline(recipe, folder)
    _take_up(study, ("interrupted",) if deadline and time.time() >= deadline else _CUT_SHORT)
    url = asked.storage or folder.storage_url
    orders = Orders(folder.path.resolve(), url, study.study_name, 0, deadline, asked.pace)
    started = time.perf_counter()

    def tell(state: State) -> None:
        # Again and again: a kill must not give back the time that was used.
        folder.remember(seconds=round(before + time.perf_counter() - started, 2))
        told(state)

    if _how_ended(recipe, study, deadline) == "running":
        supervise(study, orders, tune, asked.workers, tell)
    return _how_ended(recipe, study, deadline)


def _deadline(recipe: Recipe, folder: SearchFolder) -> float | None:
    """Seconds since the epoch; what earlier sessions took counts."""
    minutes = tune_of(recipe).timeout_minutes
    return None if minutes is None else time.time() + 60 * minutes - folder.state()["seconds"]


def _take_up(study: optuna.Study, cut_short: Sequence[str] = _CUT_SHORT) -> None:
    """Settings that Ctrl-C, a kill on this machine or the end of the time cut short come again, before anything new."""
    done = set(study.user_attrs.get("taken_up", []))
    for trial in Book.of(study).trials:
        if any(mark in trial.user_attrs for mark in cut_short) and trial.number not in done and trial.params:
            attributes = {"default": True} if trial.user_attrs.get("default") else {}
            study.enqueue_trial(trial.params, user_attrs=attributes)
            done.add(trial.number)
    study.set_user_attr("taken_up", sorted(done))
    for trial in Book.of(study).running:
        host, _, process = str(trial.user_attrs.get("worker", "")).rpartition(":")
        if host == socket.gethostname() and not _lives(int(process)):
            tell_dead(study, f"{host}:{process}")


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def _how_ended(recipe: Recipe, study: optuna.Study, deadline: float | None) -> Ended:
    tune, book = tune_of(recipe), Book.of(study)
    ended = [trial for trial in book.counted if trial.state != TrialState.RUNNING]
    if is_failing(book.counted):
        return "failing"
    if len(ended) >= tune.trials and not book.has_waiting:
        return "trials"
    if num_settings(tune) <= MOST_COUNTED and not book.has_waiting and not book.untried(list(settings(tune))):
        return "exhausted"
    return "timeout" if deadline is not None and time.time() >= deadline else "running"


# -- what came of it ------------------------------------------------------------------------------------
def record(
    recipe: Recipe, folder: SearchFolder, asked: Asked, study: optuna.Study, ground: Ground, ended: Ended
) -> Search:
    """What the study holds, in our words."""
    tune, objectives = tune_of(recipe), objectives_of(recipe)
    book = Book.of(study)
    search = Search(
        name=recipe.name,
        study=study.study_name,
        storage=storage_kind(asked.storage or folder.storage_url),  # type: ignore[arg-type]
        objectives=objectives,
        space=dict(tune.space),
        defaults=defaults(recipe),
        trials=tune.trials,
        timeout_minutes=tune.timeout_minutes,
        pruner=tune.pruner if len(objectives) == 1 else "none",
        workers=asked.workers,
        num_validation=ground.rows["validation"],
        num_train=ground.rows["train"],
        seconds=folder.state()["seconds"],
        ended=ended,
        duplicates=book.duplicates,
        tried=tuple(_tried(trial, objectives) for trial in book.counted),
    )
    return search.model_copy(update={"front": front(search), "importances": importances(search)})


def _tried(trial: FrozenTrial, objectives: Sequence[Objective]) -> Tried:
    told: dict[str, Any] = trial.user_attrs
    states: dict[TrialState, Literal["complete", "pruned", "failed", "running"]] = {
        TrialState.COMPLETE: "complete",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "failed",
    }
    seconds = told.get("seconds") or (trial.duration.total_seconds() if trial.duration else None)
    return Tried(
        number=trial.number,
        params=trial.params,
        state=states.get(trial.state, "running"),
        values=tuple(trial.values) if trial.state == TrialState.COMPLETE else (),
        looks=tuple(Look(percent=round(percent), loss=loss) for percent, loss in told.get("looks", [])),
        seconds=seconds,
        peak_memory_mb=told.get("peak_memory_mb"),
        reason=_reason(trial),
        worker=told.get("worker", ""),
        is_default=bool(told.get("default")),
        same_training_as=told.get("same_training_as"),
        retries=trial.system_attrs.get("failed_trial"),
    )


def _reason(trial: FrozenTrial) -> str:
    if trial.state == TrialState.PRUNED:
        return text("tune.pruned.time" if trial.user_attrs.get("out_of_time") else "tune.pruned.loss")
    if trial.state == TrialState.FAIL:
        return str(trial.user_attrs.get("failed") or text("tune.failed.died"))
    return ""


def _write(search: Search, folder: SearchFolder) -> None:
    write_json(folder.record_path, search.model_dump(mode="json"))
