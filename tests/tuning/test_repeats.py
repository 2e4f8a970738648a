"""Who wins: repeats with other seeds, failed seeds, ties, and own settings outside of what was searched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dadeum.core.errors import ModelError
from dadeum.core.progress import silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.tuning import repeats
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.record import Objective, Search, Tried
from tests.tiny import decide_recipe, write_splits

RATE = "stages.sft.learning_rate"
Value = Callable[[Recipe], float]


def recipe(**tune: Any) -> Recipe:
    given = {"space": {RATE: [1e-4, 1e-3, 1e-2]}, "objectives": ["macro_f1"], **tune}
    data = {"sources": [{"path": "/mails.csv"}]}
    return decide_recipe("/base", seed=7, tune=given, data=data)  # type: ignore[no-any-return]


def trial(number: int, rate: float, value: float | None, **fields: Any) -> Tried:
    state = "failed" if value is None else "complete"
    given = {"state": state, "values": () if value is None else (value,), "is_default": number == 0} | fields
    return Tried(number=number, params={RATE: rate}, **given)


def search(*tried: Tried, direction: str = "maximize", **fields: Any) -> Search:
    given: dict[str, Any] = {
        "name": "tiny", "study": "tiny-1", "storage": "sqlite",
        "objectives": (Objective(name="macro_f1", direction=direction),),  # type: ignore[arg-type]
        "space": {RATE: (1e-4, 1e-3)}, "defaults": {RATE: 5e-3}, "trials": 3, "timeout_minutes": None, "pruner": "none",
        "workers": 1, "num_validation": 8, "num_train": 16, "seconds": 1.0, "ended": "trials", "duplicates": 0,
    }  # fmt: skip
    return Search(**given | {"tried": tried} | fields)


class Trials:
    """Instead of training: a value by recipe, and what was asked for."""

    def __init__(self, value: Value) -> None:
        self.value = value
        self.asked: list[tuple[float, int]] = []

    def __call__(self, recipe: Recipe, ground: Any, folder: Path, objectives: Any) -> Any:
        self.asked.append((recipe.stages[0].learning_rate, recipe.seed))
        assert recipe.data_seed == 7, "other rows"
        return SimpleNamespace(values=(self.value(recipe),))


@pytest.fixture
def ground(tmp_path: Path) -> Any:
    run = Run(tmp_path / "ground")
    write_splits(run)
    return SimpleNamespace(run=run)


def repeat(
    found: Search, own: Recipe, ground: Any, folder: Path, value: Value, monkeypatch: pytest.MonkeyPatch
) -> tuple[Search, Trials]:
    trials = Trials(value)
    monkeypatch.setattr(repeats, "run_trial", trials)
    return repeats.choose(repeats.repeated(found, own, ground, SearchFolder(folder), silent)), trials


def test_lucky_trial_loses_to_the_better_mean(ground: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = search(trial(0, 5e-3, 0.7), trial(1, 1e-4, 0.9), trial(2, 1e-3, 0.8), trial(3, 1e-2, 0.1))
    own = recipe(repeat=3, top=2)
    values = {1e-4: 0.6, 1e-3: 0.85, 5e-3: 0.7}
    done, trials = repeat(found, own, ground, tmp_path, lambda one: values[one.stages[0].learning_rate], monkeypatch)
    assert sorted(trials.asked) == [(rate, seed) for rate in (1e-4, 1e-3, 5e-3) for seed in (8, 9)]
    assert [one.number for one in done.repeated] == [1, 2, 0]
    assert done.repeated[0].values == (0.9, 0.6, 0.6) and done.repeated[0].seeds == (7, 8, 9)
    assert done.repeated[0].mean == pytest.approx(0.7) and done.repeated[0].spread == pytest.approx(0.17320508)
    assert (done.winner, done.winner_is_default) == (2, False)


def test_own_settings_keep_their_place_when_means_are_equal(
    ground: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search(trial(1, 1e-4, 0.75), trial(2, 5e-3, 0.75, is_default=True))
    done, _ = repeat(found, recipe(repeat=2), ground, tmp_path, lambda one: 0.75, monkeypatch)
    assert (done.winner, done.winner_is_default) == (2, True)
    assert repeats.choose(found).winner == 2


def test_less_is_better_where_the_objective_says_so() -> None:
    found = search(trial(0, 5e-3, 0.7), trial(1, 1e-4, 0.4), trial(2, 1e-3, 0.4), direction="minimize")
    assert repeats.choose(found).winner == 1


def test_nothing_that_came_through_has_no_winner() -> None:
    done = repeats.choose(search(trial(0, 5e-3, None), trial(1, 1e-4, float("nan"))))
    assert (done.winner, done.winner_is_default) == (None, False)


def test_failed_seed_is_told_and_costs_the_setting_its_place(
    ground: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def value(one: Recipe) -> float:
        if one.stages[0].learning_rate == 1e-4 and one.seed == 9:
            raise RuntimeError("no memory left")
        if one.stages[0].learning_rate == 1e-3:
            raise ModelError("evaluate.not_finite", base="b", num=1, total=2)
        return 0.9

    found = search(trial(0, 5e-3, 0.2), trial(1, 1e-4, 0.9), trial(2, 1e-3, 0.95))
    done, _ = repeat(found, recipe(repeat=3), ground, tmp_path, value, monkeypatch)
    by_number = {one.number: one for one in done.repeated}
    assert set(by_number) == {0, 1}
    assert by_number[1].values == (0.9, 0.9) and "9: RuntimeError: no memory left" in by_number[1].failed[0]
    assert done.winner == 0  # the other setting has no figure of seed 9
    notice = next(one for one in done.notices if one.key == "tune.finish.notice.not_repeated")
    assert notice.values["number"] == 2 and notice.values["num"] == 3


def test_own_settings_that_were_stopped_early_are_run_with_their_own_seed_too(
    ground: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search(trial(0, 5e-3, None, state="pruned"), trial(1, 1e-4, 0.6))
    done, trials = repeat(found, recipe(repeat=2), ground, tmp_path, lambda one: 0.8, monkeypatch)
    assert (5e-3, 7) in trials.asked
    assert (done.winner, done.winner_is_default) == (0, True)


def test_killed_between_seeds_goes_on_where_it_stopped(
    ground: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(one: Recipe) -> float:
        if one.seed == 9:
            raise KeyboardInterrupt
        return 0.5

    found, own = search(trial(0, 5e-3, 0.4), trial(1, 1e-4, 0.6)), recipe(repeat=3)
    with pytest.raises(KeyboardInterrupt):
        repeat(found, own, ground, tmp_path, killed, monkeypatch)
    _, trials = repeat(found, own, ground, tmp_path, lambda one: 0.5, monkeypatch)
    assert {seed for _, seed in trials.asked} == {9}
    # Other rows are another figure.
    write_splits(ground.run, (18, 8, 8))
    _, trials = repeat(found, own, ground, tmp_path, lambda one: 0.5, monkeypatch)
    assert {seed for _, seed in trials.asked} == {8, 9}


def test_own_settings_outside_of_the_space_are_run_after_the_search(
    ground: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search(trial(3, 1e-4, 0.6, is_default=False), trial(5, 1e-3, 0.7))
    trials = Trials(lambda one: 0.7)
    monkeypatch.setattr(repeats, "run_trial", trials)
    done = repeats.with_own_settings(found, recipe(), ground, SearchFolder(tmp_path), silent)
    assert trials.asked == [(5e-3, 7)]
    own = done.tried[-1]
    assert (own.number, own.params, own.values, own.is_default) == (6, {RATE: 5e-3}, (0.7,), True)
    assert repeats.choose(done).winner_is_default
    assert [notice.key for notice in done.notices] == ["tune.finish.notice.own_outside"]


def test_folder_begun_with_other_settings_is_not_taken_over(
    ground: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, own = search(trial(0, 5e-3, 0.4), trial(1, 1e-4, 0.6)), recipe(repeat=2)
    stale = SearchFolder(tmp_path).repeat(1, 8)
    Run.create(own, stale)
    kept = SearchFolder(tmp_path).repeat(0, 8)
    Run.create(repeats.with_seed(own, 8), kept)
    repeat(found, own, ground, tmp_path, lambda one: 0.5, monkeypatch)
    assert not (stale / "recipe.yaml").exists() and (kept / "recipe.yaml").is_file()


def test_own_settings_outside_of_the_space_may_stand_on_the_front(
    ground: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = (
        Objective(name="macro_f1", direction="maximize"),
        Objective(name="peak_memory_mb", direction="minimize"),
    )
    tried = [
        trial(number, 1e-4, None, state="complete", values=values, is_default=False)
        for number, values in ((3, (0.6, 10.0)), (5, (0.7, 20.0)))
    ]
    found = search(*tried, objectives=both, front=(3, 5))
    monkeypatch.setattr(repeats, "run_trial", lambda *_: SimpleNamespace(values=(0.7, 5.0)))
    assert repeats.with_own_settings(found, recipe(), ground, SearchFolder(tmp_path), silent).front == (6,)
