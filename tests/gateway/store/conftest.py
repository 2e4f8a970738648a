"""Every test that asks for `database` or `store` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dadeum.gateway.store.log import SqlStore
from tests.gateway.store.databases import empty_schema, settings
from tests.postgres import postgres_server


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/serve/requests.db"
        return
    with empty_schema(request.getfixturevalue("server")) as url:
        yield url


@pytest.fixture
def store(database: str, tmp_path: Path) -> Iterator[SqlStore]:
    opened = SqlStore(settings(database, keep_content=True), tmp_path / "keys")
    yield opened
    opened.close()
