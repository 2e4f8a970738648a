from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dadeum.core.measured import Measured
from dadeum.evaluation.comparison.entrants import Cost, Entrant, names_of
from dadeum.evaluation.comparison.selection import Choice, choose


def runner(figure: float, seconds: float | None = 1.0, memory: float | None = 100.0, machine: str = "m") -> Entrant:
    nothing: Any = None
    return Entrant(
        name="r", folder=Path("r"), recipe=nothing, method="sft", adapter="lora r4", machine=machine, train_hash="h",
        cost=Cost(10, 100, memory, 5.0, seconds), generation={}, baselines={},
        figures={"f": Measured(value=figure, low=figure, high=figure)},
    )  # fmt: skip


def chosen(entrants: list[Entrant], equals: list[int], sign: int = 1) -> Choice:
    return choose(entrants, "f", sign, equals)


def test_the_only_best_is_taken_whatever_it_costs() -> None:
    found = chosen([runner(0.3, seconds=9), runner(0.2, seconds=0.1)], [0])
    assert (found.chosen, found.reason) == (0, "only_best")


def test_of_equals_the_one_that_answers_fastest() -> None:
    found = chosen([runner(0.31, seconds=2), runner(0.30, seconds=1), runner(0.1, seconds=0.1)], [0, 1])
    assert (found.chosen, found.reason, found.equals) == (1, "time", [0, 1])


def test_a_tenth_of_time_is_noise_and_memory_decides() -> None:
    found = chosen([runner(0.3, 1.00, memory=300), runner(0.3, 1.05, memory=100)], [0, 1])
    assert (found.chosen, found.reason) == (1, "memory")


def test_alike_in_all_the_better_figure() -> None:
    assert chosen([runner(0.30), runner(0.31)], [0, 1]) == Choice(1, [0, 1], "figure", True)
    assert chosen([runner(0.30), runner(0.31)], [0, 1], sign=-1).chosen == 0


@pytest.mark.parametrize(
    "other", [runner(0.3, seconds=None, memory=50), runner(0.3, seconds=0.1, memory=50, machine="n")]
)
def test_times_that_are_missing_or_of_another_machine_decide_nothing(other: Entrant) -> None:
    found = chosen([runner(0.3), other], [0, 1])
    assert (found.chosen, found.reason, found.times_compared) == (1, "memory", False)


def test_memory_that_nobody_measured_is_no_zero() -> None:
    assert chosen([runner(0.31), runner(0.3, memory=None)], [0, 1]).reason == "figure"


def test_names_are_as_short_as_they_can_be() -> None:
    assert names_of([Path("/a/one"), Path("/a/two")]) == ["one", "two"]
    assert names_of([Path("/a/x/one"), Path("/a/y/one")]) == ["x/one", "y/one"]
    assert names_of([Path("/r/spam/20260102-030405"), Path("/r/talk/20260102-030406")]) == [
        "spam/20260102-030405", "talk/20260102-030406",
    ]  # fmt: skip
