"""Tables: made, upgraded once however many start together, left alone where somebody else's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from dadeum.core.errors import RunError
from dadeum.gateway.store import schema, tables
from dadeum.gateway.store.connect import engine_for, make_file, url_of, writing
from dadeum.gateway.store.entries import Feedback
from dadeum.gateway.store.log import SqlStore
from tests.gateway.store.databases import START, entry, settings


@pytest.fixture
def engine(database):
    url = url_of(database)
    if url.get_backend_name() == "sqlite":
        make_file(url)
    made = engine_for(url)
    yield made
    made.dispose()


def names(engine):
    return set(sa.inspect(engine).get_table_names())


def test_the_steps_lead_to_the_tables_of_the_code(engine):
    schema.upgrade(engine)
    with engine.connect() as connection:
        options = {"version_table": tables.VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == []


def test_a_table_that_the_steps_forgot_is_seen(engine):
    schema.upgrade(engine)
    metadata = sa.MetaData(naming_convention=tables.metadata.naming_convention)
    for table in tables.metadata.tables.values():
        copied = table.to_metadata(metadata)
    copied.append_column(sa.Column("forgotten", sa.Text))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": tables.VERSION_TABLE})
        assert len(compare_metadata(context, metadata)) == 1


def test_upgrading_twice_changes_nothing_and_keeps_what_is_there(database, tmp_path):
    first = SqlStore(settings(database), tmp_path)
    first.record(entry(1))
    first.close()
    second = SqlStore(settings(database), tmp_path)
    assert [one.request_id for one in second.entries()] == ["req-000001"]
    second.close()


def test_it_goes_down_and_up_again(engine):
    schema.upgrade(engine)
    config = schema._config()
    with writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert names(engine) == {tables.VERSION_TABLE}
    with pytest.raises(RunError) as told:
        schema.check(engine)
    assert told.value.key == "gateway.store.no_log"
    schema.upgrade(engine)
    schema.check(engine)


def test_an_answer_without_a_first_token_loses_its_zero_and_no_feedback(engine, database, tmp_path):
    """What r0001 wrote: a time of 0 where no token came."""
    config = schema._config()
    with writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "r0001")
        for number, first in ((1, 0.0), (2, 0.5)):
            row = tables.row_of(entry(number)) | {"first_token_s": first}
            connection.execute(sa.insert(tables.requests).values(row))
        connection.execute(sa.insert(tables.feedback).values(tables.row_of(Feedback("req-000001", START, "up"))))
    store = SqlStore(settings(database), tmp_path)
    store.record(entry(3))
    assert [one.first_token_s for one in store.entries()] == [None, 0.5, None]
    assert [one.request_id for one in store.feedback()] == ["req-000001"]
    store.close()
    with writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "r0001")
    with engine.connect() as connection:
        assert list(connection.execute(sa.text("SELECT first_token_s FROM dadeum_requests ORDER BY time"))) == [
            (0.0,), (0.5,), (0.0,)
        ]  # fmt: skip


def test_a_half_made_database_is_not_left_behind(engine, monkeypatch):
    def fails(*_args, **_options):
        command.stamp(_args[0], "head")
        raise KeyboardInterrupt

    monkeypatch.setattr(schema.command, "upgrade", fails)
    with pytest.raises(KeyboardInterrupt):
        schema.upgrade(engine)
    assert names(engine) == set()


def test_a_newer_database_is_left_alone(engine, database, tmp_path):
    schema.upgrade(engine)
    with writing(engine).begin() as connection:
        connection.exec_driver_sql(f"UPDATE {tables.VERSION_TABLE} SET version_num = 'r9999'")
    for opening in (lambda: SqlStore(settings(database), tmp_path), lambda: SqlStore.reading(database)):
        with pytest.raises(RunError) as told:
            opening()
        assert told.value.key == "gateway.store.newer"
        assert "r9999" in str(told.value)
        assert "r0002" in str(told.value)


def test_an_older_database_is_told_to_a_reader_and_not_changed(engine, database, monkeypatch):
    schema.upgrade(engine)
    with writing(engine).begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {tables.VERSION_TABLE}")
    with pytest.raises(RunError) as told:
        SqlStore.reading(database)
    assert told.value.key == "gateway.store.foreign"


def test_somebody_elses_table_is_left_alone(engine, database, tmp_path):
    with writing(engine).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE dadeum_requests (mine INTEGER)")
    with pytest.raises(RunError) as told:
        SqlStore(settings(database), tmp_path)
    assert told.value.key == "gateway.store.foreign"
    assert names(engine) == {"dadeum_requests"}


_START = """
import sys
from pathlib import Path
from tests.gateway.store.databases import entry, settings
from dadeum.gateway.store.log import SqlStore
sys.stdin.readline()
store = SqlStore(settings(sys.argv[1]), Path(sys.argv[2]))
store.record(entry(sys.argv[3]))
print(store.hash_user("김하나"))
store.close()
"""


def test_several_gateways_may_start_at_once(database, tmp_path):
    """One makes the tables and the key; the others wait and find them."""
    command_line = [sys.executable, "-c", _START, database, str(tmp_path / "keys")]
    root = Path(__file__).parents[3]
    started = [
        subprocess.Popen([*command_line, f"r{number}"], cwd=root, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for number in range(3)
    ]  # fmt: skip
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate(timeout=200) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], told
    assert len({out for out, _ in told}) == 1
    reader = SqlStore.reading(database)
    assert {one.request_id for one in reader.entries()} == {"r0", "r1", "r2"}
    reader.close()
