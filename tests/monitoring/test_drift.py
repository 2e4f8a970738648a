"""Distances with intervals, verdicts that wait for enough requests, and an alarm that waits for a second day."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dadeum.monitoring import drift
from dadeum.monitoring.drift import Compared, Histogram, adjusted, bins_of, compare, into, judged, named, stands


def counted(shares: list[float], num: int) -> Histogram:
    return Histogram(edges=[float(n) for n in range(len(shares) - 1)], counts=[round(num * share) for share in shares])


# -- bins -----------------------------------------------------------------------------------------
def test_bins_are_tenths_of_the_reference() -> None:
    made = bins_of([float(n) for n in range(1, 1001)])
    assert made.edges == [100, 200, 300, 400, 500, 600, 700, 800, 900]
    assert made.counts == [100] * 10
    assert into(made.edges, [100, 101, 5000]).counts == [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]


def test_smaller_values_do_not_hide_among_many_equal_ones() -> None:
    made = bins_of([7.0] * 300)
    assert into(made.edges, [6.0, 7.0, 8.0]).counts == [1, 1, 1]
    here = compare(into(made.edges, [6.0] * 300), made)
    assert here.psi is not None
    assert here.psi.low > 1


# -- distances ------------------------------------------------------------------------------------
def test_psi_and_js_by_hand() -> None:
    found = compare(counted([0.6, 0.4], 10_000_000), counted([0.5, 0.5], 10_000_000))
    assert found.psi is not None
    assert found.js is not None
    assert found.psi.value == pytest.approx(0.1 * math.log(1.2) - 0.1 * math.log(0.8), abs=1e-5)
    p, q, m = np.array([0.6, 0.4]), np.array([0.5, 0.5]), np.array([0.55, 0.45])
    assert found.js.value == pytest.approx(float((p * np.log2(p / m) + q * np.log2(q / m)).sum() / 2), abs=1e-5)


def test_the_test_of_chance_is_the_one_of_scipy() -> None:
    from scipy.stats import chi2_contingency

    now, before = Histogram(names=["A", "B", "C"], counts=[50, 60, 40]), named({"A": 100, "B": 90, "C": 110})
    expected = chi2_contingency([now.counts, before.counts]).pvalue
    assert compare(now, before).p_value == pytest.approx(expected)


def test_without_a_change_psi_is_about_zero_and_never_an_alarm() -> None:
    random = np.random.default_rng(3)
    found = []
    for seed in range(150):
        before = bins_of(random.lognormal(3, 0.5, 400))
        found.append(judged([compare(into(before.edges, random.lognormal(3, 0.5, 150)), before, seed)])[0])
    values = [each.psi.value for each in found if each.psi]
    # Not corrected, the mean would be 9 (1/150 + 1/400) = 0.08.
    assert np.mean(values) < 0.03
    assert all(each.verdict != "shifted" for each in found)
    assert np.mean([each.p_value is not None and each.p_value < 0.05 for each in found]) < 0.12


def test_intervals_hold_the_truth() -> None:
    random = np.random.default_rng(4)
    before, now = np.full(10, 0.1), np.array([0.05, 0.05, 0.07, 0.08, 0.1, 0.1, 0.12, 0.13, 0.15, 0.15])
    truth = float(((now - before) * np.log(now / before)).sum())
    edges = [float(n) for n in range(9)]
    held = 0
    for seed in range(150):
        found = compare(
            Histogram(edges=edges, counts=random.multinomial(300, now).tolist()),
            Histogram(edges=edges, counts=random.multinomial(1000, before).tolist()),
            seed,
        )
        assert found.psi is not None
        held += found.psi.low <= truth <= found.psi.high
    assert held >= 0.9 * 150


def test_new_labels_are_seen() -> None:
    found = compare(named({"BLOCK": 100, "ALLOW": 100, "LATER": 100}), named({"BLOCK": 200, "ALLOW": 200}))
    assert found.psi is not None
    assert found.psi.low > drift.PSI_LARGE


# -- judging --------------------------------------------------------------------------------------
def test_too_few_get_no_verdict() -> None:
    found = judged([compare(counted([0.9, 0.1], 90), counted([0.1, 0.9], 5000))])[0]
    assert (found.verdict, found.psi, found.q_value) == ("few", None, None)


def test_a_shift_needs_size_and_not_only_numbers() -> None:
    surely_small = compare(counted([0.52, 0.48], 200_000), counted([0.5, 0.5], 200_000))
    assert surely_small.p_value is not None
    assert surely_small.p_value < 1e-6
    assert judged([surely_small])[0].verdict == "stable"
    large = compare(counted([0.8, 0.2], 500), counted([0.5, 0.5], 500))
    assert judged([large])[0].verdict == "shifted"


def test_what_reaches_over_the_bound_is_unclear() -> None:
    found = judged([compare(counted([0.65, 0.35], 120), counted([0.5, 0.5], 120))])[0]
    assert found.verdict == "unclear"


def test_looking_at_many_costs() -> None:
    assert adjusted([0.01, 0.02, 0.5]) == pytest.approx([0.03, 0.03, 0.5])
    assert adjusted([]) == []
    large = compare(counted([0.75, 0.25], 120), counted([0.5, 0.5], 110))
    calm = [Compared(num=500, num_before=500, psi=large.psi, js=large.js, p_value=0.9)] * 999
    alone = judged([large.model_copy(update={"p_value": 0.002})])[0].q_value
    among = judged([large.model_copy(update={"p_value": 0.002}), *calm])[0].q_value
    assert alone == pytest.approx(0.002)
    assert among is not None
    assert among > 0.5


def test_an_alarm_waits_and_remembers_when_it_began() -> None:
    assert stands(["stable", "shifted"]) == (1, None)
    assert stands(["stable", "shifted", "few", "shifted", "shifted"]) == (3, 1)
    assert stands(["shifted", "shifted", "stable"]) == (2, 0)
    assert stands(["shifted", "shifted", "stable", "stable"]) == (1, None)
    assert stands(["shifted", "shifted", "stable", "stable", "shifted", "stable", "shifted"]) == (2, 4)
