"""Guardrails of an experiment: what a challenger must not make worse, whatever its metric says.

Passed and failed are claims that hold at every look; with too few users neither is made.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from dadeum.core.measured import Part
from dadeum.gateway.experiments import Experiment
from dadeum.monitoring.exposures import Exposed
from dadeum.monitoring.sequential import Arm, Effect, difference, difference_of_shares, reach, tuning

SLOW = 0.05
"""Of all answers, those beyond the 95 % time."""
State = Literal["passed", "failed", "open", "unknown"]


class Guard(Part):
    """One guardrail of a challenger; `value` − what the control has, or for latency the share of slow answers."""

    name: str
    state: State
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float
    users: int = 0
    """That the variant with fewer of them has."""
    least: int = 0
    """With fewer users it stays open, and its interval is too wide to be told."""

    @property
    def too_few(self) -> bool:
        return self.state == "open" and self.users < self.least


def guards_of(control: Exposed, challenger: Exposed, experiment: Experiment) -> list[Guard]:
    asked, found = experiment.guardrails, []
    if asked.latency_p95 is not None:
        found.append(_latency(control, challenger, asked.latency_p95, experiment))
    if asked.error_rate is not None:
        found.append(_hit(control, challenger, "error_rate", "failed", asked.error_rate, experiment))
    if asked.cut_off is not None:
        found.append(_hit(control, challenger, "cut_off", "cut", asked.cut_off, experiment))
    if asked.calibration is not None and any(~np.isnan(control.brier)) and any(~np.isnan(challenger.brier)):
        before, after = (Arm.of(one.per_user(one.brier)) for one in (control, challenger))
        effect = difference(before, after, experiment.alpha, experiment.planned_users)
        found.append(_guard("calibration", effect, asked.calibration, min(before.num, after.num), experiment))
    return found


def _guard(name: str, effect: Effect, limit: float, num: int, experiment: Experiment) -> Guard:
    """Passed and failed are both claims that hold at every look; anything else is still open."""
    value, low, high = (float(one) for one in (effect.value, effect.low, effect.high))
    state: State = "passed" if high <= limit else "failed" if low > limit else "open"
    state = "open" if num < experiment.min_users else state
    few = {"users": num, "least": experiment.min_users}
    return Guard(name=name, state=state, value=value, low=low, high=high, limit=limit, **few)


def _hit(control: Exposed, challenger: Exposed, name: str, figure: str, limit: float, experiment: Experiment) -> Guard:
    """Users to whom it happened at all; exact, since what a guardrail watches for is rare."""
    before, after = (_hits(one, figure) for one in (control, challenger))
    num = min(before[1], after[1])
    if not num:
        return Guard(name=name, state="unknown", limit=limit)
    return _guard(name, difference_of_shares(before, after, experiment.alpha), limit, num, experiment)


def _hits(one: Exposed, figure: str) -> tuple[int, int]:
    """(users to whom it happened, users)."""
    users = one.per_user(getattr(one, figure))
    return int((users > 0).sum()), int(users.size)


def _latency(control: Exposed, challenger: Exposed, times: float, experiment: Experiment) -> Guard:
    """The challenger's answers that take longer than `times` the control's 95 % time: at most 5 of 100."""
    known = control.seconds[~np.isnan(control.seconds)]
    if not known.size or np.isnan(challenger.seconds).all():
        return Guard(name="latency_p95", state="unknown", limit=SLOW)
    limit = times * float(np.quantile(known, 1 - SLOW))
    slow = np.where(np.isnan(challenger.seconds), np.nan, challenger.seconds > limit)
    arm = Arm.of(challenger.per_user(slow))
    if not arm.num:
        return Guard(name="latency_p95", state="unknown", limit=SLOW)
    # Where no answer was slow yet there is no scatter to see; what 5 of 100 would scatter takes its place.
    requests = max(1.0, float((~np.isnan(slow)).sum()) / arm.num)
    variance = max(arm.variance, SLOW * (1 - SLOW) / requests)
    half = reach(math.sqrt(variance), arm.num, experiment.alpha, tuning(experiment.planned_users))
    effect = Effect(arm.mean, arm.mean - half, arm.mean + half, math.nan, math.nan)
    return _guard("latency_p95", effect, SLOW, arm.num, experiment)
