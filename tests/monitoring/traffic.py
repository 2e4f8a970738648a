"""Made-up traffic of a mail service: a log in memory, and a drift that begins on a given day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from dadeum.gateway.store.entries import Entry, Feedback

VERSION = "mail@0123456789ab"
UNTIL = datetime(2026, 11, 15, tzinfo=UTC)


class ListStore:
    """The reading half of a Store."""

    def __init__(self, entries: Sequence[Entry], feedback: Sequence[Feedback] = ()) -> None:
        self._entries = sorted(entries, key=lambda entry: entry.time)
        self._feedback = list(feedback)

    def entries(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[Entry]:
        for entry in self._entries:
            if (since is None or entry.time >= since) and (until is None or entry.time < until):
                yield entry

    def feedback(self, request_ids: Sequence[str] | None = None) -> Iterator[Feedback]:
        yield from self._feedback


def entry(number: int = 0, time: datetime = UNTIL - timedelta(hours=1), **fields: object) -> Entry:
    told: dict[str, object] = {
        "request_id": f"req-{number:05d}", "time": time, "route": "/v1/tasks/{name}", "key_id": "dk_a", "user": "",
        "model": "mail", "version": VERSION, "task": "decide", "status": 200, "reason": "decided",
        "prompt_tokens": 60, "total_s": 0.1, "waited_s": 0.01, "label": "ALLOW", "confidence": 0.9,
        "input_characters": 40,
    }  # fmt: skip
    return Entry(**(told | fields))  # type: ignore[arg-type]


def two_weeks(number: int = 5000, days: int = 14, drift_on: int | None = 10, seed: int = 0) -> list[Entry]:
    """From `drift_on` (counted from 1) on inputs are longer, more is blocked, and the model is less sure."""
    random = np.random.default_rng(seed)
    start = UNTIL - timedelta(days=days)
    made = []
    for place, at in enumerate(np.sort(random.uniform(0, days, number))):
        shifted = drift_on is not None and at >= drift_on - 1
        failed = random.random() < 0.004
        status = 500 if failed else int(random.choice([200, 429, 499], p=[0.985, 0.01, 0.005]))
        blocked = random.random() < (0.7 if shifted else 0.4)
        fields = {
            "status": status,
            "reason": "decided" if status == 200 else "error",
            "label": ("BLOCK" if blocked else "ALLOW") if status == 200 else "",
            "confidence": float(random.beta(*((6, 2) if shifted else (14, 1.5)))) if status == 200 else None,
            "input_characters": int(random.lognormal(4.3 if shifted else 3.6, 0.45)),
            "prompt_tokens": 60 + int(random.lognormal(3.6 if shifted else 2.9, 0.45)),
            "total_s": float(random.lognormal(-1.8, 0.5)),
            "waited_s": float(random.exponential(0.02)),
            "experiment": "mail-2",
            "variant": "challenger" if place % 10 == 0 else "champion",
        }
        made.append(entry(place, start + timedelta(days=float(at)), **fields))
    return made


def opinions(entries: Sequence[Entry], share: float = 0.08, seed: int = 1) -> list[Feedback]:
    """Right labels for some; the model is right a little less often than it says."""
    random = np.random.default_rng(seed)
    made = []
    for each in entries:
        if not each.label or random.random() > share:
            continue
        right = random.random() < (each.confidence or 0) - 0.05
        other = "ALLOW" if each.label == "BLOCK" else "BLOCK"
        label = each.label if right else other
        made.append(Feedback(each.request_id, each.time + timedelta(minutes=5), "up" if right else "down", label=label))
    return made
