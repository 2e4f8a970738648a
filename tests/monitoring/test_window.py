"""Requests counted: by minutes, hours, days and versions, in a zone, without what nobody saw."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from dadeum.gateway.store.entries import Entry, Feedback
from dadeum.monitoring.labelled import LEAST_CALIBRATION, Feedbacks
from dadeum.monitoring.summary import health
from dadeum.monitoring.tally import Hours, Tally
from dadeum.monitoring.window import Window, times, window_of
from tests.monitoring.traffic import UNTIL, ListStore, entry, opinions, two_weeks

NOON = datetime(2026, 11, 14, 12, tzinfo=UTC)
SEOUL = timezone(timedelta(hours=9))


def window(*entries: Entry) -> Window:
    tally = Tally()
    for each in entries:
        tally.add(each)
    return window_of(tally, NOON, NOON + timedelta(hours=1))


def at(minute: float, **fields: object) -> Entry:
    return entry(round(minute * 60), NOON + timedelta(minutes=minute), **fields)


def test_uptime_counts_minutes_with_an_answer_among_those_that_asked_for_one() -> None:
    found = window(
        at(0), at(0.5, status=500),  # answered once: up
        at(1, status=503), at(1.5, status=429),  # down
        at(2, status=400), at(3, status=499),  # asked for nothing
        at(4),
    )  # fmt: skip
    assert (found.uptime.num, found.uptime.total) == (2, 3)
    assert (found.num, found.answered, found.errors.num) == (7, 2, 2)
    assert found.statuses == {200: 2, 400: 1, 429: 1, 499: 1, 500: 1, 503: 1}


def test_times_are_of_answers_and_quantiles_wait_for_enough() -> None:
    found = window(*(at(number / 100, total_s=number / 10) for number in range(1, 20)), at(1, total_s=99, status=500))
    told = found.times["total_s"]
    assert (told.num, told.p50, told.p95, told.p99) == (19, pytest.approx(1.0), None, None)
    assert times([float(number) for number in range(1, 101)]).p95 == pytest.approx(95.05)
    assert times([1.0] * 99).p99 is None
    assert times([1.0] * 100).p99 == 1.0
    assert found.times["first_token_s"].num == 0
    silent = [at(0, reason="stop", first_token_s=none) for none in (0.0, None)]  # as older logs and this one say it
    wrote = window(at(0, reason="stop", first_token_s=0.2, output_characters=30, new_tokens=20), *silent)
    assert wrote.times["first_token_s"].num == 1
    assert wrote.times["first_token_s"].mean == pytest.approx(0.2)
    assert wrote.lengths["output_characters"].p95 == pytest.approx(27)


def test_label_rates_have_wilson_intervals() -> None:
    entries = [at(number, label="BLOCK" if number < 8 else "ALLOW") for number in range(10)]
    found = window(*entries).labels
    assert list(found) == ["BLOCK", "ALLOW"]
    assert (found["BLOCK"].low, found["BLOCK"].high) == (pytest.approx(0.490, abs=1e-3), pytest.approx(0.943, abs=1e-3))


def test_what_nobody_saw_and_what_clients_made_up_stand_apart() -> None:
    own = {"route": "/v1/decisions", "facts": {"calibrated": 0}, "label": "우리말"}
    found = window(at(0), at(1, shadow_of="req-1", status=500), at(2, **own))
    assert (found.num, found.shadows, found.own_questions, list(found.labels)) == (2, 1, 1, ["ALLOW"])
    assert sum(found.confidence) == 1
    assert found.errors.num == 0


def test_refusals_and_variants_are_counted() -> None:
    facts = {"refused": 1}
    found = window(at(0, facts=facts, experiment="e", variant="champion"), at(1, facts={"refused": 0}))
    assert (found.refusals.num, found.refusals.total, found.variants) == (1, 2, {"e/champion": 1})


def test_days_are_those_of_the_zone_and_empty_ones_stay() -> None:
    evening = datetime(2026, 11, 12, 16, 30, tzinfo=UTC)  # 01:30 of the 13th in Seoul
    found = health(ListStore([entry(1, evening), entry(2, UNTIL - timedelta(hours=10))]), UNTIL - timedelta(days=3),
                   UNTIL, SEOUL)  # fmt: skip
    days = {day.start.astimezone(SEOUL).date().isoformat(): day.num for day in found.days}
    assert days == {"2026-11-12": 0, "2026-11-13": 1, "2026-11-14": 1, "2026-11-15": 0}
    assert found.zone == "UTC+09:00"
    assert (found.total.num, sum(hour.num for hour in found.hours), len(found.hours)) == (2, 2, 72)


def test_nothing_before_the_period_is_counted_in_it() -> None:
    store = ListStore([entry(number, UNTIL - timedelta(hours=number)) for number in range(1, 300)])
    found = health(store, UNTIL - timedelta(days=2), UNTIL, UTC)
    assert found.total.num == 48
    assert sum(day.num for day in found.days) == 48


def test_the_log_is_read_once() -> None:
    entries = two_weeks(300)
    reads = []

    class Once(ListStore):
        def entries(self, since: datetime | None = None, until: datetime | None = None):  # type: ignore[no-untyped-def]
            reads.append((since, until))
            return super().entries(since, until)

    health(Once(entries), UNTIL - timedelta(days=7), UNTIL, UTC)
    assert reads == [(UNTIL - timedelta(days=14), UNTIL)]


def test_an_hour_of_tallies_adds_up() -> None:
    hours = Hours(UTC, UNTIL)
    entries = two_weeks(400, drift_on=None)
    hours.read(entries, lambda each: None)
    spans = hours.spans(24, UNTIL - timedelta(days=14), UNTIL)
    assert len(spans) == 14
    assert sum(tally.num for _, tally in spans) == 400
    assert math.isclose(
        sum(sum(tally.values["total_s"]) for _, tally in spans),
        sum(each.total_s for each in entries if each.status < 400),
    )


# -- feedback -------------------------------------------------------------------------------------
def labelled(entries: list[Entry], said: list[Feedback]):  # type: ignore[no-untyped-def]
    found = Feedbacks(said)
    for each in entries:
        found.see(each)
    return found.labelled()


def test_the_last_word_counts_and_a_comment_takes_no_label_back() -> None:
    entries = [entry(number, label="BLOCK") for number in range(3)]
    said = [
        Feedback("req-00000", NOON, "down", label="ALLOW"),
        Feedback("req-00000", NOON, "up", label="BLOCK"),
        Feedback("req-00000", NOON, comment="고마워요"),
        Feedback("elsewhere", NOON, "up"),
    ]
    found = labelled(entries, said)
    assert (found.num, found.up.num, found.up.total, found.unknown) == (1, 1, 1, 1)
    assert (found.labels.num, found.labels.total, found.coverage.value) == (1, 3, pytest.approx(1 / 3))
    assert found.calibration is None


def test_confidence_is_measured_where_labels_came_back() -> None:
    entries = two_weeks(4000, drift_on=None)
    found = labelled(entries, opinions(entries, 0.3))
    known = found.calibration
    assert known is not None
    right = known.right.value
    assert right is not None
    assert known.gap.value == pytest.approx(known.confidence - right)
    assert known.gap.low < 0.05 < known.gap.high
    assert known.ece.low <= known.ece.value <= known.ece.high
    assert sum(one.count for one in known.bins) == known.num == found.labels.num
    assert found.confidence_rest == pytest.approx(known.confidence, abs=0.02)


def test_few_labels_are_no_calibration() -> None:
    entries = [entry(number) for number in range(LEAST_CALIBRATION)]
    said = [Feedback(each.request_id, NOON, label="ALLOW") for each in entries]
    assert labelled(entries, said[:-1]).calibration is None
    assert labelled(entries, said).calibration is not None
