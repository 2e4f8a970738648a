"""What the log holds of an experiment: who saw which variant, how it went, and what came back.

A user counts once, however often he asks: what he said is averaged first. Users that two variants have answered
(weights were moved, a version was asked for by name before) are counted and left out of every comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from dadeum.gateway.experiments import Experiment
from dadeum.gateway.store.entries import Entry, Feedback, Store

_FAILED = 500
"""Statuses from here on are the server's fault."""
_LEFT = 499
_DONE = 200


@dataclass
class _Column:
    """Requests of one variant, a list per figure."""

    unit: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)
    cut: list[bool] = field(default_factory=list)
    brier: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    rated: list[float] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    left: int = 0
    without_user: int = 0


@dataclass(frozen=True)
class Exposed:
    """One variant; arrays have one entry per request, NaN where there is nothing."""

    name: str
    versions: dict[str, int]
    unit: np.ndarray
    """Number of the user, over all variants."""
    is_mixed: np.ndarray
    value: np.ndarray
    failed: np.ndarray
    cut: np.ndarray
    brier: np.ndarray
    seconds: np.ndarray
    rated: np.ndarray
    """1.0 thumbs up, 0.0 down."""
    labels: dict[str, int]
    left: int
    without_user: int

    def per_user(self, values: np.ndarray) -> np.ndarray:
        """Mean of each user's values, without users that have none and those of two variants."""
        used = ~np.isnan(values) & ~self.is_mixed
        _, place = np.unique(self.unit[used], return_inverse=True)
        if not place.size:
            return np.zeros(0)
        means: np.ndarray = np.bincount(place, values[used]) / np.bincount(place)
        return means

    @property
    def num_users(self) -> int:
        return int(np.unique(self.unit[~self.is_mixed]).size)


@dataclass(frozen=True)
class Exposures:
    variants: dict[str, Exposed]
    """In the experiment's order."""
    by_day: np.ndarray
    """(days, variants): users so far, each with the variant that he had first."""
    first_day: date | None
    last_day: date | None
    num_mixed: int
    num_shadows: int
    same_labels: dict[str, tuple[int, int]]
    """Of each version that decides unseen: how often as the one that was seen, of how many."""
    num_unknown: int
    """Requests of variants that the file does not name any more."""


def exposures(store: Store, experiment: Experiment) -> Exposures:
    said = last_said(store.feedback())
    columns = {name: _Column() for name in experiment.variants}
    units: dict[str, int] = {}
    first: dict[int, tuple[str, date]] = {}
    mixed: set[int] = set()
    counted: Counter[str] = Counter()
    decided: dict[str, str] = {}
    same: dict[str, tuple[int, int]] = {}
    for entry in store.entries(since=experiment.since):
        if entry.experiment != experiment.name:
            continue
        if entry.shadow_of or entry.variant not in columns:
            counted["shadow" if entry.shadow_of else "unknown"] += 1
            if entry.label and (seen := decided.get(entry.shadow_of)):
                alike, num = same.get(entry.version, (0, 0))
                same[entry.version] = alike + (entry.label == seen), num + 1
            continue
        if experiment.shadow and entry.label:  # a shadow decides later than what it follows
            decided[entry.request_id] = entry.label
        unit = units.setdefault(entry.user or f"request {entry.request_id}", len(units))
        variant, _ = first.setdefault(unit, (entry.variant, entry.time.date()))
        if variant != entry.variant:
            mixed.add(unit)
        _add(columns[entry.variant], unit, entry, said.get(entry.request_id), experiment)
    days, by_day = _by_day(first, list(columns))
    variants = {name: _exposed(name, column, mixed) for name, column in columns.items()}
    first_day, last_day = (days[0], days[-1]) if days else (None, None)
    return Exposures(
        variants, by_day, first_day, last_day, len(mixed), counted["shadow"], same, counted["unknown"]
    )  # fmt: skip


def last_said(feedback: Iterable[Feedback]) -> dict[str, Feedback]:
    """What counts of everything that was said about a request: the last of each kind."""
    found: dict[str, Feedback] = {}
    for one in sorted(feedback, key=lambda each: each.time):
        before = found.get(one.request_id)
        if before is not None:
            one = replace(one, rating=one.rating or before.rating, label=one.label or before.label)
        found[one.request_id] = one
    return found


def _add(column: _Column, unit: int, entry: Entry, said: Feedback | None, experiment: Experiment) -> None:
    rated = {"up": 1.0, "down": 0.0}.get(str(said.rating), np.nan) if said else np.nan
    right = float(entry.label == said.label) if said and said.label and entry.label else np.nan
    confident = entry.confidence is not None
    column.unit.append(unit)
    column.failed.append(entry.status >= _FAILED)
    column.cut.append(entry.reason == "length")
    column.seconds.append(entry.total_s if entry.status == _DONE else np.nan)
    column.rated.append(rated)
    column.brier.append((float(entry.confidence or 0.0) - right) ** 2 if confident else np.nan)
    values = {"feedback": rated, "label": right, "latency": column.seconds[-1]}
    column.value.append(values[experiment.metric])
    if entry.label:
        column.labels[entry.label] += 1
    column.versions[entry.version] += 1
    column.left += entry.status == _LEFT
    column.without_user += not entry.user


def _exposed(name: str, column: _Column, mixed: set[int]) -> Exposed:
    unit = np.array(column.unit, dtype=np.int64)
    figures = {
        figure: np.array(getattr(column, figure), dtype=float)
        for figure in ("value", "failed", "cut", "brier", "seconds", "rated")
    }
    is_mixed = np.isin(unit, np.array(sorted(mixed), dtype=np.int64))
    return Exposed(
        name, dict(column.versions), unit, is_mixed, labels=dict(column.labels), left=column.left,
        without_user=column.without_user, **figures,
    )  # fmt: skip


def _by_day(first: Mapping[int, tuple[str, date]], names: list[str]) -> tuple[list[date], np.ndarray]:
    days = sorted({day for _, day in first.values()})
    at = {day: row for row, day in enumerate(days)}
    counts = np.zeros((len(days), len(names)), dtype=np.int64)
    for variant, day in first.values():
        counts[at[day], names.index(variant)] += 1
    return days, counts.cumsum(axis=0)
