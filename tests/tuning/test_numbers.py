from __future__ import annotations

import random

import pytest

from dadeum.core.tune import Range, Scalar
from dadeum.tuning import numbers
from dadeum.tuning.record import Objective, Repeated
from tests.tuning.made_searches import BATCH, F1, MEMORY, RANK, RATE, made_repeats, made_search, made_trial

LOSS = Objective(name="eval_loss", direction="minimize")


def test_best_so_far_never_gets_worse_and_knows_the_direction() -> None:
    up = [value for _, value in numbers.best_so_far(made_search())]
    down = [value for _, value in numbers.best_so_far(made_search(objectives=(LOSS,)))]
    assert up == sorted(up) and len(set(up)) > 1
    assert down == sorted(down, reverse=True) and len(set(down)) > 1


def test_of_equal_trials_the_earlier_is_the_best() -> None:
    search = made_search(4)
    tried = tuple(one.model_copy(update={"values": (0.9,)}) for one in search.tried)
    best = numbers.best(search.model_copy(update={"tried": tried}))
    assert best is not None and best.number == 0


def test_no_trial_of_the_front_is_beaten() -> None:
    values = {0: (0.9, 2000.0), 1: (0.8, 1000.0), 2: (0.85, 1500.0), 3: (0.85, 1600.0), 4: (0.7, 1000.0)}
    tried = tuple(made_trial(0).model_copy(update={"number": at, "values": pair}) for at, pair in values.items())
    assert numbers.front(made_search(tried=tried, objectives=(F1, MEMORY))) == (0, 1, 2)


def test_importances_find_the_setting_that_matters_and_are_the_same_again() -> None:
    search = made_search(30)
    found = numbers.importances(search)
    assert next(iter(found)) == RATE and found[RATE] > 0.6
    assert sum(found.values()) == pytest.approx(1, abs=1e-4)
    random.seed(7)
    assert numbers.importances(search) == found


def test_importances_need_ten_trials_that_differ() -> None:
    assert numbers.importances(made_search(9)) == {}
    equal = tuple(one.model_copy(update={"values": (1.0,) if one.values else ()}) for one in made_search(20).tried)
    assert numbers.importances(made_search(20, tried=equal)) == {}


def test_importances_hold_own_settings_outside_of_the_space() -> None:
    search = made_search(20)
    outside = search.tried[0].model_copy(update={"params": {RATE: 0.5, BATCH: 64, RANK: 2.5}})
    found = numbers.importances(search.model_copy(update={"tried": (outside, *search.tried[1:])}))
    assert set(found) == {RATE, BATCH, RANK}


def test_importances_leave_out_trials_that_lack_a_setting() -> None:
    search = made_search(20)
    unset = search.tried[0].model_copy(update={"params": {BATCH: 8, RANK: 8}})
    assert numbers.importances(search.model_copy(update={"tried": (unset, *search.tried[1:])}))


def test_importances_of_names_truths_and_nothing() -> None:
    space: dict[str, Range | tuple[Scalar, ...]] = {"a": ("linear", "한국어"), "b": (True, False), "c": (None, 1.0)}
    tried = []
    for number in range(16):
        params = {key: values[number >> place & 1] for place, (key, values) in enumerate(space.items())}  # type: ignore[index]
        tried.append(
            made_trial(0).model_copy(update={"number": number, "params": params, "values": (number % 2 * 1.0,)})
        )
    found = numbers.importances(made_search(16, space=space, tried=tuple(tried), defaults={}))
    assert found["a"] > 0.9


def test_a_gain_is_beyond_noise_only_above_what_seeds_do() -> None:
    search = made_search()
    sure = numbers.gain(search.model_copy(update={"repeated": made_repeats(search, 0.02, spread=0.004)}))
    unsure = numbers.gain(search.model_copy(update={"repeated": made_repeats(search, 0.008, spread=0.004)}))
    assert sure is not None and sure.is_beyond_noise and sure.value == pytest.approx(0.02)
    # t(0.975, 4) * 0.004 * sqrt(2 / 3)
    assert sure.needed == pytest.approx(2.7764 * 0.004 * (2 / 3) ** 0.5, rel=1e-3)
    assert unsure is not None and not unsure.is_beyond_noise


def test_a_smaller_loss_is_a_gain() -> None:
    search = made_search(objectives=(LOSS,))
    gain = numbers.gain(search.model_copy(update={"repeated": made_repeats(search, -0.02)}))
    assert gain is not None and gain.value == pytest.approx(0.02)


def test_no_gain_is_told_of_one_seed_or_without_own_settings() -> None:
    search = made_search()
    both = made_repeats(search, 0.02)
    single = Repeated(number=0, seeds=(42,), values=(0.9,), mean=0.9, spread=0.0)
    for repeated in ((), both[:1], (both[0], single)):
        assert numbers.gain(search.model_copy(update={"repeated": repeated})) is None
