"""How the service did, in sentences: for the terminal and for the top of the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone

from dadeum.core.measured import Measured
from dadeum.core.pages import printable
from dadeum.core.words import MISSING, Words, number, percent, plain, told, wording
from dadeum.monitoring.summary import Health
from dadeum.monitoring.watch import Watched
from dadeum.monitoring.window import Rate, Times

_UNSURE_GAP = 0.02


def say(key: str, **values: object) -> Words:
    return wording(f"monitoring.{key}", **values)


def feature_name(name: str) -> Words:
    return say(f"feature.{name}")


def conclusion(found: Health) -> Words:
    """One sentence: is there anything to look at?"""
    if found.alarms:
        return say("conclusion.alarm", num=len(found.alarms))
    judged = [each for each in found.drift if any(step.compared.verdict != "few" for step in each.steps)]
    if not judged:
        return say("conclusion.no_verdict", least=found.rules.least)
    return say("conclusion.calm", num=len(judged))


def sentences(found: Health) -> list[Words]:
    """Volumes, uptime, times, decisions, feedback: one line each where there is something to say."""
    whole, total = found.total, found.total.times["total_s"]
    lines = [
        say("told.volume", num=whole.num, answered=percent(whole.answered / whole.num if whole.num else None)),
        say("told.uptime", share=percent(whole.uptime.value), interval=share_interval(whole.uptime),
            minutes=whole.uptime.total),
        say("told.times", mean=seconds(total.mean), p50=seconds(total.p50), p95=seconds(total.p95),
            p99=seconds(total.p99)),
    ]  # fmt: skip
    if whole.errors.num:
        lines.append(
            say(
                "told.errors",
                num=whole.errors.num,
                share=percent(whole.errors.value),
                interval=share_interval(whole.errors),
            )
        )
    if whole.labels:
        shown = ", ".join(
            f"{printable(name)} {percent(rate.value)} ({share_interval(rate)})" for name, rate in whole.labels.items()
        )
        lines.append(say("told.labels", shown=shown))
    if whole.refusals.num:
        lines.append(say("told.refusals", share=percent(whole.refusals.value), interval=share_interval(whole.refusals)))
    return [*lines, *_feedback(found)]


def _feedback(found: Health) -> list[Words]:
    said = found.feedback
    if not said.num:
        return [say("told.no_feedback")]
    lines = [say("told.feedback", num=said.num, coverage=percent(said.coverage.value))]
    if said.up.total:
        lines.append(
            say("told.thumbs", share=percent(said.up.value), interval=share_interval(said.up), num=said.up.total)
        )
    if said.calibration is not None:
        lines.append(calibration(found))
    elif said.labels.num:
        lines.append(say("told.few_labels", num=said.labels.num))
    return lines


def calibration(found: Health) -> Words:
    known = found.feedback.calibration
    assert known is not None
    kind = "over" if known.gap.low > _UNSURE_GAP else "under" if known.gap.high < -_UNSURE_GAP else "fits"
    return say(
        f"calibration.{kind}",
        num=known.num,
        confidence=percent(known.confidence),
        right=percent(known.right.value),
        ece=measured(known.ece),
    )


def cautions(found: Health) -> list[Words]:
    """What limits the figures."""
    lines = [told(notice.key, dict(notice.values)) or plain(notice.key) for notice in found.notices]
    said = found.feedback
    if said.num and (said.coverage.value or 0) < 0.5:
        lines.append(say("caution.no_sample", coverage=percent(said.coverage.value)))
    if found.total.own_questions:
        lines.append(say("caution.own_questions", num=found.total.own_questions))
    if found.total.shadows:
        lines.append(say("caution.shadows", num=found.total.shadows))
    return lines


def alarm(same: Sequence[Watched], found: Health, zone: timezone) -> Words:
    """One feature of one version; `same` differ in what it was compared with."""
    first = min(same, key=lambda each: each.since or found.until)
    last = max((psi for each in same if (psi := _last_psi(each))), key=lambda psi: psi.value)
    return say(
        "alarm",
        version=printable(first.version),
        feature=feature_name(first.feature),
        against=say("against.both") if len(same) > 1 else say(f"against.{first.against}"),
        since=f"{(first.since or found.since).astimezone(zone):%Y-%m-%d}",
        shifted=max(each.shifted for each in same),
        last=found.rules.last,
        psi=measured(last),
    )


def _last_psi(each: Watched) -> Measured | None:
    """Of the newest window that had enough."""
    return next((step.compared.psi for step in reversed(each.steps) if step.compared.psi), None)


def zone_of(found: Health) -> timezone:
    """Whose days the figures are of."""
    sign = -1 if found.zone[3] == "-" else 1
    return timezone(sign * timedelta(hours=int(found.zone[4:6]), minutes=int(found.zone[7:9])))


# -- numbers --------------------------------------------------------------------------------------
def seconds(value: float | None) -> str:
    """Three digits are what two minutes and ten milliseconds both want."""
    return MISSING if value is None else f"{value:.3g} s" if value < 100 else f"{number(value)} s"


def measured(value: Measured) -> str:
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


def share_interval(rate: Rate) -> str:
    if rate.value is None:
        return MISSING
    return f"{percent(rate.low).removesuffix('%')}–{percent(rate.high)}"


def times_cells(times: Times) -> list[str]:
    return [number(times.num), *(seconds(getattr(times, name)) for name in ("mean", "p50", "p95", "p99"))]
