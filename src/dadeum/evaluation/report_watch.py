"""What training saw of how answers begin (`stages.watch`), from the rows that it left in metrics.jsonl."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dadeum.core.words import MISSING, Words, percent, plain, wording
from dadeum.evaluation.report_facts import Facts
from dadeum.evaluation.report_words import say

_STATES = ("healthy", "at_risk", "collapsed")
"""Their places are what the log has under `watch/state`."""


@dataclass(frozen=True)
class Look:
    """One look at a stage; figures that were not measured are a dash."""

    step: int
    state: str
    said: Words
    figures: list[Words]


FIGURES = ("entropy", "dependence", "marks", "boilerplate", "first_word")
_BITS = ("entropy", "dependence")


def looks(facts: Facts, stage: str) -> list[Look]:
    """In the order of the steps; [] where nobody looked."""
    rows = sorted(facts.looks.get(stage, []), key=lambda row: row["step"])
    return [_look(row) for row in rows]


def _look(row: dict[str, Any]) -> Look:
    state = int(row["watch/state"])
    name = _STATES[state] if 0 <= state < len(_STATES) else str(state)
    said = wording(f"starts.page.state.{name}") if name in _STATES else plain(name)
    return Look(int(row["step"]), name, said, [_figure(name, row.get(f"watch/{name}")) for name in FIGURES])


def _figure(name: str, value: Any) -> Words:
    if not isinstance(value, int | float):
        return plain(MISSING)
    return say("watch.bits", value=f"{value:.2f}") if name in _BITS else plain(percent(value, 0))


def stopped_at(facts: Facts, stage: str) -> int | None:
    """The step at which the watch ended the stage; None where it did not."""
    result = facts.training.get(stage, {})
    step = (result.get("figures") or {}).get("watch_stopped_step", result.get("watch_stopped_step"))
    return int(step) if isinstance(step, int | float) else None
