"""Rankings of votes whose true order is known, against closed forms, with habits of raters, and with gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dadeum.core.errors import DataError
from dadeum.evaluation.comparison.votes import Key, KeyRow
from dadeum.monitoring.pairwise import Ballot, Outcome, ballots, rank


def votes(left: str, right: str, counts: dict[Outcome, int], raters: int = 1) -> list[Ballot]:
    said = [outcome for outcome, num in counts.items() for _ in range(num)]
    return [Ballot(f"r{n % raters}", f"{left}-{right}-{n}", left, right, one) for n, one in enumerate(said)]


def strengths(given: list[Ballot], samples: int = 20) -> dict[str, float]:
    return {one.name: one.strength.value for one in rank(given, samples=samples).models}


def simulated(
    truth: dict[str, float], num: int, seed: int, side: float = 0.0, tie: float | None = None, raters: int = 10
) -> list[Ballot]:
    chance = np.random.default_rng(seed)
    names, found = list(truth), []
    for row in range(num):
        left, right = chance.choice(names, 2, replace=False)
        weights = [truth[left] + side / 2, truth[right] - side / 2, -math.inf if tie is None else 0.0]
        if tie is not None:
            weights[2] = (truth[left] + truth[right]) / 2 + tie
        likely = np.exp(weights)
        outcome: Outcome = ("left", "right", "tie")[chance.choice(3, p=likely / likely.sum())]
        found.append(Ballot(f"r{row % raters}", f"row{row}", str(left), str(right), outcome))
    return found


def test_two_models_without_ties_are_the_log_odds() -> None:
    """Sides even out: 30 of 40 decided votes are log(30 / 10) apart, and no side is liked."""
    given = [
        *votes("a", "b", {"left": 15, "right": 5}),
        *votes("b", "a", {"left": 5, "right": 15}),
    ]
    ranking = rank(given, samples=20)
    found = {one.name: one.strength.value for one in ranking.models}
    assert found["a"] - found["b"] == pytest.approx(math.log(3), abs=1e-4)
    assert ranking.side.value == pytest.approx(0, abs=1e-4)
    assert ranking.models[0].name == "a" and ranking.tie_share == 0


def test_two_models_with_ties_are_davidsons_closed_form() -> None:
    """ν = ties / √(wins · losses) per order of presentation; equals tie with ν / (ν + 2)."""
    given = [
        *votes("a", "b", {"left": 16, "right": 4, "tie": 12}),
        *votes("b", "a", {"left": 4, "right": 16, "tie": 12}),
    ]
    ranking = rank(given, samples=20)
    found = {one.name: one.strength.value for one in ranking.models}
    nu = 12 / math.sqrt(16 * 4)
    assert found["a"] - found["b"] == pytest.approx(math.log(4), abs=1e-4)
    assert ranking.tie_share == pytest.approx(nu / (nu + 2), abs=1e-4)


def test_a_liked_side_is_taken_for_a_side_and_not_for_strength() -> None:
    """Left wins 3 of 4 whoever stands there: the models are equal, the side is worth log 3."""
    given = [
        *votes("a", "b", {"left": 30, "right": 10}),
        *votes("b", "a", {"left": 30, "right": 10}),
    ]
    ranking = rank(given, samples=20)
    assert ranking.side.value == pytest.approx(math.log(3), abs=1e-4)
    assert [one.strength.value for one in ranking.models] == pytest.approx([0, 0], abs=1e-4)


def test_known_strengths_are_found_within_their_intervals() -> None:
    truth = {"a": 0.9, "b": 0.1, "c": -0.2, "d": -0.8}
    ranking = rank(simulated(truth, 3000, seed=1, side=0.4, tie=-0.5, raters=30), samples=80)
    for one in ranking.models:
        assert one.strength.value == pytest.approx(truth[one.name], abs=0.15)
        assert one.strength.low - 0.05 <= truth[one.name] <= one.strength.high + 0.05
    assert [one.name for one in ranking.models] == ["a", "b", "c", "d"]
    assert ranking.side.low <= 0.4 <= ranking.side.high and ranking.drawn == "rater"
    nu = math.exp(-0.5)
    assert ranking.tie_share == pytest.approx(nu / (nu + 2), abs=0.03)


def test_the_maximum_is_one_no_other_point_has_more_likelihood() -> None:
    """A tiny reference: Bradley-Terry by the classic iteration πᵢ ← wins / Σ n / (πᵢ + πⱼ), sides evened out."""
    given = simulated({"a": 0.5, "b": 0.0, "c": -0.5}, 400, seed=2)
    mirrored = [
        Ballot(one.rater, one.row + "m", one.right, one.left, "right" if one.outcome == "left" else "left")
        for one in given
    ]
    names = ["a", "b", "c"]
    wins, met = np.zeros(3), np.zeros((3, 3))
    for one in [*given, *mirrored]:
        left, right = names.index(one.left), names.index(one.right)
        wins[left if one.outcome == "left" else right] += 1
        met[left, right] += 1
        met[right, left] += 1
    pi = np.ones(3)
    for _ in range(500):
        pi = wins / (met / (pi[:, None] + pi[None, :])).sum(axis=1)
        pi /= np.exp(np.log(pi).mean())
    found = strengths([*given, *mirrored])
    assert [found[name] for name in names] == pytest.approx(list(np.log(pi)), abs=1e-4)


def test_intervals_of_raters_with_habits_are_wider_than_those_of_their_votes() -> None:
    """Half of the raters always take a, half always b: 400 votes, but twenty opinions."""
    given = [
        Ballot(f"r{rater}", f"q{rater}-{row}", *(("a", "b") if row % 2 else ("b", "a")),
               ("left" if bool(row % 2) == bool(rater % 2) else "right"))
        for rater in range(20) for row in range(20)
    ]  # fmt: skip
    by_rater = rank(given, samples=60)
    by_row = rank([Ballot("one", one.row, one.left, one.right, one.outcome) for one in given], samples=60)
    wide, narrow = ({one.name: one for one in ranking.models}["a"].strength for ranking in (by_rater, by_row))
    assert (by_rater.drawn, by_row.drawn) == ("rater", "row")
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_groups_that_no_vote_connects_are_refused_with_their_names() -> None:
    given = [*votes("a", "b", {"left": 3, "right": 3}), *votes("x", "y", {"left": 2, "tie": 2})]
    with pytest.raises(DataError) as error:
        rank(given)
    assert error.value.key == "monitoring.pairwise.unconnected"
    assert error.value.values["parts"] == "a, b | x, y"
    with pytest.raises(DataError):
        rank([])


def test_a_model_that_never_lost_gets_a_finite_strength_and_a_word() -> None:
    given = [*votes("a", "b", {"left": 6}), *votes("b", "a", {"right": 6}), *votes("b", "c", {"left": 4, "right": 4})]
    ranking = rank(given, samples=50)
    assert ranking.is_separated and ranking.models[0].name == "a"
    assert math.isfinite(ranking.models[0].strength.high)
    assert not rank(simulated({"a": 0.2, "b": 0.0}, 100, seed=3), samples=10).is_separated
    only_ties = rank(votes("a", "b", {"tie": 5}), samples=10)
    assert [one.strength.value for one in only_ties.models] == pytest.approx([0, 0])


def test_votes_as_they_come_back_know_who_stood_where() -> None:
    row = {"id": "x", "hash": "", "prompt": [], "a": "", "b": ""}
    key = Key(
        vote="v", task="chat", a="old", b="new", seed=1, num_same=0, num_not_drawn=0,
        rows=[KeyRow(row="v-1", left="b", **row), KeyRow(row="v-2", left="a", **row)],  # type: ignore[arg-type]
    )  # fmt: skip
    found = ballots(key, [("kim", {"v-1": "a", "v-2": "tie"})])
    assert found[0] == Ballot("kim", "v-1", "new", "old", "right")
    assert (found[1].left, found[1].outcome) == ("old", "tie")
