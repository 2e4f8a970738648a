"""How a search ends where things go otherwise: the recipe wins, cannot be trained, another winner came, a kill came."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dadeum import pipeline
from dadeum.core.errors import ModelError
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import load_recipe
from dadeum.core.run import Run
from dadeum.tuning.finish import comparison_folder, conclude, failed_gates, taken_run
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.record import Objective, Search, Tried
from tests.tiny import decide_recipe, write_splits
from tests.tuning.test_tested import GOLD, decided

RATE = "stages.sft.learning_rate"
NAMES = "tune.finish.notice."


class World:
    """A search whose trainings cost nothing; `trained` tells what was trained, with which rate."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data = {"sources": [{"path": "/mails.csv"}]}
        tune = {"space": {RATE: [1e-4, 1e-3, 1e-2]}, "objectives": ["eval_loss"]}
        self.recipe: Recipe = decide_recipe("/base", data=data, tune=tune)
        self.folder = SearchFolder(folder / "search")
        self.trained: list[tuple[str, float]] = []
        self.fails: Callable[[Recipe], BaseException | None] = lambda recipe: None
        self.ground: Any = SimpleNamespace(give=self.give, rows={"test": 40})
        monkeypatch.setattr(pipeline, "run", self.run)

    def give(self, recipe: Recipe, folder: Path) -> Run:
        if folder.is_dir():
            return Run.open(folder)
        run = Run.create(recipe, folder)
        write_splits(run)
        return run

    def run(self, recipe: Recipe, run: Run, progress: Any) -> None:
        rate = recipe.stages[0].learning_rate
        self.trained.append((run.folder.name, rate))
        if error := self.fails(recipe):
            raise error
        (run.folder / "stages").mkdir(exist_ok=True)
        run.record("training", {"sft": {"best_eval_loss": rate, "peak_memory_mb": 1.0, "seconds": 1.0}})
        sharp = [0.9 if label == 0 else 0.1 for label in GOLD]
        shutil.rmtree(run.folder / "judged", ignore_errors=True)
        _, judged = decided(run.folder / "judged", sharp if rate == 1e-4 else [0.6] * 40)
        (run.folder / "evaluation").mkdir(exist_ok=True)
        for name in ("scores.json", "samples.jsonl"):
            (run.folder / "evaluation" / name).write_text((judged.folder / "evaluation" / name).read_text())

    def search(self, *losses: float | None) -> Search:
        """Trials of 5e-3 (the recipe's own), 1e-4, 1e-3 with these validation losses."""
        rates = (5e-3, 1e-4, 1e-3)
        tried = [
            Tried(number=number, params={RATE: rate}, state="failed" if loss is None else "complete",
                  values=() if loss is None else (loss,), is_default=number == 0)
            for number, (rate, loss) in enumerate(zip(rates, losses, strict=False))
        ]  # fmt: skip
        return Search(
            name="tiny", study="tiny-1", storage="sqlite", space={RATE: (1e-4, 1e-3)}, defaults={RATE: 5e-3},
            objectives=(Objective(name="eval_loss", direction="minimize"),), trials=3, timeout_minutes=None,
            pruner="none", workers=1, num_validation=8, num_train=16, seconds=1.0, ended="trials", duplicates=0,
            tried=tuple(tried),
        )  # fmt: skip

    def conclude(self, *losses: float | None) -> Search:
        return conclude(self.search(*losses), self.recipe, self.ground, self.folder)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def keys(found: Search) -> list[str]:
    return [notice.key.removeprefix(NAMES) for notice in found.notices]


def test_where_the_recipe_wins_only_it_is_tested_and_best_yaml_is_it(world: World) -> None:
    found = world.conclude(0.1, 0.4, 0.1)
    assert (found.winner, found.winner_is_default, found.final) == (0, True, None)
    assert world.trained == [("default", 5e-3)]
    assert load_recipe(world.folder.best_path) == world.recipe
    assert taken_run(found, world.folder) == world.folder.default_run
    assert not comparison_folder(world.folder).exists()
    assert "원래 레시피 그대로" in world.folder.best_path.read_text(encoding="utf-8").splitlines()[0]


def test_where_nothing_came_through_nothing_is_trained(world: World) -> None:
    found = world.conclude(None, None)
    assert (found.winner, found.final, world.trained) == (None, None, [])
    assert taken_run(found, world.folder) is None and not world.folder.best_path.exists()


def test_winner_is_there_even_if_the_recipe_itself_cannot_be_trained(world: World) -> None:
    world.fails = lambda recipe: RuntimeError("out of memory") if recipe.stages[0].learning_rate == 5e-3 else None
    found = world.conclude(None, 0.4)
    assert (found.winner, found.final) == (1, None)
    assert world.trained == [("best", 1e-4), ("default", 5e-3)]
    assert keys(found) == ["own_failed"] and "out of memory" in str(found.notices[0].values["reason"])


def test_winner_that_cannot_be_trained_again_is_a_mistake_that_is_told(world: World) -> None:
    world.fails = lambda recipe: ModelError("evaluate.not_finite", base="b", num=1, total=2)
    with pytest.raises(ModelError):
        world.conclude(0.4, 0.1)
    assert load_recipe(world.folder.best_path).stages[0].learning_rate == 1e-4


def test_killed_between_the_two_runs_it_ends_as_if_it_had_not_been(world: World) -> None:
    world.fails = lambda recipe: KeyboardInterrupt() if recipe.stages[0].learning_rate == 5e-3 else None
    with pytest.raises(KeyboardInterrupt):
        world.conclude(0.4, 0.1)
    world.fails = lambda recipe: None
    found = world.conclude(0.4, 0.1)
    assert found.final is not None and found.final.tested[0].metric == "macro_f1"
    assert found.final.tested[0].verdict == "better" and keys(found) == []
    assert found.final.reproduced == 1e-4  # what this world calls a validation loss
    assert not list(world.folder.path.glob("best-*"))


def test_another_winner_of_a_search_that_went_on_is_told_to_be_the_second_look(world: World) -> None:
    first = world.conclude(0.4, 0.1)
    assert keys(first) == []
    second = world.conclude(0.4, 0.1, 0.05)
    assert second.winner == 2 and keys(second) == ["tested_before"]
    assert second.notices[0].values == {"num": 1}
    assert Run(world.folder.path / "best-1").recipe().stages[0].learning_rate == 1e-4
    assert Run(world.folder.best_run).recipe().stages[0].learning_rate == 1e-3
    # The recipe wins in the end: what was found before is set aside, and no comparison of it is left.
    third = conclude(world.search(0.01, 0.1, 0.05), world.recipe, world.ground, world.folder)
    assert third.winner_is_default and third.final is None
    assert not world.folder.best_run.exists() and (world.folder.path / "best-2").is_dir()
    assert not comparison_folder(world.folder).exists()


def test_notices_of_an_earlier_end_are_not_said_twice(world: World) -> None:
    world.fails = lambda recipe: RuntimeError("no") if recipe.stages[0].learning_rate == 5e-3 else None
    found = world.conclude(None, 0.4)
    again = conclude(found, world.recipe, world.ground, world.folder)
    assert keys(again) == ["own_failed"]


def test_gates_of_a_run_that_was_never_evaluated_have_not_failed(tmp_path: Path) -> None:
    assert failed_gates(tmp_path) == []
