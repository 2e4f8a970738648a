"""What goes wrong with a database is a sentence that says what to do, and mends itself where it can."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dadeum.core.errors import MissingExtra, RunError
from dadeum.core.messages import LANGUAGES
from dadeum.gateway.store import connect
from dadeum.gateway.store.log import SqlStore
from dadeum.gateway.store.masking import key_in
from tests.gateway.store.databases import entry, settings


def refused(work, *arguments):
    with pytest.raises(RunError) as told:
        work(*arguments)
    for language in LANGUAGES:
        assert told.value.in_language(language)
    return told.value


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("requests.db", "bad_url"), ("", "bad_url"), ("mysql://root@db/x", "unknown_database"),
        ("sqlite://", "in_memory"),
        ("sqlite:///:memory:", "in_memory"), ("postgresql://a:b@host:seven/x", "bad_url"),
    ],
)  # fmt: skip
def test_other_addresses_are_refused(url, key, tmp_path):
    assert refused(SqlStore, settings(url), tmp_path).key == f"gateway.store.{key}"


def test_a_server_that_is_away_is_named_without_its_password(tmp_path):
    pytest.importorskip("psycopg")
    told = refused(SqlStore, settings("postgresql://me:s3cret@127.0.0.1:1/x?connect_timeout=2"), tmp_path)
    assert told.key == "gateway.store.unreachable"
    assert "s3cret" not in str(told)


def test_without_psycopg_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"dadeum\[postgres\]"):
        SqlStore(settings("postgresql://me@127.0.0.1/x"), tmp_path)


def test_no_log_to_read_is_no_log_made(tmp_path):
    assert refused(SqlStore.reading, f"sqlite:///{tmp_path}/none.db").key == "gateway.store.no_log"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database(tmp_path):
    file = tmp_path / "requests.db"
    file.write_text("이것은 데이터베이스가 아닙니다. " * 200, encoding="utf-8")
    assert refused(SqlStore, settings(f"sqlite:///{file}"), tmp_path).key == "gateway.store.damaged"
    assert file.read_text(encoding="utf-8").startswith("이것은")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    told = refused(SqlStore, settings(f"sqlite:///{tmp_path}/file/requests.db"), tmp_path)
    assert told.key == "gateway.store.read_only"


_READ_ONLY = """
import os, sys
from pathlib import Path
from dadeum.core.errors import RunError
from dadeum.gateway.store.log import SqlStore
from tests.gateway.store.databases import entry, settings
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    SqlStore(settings(f"sqlite:///{sys.argv[1]}/requests.db"))
except RunError as error:
    print(error.key)
"""


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_a_folder_that_may_only_be_read(tmp_path):
    for folder in [tmp_path, *tmp_path.parents[:3]]:
        if folder != Path("/tmp"):
            folder.chmod(0o755)
    folder = tmp_path / "serve"
    folder.mkdir(mode=0o555)
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", _READ_ONLY, str(folder)], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "gateway.store.read_only", done.stderr


def test_a_database_that_somebody_holds_is_told_and_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(connect, "WAIT_S", 0.2)
    store = SqlStore(settings(f"sqlite:///{tmp_path}/requests.db"), tmp_path)
    other = sqlite3.connect(tmp_path / "requests.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert refused(store.record, entry(1)).key == "gateway.store.locked"
    assert not store.ready()
    other.execute("COMMIT")
    assert store.ready()
    store.record(entry(2))
    assert [one.request_id for one in store.entries()] == ["req-000002"]
    other.close()
    store.close()


def test_a_full_disk_is_told_and_logging_goes_on_when_there_is_room(tmp_path):
    store = SqlStore(settings(f"sqlite:///{tmp_path}/requests.db", keep_content=True), tmp_path)
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    # The limit is the connection's: all of the pool's get it.
    limited = []
    import sqlalchemy as sa

    def limit(connection, *_rest):
        limited.append(connection.connection.driver_connection)
        limited[-1].execute(f"PRAGMA max_page_count = {pages}")

    sa.event.listen(store._engine, "engine_connect", limit)
    assert refused(store.record, entry(1, answer="가" * 50_000)).key == "gateway.store.full"
    sa.event.remove(store._engine, "engine_connect", limit)
    for connection in limited:
        connection.execute("PRAGMA max_page_count = 1000000")
    store.record(entry(2, answer="가" * 50_000))
    assert [one.request_id for one in store.entries()] == ["req-000002"]
    store.close()


def test_no_refusal_quotes_what_people_wrote(tmp_path):
    store = SqlStore(settings(f"sqlite:///{tmp_path}/requests.db", keep_content=True), tmp_path)
    store.record(entry(1, answer="비밀 이야기"))
    told = refused(store.record, entry(1, answer="비밀 이야기"))
    assert "비밀" not in str(told) + repr(told) + repr(told.__cause__)
    store.close()


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_the_log_and_its_key_are_for_their_owner(tmp_path):
    store = SqlStore(settings(f"sqlite:///{tmp_path}/serve/requests.db"))
    store.record(entry(1))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "serve").iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"requests.db", "requests.db-wal", "user.key"} <= set(modes)
    store.close()


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_a_key_that_others_read_or_that_is_damaged_is_refused(tmp_path):
    key = key_in(tmp_path)
    assert key_in(tmp_path) == key
    file = tmp_path / "user.key"
    file.chmod(0o640)
    assert refused(key_in, tmp_path).key == "gateway.store.open_key"
    file.chmod(0o600)
    for damaged in ("", "abcd", "물음"):
        file.write_text(damaged, encoding="utf-8")
        assert refused(key_in, tmp_path).key == "gateway.store.bad_key"
