"""Which run to take: among those that are shown to be close to the best, the one that answers fastest.

Training is paid for once and answering every day, so time per answer comes before memory. A tenth more or less is
noise of a machine; runs within it count as equally fast, and the one that needed least memory in training wins, then
the higher main figure. Times of different machines are no comparison: then memory decides at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from dadeum.evaluation.comparison.entrants import Entrant

NOISE = 1.10
"""Runs that take up to a tenth longer than the fastest count as equally fast."""
Reason = Literal["only_best", "time", "memory", "figure"]


@dataclass(frozen=True)
class Choice:
    chosen: int
    equals: list[int]
    """The best run and all that are shown to be close to it (several.CLOSE), in the given order."""
    reason: Reason
    """What told the chosen one from its equals."""
    times_compared: bool
    """False where a time is missing or runs were evaluated on different machines."""


def choose(entrants: Sequence[Entrant], main: str, sign: int, equals: Sequence[int]) -> Choice:
    """`sign` is 1 where a higher main figure is better, −1 where a lower one is."""
    kept = list(equals)
    times = [entrants[place].cost.seconds_per_row for place in kept]
    one_machine = len({entrants[place].machine for place in kept}) == 1
    times_compared = one_machine and None not in times
    reason: Reason = "only_best"
    if times_compared and len(kept) > 1:
        kept, reason = _least(kept, lambda place: entrants[place].cost.seconds_per_row, NOISE, "time", reason)
    if len(kept) > 1:
        kept, reason = _least(kept, lambda place: entrants[place].cost.peak_memory_mb, NOISE, "memory", reason)
    if len(kept) > 1:
        kept = [max(kept, key=lambda place: sign * entrants[place].figures[main].value)]
        reason = "figure"
    return Choice(kept[0], list(equals), reason, times_compared)


def _least(
    places: list[int], cost: Callable[[int], float | None], noise: float, name: Reason, before: Reason
) -> tuple[list[int], Reason]:
    """Those within `noise` of the least; all of them where one is not measured."""
    costs = [cost(place) for place in places]
    known = [each for each in costs if each is not None]
    if len(known) < len(costs):
        return places, before
    limit = noise * min(known, default=math.inf)
    kept = [place for place, each in zip(places, known, strict=True) if each <= limit]
    return kept, name if len(kept) < len(places) else before
