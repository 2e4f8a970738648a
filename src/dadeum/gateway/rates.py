"""How much a key may ask for in a minute: requests and tokens, each from a bucket that fills again steadily."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from dadeum.gateway.settings import Limits

_MINUTE_S = 60.0
_SWEEP = 1024
"""Buckets after whose number the full ones are forgotten: a full bucket says nothing that a new one would not."""


@dataclass
class Bucket:
    """`size` at most, and as much again in a minute."""

    size: float
    level: float
    filled: float
    """When `level` was right."""

    def fill(self, now: float) -> None:
        # A clock that went back gives nothing and takes nothing.
        self.level = min(self.size, self.level + max(0.0, now - self.filled) * self.size / _MINUTE_S)
        self.filled = now

    def seconds_until(self, amount: float) -> float:
        """0.0 where `amount` is there. More than the bucket holds is let through when it is full: it goes into debt."""
        missing = min(amount, self.size) - self.level
        # Rounding while filling must not keep a caller waiting who waited as long as he was told.
        return missing * _MINUTE_S / self.size if missing > 1e-6 * self.size else 0.0


@dataclass
class Rates:
    """Safe to ask from any thread."""

    limits: Limits
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, tuple[Bucket, Bucket]] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def take(self, key_id: str, tokens: int) -> float:
        """0.0 and one request and its tokens are taken, or the seconds to wait and nothing is."""
        amounts = (1.0, float(max(0, tokens)))
        with self._lock:
            buckets = self._of(key_id, self.clock())
            waits = [bucket.seconds_until(amount) for bucket, amount in zip(buckets, amounts, strict=True)]
            if (wait := max(waits)) > 0:
                return wait
            for bucket, amount in zip(buckets, amounts, strict=True):
                bucket.level -= amount
            return 0.0

    def _of(self, key_id: str, now: float) -> tuple[Bucket, Bucket]:
        if key_id not in self._buckets:
            if len(self._buckets) >= _SWEEP:
                self._forget_full(now)
            requests, tokens = float(self.limits.requests_per_minute), float(self.limits.tokens_per_minute)
            self._buckets[key_id] = (Bucket(requests, requests, now), Bucket(tokens, tokens, now))
        found = self._buckets[key_id]
        for bucket in found:
            bucket.fill(now)
        return found

    def _forget_full(self, now: float) -> None:
        for key_id, buckets in list(self._buckets.items()):
            for bucket in buckets:
                bucket.fill(now)
            if all(bucket.level >= bucket.size for bucket in buckets):
                del self._buckets[key_id]
