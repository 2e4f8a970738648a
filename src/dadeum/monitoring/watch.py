"""Drift of every served version over the windows of a period: against its training, and against the week before.

A window is as many whole days as it takes to have enough answers, so that a quiet service is judged too, only later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from dadeum.core.measured import Part
from dadeum.monitoring import drift
from dadeum.monitoring.drift import Compared, Histogram
from dadeum.monitoring.reference import LABEL, Reference
from dadeum.monitoring.tally import CONFIDENCE, Hours, Tally, total

Against = Literal["training", "week"]
FEATURES = ("input_characters", "prompt_tokens", "output_characters", CONFIDENCE, LABEL)
WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


class Step(Part):
    """One window of one feature."""

    start: datetime
    end: datetime
    compared: Compared


class Watched(Part):
    """One feature of one version against one reference."""

    version: str
    feature: str
    against: Against
    source: str
    """Of the reference: `train`, `test`, or `week`."""
    steps: list[Step]
    whole: Compared
    """All of the period at once; no alarm hangs on it."""
    shifted: int
    """Of the last LAST windows that had enough requests."""
    alarm: bool
    since: datetime | None
    """Start of the first shifted window of the alarm that stands now."""
    now: Histogram
    before: Histogram
    """Both sides of `whole`."""


def matches(reference: Reference, version: str) -> bool:
    """Exactly, or by name where the reference knows no version."""
    return version == reference.version if reference.version else version.partition("@")[0] == reference.name


def watch(hours: Hours, since: datetime, until: datetime, references: Sequence[Reference]) -> list[Watched]:
    """Every version that answered in the period; empty comparisons are left out."""
    found = []
    for version in hours.versions():
        reference = next((each for each in references if matches(each, version)), None)
        days = hours.spans(24, since - WEEK, until, version.__eq__)
        found += _Version(version, days, since, until, reference).watched()
    return found


class _Version:
    """The days of one version, from a week before the period on."""

    def __init__(
        self,
        version: str,
        days: list[tuple[datetime, Tally]],
        since: datetime,
        until: datetime,
        reference: Reference | None,
    ) -> None:
        self.version, self.days, self.until, self.reference = version, days, until, reference
        self.first = next((place for place, (start, _) in enumerate(days) if start + _DAY > since), 0)

    def watched(self) -> list[Watched]:
        pairs: list[tuple[str, Against]] = [
            (name, against) for name in FEATURES for against in ("training", "week") if self._edges(name, against)
        ]
        groups = _groups([tally.answered for _, tally in self.days[self.first :]], self.first)
        judged = [drift.judged([self._compared(name, against, group) for name, against in pairs]) for group in groups]
        whole = (self.first, len(self.days))
        all_of_it = drift.judged([self._compared(name, against, whole) for name, against in pairs])
        made = []
        for place, (name, against) in enumerate(pairs):
            steps = [
                Step(start=self.days[first][0], end=self._end(last), compared=window[place])
                for (first, last), window in zip(groups, judged, strict=True)
            ]
            made.append(self._watched(name, against, steps, all_of_it[place]))
        return [each for each in made if each.whole.num and each.whole.num_before]

    def _watched(self, name: str, against: Against, steps: list[Step], whole: Compared) -> Watched:
        shifted, began = drift.stands([step.compared.verdict for step in steps])
        source = self.reference.features[name].source if self.reference and against == "training" else "week"
        now, before = self._sides(name, against, (self.first, len(self.days)))
        return Watched(
            version=self.version, feature=name, against=against, source=source, steps=steps, whole=whole,
            shifted=shifted, alarm=began is not None, now=now, before=before,
            since=None if began is None else steps[began].start,
        )  # fmt: skip

    def _end(self, last: int) -> datetime:
        return self.days[last][0] if last < len(self.days) else self.until

    def _compared(self, name: str, against: Against, group: tuple[int, int]) -> Compared:
        return drift.compare(*self._sides(name, against, group))

    def _sides(self, name: str, against: Against, group: tuple[int, int]) -> tuple[Histogram, Histogram]:
        first, last = group
        edges = self._edges(name, against)
        assert edges is not None
        now = _histogram(self._tally(first, last), name, edges)
        if against == "training":
            assert self.reference is not None
            return now, self.reference.features[name].histogram
        # The same days of the week before: a Monday is compared with a Monday.
        return now, _histogram(self._tally(max(0, first - 7), max(0, last - 7)), name, edges)

    def _tally(self, first: int, last: int) -> Tally:
        return total(tally for _, tally in self.days[first:last])

    def _edges(self, name: str, against: Against) -> Histogram | None:
        """Whose bins are used: those of training where there are any, else tenths of what came before."""
        if self.reference is not None and name in self.reference.features:
            return self.reference.features[name].histogram
        if against == "training":
            return None
        if name == LABEL:
            return Histogram(counts=[])
        before = self._tally(0, self.first).values.get(name)
        return drift.bins_of(before) if before else None


def _histogram(tally: Tally, name: str, bins: Histogram) -> Histogram:
    return drift.named(tally.labels) if name == LABEL else drift.into(bins.edges, tally.values.get(name, ()))


def _groups(counts: Sequence[int], offset: int) -> list[tuple[int, int]]:
    """Consecutive days until LEAST answers are together; what is left over at the end stands alone."""
    groups, start, num = [], 0, 0
    for place, count in enumerate(counts):
        num += count
        if num >= drift.LEAST:
            groups.append((offset + start, offset + place + 1))
            start, num = place + 1, 0
    if start < len(counts):
        groups.append((offset + start, offset + len(counts)))
    return groups
