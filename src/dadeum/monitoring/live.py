"""compare_live: is a challenger better with the people who use it, and may it take over?

Order of judgement: users lost on the way (no verdict), too few users, a guardrail broken, the effect, guardrails that
are still open. Every interval holds at whatever look one stops (`sequential`); users, not requests, are counted.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from dadeum.core.measured import Measured, Notice, Part
from dadeum.gateway.experiments import Experiment
from dadeum.gateway.store.entries import Store
from dadeum.monitoring.exposures import Exposed, Exposures, exposures
from dadeum.monitoring.guards import Guard, guards_of
from dadeum.monitoring.sequential import Arm, Effect, difference, difference_of_shares, reach, share_interval, tuning
from dadeum.monitoring.shadowed import Shadowed, shadowed
from dadeum.monitoring.srm import mismatch

Verdict = Literal["promote", "keep", "collect", "none"]


class Seen(Part):
    """One variant."""

    name: str
    versions: dict[str, int]
    requests: int
    users: int
    """Without those of two variants."""
    rated: int
    """Answers that somebody rated."""
    value: Measured | None
    """The metric, mean of users, with an interval that holds at every look; None without a value."""
    num_values: int
    """Users that have one."""
    failed: int
    left: int
    """Clients that did not wait for the end."""
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    labels: dict[str, int]


class Judged(Part):
    """A challenger against the control."""

    name: str
    num_values: int
    """Users with a value, of the variant that has fewer; below `Live.least` nothing is said of the effect."""
    effect: Measured | None
    """How much better: of a time, how much shorter."""
    p: float | None
    detectable: float | None
    """Smallest true gain that so many users would show with 80 % probability."""
    guards: list[Guard]
    verdict: Verdict
    reason: str
    """Of the sentence `monitoring.live.<reason>`."""


class Ratio(Part):
    """Users as they should have been dealt, and as they are."""

    expected: dict[str, float]
    found: dict[str, int]
    p: float
    chi_square_p: float
    rings: bool


class Live(Part):
    experiment: str
    model: str
    metric: str
    control: str
    least: int
    """Users with a value that each variant needs before anything is said of it."""
    first_day: str | None
    last_day: str | None
    variants: list[Seen]
    ratio: Ratio
    challengers: list[Judged]
    shadows: list[Shadowed]
    cautions: list[Notice]


def compare_live(store: Store, experiment: Experiment) -> Live:
    """What the log says about an experiment now; asking every day costs nothing but the reading."""
    found = exposures(store, experiment)
    dealt = mismatch(found.by_day, experiment.weights)
    ratio = Ratio(
        expected=dealt.expected, found=dealt.found, p=dealt.p, chi_square_p=dealt.chi_square_p, rings=dealt.rings
    )
    control = found.variants[experiment.control]
    challengers = [one for name, one in found.variants.items() if name != experiment.control]
    alpha = experiment.alpha / len(challengers)
    return Live(
        experiment=experiment.name,
        model=experiment.model,
        metric=experiment.metric,
        control=experiment.control,
        least=experiment.min_users,
        first_day=found.first_day.isoformat() if found.first_day else None,
        last_day=found.last_day.isoformat() if found.last_day else None,
        variants=[_seen(one, experiment) for one in found.variants.values()],
        ratio=ratio,
        challengers=[_judged(control, one, experiment, alpha, ratio.rings) for one in challengers],
        shadows=shadowed(found.same_labels, experiment.alpha),
        cautions=_cautions(found, experiment),
    )


# -- one variant ----------------------------------------------------------------------------------
def _seen(one: Exposed, experiment: Experiment) -> Seen:
    values = one.per_user(one.value)
    value = None
    if values.size:
        arm = Arm.of(values)
        half = float(reach(math.sqrt(arm.variance), arm.num, experiment.alpha, tuning(experiment.planned_users)))
        low, high = float(arm.mean) - half, float(arm.mean) + half
        if same := _all_alike(arm):
            low, high = (float(end) for end in share_interval(*same, experiment.alpha))
        most = math.inf if experiment.metric == "latency" else 1.0
        value = Measured(value=float(arm.mean), low=max(0.0, low), high=min(most, high))
    seconds = one.seconds[~np.isnan(one.seconds)]
    middle, slow, slowest = np.quantile(seconds, [0.5, 0.95, 0.99]) if seconds.size else (None, None, None)
    return Seen(
        name=one.name, versions=one.versions, requests=int(one.unit.size), users=one.num_users,
        rated=int((~np.isnan(one.rated)).sum()), value=value, num_values=int(values.size),
        failed=int(one.failed.sum()), left=one.left, mean_s=float(seconds.mean()) if seconds.size else None,
        p50_s=middle, p95_s=slow, p99_s=slowest, labels=one.labels,
    )  # fmt: skip


# -- a challenger ---------------------------------------------------------------------------------
def _judged(control: Exposed, challenger: Exposed, experiment: Experiment, alpha: float, rings: bool) -> Judged:
    before, after = (Arm.of(one.per_user(one.value)) for one in (control, challenger))
    effect = None
    if min(before.num, after.num) >= 2:
        alike = _all_alike(before), _all_alike(after)
        if alike[0] and alike[1]:
            effect = difference_of_shares(alike[0], alike[1], alpha)
        else:
            effect = difference(before, after, alpha, experiment.planned_users)
        effect = _turned(effect) if experiment.metric == "latency" else effect
    guards = guards_of(control, challenger, experiment)
    num = min(before.num, after.num)
    verdict, reason = _verdict(effect, num, guards, experiment, rings)
    one_version = len(control.versions) <= 1 and len(challenger.versions) <= 1
    if not one_version and not rings:
        verdict, reason = "none", "versions_changed"
    measured = None
    if effect is not None:
        measured = Measured(value=float(effect.value), low=float(effect.low), high=float(effect.high))
    return Judged(
        name=challenger.name, num_values=num, effect=measured, p=float(effect.p) if effect else None,
        detectable=float(effect.detectable) if effect else None, guards=guards, verdict=verdict, reason=reason,
    )  # fmt: skip


def _all_alike(arm: Arm) -> tuple[int, int] | None:
    """(successes, users) where all succeeded or all failed: without any spread, a mean would look certain."""
    num, mean = int(arm.num), float(arm.mean)
    return (int(mean) * num, num) if float(arm.variance) == 0 and mean in (0.0, 1.0) else None


def _turned(effect: Effect) -> Effect:
    return Effect(-effect.value, -effect.high, -effect.low, effect.p, effect.detectable)


def _verdict(
    effect: Effect | None, num: int, guards: list[Guard], experiment: Experiment, rings: bool
) -> tuple[Verdict, str]:
    if rings:
        return "none", "ratio_rings"
    if effect is None or num < experiment.min_users:
        return "collect", "too_few"
    if any(guard.state == "failed" for guard in guards):
        return "keep", "guard_failed"
    open_guards = any(guard.state == "open" for guard in guards)
    is_better = effect.low > 0
    if is_better or (experiment.margin is not None and effect.low > -experiment.margin):
        if open_guards:
            return "collect", "guard_open"
        return "promote", "better" if is_better else "not_inferior"
    if effect.high < 0 and (experiment.margin is None or effect.high < -experiment.margin):
        return "keep", "worse"
    if experiment.worthwhile is not None and effect.high < experiment.worthwhile:
        return "keep", "no_gain"
    return "collect", "unsure"


# -- what limits it -------------------------------------------------------------------------------
def _cautions(found: Exposures, experiment: Experiment) -> list[Notice]:
    notices = []
    if found.num_mixed:
        notices.append(Notice(key="mixed", values={"num": found.num_mixed}))
    if found.num_unknown:
        notices.append(Notice(key="unknown_variants", values={"num": found.num_unknown}))
    total = sum(one.unit.size for one in found.variants.values())
    if without := sum(one.without_user for one in found.variants.values()):
        notices.append(Notice(key="without_user", values={"num": without, "total": int(total)}))
    for one in found.variants.values():
        if len(one.versions) > 1:
            notices.append(Notice(key="several_versions", values={"name": one.name, "num": len(one.versions)}))
    if experiment.metric in ("feedback", "label") and total:
        valued = [(one.name, one.per_user(one.value).size, one.num_users) for one in found.variants.values()]
        said = ", ".join(f"{name} {num / users:.1%}" for name, num, users in valued if users)
        notices.append(Notice(key="who_answers", values={"shares": said}))
        notices += _unequal(valued, experiment)
    return notices


def _unequal(valued: list[tuple[str, int, int]], experiment: Experiment) -> list[Notice]:
    """Where one variant makes people speak up more, those who do are no longer the same people."""
    (_, num, users), *others = valued
    found = []
    for name, other_num, other_users in others:
        if min(users, other_users) >= experiment.min_users:
            effect = difference(Arm.of_counts(num, users), Arm.of_counts(other_num, other_users), experiment.alpha)
            if effect.p < experiment.alpha:
                found.append(Notice(key="unequal_answers", values={"name": name, "difference": float(effect.value)}))
    return found
