"""Whether intervals hold when somebody looks every day: thousands of experiments without any effect, simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dadeum.monitoring.sequential import (
    ALPHA,
    Arm,
    difference,
    difference_of_shares,
    fixed_reach,
    log_martingale,
    reach,
    share_interval,
    tuning,
    users_needed,
)
from dadeum.monitoring.srm import ALARM, chi_square, mismatch, sequential

LOOKS = 30
SIMULATED = 3000
NOISE = 3 * math.sqrt(ALPHA * (1 - ALPHA) / SIMULATED)
"""Three standard errors of a share of 5 % over so many experiments."""


def looked_at(share: float, weight: float, per_day: int, seed: int, more: float = 0.0) -> tuple[Arm, Arm]:
    """Cumulative counts (experiments, looks) of control and challenger; the challenger's share is `more` higher."""
    chance = np.random.default_rng(seed)
    drawn = chance.binomial(per_day, weight, (SIMULATED, LOOKS))
    others = per_day - drawn
    wins, other_wins = chance.binomial(drawn, share + more), chance.binomial(others, share)
    num, num_others = drawn.cumsum(1), others.cumsum(1)
    control = Arm.of_counts(other_wins.cumsum(1), np.maximum(num_others, 1))
    return control, Arm.of_counts(wins.cumsum(1), np.maximum(num, 1))


@pytest.mark.parametrize(("share", "weight"), [(0.3, 0.5), (0.3, 0.1), (0.02, 0.1), (0.98, 0.1), (0.005, 0.5)], ids=str)
def test_peeking_daily_at_equal_variants_alarms_no_more_often_than_said(share: float, weight: float) -> None:
    effect = difference(*looked_at(share, weight, 200, seed=1))
    alarms = ((effect.low > 0) | (effect.high < 0)).any(axis=1)
    assert alarms.mean() <= ALPHA + NOISE
    # p says what the interval says, and holds at any look as well.
    assert (effect.p.min(axis=1) < ALPHA).mean() <= ALPHA + NOISE
    assert np.array_equal(effect.p < ALPHA, (effect.low > 0) | (effect.high < 0))


def test_a_fixed_sample_test_looked_at_daily_would_not() -> None:
    """What this is for: the same experiments, judged each day as if it were the only one."""
    control, challenger = looked_at(0.3, 0.5, 200, seed=1)
    half = fixed_reach(np.sqrt(control.variance / control.num + challenger.variance / challenger.num), 1)
    naive = (np.abs(challenger.mean - control.mean) > half).any(axis=1).mean()
    assert naive > 0.2


def test_without_the_floor_of_variance_a_small_arm_would_call_rare_events_different() -> None:
    control, challenger = looked_at(0.02, 0.1, 200, seed=3)
    num = control.num + challenger.num
    with np.errstate(divide="ignore"):
        own = np.sqrt(num * (control.variance / control.num + challenger.variance / challenger.num))
    bare = (np.abs(challenger.mean - control.mean) > reach(own, num)).any(axis=1).mean()
    assert bare > 0.1
    effect = difference(control, challenger)
    assert ((effect.low > 0) | (effect.high < 0)).any(axis=1).mean() < 0.02


def test_values_of_users_who_come_back_are_covered_too() -> None:
    """A user's value is the mean of what there is so far, so it still moves: simulated with 20 % returning daily."""
    chance = np.random.default_rng(5)
    alarms, runs, per_day = 0, 300, 60
    for _ in range(runs):
        born = np.repeat(np.arange(LOOKS), per_day)
        habit, side = chance.beta(1.5, 3.5, born.size), chance.random(born.size) < 0.3
        said, wins = np.zeros(born.size), np.zeros(born.size)
        for day in range(LOOKS):
            active = (born == day) | ((born < day) & (chance.random(born.size) < 0.2))
            said += active
            wins += active & (chance.random(born.size) < habit)
            seen = said > 0
            values = wins[seen] / said[seen]
            effect = difference(Arm.of(values[~side[seen]]), Arm.of(values[side[seen]]))
            if day > 3 and not effect.low <= 0 <= effect.high:
                alarms += 1
                break
    assert alarms / runs <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_a_true_effect_is_inside_at_every_look_and_is_found() -> None:
    effect = difference(*looked_at(0.3, 0.5, 200, seed=2, more=0.08))
    inside = ((effect.low <= 0.08) & (effect.high >= 0.08)).all(axis=1)
    assert inside.mean() >= 1 - ALPHA - NOISE
    assert (effect.low[:, -1] > 0).mean() > 0.9
    assert np.all(np.diff((effect.high - effect.low).mean(axis=0)) < 0)


def test_the_detectable_difference_is_seen_with_the_power_that_is_said() -> None:
    effect = difference(*looked_at(0.3, 0.5, 200, seed=4))
    wanted = float(np.median(effect.detectable[:, -1]))
    shifted = difference(*looked_at(0.3, 0.5, 200, seed=6, more=wanted))
    assert (shifted.low[:, -1] > 0).mean() == pytest.approx(0.8, abs=0.04)


def test_width_by_hand_and_against_a_fixed_sample() -> None:
    assert reach(1.0, 2000) == pytest.approx(0.0679, abs=1e-4)
    assert reach(1.0, 2000) / fixed_reach(1.0, 2000) == pytest.approx(1.55, abs=0.01)
    # Planned for: narrower there than with a plan for far fewer or far more.
    there = reach(1.0, 2000, rho2=tuning(2000))
    assert there < min(reach(1.0, 2000, rho2=tuning(50)), reach(1.0, 2000, rho2=tuning(80_000)))


def test_users_needed_are_as_many_as_show_the_effect() -> None:
    needed = users_needed(0.05, 0.5, 0.5)
    both = 0.5 / 0.5
    for num, enough in ((needed, True), (needed - 2, False)):
        seen = reach(both, num, rho2=tuning(num)) + 0.8416212335729143 * both / math.sqrt(num)
        assert bool(seen <= 0.05) is enough


# -- shares ---------------------------------------------------------------------------------------
def test_the_bettor_wins_what_the_beta_binomial_formula_says() -> None:
    # One success: B(1.5, 0.5) / B(0.5, 0.5) / p = 0.5 / p.
    assert math.exp(log_martingale(1, 1, 0.25)) == pytest.approx(2.0)


@pytest.mark.parametrize("share", [0.5, 0.03])
def test_an_exact_interval_of_a_share_covers_it_at_every_look(share: float) -> None:
    chance = np.random.default_rng(7)
    num = np.cumsum(np.full(LOOKS, 10))
    wins = chance.binomial(10, share, (1000, LOOKS)).cumsum(1)
    low, high = share_interval(wins, num)
    assert ((low <= share) & (share <= high)).all(axis=1).mean() >= 1 - ALPHA
    assert np.all(low <= wins / num) and np.all(wins / num <= high)


def test_shares_at_the_ends_and_without_rows() -> None:
    assert share_interval(0, 0) == (0.0, 1.0)
    low, high = share_interval(0, 50)
    assert low == 0.0 and 0.05 < high < 0.25
    low, high = share_interval(50, 50)
    assert high == 1.0 and 0.75 < low < 0.95


def test_an_exact_difference_holds_for_a_few_rare_events() -> None:
    effect = difference_of_shares((4, 900), (0, 100))
    assert effect.low < 0 < effect.high and effect.p > ALPHA
    clear = difference_of_shares((10, 200), (60, 200))
    assert clear.value == pytest.approx(0.25) and clear.low > 0 and clear.p < 0.001
    turned = difference_of_shares((60, 200), (10, 200))
    assert (turned.low, turned.high) == pytest.approx((-clear.high, -clear.low), abs=1e-6)


def test_exact_differences_of_equal_variants_do_not_alarm() -> None:
    chance = np.random.default_rng(8)
    runs, alarms = 80, 0
    for _ in range(runs):
        first, second = (chance.binomial(10, 0.1, 5).cumsum() for _ in range(2))
        alarms += any(
            difference_of_shares((int(a), 10 * day), (int(b), 10 * day)).p < ALPHA
            for day, (a, b) in enumerate(zip(first, second, strict=True), 1)
        )
    assert alarms / runs <= ALPHA


# -- sample ratio ---------------------------------------------------------------------------------
def test_the_multinomial_test_by_hand() -> None:
    counts = np.array([[1, 0], [2, 0], [3, 0]])
    # Bayes factors 0.5 / 0.5 = 1, (1/3) / 0.25 = 4/3, 0.25 / 0.125 = 2.
    assert sequential(counts, np.array([1.0, 1.0]), 2.0) == pytest.approx([1.0, 0.75, 0.5])


def test_a_right_split_looked_at_daily_hardly_ever_rings() -> None:
    chance = np.random.default_rng(9)
    weights = np.array([0.9, 0.1])
    counts = chance.multinomial(500, weights, (SIMULATED, LOOKS)).cumsum(1)
    assert (sequential(counts, weights).min(axis=1) < 0.05).mean() <= 0.05
    assert (sequential(counts, weights)[:, -1] < ALARM).mean() <= 0.002


def test_lost_users_ring() -> None:
    """Every eighth user of the challenger is lost."""
    chance = np.random.default_rng(10)
    counts = chance.multinomial(1000, [0.9 / 0.9875, 0.0875 / 0.9875], LOOKS).cumsum(0)
    found = mismatch(counts, {"champion": 90, "challenger": 10})
    assert found.rings and found.chi_square_p < ALARM
    assert found.found["challenger"] < found.expected["challenger"]


def test_chi_square_by_hand_and_nothing_without_users() -> None:
    # (60 − 50)² / 50 · 2 = 4 with one degree of freedom.
    assert chi_square(np.array([60.0, 40.0]), np.array([1.0, 1.0])) == pytest.approx(0.0455, abs=1e-4)
    assert not mismatch(np.zeros((0, 2)), {"a": 1, "b": 1}).rings
