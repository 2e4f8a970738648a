"""Requests counted as they are read: an hour of one version is a `Tally`, and tallies add up to days and to models.

Only numbers are kept, in arrays: a month of requests is read once and never held as entries.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from dadeum.gateway.store.entries import Entry

_HOUR_S = 3600
SECONDS = ("total_s", "first_token_s", "waited_s")
LENGTHS = ("input_characters", "prompt_tokens", "output_characters", "new_tokens")
CONFIDENCE = "confidence"
_TASKS = "/v1/tasks/"
_NO_TEXT = ("decided", "embedded")
"""Reasons of answers that are no text: their output has no length."""


@dataclass
class Tally:
    """Figures of some requests; people's own, the unseen ones of shadow versions only counted."""

    num: int = 0
    shadows: int = 0
    own_questions: int = 0
    """Decisions between options that the request brought itself: their words are no label of a recipe."""
    refusals: int = 0
    """Answers that the service said it cannot give (a document question without a place)."""
    answered: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    variants: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    values: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    minutes_asked: set[int] = field(default_factory=set)
    minutes_answered: set[int] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        if entry.shadow_of:
            self.shadows += 1
            return
        self.num += 1
        self.statuses[entry.status] += 1
        self.reasons[entry.reason] += 1
        self.routes[entry.route] += 1
        if entry.variant:
            self.variants[f"{entry.experiment}/{entry.variant}"] += 1
        self._minute(entry)
        if entry.status < 400:
            self.answered += 1
            self.refusals += bool(entry.facts.get("refused"))
            self._answer(entry)

    def _minute(self, entry: Entry) -> None:
        minute = int(entry.time.timestamp() // 60)
        if entry.status < 400:
            self.minutes_answered.add(minute)
        if service_was_asked(entry.status):
            self.minutes_asked.add(minute)

    def _answer(self, entry: Entry) -> None:
        self.values["total_s"].append(entry.total_s)
        writes = entry.reason not in _NO_TEXT
        if writes and entry.first_token_s:  # older logs have 0 where none came
            self.values["first_token_s"].append(entry.first_token_s)
        self.values["waited_s"].append(entry.waited_s)
        if entry.label and not is_taught(entry):
            self.own_questions += 1
        elif entry.label:
            self.labels[entry.label] += 1
            if entry.confidence is not None:
                self.values[CONFIDENCE].append(entry.confidence)
        for name in ("input_characters", "prompt_tokens"):
            if value := getattr(entry, name):  # 0: that route does not tell
                self.values[name].append(value)
        for name in ("output_characters", "new_tokens"):
            if writes:
                self.values[name].append(getattr(entry, name))

    def take(self, other: Tally) -> None:
        """Add what the other has."""
        for name in ("num", "shadows", "own_questions", "refusals", "answered"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("statuses", "reasons", "routes", "variants", "labels"):
            getattr(self, name).update(getattr(other, name))
        for name, values in other.values.items():
            self.values[name].extend(values)
        self.minutes_asked |= other.minutes_asked
        self.minutes_answered |= other.minutes_answered


def service_was_asked(status: int) -> bool:
    """Not where the request itself was wrong (4xx) or its sender left: 429 and 5xx are ours."""
    return status < 400 or status == 429 or status >= 500


def is_taught(entry: Entry) -> bool:
    """A decision between the labels of the recipe, not between what a request of /v1/decisions made up."""
    return entry.route.startswith(_TASKS) or bool(entry.facts.get("calibrated", 1))


class Hours:
    """Tallies by hour and version; hours and days are those of `zone`, with the distance to UTC that it has now."""

    def __init__(self, zone: tzinfo, until: datetime) -> None:
        self.distance = until.astimezone(zone).utcoffset() or timedelta()
        self.tallies: dict[tuple[int, str], Tally] = defaultdict(Tally)

    def read(self, entries: Iterable[Entry], seen: Callable[[Entry], None]) -> None:
        """Every entry once; `seen` is told each."""
        for entry in entries:
            self.tallies[self._hour(entry.time), entry.version].add(entry)
            seen(entry)

    def _hour(self, time: datetime) -> int:
        return int((time + self.distance).timestamp() // _HOUR_S)

    def start_of(self, hour: int) -> datetime:
        return datetime.fromtimestamp(hour * _HOUR_S, UTC) - self.distance

    def versions(self) -> list[str]:
        return sorted({version for _, version in self.tallies})

    def spans(
        self, hours: int, since: datetime, until: datetime, keep: Callable[[str], bool] = lambda version: True
    ) -> list[tuple[datetime, Tally]]:
        """Consecutive spans of so many hours (24: days) with their starts, empty ones too; of versions to `keep`."""
        first, last = self._hour(since), self._hour(until - timedelta(microseconds=1))
        first -= first % hours
        made = {start: Tally() for start in range(first, last + 1, hours)}
        for (hour, version), tally in sorted(self.tallies.items()):
            # Whole spans only at their ends: what lies before `since` was read for the comparison with last week.
            if self._hour(since) <= hour <= last and keep(version):
                made[hour - hour % hours].take(tally)
        return [(self.start_of(start), tally) for start, tally in made.items()]


def total(tallies: Iterable[Tally]) -> Tally:
    made = Tally()
    for tally in tallies:
        made.take(tally)
    return made
