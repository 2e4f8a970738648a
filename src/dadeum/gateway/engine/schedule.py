"""Who takes part in the next step: lets in who waits, ends who is late or gone, and reads anew what memory lost.

A mistake ends the answers that it happened to and nothing else. Waiting rows may be seen from other threads; rows that
run belong to the worker's thread.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from threading import Condition
from typing import Any

import torch

from dadeum.core.errors import DadeumError, first_line
from dadeum.core.messages import text
from dadeum.gateway.engine.adapters import Held
from dadeum.gateway.engine.cache import Prefixes
from dadeum.gateway.engine.decoder import READ_TOKENS, Batch, Fixed, Outcome, Row, Running
from dadeum.gateway.engine.queue import Outbox, Ticket
from dadeum.gateway.engine.writing import Voice, new_row, write_whole, writes_whole

log = logging.getLogger(__name__)

_PREFIX_BYTES = 256 * 2**20
MISTAKES = (DadeumError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError)
"""What a step may end with and the thread goes on; anything else ends the worker."""


class Schedule:
    """`awake` guards what waits. `most` rows run at once, fewer after a lack of memory."""

    def __init__(self, awake: Condition, most: int, outbox: Outbox, voices: dict[str, Voice], choosing: Any) -> None:
        self.held: Held
        self.joinable = 0.0
        """Tokens of a row that may join others."""
        self.waiting: deque[Row | Ticket] = deque()
        self.prefixes = Prefixes(_PREFIX_BYTES)
        self._awake = awake
        self._most = self._room = most
        self._outbox = outbox
        self._voices = voices
        self._choosing = choosing
        self._joined: dict[str, Running] = {}
        self._fixed: list[Fixed] = []
        self._whole: list[Row] = []
        """Being written from beginning to end just now."""

    def batches(self) -> list[Batch]:
        return [*list(self._joined.values()), *list(self._fixed)]

    def running(self) -> list[Row]:
        return [*(row for batch in self.batches() for row in list(batch.rows)), *self._whole]

    def tickets(self) -> list[Ticket]:
        with self._awake:
            waiting = list(self.waiting)
        return [_ticket(one) for one in waiting] + [row.ticket for row in self.running()]

    def turn(self) -> None:
        """One step of everything."""
        self._sweep()
        self._take()
        for batch in [batch for batch in self.batches() if batch.rows]:
            self._step(batch)
        self._fixed = [batch for batch in self._fixed if batch.rows]
        self._outbox.flush()

    def end_all(self, detail: str) -> None:
        for ticket in self.tickets():
            self._outbox.end(ticket, "error" if detail else "cancelled", detail)
        self._outbox.flush()
        self.waiting.clear()
        self._joined, self._fixed, self._whole = {}, [], []

    # -- coming and going ---------------------------------------------------------------------------
    def _sweep(self) -> None:
        """End what nobody waits for any more, running or not."""
        now = time.monotonic()
        with self._awake:
            over = [(one, reason) for one in self.waiting if (reason := _ticket(one).over(now))]
            for one, _ in over:
                self.waiting.remove(one)
        for one, reason in over:
            self._outbox.end(_ticket(one), reason)
        for batch in self.batches():
            self._keep(batch, self._going(batch.rows, now))

    def _going(self, rows: Sequence[Row], now: float) -> list[Row]:
        going = []
        for row in rows:
            if reason := row.ticket.over(now):
                self._outbox.end(row.ticket, reason)
            else:
                going.append(row)
        return going

    def _keep(self, batch: Batch, rows: list[Row]) -> None:
        if len(rows) < len(batch.rows):
            self._room = min(self._most, self._room + len(batch.rows) - len(rows))
            batch.keep(rows)

    def _take(self) -> None:
        """Let in who waits, first come first served, while there is room."""
        free = self._room - len(self.running())
        taken: list[Row | Ticket] = []
        tokens = 0
        with self._awake:
            while self.waiting and len(taken) < free:
                tokens += _to_read(self.waiting[0])
                if taken and tokens > READ_TOKENS:
                    break
                taken.append(self.waiting.popleft())
        rows = [row for one in taken if (row := self._row(one)) is not None]
        self._write([row for row in rows if self._is_whole(row)])
        rows = [row for row in rows if not self._is_whole(row)]
        joining: dict[str, list[Row]] = {}
        alike: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            apart = "" if self.held.mixes else row.adapter
            if row.ticket.tokens <= self.joinable:
                joining.setdefault(apart, []).append(row)
            else:
                alike.setdefault((apart, len(row.ids)), []).append(row)
        for apart, group in joining.items():
            new = Running(self.held, self.prefixes, self._choosing.choose_all)
            running = self._joined.setdefault(apart, new)
            self._join(running, self._ready(running, group))
        self._fixed += [Fixed(self.held, group, self._choosing.choose_all) for group in alike.values()]

    def _ready(self, running: Running, rows: Sequence[Row]) -> list[Row]:
        """Those that can join; a prompt that is too long for one pass is read a part a turn, and waits meanwhile."""
        ready = []
        for row in rows:
            try:
                if running.begin(row):
                    ready.append(row)
                    continue
            except MISTAKES as error:
                row.begun = None
                self._again([row], error)
                continue
            with self._awake:
                self.waiting.appendleft(row)
        return ready

    def _row(self, one: Row | Ticket) -> Row | None:
        """A row that memory did not suffice for comes back as it was."""
        if isinstance(one, Row):
            return one
        one.started = time.monotonic()
        try:
            return new_row(one, self.held, self._voices[one.ask.model.version], self._choosing)
        except MISTAKES as error:
            self._fail([one], error)
            return None

    # -- steps --------------------------------------------------------------------------------------
    def _is_whole(self, row: Row) -> bool:
        return self.held.is_seq2seq or writes_whole(row)

    def _write(self, rows: Sequence[Row]) -> None:
        groups: dict[tuple[str, bool], list[Row]] = {}
        for row in rows:
            groups.setdefault((row.version, writes_whole(row)), []).append(row)
        for (version, _), group in groups.items():
            self._whole = list(group)
            told, choose = self._told, self._choosing.choose_all
            try:
                write_whole(self.held, self._voices[version], group, choose, told, self._outbox)
            except MISTAKES as error:
                self._again(self._whole, error)
            self._whole = []

    def _join(self, running: Running, rows: list[Row]) -> None:
        coming = list(rows)
        try:
            for outcome in running.join(rows):
                came = [row for row, _ in outcome]
                coming = [row for row in coming if row not in came]
                going = self._told(outcome)
                self._keep(running, [row for row in running.rows if row in going or row not in came])
        except MISTAKES as error:
            # Part of them may be in: what is there is thrown away, and read anew by those who are not at fault.
            there = [row for row in running.rows if row not in coming]
            running.keep([])
            self._again([*there, *coming], error, failing=coming)

    def _step(self, batch: Batch) -> None:
        before = list(batch.rows)
        try:
            outcome = batch.step()
        except MISTAKES as error:
            batch.keep([])
            self._again(before, error)
            return
        self._keep(batch, self._told(outcome))

    def _told(self, outcome: Outcome) -> list[Row]:
        """Hand out what was chosen; who goes on."""
        now = time.monotonic()
        going = self._going([row for row, one in outcome if row.tell(one, now, self._outbox)], now)
        self._whole = [row for row in self._whole if row in going]
        self._outbox.flush()
        return going

    def _again(self, rows: Sequence[Row], error: Exception, failing: Sequence[Row] = ()) -> None:
        """Where memory did not suffice, half as many at once, from what they have; else they end here."""
        failed = [] if _is_lack_of_memory(error) and len(rows) > 1 else [row for row in rows if row in failing] or rows
        if failed:
            self._fail([row.ticket for row in failed], error)
        else:
            self._room = max(1, len(rows) // 2)
            log.warning(text("gateway.engine.less_at_once", rows=len(rows), now=self._room))
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        with self._awake:
            self.waiting.extendleft(reversed([row for row in rows if row not in failed]))

    def _fail(self, tickets: Sequence[Ticket], error: Exception) -> None:
        detail = first_line(error)
        log.error(text("gateway.engine.failed", rows=len(tickets), detail=detail), exc_info=error)
        for ticket in tickets:
            self._outbox.end(ticket, "error", detail)


def _ticket(one: Row | Ticket) -> Ticket:
    return one.ticket if isinstance(one, Row) else one


def _to_read(one: Row | Ticket) -> int:
    if isinstance(one, Ticket):
        return len(one.ask.prompt_ids)
    return len(one.ids) - (one.begun[1] if one.begun else 0)


def _is_lack_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
