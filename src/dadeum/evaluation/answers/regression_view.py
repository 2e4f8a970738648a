"""What a repair cost, made ready for the page: a row per figure, for all rows that count and for each source."""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.words import Words, number, plain
from dadeum.evaluation.answers import repair
from dadeum.evaluation.answers.repair_scores import Held, Regression
from dadeum.evaluation.report_words import say


@dataclass(frozen=True)
class HeldRow:
    source: Words
    metric: Words
    before: str
    tuned: str
    difference: Words
    interval: Words
    tolerance: Words
    num_rows: str
    outcome: str
    mark: Words


def held_rows(found: Regression) -> list[HeldRow]:
    """All rows first, then by source, the largest first."""
    every = [_row(say("repair.regression_all"), held) for held in found.figures]
    return every + [_row(plain(source), held) for source, figures in found.by_source.items() for held in figures]


def _row(source: Words, held: Held) -> HeldRow:
    return HeldRow(
        source=source,
        metric=repair.held_name(held.metric),
        before=repair.held_value(held, held.before),
        tuned=repair.held_value(held, held.tuned),
        difference=repair.difference(held),
        interval=repair.difference_interval(held),
        tolerance=repair.tolerance(held),
        num_rows=number(held.num_rows),
        outcome={"no_worse": "better", "worse": "worse"}.get(held.outcome, ""),
        mark=say(f"repair.mark.{held.outcome}"),
    )
