"""What is deleted: requests that are too old, and everything of one user; what people said goes with its request.

Old rows go in small parts between the commits of new ones, so that nobody who asks waits for the broom.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from dadeum.core.messages import current_language, text
from dadeum.gateway.store.connect import sentence, writing
from dadeum.gateway.store.tables import requests

log = logging.getLogger(__name__)

PART = 500
_DAY_S = 24 * 3600.0
_SOON_S = 0.05
_LATER_S = 600.0


class Retention:
    """Called by the writer's thread; says in how many seconds it wants to be called again."""

    def __init__(self, engine: sa.Engine, keep_days: int, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._keep = timedelta(days=keep_days)
        self._now = now
        self._deleted = 0

    def __call__(self) -> float:
        try:
            with writing(self._engine).begin() as connection:
                num = delete_before(connection, self._now() - self._keep)
            self._deleted += num
            if num == PART:
                return _SOON_S
            if self._deleted:
                log.info(text("gateway.store.deleted", num=self._deleted, days=self._keep.days))
                self._deleted = 0
                tidy(self._engine)
        except (SQLAlchemyError, sqlite3.Error) as error:
            # Requests go on being written; what is too old now is too old in ten minutes.
            said = sentence(self._engine.url, error)
            log.warning(text("gateway.store.not_deleted", detail=said.in_language(current_language())))
            return _LATER_S
        return _DAY_S


def delete_before(connection: sa.Connection, moment: datetime) -> int:
    """At most PART of them; how many."""
    old = sa.select(requests.c.request_id).where(requests.c.time < moment).order_by(requests.c.time).limit(PART)
    return connection.execute(sa.delete(requests).where(requests.c.request_id.in_(old))).rowcount


def delete_user(connection: sa.Connection, user: str) -> int:
    """Also what was answered for comparison only, where somebody left the user out."""
    theirs = sa.select(requests.c.request_id).where(requests.c.user == user)
    shadows = sa.delete(requests).where(requests.c.shadow_of.in_(theirs), requests.c.user != user)
    num = connection.execute(shadows).rowcount
    return num + connection.execute(sa.delete(requests).where(requests.c.user == user)).rowcount


def tidy(engine: sa.Engine) -> None:
    """SQLite's write-ahead log still holds what was deleted, until it is emptied; a reader may put that off."""
    if engine.url.get_backend_name() != "sqlite":
        return
    connection = engine.raw_connection()  # not within a transaction, which `connect` would begin
    try:
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
