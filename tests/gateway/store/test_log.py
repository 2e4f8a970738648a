"""What the request log promises, on both databases."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
import sqlalchemy as sa

from dadeum.core.errors import RunError
from dadeum.gateway.store import log, retention
from dadeum.gateway.store.entries import Feedback
from dadeum.gateway.store.log import SqlStore
from dadeum.gateway.store.writer import Writer
from tests.gateway.store.databases import START, entry, settings

FULL = entry(
    1, user="u1", prompt_tokens=12, new_tokens=3, cached_tokens=8, waited_s=0.25, first_token_s=0.5, total_s=1.5,
    experiment="ab", variant="b", shadow_of="req-000000", label="스팸", confidence=0.75, input_characters=40,
    output_characters=7, question="질문", answer="답", facts={"label_mass": 0.9, "citations": 2, "refusal": "아니요"},
)  # fmt: skip


class Held:
    """The writer stands still until `waiting` callers wait."""

    def __init__(self, store):
        self.writer = store._writer
        self.inside, self.gate = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.writer.write, args=(self.stand,))
        self.thread.start()
        assert self.inside.wait(10)

    def stand(self, connection):
        self.inside.set()
        return int(self.gate.wait(10))

    def go_on(self, waiting):
        until = time.monotonic() + 10
        while self.writer._jobs.qsize() < waiting and time.monotonic() < until:
            time.sleep(0.001)
        assert self.writer._jobs.qsize() == waiting
        self.gate.set()


def ids(entries):
    return [one.request_id for one in entries]


def test_an_entry_comes_back_as_it_went_in(store):
    store.record(FULL)
    assert list(store.entries()) == [FULL]
    assert store.find("req-000001") == FULL
    assert store.find("req-000002") is None


def test_times_are_moments_whatever_the_zone(store):
    seoul = FULL.time.astimezone(timezone(timedelta(hours=9)))
    store.record(replace(FULL, time=seoul))
    [found] = store.entries(since=seoul, until=seoul + timedelta(microseconds=1))
    assert found.time == FULL.time
    assert found.time.utcoffset() == timedelta(0)
    assert list(store.entries(until=seoul)) == []


def test_entries_come_oldest_first_in_parts(store, monkeypatch):
    monkeypatch.setattr(log, "_AT_ONCE", 3)
    with ThreadPoolExecutor(4) as pool:
        # Two of every minute, so that a part ends between equal times.
        numbers = [*range(9, -1, -1)]
        list(pool.map(lambda n: store.record(entry(f"r{n}", time=START + timedelta(minutes=n // 2))), numbers))
    assert ids(store.entries()) == [f"r{number}" for number in range(10)]
    since, until = START + timedelta(minutes=1), START + timedelta(minutes=4)
    assert ids(store.entries(since, until)) == [f"r{number}" for number in range(2, 8)]


def test_what_is_written_while_somebody_reads_does_no_harm(store, monkeypatch):
    monkeypatch.setattr(log, "_AT_ONCE", 2)
    for number in range(4):
        store.record(entry(number))
    reading = store.entries()
    first = next(reading)
    store.record(entry(9))
    assert ids([first, *reading]) == [f"req-{number:06}" for number in (0, 1, 2, 3, 9)]


def test_feedback_goes_to_its_request_and_all_of_it_is_kept(store, monkeypatch):
    monkeypatch.setattr(log, "_AT_ONCE", 2)
    store.record(entry(1))
    store.record(entry(2))
    said = [Feedback("req-000001", START + timedelta(hours=hour), "up", key_id="k") for hour in range(5)]
    assert all(store.say(one) for one in said)
    assert store.say(Feedback("req-000002", START, "down", "ALLOW", "고침", "말"))
    assert not store.say(Feedback("nobody", START, "down"))
    assert list(store.feedback(["req-000001"])) == said
    [other] = store.feedback(["req-000002", "nobody"])
    assert other == Feedback("req-000002", START, "down", "ALLOW", "고침", "말", correction_characters=2)
    assert len(list(store.feedback())) == 6


def test_nothing_can_be_said_about_a_request_that_is_not_there(store):
    with pytest.raises(sa.exc.IntegrityError), store._engine.begin() as connection:
        row = {"request_id": "nobody", "time": START, "key_id": "", "correction_characters": 0}
        connection.execute(sa.insert(log.tables.feedback).values(row))


def test_one_bad_record_does_not_take_the_others_along(store):
    """Ten callers wait for one commit; the one whose id is taken is told so, the others are written."""
    store.record(entry(3))
    held = Held(store)

    def write(number):
        try:
            store.record(entry(number))
        except RunError as error:
            return error.key
        return "written"

    with ThreadPoolExecutor(10) as pool:
        told = [pool.submit(write, number) for number in range(10)]
        held.go_on(10)
        results = [one.result() for one in told]
    held.thread.join()
    assert results == ["written"] * 3 + ["gateway.store.failed"] + ["written"] * 6
    assert len(ids(store.entries())) == 10


def test_callers_share_commits(store):
    written = []

    def count(connection, cursor, statement, rows, context, executemany):
        if statement.startswith("INSERT INTO dadeum_requests"):
            written.append(len(rows))

    sa.event.listen(store._engine, "before_cursor_execute", count)
    held = Held(store)
    with ThreadPoolExecutor(16) as pool:
        done = [pool.submit(store.record, entry(number)) for number in range(16)]
        held.go_on(16)
        for one in done:
            one.result()
    held.thread.join()
    assert written == [16]
    assert len(ids(store.entries())) == 16


@pytest.mark.parametrize("text", ["\0가", "\ud800반쪽", "🎉" * 3, "x" * 100_000])
def test_any_text_can_be_written(store, text):
    store.record(replace(FULL, model=text, answer=text, facts={"말" + text[:5]: text}))
    [found] = store.entries()
    wanted = text.replace("\0", "␀").replace("\ud800", "?")
    assert found.answer == wanted
    assert found.facts == {"말" + wanted[:5]: wanted}
    assert found.model == wanted[:128]


def test_numbers_that_are_none_are_written_all_the_same(store):
    store.record(replace(FULL, confidence=float("nan"), total_s=float("inf"), facts={"mass": float("nan")}))
    [found] = store.entries()
    assert (found.confidence, found.total_s, found.facts) == (None, 0.0, {"mass": "nan"})


def test_everything_of_a_user_goes_and_nothing_else(store):
    store.record(entry(1, user="u1"))
    store.record(entry(2, user="u2"))
    store.record(entry(3, user=""))
    store.record(entry(4, user="", shadow_of="req-000001"))
    store.say(Feedback("req-000001", START, "up"))
    store.say(Feedback("req-000002", START, "down"))
    assert store.forget("u1") == 2
    assert ids(store.entries()) == ["req-000002", "req-000003"]
    assert [one.request_id for one in store.feedback()] == ["req-000002"]
    assert store.forget("u1") == 0
    assert store.forget("") == 0  # nobody's name is no name


def test_old_requests_go_at_start_with_what_was_said(database, tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "PART", 3)
    first = SqlStore(settings(database), tmp_path)
    for number in range(10):
        first.record(entry(number, time=START + timedelta(days=number)))
        first.say(Feedback(f"req-{number:06}", START, "up"))
    first.close()
    second = SqlStore(settings(database, keep_days=3), tmp_path, now=lambda: START + timedelta(days=9, hours=1))
    kept = [f"req-{number:06}" for number in (7, 8, 9)]
    for _ in range(100):
        second.ready()  # the writer's thread has the broom too
        if ids(second.entries()) == kept:
            break
        threading.Event().wait(0.02)
    assert ids(second.entries()) == kept
    assert [one.request_id for one in second.feedback()] == kept
    second.close()


def test_the_broom_comes_again_the_next_day(store, monkeypatch):
    rested = []

    def chore():
        rested.append(1)
        return 0.01

    writer = Writer(store._engine, chore)
    writer.start()
    for number in range(50):
        writer.write(entry(number))
        threading.Event().wait(0.002)
    writer.close()
    assert len(rested) > 2


def test_a_closed_log_takes_nothing_and_says_so(store):
    assert store.ready()
    store.close()
    assert not store.ready()
    with pytest.raises(RunError) as told:
        store.record(entry(1))
    assert told.value.key == "gateway.store.closed"


def test_what_waits_is_written_before_it_closes(store):
    held = Held(store)
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(store.record, entry(number)) for number in range(3)]
        held.go_on(3)
        store.close()
        assert [one.result() for one in done] == [None] * 3
    held.thread.join()
    reader = SqlStore.reading(store._engine.url.render_as_string(hide_password=False))
    assert len(ids(reader.entries())) == 3
    reader.close()


def test_a_reader_looks_and_changes_nothing(store, database):
    store.record(entry(1))
    reader = SqlStore.reading(database)
    assert ids(reader.entries()) == ["req-000001"]
    store.record(entry(2))
    assert ids(reader.entries()) == ["req-000001", "req-000002"]
    assert not reader.ready()
    with pytest.raises(RunError):
        reader.record(entry(3))
    reader.close()
