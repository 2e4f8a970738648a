"""Figures by what rows have in common: their origin, and of grounded answers their kind, difficulty and domain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from dadeum.evaluation.answers.figures import PerRow, value_of
from dadeum.evaluation.answers.scores import OriginScores


def by_label(labels: Sequence[str], per_row: Mapping[str, PerRow], least: int = 2) -> dict[str, OriginScores]:
    """Means per label, the one with most rows first; {} for fewer than `least` labels; rows without one left out."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        if label:
            members[label].append(index)
    if len(members) < least:
        return {}
    return {
        label: OriginScores(
            num_rows=len(indices), systems={name: _means(found, indices) for name, found in per_row.items()}
        )
        for label, indices in sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    }


def _means(per_row: PerRow, indices: list[int]) -> dict[str, float]:
    return known_figures({metric: values[indices] for metric, values in per_row.items() if metric != "perplexity"})


def known_figures(per_row: PerRow) -> dict[str, float]:
    """Those that some row could give."""
    found = {metric: value_of(metric, values) for metric, values in per_row.items()}
    return {metric: value for metric, value in found.items() if value is not None and value == value}
