"""One thread per set of weights: it alone touches them, takes steps, and between two steps does what else is asked.

It sleeps while there is nothing to do, and looks at no clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any

import torch

from dadeum.core.errors import ModelError, first_line
from dadeum.core.messages import text
from dadeum.gateway.engine.deciding import Decision, decided
from dadeum.gateway.engine.decoder import joinable_tokens
from dadeum.gateway.engine.queue import Door, Outbox, Ticket
from dadeum.gateway.engine.schedule import MISTAKES, Schedule
from dadeum.gateway.engine.writing import Voice
from dadeum.models.threads import use_threads

if TYPE_CHECKING:
    from dadeum.gateway.engine.adapters import Held

log = logging.getLogger(__name__)

_TOGETHER_S = 0.003
"""An idle worker waits so long for others who decide at the same time."""


class Worker(Thread):
    """`voices` (version → renderer) are written by the engine before the first ticket of a version."""

    def __init__(
        self, opened: Callable[[], Held], running: int, door: Door, voices: dict[str, Voice], choosing: Any
    ) -> None:
        super().__init__(name="dadeum-engine", daemon=True)
        self.ready: Future[None] = Future()
        """Done once the weights are there."""
        self.is_over = False
        self.died = False
        """Over, and nobody stopped it."""
        self._opened = opened
        self._awake = Condition()
        self._schedule = Schedule(self._awake, running, Outbox(door), voices, choosing)
        self._decisions: list[Decision] = []
        self._jobs: list[tuple[Callable[[], Any], Future[Any]]] = []
        self._leaving: dict[str, Future[None]] = {}
        self._stopped = False

    # -- from other threads -------------------------------------------------------------------------
    @property
    def held(self) -> Held:
        """The weights, to be asked about and not to be computed with."""
        return self._schedule.held

    @property
    def num_running(self) -> int:
        return len(self._schedule.running())

    @property
    def num_tokens(self) -> int:
        """Of rows that run: what their keys and values take."""
        return sum(len(row.ids) for row in self._schedule.running())

    def submit(self, ticket: Ticket) -> None:
        self._tell(lambda: self._schedule.waiting.append(ticket))

    def decide(self, decision: Decision) -> None:
        self._tell(lambda: self._decisions.append(decision))

    def do(self, job: Callable[[], Any]) -> Future[Any]:
        """Between two steps."""
        future: Future[Any] = Future()
        self._tell(lambda: self._jobs.append((job, future)))
        return future

    def leave(self, version: str) -> Future[None]:
        """Unload it once nothing of it waits or runs."""
        future: Future[None] = Future()
        self._tell(lambda: self._leaving.__setitem__(version, future))
        return future

    def cut_short(self) -> None:
        """Whatever waits or runs ends as cancelled before the next step."""
        for ticket in self._schedule.tickets():
            ticket.cancelled = True

    def stop(self) -> None:
        with self._awake:
            self._stopped = True
            self._awake.notify()

    def _tell(self, change: Callable[[], None]) -> None:
        with self._awake:
            if self.is_over:
                raise ModelError("gateway.engine.dead")
            change()
            self._awake.notify()

    # -- the thread ---------------------------------------------------------------------------------
    def run(self) -> None:
        detail = ""
        try:
            use_threads()
            if self._open():
                with torch.inference_mode():
                    while self._has_work():
                        self._turn()
        except BaseException as error:
            detail = first_line(error) or type(error).__name__
            log.critical(text("gateway.engine.died", detail=detail), exc_info=error)
        finally:
            self._end(detail)

    def _open(self) -> bool:
        try:
            held = self._schedule.held = self._opened()
            self._schedule.joinable = 0.0 if held.is_seq2seq else joinable_tokens(held)
        except MISTAKES as error:
            self.ready.set_exception(error)
            return False
        if not self._schedule.joinable and not held.is_seq2seq:
            log.warning(text("gateway.engine.no_joining", model=type(held.model).__name__))
        self.ready.set_result(None)
        return True

    def _has_work(self) -> bool:
        """Sleeps until there is some; False once the worker was stopped."""
        with self._awake:
            self._awake.wait_for(
                lambda: self._stopped or self._decisions or self._jobs or self._leaving or self._schedule.tickets()
            )
            return not self._stopped

    def _turn(self) -> None:
        self._do_jobs()
        self._decide()
        self._schedule.turn()
        self._let_go()

    def _do_jobs(self) -> None:
        with self._awake:
            jobs, self._jobs = self._jobs, []
        for job, future in jobs:
            if future.set_running_or_notify_cancel():
                _settle(future, job)

    def _decide(self) -> None:
        if not self._decisions:
            return
        if not self.num_running:
            time.sleep(_TOGETHER_S)
        with self._awake:
            taken, self._decisions = self._decisions, []
        asked = [decision for decision in taken if decision.future.set_running_or_notify_cancel()]
        try:
            found = decided(self.held, asked)
        except MISTAKES as error:
            for decision in asked:
                decision.future.set_exception(error)
            return
        for decision, scores in zip(asked, found, strict=True):
            decision.future.set_result(scores)

    def _let_go(self) -> None:
        for version in list(self._leaving):
            used = {ticket.ask.model.version for ticket in self._schedule.tickets()}
            used |= {decision.version for decision in self._decisions}
            if version not in used:
                self._schedule.prefixes.forget(version)
                with self._awake:
                    future = self._leaving.pop(version)
                _settle(future, lambda version=version: self.held.remove(version))  # type: ignore[misc]

    def _end(self, detail: str) -> None:
        with self._awake:
            self.is_over, self.died = True, bool(detail)
        self._schedule.end_all(detail)
        futures = [one.future for one in self._decisions] + [future for _, future in self._jobs]
        for future in [*futures, *self._leaving.values(), self.ready]:
            if not future.done():
                future.set_exception(ModelError("gateway.engine.dead"))


def _settle(future: Future[Any], job: Callable[[], Any]) -> None:
    try:
        future.set_result(job())
    except MISTAKES as error:
        future.set_exception(error)
