"""One trial: train with some settings, judge on validation rows. Test rows are out of its reach."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, fingerprint, read_json, write_json
from dadeum.tuning.ground import Ground
from dadeum.tuning.objectives import costs, examined, for_a_trial, read_values
from dadeum.tuning.record import Look, Objective

Looking = Callable[[Look], None]
"""Shown every validation loss; what it raises ends the trial."""
_TRAINED = "trained.json"


class OnValidation(Run):
    """A run whose test rows are the validation rows: whatever the evaluation reads, it is these."""

    def split_path(self, split: str) -> Path:
        return super().split_path("validation" if split == "test" else split)


@dataclass(frozen=True)
class Outcome:
    """What a trial came to."""

    values: tuple[float, ...]
    """One per objective."""
    seconds: float
    peak_memory_mb: float | None
    looks: tuple[Look, ...]
    same_training_as: int | None = None
    """The trial whose weights were judged: nothing that trains differs."""


def run_trial(
    recipe: Recipe,
    ground: Ground,
    folder: Path,
    objectives: Sequence[Objective],
    look: Looking | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Train and judge `recipe` in `folder`, a new or unfinished run folder. Raises whatever training raises."""
    started = time.perf_counter()
    recipe = for_a_trial(recipe, objectives)
    run = ground.give(recipe, folder)
    looks: list[Look] = []
    taken = _taken_weights(recipe, run)
    if taken is None:
        _train(recipe, run, looks, look, progress)
    else:
        looks = [Look.model_validate(one) for one in read_json(taken / _TRAINED)["looks"]]
    if examined(objectives):
        _judge(recipe, run, progress)
    values = read_values(recipe, run, objectives)
    peak = costs(recipe, run)["peak_memory_mb"]
    same = int(taken.name) if taken is not None and taken.name.isdecimal() else None
    return Outcome(values, time.perf_counter() - started, peak, tuple(looks), same)


def _train(recipe: Recipe, run: Run, looks: list[Look], look: Looking | None, progress: Progress) -> None:
    from dadeum.training.train import train

    names = [recipe.stages[index].name for index in recipe.policy_stages]

    def seen(stage: str, share: float, loss: float) -> None:
        if stage not in names:
            return  # a reward model's loss says nothing about the model
        percent = round(100 * (names.index(stage) + share) / len(names))
        looks.append(Look(percent=max(percent, 1), loss=loss))
        # Losses of different methods are different things: only the last stage's are compared.
        if look is not None and stage == names[-1]:
            look(looks[-1])

    train(recipe, run, progress, seen)
    note = {"inputs": _what_trains(recipe, run), "looks": [one.model_dump(mode="json") for one in looks]}
    write_json(run.folder / _TRAINED, note)


def _judge(recipe: Recipe, run: Run, progress: Progress) -> None:
    from dadeum.evaluation.evaluate import evaluate

    evaluate(recipe, OnValidation(run.folder), progress)


# -- weights that are there already -------------------------------------------------------------------
def _what_trains(recipe: Recipe, run: Run) -> str:
    from dadeum.training.train import stage_inputs

    return fingerprint(stage_inputs(recipe, run, len(recipe.stages) - 1))


def _taken_weights(recipe: Recipe, run: Run) -> Path | None:
    """The trial that trained exactly this, its weights taken over: where only the way of writing is searched."""
    wanted = _what_trains(recipe, run)
    for note in sorted(run.folder.parent.glob(f"*/{_TRAINED}")):
        other = note.parent
        whole = (other / "stages").is_dir() and (other / "manifest.json").is_file()
        if other == run.folder or not whole or read_json(note)["inputs"] != wanted:
            continue
        source = Run.open(other)
        shutil.copytree(other / "stages", run.folder / "stages", copy_function=_linked, dirs_exist_ok=True)
        run.record("training", source.manifest()["training"])
        return other
    return None


def _linked(source: str, target: str) -> None:
    """The same bytes under a second name: weights are written once and never changed."""
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def forget_weights(folder: Path) -> None:
    """What a trial trained; its figures stay. The winner is trained again."""
    shutil.rmtree(folder / "stages", ignore_errors=True)
    (folder / _TRAINED).unlink(missing_ok=True)


def forget_checkpoints(folder: Path) -> None:
    """What only a training that goes on needs; the weights themselves may be judged again."""
    for checkpoints in folder.glob("stages/*/checkpoints"):
        shutil.rmtree(checkpoints, ignore_errors=True)


def let_go() -> None:
    """Give back what a trial held, also on a GPU, and after a lack of memory."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
