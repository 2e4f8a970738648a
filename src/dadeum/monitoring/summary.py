"""Everything that `dadeum monitor` tells, read from the log in one pass; the JSON file is this, the page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from pydantic import Field

from dadeum.core.measured import Notice, Part
from dadeum.gateway.store.entries import Entry, Store
from dadeum.monitoring import drift
from dadeum.monitoring.labelled import Feedbacks, Labelled
from dadeum.monitoring.reference import Reference
from dadeum.monitoring.tally import Hours, Tally, total
from dadeum.monitoring.watch import WEEK, Watched, matches, watch
from dadeum.monitoring.window import Window, window_of

HOURS_UP_TO = timedelta(days=7)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Rules(Part):
    """What verdicts hang on."""

    least: int = drift.LEAST
    psi: float = drift.PSI_MATTERS
    psi_large: float = drift.PSI_LARGE
    js: float = drift.JS_MATTERS
    false_discoveries: float = drift.FALSE_DISCOVERIES
    persist: int = drift.PERSIST
    last: int = drift.LAST


class Health(Part):
    """How the service did from `since` up to but without `until`."""

    made: datetime
    since: datetime
    until: datetime
    zone: str
    """Whose days they are, as a distance to UTC."""
    total: Window
    days: list[Window]
    hours: list[Window]
    """Empty for periods of more than seven days."""
    versions: dict[str, Window]
    drift: list[Watched]
    feedback: Labelled
    references: list[Reference]
    rules: Rules = Field(default_factory=Rules)
    notices: list[Notice]

    @property
    def alarms(self) -> list[list[Watched]]:
        """What is different, each with everything that it differs from."""
        found: dict[tuple[str, str], list[Watched]] = {}
        for each in self.drift:
            if each.alarm:
                found.setdefault((each.version, each.feature), []).append(each)
        return list(found.values())


def health(
    store: Store, since: datetime, until: datetime, zone: tzinfo, references: Sequence[Reference] = ()
) -> Health:
    """`since` is taken back to its full hour."""
    since = since.replace(minute=0, second=0, microsecond=0)
    hours, feedback = Hours(zone, until), Feedbacks(store.feedback())

    def seen(entry: Entry) -> None:
        if since <= entry.time < until:
            feedback.see(entry)

    # A week more than is shown, to compare with.
    hours.read(store.entries(since - WEEK, until), seen)
    days = hours.spans(24, since, until)
    long = until - since > HOURS_UP_TO
    versions = {version: hours.spans(24, since, until, version.__eq__) for version in hours.versions()}
    return Health(
        made=datetime.now(UTC),
        since=since,
        until=until,
        zone=_zone(hours.distance),
        total=window_of(total(tally for _, tally in days), since, until),
        days=_windows(days, _DAY, since, until),
        hours=[] if long else _windows(hours.spans(1, since, until), _HOUR, since, until),
        versions={
            version: window_of(made, since, until)
            for version, spans in versions.items()
            if (made := total(tally for _, tally in spans)).num or made.shadows
        },
        drift=watch(hours, since, until, references),
        feedback=feedback.labelled(),
        references=list(references),
        notices=_notices(references, hours.versions()),
    )


def _windows(spans: list[tuple[datetime, Tally]], length: timedelta, since: datetime, until: datetime) -> list[Window]:
    return [window_of(tally, max(start, since), min(start + length, until)) for start, tally in spans]


def _zone(distance: timedelta) -> str:
    minutes = round(distance.total_seconds() / 60)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _notices(references: Sequence[Reference], versions: Sequence[str]) -> list[Notice]:
    found = [notice for reference in references for notice in reference.notices]
    for reference in references:
        if any(matches(reference, version) for version in versions):
            continue
        others = [version for version in versions if version.partition("@")[0] == reference.name]
        values: dict[str, str | int | float] = {"name": reference.version or reference.name}
        if others:
            found.append(Notice(key="monitoring.notices.other_version", values=values | {"others": ", ".join(others)}))
        else:
            found.append(Notice(key="monitoring.notices.not_asked", values=values))
    return found
