"""A live comparison in sentences: who saw what, what limits it, the effect, guardrails, the verdict last."""

from __future__ import annotations

from dadeum.core.messages import Message, text
from dadeum.core.words import duration, percent
from dadeum.monitoring.guards import Guard
from dadeum.monitoring.live import Judged, Live, Seen
from dadeum.monitoring.shadowed import Shadowed

_OPEN = ("unsure", "guard_open")


def sentences(found: Live, language: str) -> list[str]:
    """Everything but the verdicts."""
    head = {"experiment": found.experiment, "model": found.model, "metric": _metric(found, language)}
    lines = [text("monitoring.live.head", language, **head, first=found.first_day, last=found.last_day)]
    if found.first_day is None:
        lines = [text("monitoring.live.nothing", language, **head)]
    for one in found.variants:
        lines += _variant(found, one, language)
    for caution in found.cautions:
        lines.append(text(f"monitoring.live.caution.{caution.key}", language, **caution.values))
    lines.append(_ratio(found, language))
    for challenger in found.challengers:
        lines += _challenger(found, challenger, language)
    return lines + [_shadow(one, language) for one in found.shadows]


def verdicts(found: Live, language: str) -> list[str]:
    """One sentence per challenger: what to do, and why."""
    lines = []
    for one in found.challengers:
        broken = [_guard_name(guard, language) for guard in one.guards if guard.state == "failed"]
        still = [_guard_name(guard, language) for guard in one.guards if guard.state == "open"]
        told = {"name": one.name, "control": found.control, "guards": ", ".join(broken or still) or "-"}
        told |= {"users": f"{one.num_values:,}", "least": f"{found.least:,}"}
        said = text(f"monitoring.live.verdict.{one.reason}", language, **told)
        if one.verdict == "collect" and one.reason in _OPEN and one.detectable:
            seen = _amount(found, one.detectable, language)
            said += " " + text("monitoring.live.detectable", language, amount=seen)
        lines.append(said)
    return lines


def _variant(found: Live, one: Seen, language: str) -> list[str]:
    versions = ", ".join(one.versions) or "-"
    told = {"name": one.name, "versions": versions, "requests": one.requests, "users": one.users}
    lines = [text("monitoring.live.variant", language, **told, failed=one.failed, left=one.left)]
    if one.value is not None:
        values = {name: _figure(found, getattr(one.value, name), language) for name in ("value", "low", "high")}
        lines.append(
            text("monitoring.live.value", language, metric=_metric(found, language), num=one.num_values, **values)
        )
    if one.mean_s is not None:
        times = {name: duration(getattr(one, f"{name}_s")).get(language) for name in ("mean", "p50", "p95", "p99")}
        lines.append(text("monitoring.live.times", language, **times))
    if one.labels:
        total = sum(one.labels.values())
        shares = ", ".join(f"{name} {percent(num / total)}" for name, num in sorted(one.labels.items()))
        lines.append(text("monitoring.live.labels", language, shares=shares))
    return lines


def _ratio(found: Live, language: str) -> str:
    counts = ", ".join(f"{name} {num:,} ({found.ratio.expected[name]:,.0f})" for name, num in found.ratio.found.items())
    key = "rings" if found.ratio.rings else "fits"
    return text(f"monitoring.live.ratio.{key}", language, counts=counts, p=found.ratio.p)


def _challenger(found: Live, one: Judged, language: str) -> list[str]:
    lines = []
    if one.effect is not None and one.num_values >= found.least:
        names = ("value", "low", "high")
        told = {name: _amount(found, getattr(one.effect, name), language, signed=True) for name in names}
        effect = {"name": one.name, "control": found.control, "p": one.p, **told}
        lines.append(text("monitoring.live.effect", language, **effect))
    for guard in one.guards:
        if guard.too_few:
            few = {"users": guard.users, "least": guard.least, "limit": percent(guard.limit)}
            lines.append(text("monitoring.live.guard_few", language, name=_guard_name(guard, language), **few))
            continue
        known = guard.value is not None
        told = {name: percent(getattr(guard, name)) if known else "-" for name in ("value", "low", "high")}
        state = Message(f"monitoring.live.state.{guard.state}")
        name = _guard_name(guard, language)
        lines.append(
            text("monitoring.live.guard", language, name=name, state=state, limit=percent(guard.limit), **told)
        )
    return lines


def _shadow(one: Shadowed, language: str) -> str:
    shares = {"share": percent(one.same / one.num), "low": percent(one.low), "high": percent(one.high)}
    return text("monitoring.live.shadow", language, version=one.version, num=one.num, same=one.same, **shares)


def _metric(found: Live, language: str) -> str:
    return text(f"monitoring.live.metric.{found.metric}", language)


def _guard_name(guard: Guard, language: str) -> str:
    return text(f"monitoring.live.guards.{guard.name}", language)


def _figure(found: Live, value: float, language: str) -> str:
    return duration(value).get(language) if found.metric == "latency" else percent(value)


def _amount(found: Live, value: float, language: str, signed: bool = False) -> str:
    """A difference: percentage points, or seconds."""
    sign = "+" if signed else ""
    if found.metric == "latency":
        return text("monitoring.live.seconds", language, amount=f"{value:{sign}.2f}")
    return text("monitoring.live.points", language, amount=f"{100 * value:{sign}.1f}")
