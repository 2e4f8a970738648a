"""One thread writes for all callers: whatever waits is committed together, and each caller returns after its commit.

A commit costs a wait for the disk; sixteen callers at once pay for one or two instead of sixteen.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from dadeum.core.errors import RunError
from dadeum.gateway.store.connect import sentence, shown, writing
from dadeum.gateway.store.entries import Entry, Feedback
from dadeum.gateway.store.tables import feedback, requests, row_of

log = logging.getLogger(__name__)

_TOGETHER = 256
"""Records of one commit: more would let the first of them wait."""


@dataclass(frozen=True)
class Job:
    """A record to write, or a statement of somebody else's that must not come in between."""

    what: Entry | Feedback | Callable[[sa.Connection], int]
    done: Future[int] = field(default_factory=Future)
    """1 where it was written, 0 where there is no such request; a statement's own number."""


class Writer:
    """`write` from any thread; `chore` runs between commits, whenever it asked to, and says when next."""

    def __init__(self, engine: sa.Engine, chore: Callable[[], float] | None = None) -> None:
        self._engine = writing(engine)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._chore = chore
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="dadeum-store", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def write(self, what: Entry | Feedback | Callable[[sa.Connection], int], seconds: float | None = None) -> int:
        """Returns after the commit. RunError where it could not be; TimeoutError after `seconds`."""
        job = Job(what)
        with self._lock:
            if self._is_closed:
                raise RunError("gateway.store.closed", place=shown(self._engine.url))
            self._jobs.put(job)
        return job.done.result(seconds)

    def close(self) -> None:
        """What waits is written first."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._jobs.put(None)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    # -- in the thread ----------------------------------------------------------------------------
    def _run(self) -> None:
        due = time.monotonic()
        try:
            while True:
                wait = max(0.0, due - time.monotonic()) if self._chore else None
                try:
                    first = self._jobs.get(timeout=wait)
                except queue.Empty:
                    due = time.monotonic() + self._rest()
                    continue
                jobs, goes_on = self._waiting(first)
                self._settle(jobs)
                if not goes_on:
                    return
                if self._chore and time.monotonic() >= due:
                    # Under load the queue is never empty; old rows must go all the same.
                    due = time.monotonic() + self._rest()
        finally:
            self._abandon()

    def _rest(self) -> float:
        assert self._chore is not None
        return self._chore()

    def _waiting(self, first: Job | None) -> tuple[list[Job], bool]:
        """Whatever waits now, and whether there will be more."""
        jobs: list[Job] = []
        job = first
        while job is not None:
            jobs.append(job)
            if len(jobs) == _TOGETHER:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _settle(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        try:
            results = self._commit(jobs)
        except (IntegrityError, DataError, UnicodeError, OverflowError) as error:
            self._one_by_one(jobs, error)
        except StatementError as error:
            if isinstance(error, DBAPIError):
                self._fail(jobs, error)
            else:  # a value that no column takes
                self._one_by_one(jobs, error)
        except SQLAlchemyError as error:
            self._fail(jobs, error)
        else:
            for job, result in zip(jobs, results, strict=True):
                job.done.set_result(result)

    def _one_by_one(self, jobs: Sequence[Job], error: Exception) -> None:
        """One of them is wrong: the others are written without it."""
        if len(jobs) == 1:
            self._fail(jobs, error)
            return
        for job in jobs:
            self._settle([job])

    def _fail(self, jobs: Sequence[Job], error: Exception) -> None:
        told = sentence(self._engine.url, error)
        for job in jobs:
            job.done.set_exception(RunError(told.key, **told.values))

    def _commit(self, jobs: Sequence[Job]) -> list[int]:
        try:
            with self._engine.begin() as connection:
                return _write(connection, jobs)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            # The server went away, perhaps after it had committed: what is there already is not written twice.
            with self._engine.begin() as connection:
                return _write(connection, jobs, again=True)

    def _abandon(self) -> None:
        """Nobody waits for a thread that is gone."""
        with self._lock:
            self._is_closed = True
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                job.done.set_exception(RunError("gateway.store.closed", place=shown(self._engine.url)))


def _write(connection: sa.Connection, jobs: Sequence[Job], again: bool = False) -> list[int]:
    """Requests first: what is said about one may wait beside it."""
    entries = [job.what for job in jobs if isinstance(job.what, Entry)]
    said = [job.what for job in jobs if isinstance(job.what, Feedback)]
    there = _known(connection, [entry.request_id for entry in entries]) if again else set()
    if rows := [row_of(entry) for entry in entries if entry.request_id not in there]:
        connection.execute(sa.insert(requests), rows)
    known = _known(connection, [one.request_id for one in said])
    if rows := [row_of(one) for one in said if one.request_id in known and not (again and _is_there(connection, one))]:
        connection.execute(sa.insert(feedback), rows)
    return [_result(connection, job.what, known) for job in jobs]


def _result(
    connection: sa.Connection, what: Entry | Feedback | Callable[[sa.Connection], int], known: set[str]
) -> Literal[0, 1] | int:
    if isinstance(what, Feedback):
        return int(what.request_id in known)
    return 1 if isinstance(what, Entry) else what(connection)


def _known(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    if not ids:
        return set()
    return set(connection.scalars(sa.select(requests.c.request_id).where(requests.c.request_id.in_(ids))))


def _is_there(connection: sa.Connection, one: Feedback) -> bool:
    same = (feedback.c.request_id == one.request_id) & (feedback.c.time == one.time)
    return connection.scalar(sa.select(sa.exists().where(same))) is True
