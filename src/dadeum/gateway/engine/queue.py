"""Who is let in, how long is left, and how tokens of the worker's thread reach callers in their event loops.

The worker never waits for a caller: events go into queues that are as long as the answer, and the door bounds how many
answers there are.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from threading import Lock

from dadeum.gateway.engine.work import Ask, Ended, Overloaded, Piece, Reason
from dadeum.gateway.settings import Limits

_REMEMBERED = 32
"""Answers that the recent rate is taken from."""
_RETRY_S = 2.0
"""Told while there is no rate yet."""
_RETRY_AT_MOST_S = 60.0


@dataclass(eq=False)
class Ticket:
    """One answer on its way, from the door to its end."""

    ask: Ask
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Piece | Ended] = field(default_factory=asyncio.Queue)
    submitted: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    """Set from the caller's thread, read by the worker before each step."""
    started: float | None = None
    first: float | None = None
    new_tokens: int = 0
    cached_tokens: int = 0

    @property
    def tokens(self) -> int:
        """As asked for: what the door counts."""
        return len(self.ask.prompt_ids) + self.ask.max_new_tokens

    def over(self, now: float) -> Reason | None:
        """Why nothing more should be computed for it, if so."""
        if self.cancelled:
            return "cancelled"
        return "timeout" if self.ask.seconds is not None and now - self.submitted >= self.ask.seconds else None

    def ended(self, reason: Reason, detail: str = "") -> Ended:
        now = time.monotonic()
        waited = (self.started or now) - self.submitted
        first = (self.first - self.submitted) if self.first else None
        prompt, total = len(self.ask.prompt_ids), now - self.submitted
        return Ended(reason, prompt, self.new_tokens, self.cached_tokens, waited, first, total, detail)


class Door:
    """Counts what waits or runs, for all workers together; refusing here is cheaper than waiting there."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self._left: deque[tuple[float, int]] = deque(maxlen=_REMEMBERED)
        self.requests = 0
        self.tokens = 0
        self.closed = False

    def enter(self, tokens: int) -> None:
        """Overloaded where there is no room; a request alone always has some."""
        with self._lock:
            if self.closed:
                raise Overloaded("draining", self._limits.drain_seconds)
            if self.requests >= self._limits.waiting_requests:
                raise Overloaded("requests", self._retry_after(1, 0))
            if self.requests and self.tokens + tokens > self._limits.waiting_tokens:
                missing = self.tokens + tokens - self._limits.waiting_tokens
                raise Overloaded("tokens", self._retry_after(0, missing))
            self.requests += 1
            self.tokens += tokens

    def leave(self, tokens: int) -> None:
        with self._lock:
            self.requests -= 1
            self.tokens -= tokens
            self._left.append((time.monotonic(), tokens))

    def _retry_after(self, requests: int, tokens: int) -> float:
        """Until so many have left, at the rate of late."""
        if len(self._left) < 2:
            return _RETRY_S
        span = max(time.monotonic() - self._left[0][0], 1e-3)
        left_tokens = max(sum(tokens for _, tokens in self._left), 1)
        guess = max(requests * span / len(self._left), tokens * span / left_tokens)
        return min(max(guess, 1.0), _RETRY_AT_MOST_S)


class Outbox:
    """What a step has to say, handed to each event loop in one call."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._kept: dict[asyncio.AbstractEventLoop, list[tuple[Ticket, Piece | Ended]]] = {}

    def piece(self, ticket: Ticket, piece: Piece) -> None:
        self._kept.setdefault(ticket.loop, []).append((ticket, piece))

    def end(self, ticket: Ticket, reason: Reason, detail: str = "") -> None:
        """Its room at the door is free from here on."""
        self._door.leave(ticket.tokens)
        self._kept.setdefault(ticket.loop, []).append((ticket, ticket.ended(reason, detail)))

    def flush(self) -> None:
        kept, self._kept = self._kept, {}
        for loop, events in kept.items():
            try:
                loop.call_soon_threadsafe(_deliver, events)
            except RuntimeError:  # the loop was closed: nobody is left to read
                continue


def _deliver(events: list[tuple[Ticket, Piece | Ended]]) -> None:
    for ticket, event in events:
        ticket.events.put_nowait(event)


class Answer:
    """What `submit` gives: iterate it; leaving it, closing it or cancelling its task ends the answer."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._done = False

    def __aiter__(self) -> Answer:
        return self

    async def __anext__(self) -> Piece | Ended:
        if self._done:
            raise StopAsyncIteration
        try:
            event = await self._ticket.events.get()
        except asyncio.CancelledError:
            self._cancel()
            raise
        self._done = isinstance(event, Ended)
        return event

    async def aclose(self) -> None:
        self._cancel()

    def __del__(self) -> None:
        self._cancel()

    def _cancel(self) -> None:
        if not self._done:
            self._done = True
            self._ticket.cancelled = True  # a worker with tickets is awake
