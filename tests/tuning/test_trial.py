from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import RecipeError
from dadeum.core.run import Run, read_jsonl
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.ground import Ground
from dadeum.tuning.objectives import for_a_trial, objectives_of
from dadeum.tuning.record import Look
from dadeum.tuning.space import changed
from dadeum.tuning.trial import OnValidation, forget_weights, run_trial
from tests.tiny import save_llama
from tests.tuning.conftest import RATE, lay_ground, searched


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llama(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def search(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, SearchFolder, Ground]]:
    space = RATE | {"generation.repetition_penalty": [1.0, 1.3]}
    recipe = searched(space, str(base), objectives=["macro_f1", "eval_loss", "peak_memory_mb"])
    folder = lay_ground(recipe, tmp_path_factory.mktemp("search") / "search")
    yield recipe, folder, Ground(recipe, folder)


def test_a_trial_is_judged_on_validation_rows_and_never_opens_the_test_rows(search: Any) -> None:
    recipe, folder, ground = search
    ground.run.split_path("test").write_bytes(b"nobody may read this")
    looks: list[Look] = []
    outcome = run_trial(recipe, ground, folder.trial(0), objectives_of(recipe), looks.append)
    macro_f1, loss, peak = outcome.values
    assert 0 <= macro_f1 <= 1
    assert loss > 0
    assert peak == outcome.peak_memory_mb
    assert [look.percent for look in looks] == [50, 100]
    assert looks[-1] == outcome.looks[-1]
    judged = {row["id"] for row in read_jsonl(folder.trial(0) / "evaluation" / "samples.jsonl")}
    assert judged == {f"mail:{number}" for number in range(16, 24)}


def test_settings_that_train_nothing_else_are_judged_with_the_same_weights(search: Any) -> None:
    recipe, folder, ground = search
    first = run_trial(recipe, ground, folder.trial(10), objectives_of(recipe))
    other = changed(recipe, {"generation.repetition_penalty": 1.3})
    second = run_trial(other, ground, folder.trial(11), objectives_of(recipe))
    assert second.same_training_as is not None
    assert second.values[1] == first.values[1]
    third = run_trial(
        changed(recipe, {"stages.sft.learning_rate": 1e-5}), ground, folder.trial(12), objectives_of(recipe)
    )
    assert third.same_training_as is None


def test_rows_are_lent_not_copied(search: Any) -> None:
    recipe, folder, ground = search
    run = ground.give(recipe, folder.trial(20))
    assert (run.folder / "data").resolve() == (folder.ground(0) / "data").resolve()
    assert ground.give(recipe, folder.trial(20)).folder == run.folder


def test_weights_can_be_forgotten_and_figures_stay(search: Any) -> None:
    recipe, folder, ground = search
    run_trial(changed(recipe, {"stages.sft.learning_rate": 2e-5}), ground, folder.trial(30), objectives_of(recipe))
    forget_weights(folder.trial(30))
    assert not (folder.trial(30) / "stages").exists()
    assert (folder.trial(30) / "evaluation" / "scores.json").is_file()


def test_what_a_look_raises_ends_the_trial(search: Any) -> None:
    recipe, folder, ground = search

    class Enough(RuntimeError):
        pass

    def enough(look: Look) -> None:
        raise Enough

    with pytest.raises(Enough):
        run_trial(
            changed(recipe, {"stages.sft.learning_rate": 3e-5}), ground, folder.trial(40), objectives_of(recipe), enough
        )
    assert "training" not in Run.open(folder.trial(40)).manifest()


def test_loss_and_memory_alone_need_no_evaluation(search: Any) -> None:
    recipe, folder, ground = search
    cheap = recipe.model_copy(update={"tune": recipe.tune.model_copy(update={"objectives": ("eval_loss",)})})
    run_trial(cheap, ground, folder.trial(50), objectives_of(cheap))
    assert not (folder.trial(50) / "evaluation").exists()


def test_a_trial_measures_what_is_asked_and_nothing_else(base: Path) -> None:
    recipe = searched(base=str(base), objectives=["generation.agreement"])
    evaluate = for_a_trial(recipe, objectives_of(recipe)).evaluate
    assert (evaluate.baselines, evaluate.judge, evaluate.generate_rows) == ((), None, 4)
    assert list(evaluate.gates) == ["generation.agreement"]
    plain = searched(base=str(base), objectives=["macro_f1"])
    assert for_a_trial(plain, objectives_of(plain)).evaluate.generate_rows == 0


@pytest.mark.parametrize(
    ("name", "direction"), [("macro_f1", "maximize"), ("ece", "minimize"), ("eval_loss", "minimize")]
)
def test_the_better_side_of_a_figure_is_known(name: str, direction: str) -> None:
    assert objectives_of(searched(objectives=[name]))[0].direction == direction


def test_a_figure_that_the_task_does_not_have_is_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="macro_f1"):
        objectives_of(searched(objectives=["makro_f1"]))


def test_without_objectives_the_tasks_own_figure_counts() -> None:
    assert [one.name for one in objectives_of(searched(objectives=[]))] == ["macro_f1"]


def test_what_evaluation_calls_test_rows_are_validation_rows(tmp_path: Path) -> None:
    run = OnValidation(tmp_path)
    assert run.split_path("test") == run.split_path("validation") == Run(tmp_path).split_path("validation")
