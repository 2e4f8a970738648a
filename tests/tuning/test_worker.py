from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from optuna.trial import TrialState

from dadeum.core.errors import RunError
from dadeum.tuning.study import Book
from dadeum.tuning.trial import forget_checkpoints
from dadeum.tuning.worker import Worker
from tests.tuning.conftest import RATE, searched

Make = Callable[..., Worker]


def states(worker: Worker) -> list[str]:
    return [trial.state.name for trial in Book.of(worker.study).counted]


def test_the_recipes_own_settings_come_first_and_the_budget_is_kept(worker: Make) -> None:
    found = worker()
    assert found.run() == "trials"
    trials = Book.of(found.study).counted
    assert len(trials) == 4
    assert trials[0].user_attrs["default"]
    assert trials[0].params == {"stages.sft.learning_rate": 5e-3}


def test_the_same_search_draws_the_same_settings_also_after_a_kill(worker: Make, tmp_path: Any) -> None:
    whole = worker()
    whole.run()
    drawn = [trial.params for trial in Book.of(whole.study).counted]
    (tmp_path / "search").rename(tmp_path / "other")

    ran: list[int] = []

    def stops(params: dict[str, float], look: Any) -> float:
        ran.append(1)
        if len(ran) == 3:
            raise SystemExit("killed")
        return params["stages.sft.learning_rate"]

    cut = worker(stops)
    with pytest.raises(SystemExit):
        cut.run()
    assert [trial.params for trial in Book.of(cut.study).counted][:2] == drawn[:2]
    assert [trial.params for trial in Book.of(cut.study).trials][2] == drawn[2]


@pytest.mark.parametrize("error", [RuntimeError("wrong shape"), MemoryError(), torch.OutOfMemoryError("no room")])
def test_a_trial_that_fails_is_written_down_and_the_next_one_runs(worker: Make, error: Exception) -> None:
    ran: list[int] = []

    def trial(params: dict[str, float], look: Any) -> float:
        ran.append(1)
        if len(ran) == 2:
            raise error
        return 1.0

    found = worker(trial)
    assert found.run() == "trials"
    assert states(found) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    reason = Book.of(found.study).counted[1].user_attrs["failed"]
    assert reason
    assert ("메모리" in reason or "memory" in reason) == (not str(error).startswith("wrong"))


def test_a_search_in_which_everything_fails_gives_up_early(worker: Make) -> None:
    def trial(params: dict[str, float], look: Any) -> float:
        raise ValueError("no such file")

    found = worker(trial, searched(trials=50))
    assert found.run() == "failing"
    assert len(states(found)) == 3


def test_settings_are_run_once_and_a_space_that_is_used_up_ends_the_search(worker: Make) -> None:
    ran: list[Any] = []

    def trial(params: dict[str, Any], look: Any) -> float:
        ran.append(tuple(params.values()))
        return float(params["stages.sft.batch_size"])

    space = {"stages.sft.batch_size": [2, 4, 8], "stages.sft.scheduler": ["cosine", "linear"]}
    found = worker(trial, searched(space, trials=50))
    assert found.run() == "exhausted"
    assert sorted(ran) == sorted((size, name) for size in (2, 4, 8) for name in ("cosine", "linear"))


def test_proposals_that_were_run_already_do_not_use_up_the_budget(worker: Make) -> None:
    space = {"stages.sft.batch_size": [2, 4, 8], "model.adapter.r": {"low": 1, "high": 3}}
    found = worker(lambda params, look: float(params["stages.sft.batch_size"]), searched(space, trials=8))
    assert found.run() == "trials"
    book = Book.of(found.study)
    assert len({str(trial.params) for trial in book.counted}) == len(book.counted) == 8


def test_trials_that_learn_worse_are_stopped_but_never_the_recipes_own(worker: Make) -> None:
    reached: list[int] = []

    def trial(params: dict[str, float], look: Any) -> float:
        worse = 1 + len(reached)
        reached.append(0)
        for percent in (25, 50, 75, 100):
            look(percent, 100.0 if worse == 1 else float(worse))
            reached[-1] = percent
        return float(worse)

    found = worker(trial, searched(trials=8))
    found.run()
    assert reached[0] == 100
    assert "PRUNED" in states(found)
    assert all(percent < 100 for percent, state in zip(reached, states(found), strict=True) if state == "PRUNED")


def test_a_figure_that_shall_rise_is_pruned_by_falling_losses_all_the_same(worker: Make) -> None:
    """Optuna compares what is reported in the study's direction: a loss must be turned round there."""
    losses = iter([1.0, 1.0, 5.0, 0.5])

    def trial(params: dict[str, float], look: Any) -> float:
        loss = next(losses)
        for percent in (50, 100):
            look(percent, loss)
        return 1 - loss / 10

    found = worker(trial, searched(objectives=["macro_f1"]))
    found.run()
    assert states(found) == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]


def test_time_that_is_over_ends_trial_and_search(worker: Make) -> None:
    late = worker(deadline=time.time() - 1)
    assert late.run() == "timeout"
    assert states(late) == []

    found = worker(deadline=time.time() + 60)
    original = found._objective

    def begins_in_time(trial: Any) -> Any:
        object.__setattr__(found.orders, "deadline", time.time() - 1)
        return original(trial)

    found._objective = begins_in_time  # type: ignore[method-assign]
    assert found.run() == "timeout"
    assert states(found) == ["PRUNED"]
    assert Book.of(found.study).counted[0].user_attrs["out_of_time"]


def test_two_who_begin_at_once_do_not_go_over_the_budget(worker: Make) -> None:
    found = worker(recipe=searched(trials=2))
    found.study.enqueue_trial({"stages.sft.learning_rate": 1e-4})
    for _ in range(3):
        found.study.optimize(found._objective, n_trials=1, catch=(Exception,))
    done = [trial for trial in Book.of(found.study).counted if trial.state == TrialState.COMPLETE]
    assert len(done) == 2


def test_several_objectives_give_a_front_and_nothing_is_stopped(worker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from dadeum.tuning import worker as module
    from dadeum.tuning.trial import Outcome

    recipe = searched(RATE, objectives=["macro_f1", "peak_memory_mb"])
    found = worker(recipe=recipe)

    def both(recipe: Any, ground: Any, folder: Any, objectives: Any, look: Any, progress: Any) -> Outcome:
        return Outcome((recipe.stages[0].learning_rate, 1 / recipe.stages[0].learning_rate), 0.1, 1.0, ())

    monkeypatch.setattr(module, "run_trial", both)
    # Memory is measured in a process of its own each time.
    assert [found.run() for _ in range(5)] == ["again"] * 4 + ["trials"]
    assert [direction.name for direction in found.study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert len(found.study.best_trials) >= 1


def test_the_word_to_end_is_heard_at_the_next_step_where_its_exception_was_lost(
    worker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = worker()
    monkeypatch.setattr("dadeum.tuning.worker.is_over", lambda: bool(Book.of(found.study).running))
    with pytest.raises(KeyboardInterrupt):
        found.run()
    assert [trial.user_attrs.get("interrupted") for trial in Book.of(found.study).trials] == [True]


def test_our_own_reasons_stand_without_the_name_of_their_class(worker: Make) -> None:
    def trial(params: dict[str, float], look: Any) -> float:
        raise RunError("tune.other_rows", split="test", ours=3, theirs=4)

    found = worker(trial)
    found.run()
    assert not Book.of(found.study).counted[0].user_attrs["failed"].startswith("RunError")


def test_weights_that_may_be_judged_again_stay_without_what_only_training_needs(tmp_path: Any) -> None:
    stage = tmp_path / "stages" / "1-sft"
    for name in ("checkpoints/checkpoint-1", "adapter"):
        (stage / name).mkdir(parents=True)
    forget_checkpoints(tmp_path)
    assert [path.name for path in stage.iterdir()] == ["adapter"]


@pytest.mark.parametrize(
    ("pruner", "stops"), [("halving", True), ("hyperband", True), ("median", True), ("none", False)]
)
def test_every_pruner_stops_what_is_hopeless(worker: Make, pruner: str, stops: bool) -> None:
    begun: list[int] = []

    def trial(params: dict[str, float], look: Any) -> float:
        begun.append(1)
        loss = float(len(begun))
        for percent in (20, 40, 60, 80, 100):
            look(percent, loss)
        return loss

    found = worker(trial, searched(trials=16, pruner=pruner))
    assert found.run() == "trials"
    assert ("PRUNED" in states(found)) == stops
