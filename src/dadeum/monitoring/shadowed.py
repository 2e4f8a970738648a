"""Decisions of versions that answer unseen: how often they are the one that people saw."""

from __future__ import annotations

from collections.abc import Mapping

from dadeum.core.measured import Part
from dadeum.monitoring.sequential import share_interval


class Shadowed(Part):
    """One unseen version; an interval over requests that holds at every look."""

    version: str
    num: int
    """Decisions that both made."""
    same: int
    low: float
    high: float


def shadowed(counted: Mapping[str, tuple[int, int]], alpha: float) -> list[Shadowed]:
    """Of (same, all) by version."""
    found = []
    for version, (same, num) in sorted(counted.items()):
        low, high = share_interval(same, num, alpha)
        found.append(Shadowed(version=version, num=num, same=same, low=float(low), high=float(high)))
    return found
