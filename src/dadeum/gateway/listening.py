"""How the gateway listens: uvicorn with a deadline for the head of a request and for clients that do not read.

uvicorn itself waits for a request's head as long as the client likes, and refuses everybody once its limit of
connections is full. Here a slow client is cut, and room is made by closing whoever has waited longest without asking.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dadeum.gateway.settings import Limits, Settings

_HEAD_BYTES = 32_768
_ENDING_S = 6
"""After draining: for the step that computes, and for the last bytes."""
_SPARE_FILES = 512
"""Besides connections: models, log, libraries."""


class Deadlined(H11Protocol):
    """h11 reads strictly: two lengths, two hosts and bare line feeds are refused there."""

    limits = Limits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self.since = self.loop.time()
        self._await_head()
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        if self.is_waiting() and self._head is None:
            self._await_head()
        super().data_received(data)
        if self.cycle is not before:
            self._head = _stop(self._head)

    def on_response_complete(self) -> None:
        self.since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall is None:
            # Later than the guard, which ends the answer too; this is for what closing would still wait to send.
            self._stall = self.loop.call_later(2 * self.limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._stall = _stop(self._stall)
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():  # closing would wait for a client that does not read
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head, self._stall = _stop(self._head), _stop(self._stall)
        super().connection_lost(exc)

    def is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self._head = self.loop.call_later(self.limits.header_seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head = None
        if self.is_waiting():
            self.transport.abort()

    def _make_room(self) -> None:
        there = [one for one in self.connections if isinstance(one, Deadlined) and not one.transport.is_closing()]
        if len(there) > self.limits.connections:
            waiting = [one for one in there if one is not self and one.is_waiting()]
            min(waiting, key=lambda one: one.since, default=self).transport.abort()


class Listener(uvicorn.Server):
    """uvicorn cuts what still runs when its patience ends; `drain` ends it before, so clients and log see an end."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        ending = asyncio.ensure_future(self._drain())
        await super().shutdown(sockets)
        await ending


def listening(app: Any, settings: Settings) -> uvicorn.Config:
    """For `uvicorn.Server(...)`. Raises the number of files this process may have open, as far as it is allowed to."""
    limits = settings.limits
    _allow_files(limits.connections + _SPARE_FILES)
    protocol = type("Deadlined", (Deadlined,), {"limits": limits})
    return uvicorn.Config(
        app, host=settings.host, port=settings.port, http=protocol, ws="none", backlog=2048,
        timeout_keep_alive=limits.idle_seconds, timeout_graceful_shutdown=ceil(limits.drain_seconds) + _ENDING_S,
        h11_max_incomplete_event_size=_HEAD_BYTES, server_header=False, proxy_headers=False, access_log=False,
        log_level="warning",
    )  # fmt: skip


def _stop(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """What stands for no timer."""
    if timer is not None:
        timer.cancel()
    return None


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
