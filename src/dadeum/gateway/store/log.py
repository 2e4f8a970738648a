"""The request log in SQLite or PostgreSQL: `record` returns when the entry is on the disk, `entries` reads in parts.

A gateway has one `SqlStore`, for all its threads; several gateways may share one database. Whoever only looks
(`dadeum monitor`) takes `SqlStore.reading`, beside a gateway that goes on writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as Late
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from dadeum.core.errors import RunError
from dadeum.gateway.settings import Settings
from dadeum.gateway.store import schema, tables
from dadeum.gateway.store.connect import engine_for, make_file, refuse_place, shown, told, url_of
from dadeum.gateway.store.entries import Entry, Feedback
from dadeum.gateway.store.masking import KEY_FILE, Masking, hash_with, key_in
from dadeum.gateway.store.retention import Retention, delete_user, tidy
from dadeum.gateway.store.writer import Writer

_AT_ONCE = 500
"""Rows of one reading: each in a transaction of its own, which ends before the next is asked for."""
_READY_S = 3.0
_KEY_FOLDER = Path("runs/serve")
"""Of the key for user names, where the database is no file."""


class SqlStore:
    """`Store` of `entries.py`. Contents are masked here, whatever was done before: masking twice changes nothing."""

    def __init__(
        self, settings: Settings, key_folder: Path | None = None, now: Callable[[], datetime] | None = None
    ) -> None:
        url = url_of(settings.database)
        if _is_file(url):
            make_file(url)
        self.hash_user = hash_with(key_in(key_folder or _folder(url)))
        self._masking = Masking(self.hash_user, settings.keep_content)
        self._engine = engine_for(url)
        schema.upgrade(self._engine)
        self._now = now or _now
        self._writer: Writer | None = Writer(self._engine, Retention(self._engine, settings.keep_days, self._now))
        self._writer.start()

    @classmethod
    def refuse(cls, settings: Settings, key_folder: Path | None = None) -> None:
        """RunError for what opening it would be refused for; nothing is made."""
        url = url_of(settings.database)
        folder = key_folder or _folder(url)
        if (folder / KEY_FILE).exists():
            key_in(folder)
        if _is_file(url) and not Path(str(url.database)).exists():
            refuse_place(Path(str(url.database)))
            return
        engine = engine_for(url)
        try:
            schema.refuse(engine)
        finally:
            engine.dispose()

    @classmethod
    def reading(cls, database: str) -> Self:
        """To look only: nothing is made, changed or deleted. RunError where there is no log of this version."""
        url = url_of(database)
        if _is_file(url) and not Path(str(url.database)).is_file():
            raise RunError("gateway.store.no_log", place=shown(url))
        made = cls.__new__(cls)
        made._engine = engine_for(url)
        made._writer = None
        schema.check(made._engine)
        return made

    # -- writing ----------------------------------------------------------------------------------
    def record(self, entry: Entry) -> None:
        self._writes().write(self._masking.entry(entry))

    def say(self, feedback: Feedback) -> bool:
        return self._writes().write(self._masking.feedback(feedback)) == 1

    def forget(self, user: str) -> int:
        if not user:
            return 0
        num = self._writes().write(lambda connection: delete_user(connection, user))
        with told(self._engine.url):
            tidy(self._engine)
        return num

    def ready(self) -> bool:
        """By writing: a full disk and a folder without rights can be read from all the same."""
        if self._writer is None:
            return False
        try:
            return self._writer.write(self._probe, _READY_S) == 1
        except (RunError, Late):
            return False

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._engine.dispose()

    def _writes(self) -> Writer:
        if self._writer is None:
            raise RunError("gateway.store.closed", place=shown(self._engine.url))
        return self._writer

    def _probe(self, connection: sa.Connection) -> int:
        row = {"name": "ready", "time": self._now()}
        if not connection.execute(sa.update(tables.probe).where(tables.probe.c.name == "ready").values(row)).rowcount:
            connection.execute(sa.insert(tables.probe).values(row))
        return 1

    # -- reading ----------------------------------------------------------------------------------
    def find(self, request_id: str) -> Entry | None:
        table = tables.requests
        with told(self._engine.url), self._engine.connect() as connection:
            query = sa.select(table).where(table.c.request_id == tables.storable(request_id))
            row = connection.execute(query).mappings().first()
        return tables.entry_of(row) if row else None

    def entries(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[Entry]:
        """From `since` on, up to but without `until`."""
        table = tables.requests
        query = sa.select(table).order_by(table.c.time, table.c.request_id).limit(_AT_ONCE)
        if since is not None:
            query = query.where(table.c.time >= since)
        if until is not None:
            query = query.where(table.c.time < until)
        page = query
        while True:
            with told(self._engine.url), self._engine.connect() as connection:
                found = [tables.entry_of(row) for row in connection.execute(page).mappings()]
            yield from found
            if len(found) < _AT_ONCE:
                return
            page = query.where(_after(table.c.time, table.c.request_id, found[-1].time, found[-1].request_id))

    def feedback(self, request_ids: Sequence[str] | None = None) -> Iterator[Feedback]:
        """In the order in which it came: of one request the last one counts."""
        if request_ids is None:
            yield from self._said(sa.true())
            return
        ids = tables.feedback.c.request_id
        for start in range(0, len(request_ids), _AT_ONCE):
            yield from self._said(ids.in_(request_ids[start : start + _AT_ONCE]))

    def _said(self, which: sa.ColumnElement[bool]) -> Iterator[Feedback]:
        table = tables.feedback
        last = -1
        while True:
            query = sa.select(table).where(which, table.c.number > last).order_by(table.c.number).limit(_AT_ONCE)
            with told(self._engine.url), self._engine.connect() as connection:
                rows = connection.execute(query).mappings().all()
            yield from map(tables.feedback_of, rows)
            if len(rows) < _AT_ONCE:
                return
            last = rows[-1]["number"]


def _after(
    time: sa.ColumnElement[datetime], name: sa.ColumnElement[str], last: datetime, last_name: str
) -> sa.ColumnElement[bool]:
    """Beyond the last row of the page before; written out, as SQLite compares no typed tuples."""
    return sa.or_(time > last, sa.and_(time == last, name > last_name))


def _folder(url: sa.URL) -> Path:
    """Of the key for user names."""
    return Path(str(url.database)).parent if _is_file(url) else _KEY_FOLDER


def _is_file(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _now() -> datetime:
    return datetime.now(UTC)
