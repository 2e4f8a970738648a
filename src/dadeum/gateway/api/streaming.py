"""Answers as they come: several of one request side by side, cancelled when their reader leaves, and as SSE events.

Streams are raw: the recipe's finishing steps look at whole answers (a repeated sentence, a last one that breaks off),
so they cannot be applied to what was sent already. Answers that are not streamed are finished as `evaluate` does.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

import anyio
from fastapi import Request
from starlette.responses import StreamingResponse

from dadeum.gateway.api.errors import fault_of, tell
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.engine.work import Ask, Ended, Engine, Piece, Reason, TokenLogprob

PATIENCE_S = 10.0
"""So long the first token is waited for before headers are sent: what is refused until then has a status of its own."""
KEEP_ALIVE_S = 10.0
"""Of silence, after which a comment line is sent, so that no proxy cuts the stream."""
_GRACE_S = 2.0
"""Beyond the deadline that the engine was given."""
KEEP_ALIVE = ": keep-alive\n\n"
DONE = "data: [DONE]\n\n"
_WORST: tuple[Reason, ...] = ("error", "timeout", "cancelled", "length", "stop")
Found = TypeVar("Found")
Item = Piece | Ended


@dataclass
class Choice:
    """One answer as far as it is there."""

    texts: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    num_tokens: int = 0
    ended: Ended | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def take(self, item: Item) -> None:
        if isinstance(item, Ended):
            self.ended = item
            return
        self.texts.append(item.text)
        self.logprobs += item.logprobs
        self.num_tokens += item.num_tokens


class Answers:
    """All answers of one request. `await opened()`, then `items()`; `close()` cancels what still runs."""

    def __init__(self, engine: Engine, asks: Sequence[Ask], seconds: float) -> None:
        self.choices = [Choice() for _ in asks]
        self.asks = asks
        self._until = time.monotonic() + seconds + _GRACE_S
        self._queue: asyncio.Queue[tuple[int, Item | BaseException]] = asyncio.Queue()
        self._ready: list[tuple[int, Item]] = []
        """Taken from the queue before the first of every answer was there."""
        self._tasks = [asyncio.create_task(self._pump(engine, number, ask)) for number, ask in enumerate(asks)]
        for number, task in enumerate(self._tasks):
            task.add_done_callback(partial(self._failed, number))

    async def _pump(self, engine: Engine, number: int, ask: Ask) -> None:
        items = engine.submit(ask)
        has_ended = False
        try:
            async for item in items:
                has_ended = isinstance(item, Ended)
                self._queue.put_nowait((number, item))
            if not has_ended:
                self._queue.put_nowait((number, Ended("error", len(ask.prompt_ids), 0, detail="no end")))
        finally:
            if hasattr(items, "aclose"):
                await cast("Any", items).aclose()

    async def opened(self, patience: float = PATIENCE_S) -> None:
        """Until every answer has begun, or that long; raises what the engine refuses with."""
        until = time.monotonic() + patience
        silent = set(range(len(self.choices)))
        while silent and (left := until - time.monotonic()) > 0:
            got = await self._next(left)
            if got is None:
                return
            self._ready.append(got)
            silent.discard(got[0])

    async def items(self) -> AsyncIterator[tuple[int, Item] | None]:
        """(which answer, its next piece); None after a while of silence. Ends when every answer did."""
        running = len(self.choices)
        while running:
            got = self._ready.pop(0) if self._ready else await self._next(KEEP_ALIVE_S)
            if got is not None:
                self.choices[got[0]].take(got[1])
                running -= isinstance(got[1], Ended)
            yield got

    async def _next(self, seconds: float) -> tuple[int, Item] | None:
        """None where nothing came in that time."""
        left = min(seconds, max(0.0, self._until - time.monotonic()))
        try:
            async with asyncio.timeout(left):
                number, item = await self._queue.get()
        except TimeoutError:
            if time.monotonic() >= self._until:
                raise Fault(504, "gateway.api.too_late", code="timeout") from None
            return None
        if not isinstance(item, BaseException):
            return number, item
        fault = fault_of(item)
        if fault.status == 500:
            tell(item, self.asks[number].id)
        raise fault from item

    def _failed(self, number: int, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._queue.put_nowait((number, error))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def reason(self) -> Reason:
        """Of the whole request: the worst; cancelled where an answer did not come to its end."""
        found = {choice.ended.reason if choice.ended else "cancelled" for choice in self.choices}
        return next(one for one in _WORST if one in found)

    def figures(self) -> dict[str, Any]:
        """For the log: the prompt counts once, answers add up."""
        ends = [choice.ended for choice in self.choices if choice.ended]
        told: dict[str, Any] = {
            "prompt_tokens": max([one.prompt_tokens for one in ends] + [len(ask.prompt_ids) for ask in self.asks[:1]]),
            "new_tokens": sum(one.ended.new_tokens if one.ended else one.num_tokens for one in self.choices),
            "output_characters": sum(len(choice.text) for choice in self.choices),
        }
        if ends:
            told["cached_tokens"] = max(one.cached_tokens for one in ends)
            told["waited_s"] = max(one.waited_s for one in ends)
            told["first_token_s"] = min((one.first_token_s for one in ends if one.first_token_s), default=None)
        return told

    def fault(self) -> Fault | None:
        """Why there is no answer; None where there is."""
        if self.reason == "error":
            return Fault(500, "gateway.api.failed", code="engine_failed")
        if self.reason == "timeout":
            return Fault(504, "gateway.api.too_late", code="timeout")
        if self.reason == "cancelled":
            return Fault(503, "gateway.api.stopped", code="shutting_down", retry_after=5.0)
        return None


async def unless_gone(request: Request, work: asyncio.Future[Found]) -> Found | None:
    """What `work` gives, or None where the client left before; then it is cancelled."""
    leaving = asyncio.ensure_future(_left(request))
    try:
        both: set[asyncio.Future[Any]] = {work, leaving}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        for task in (work, leaving):
            task.cancel()
        for task in (work, leaving):
            with suppress(asyncio.CancelledError, Exception):  # a failed `work` was raised above
                await task


async def unless_late(work: Awaitable[Found], seconds: float) -> Found:
    """504 where it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise Fault(504, "gateway.api.too_late", code="timeout") from None


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def event(shape: dict[str, Any]) -> str:
    return f"data: {json.dumps(shape, ensure_ascii=False, separators=(',', ':'))}\n\n"


class Events(StreamingResponse):
    """Server-sent events; whatever ends the stream, the generator comes to its end before the request does."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str], headers: dict[str, str], closing: Callable[[], Any]) -> None:
        # nginx holds events back unless told not to.
        super().__init__(content, headers=headers | {"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._closing = closing

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await cast("Any", self.body_iterator).aclose()
                await self._closing()
