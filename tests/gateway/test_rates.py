"""Requests and tokens per minute, by a clock of ours."""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.gateway.rates import _SWEEP, Rates
from dadeum.gateway.settings import Limits


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def rates(requests: int = 6, tokens: int = 600) -> tuple[Rates, Clock]:
    clock = Clock()
    return Rates(Limits(requests_per_minute=requests, tokens_per_minute=tokens), clock), clock


def test_a_full_bucket_lets_a_minutes_requests_through_and_then_tells_how_long_to_wait() -> None:
    found, clock = rates()
    assert [found.take("a", 1) for _ in range(6)] == [0.0] * 6
    assert found.take("a", 1) == 10.0
    clock.now = 9.9
    assert 0 < found.take("a", 1) < 0.2
    clock.now = 10.0
    assert found.take("a", 1) == 0.0


def test_tokens_run_out_before_requests_and_nothing_is_taken_from_either() -> None:
    found, clock = rates()
    assert found.take("a", 500) == 0.0
    assert found.take("a", 200) == 10.0
    clock.now = 10.0
    assert found.take("a", 200) == 0.0  # 500 + 200 = 600 and a sixth of a minute's


def test_a_request_larger_than_a_minute_goes_through_a_full_bucket_and_is_paid_for_afterwards() -> None:
    found, clock = rates()
    assert found.take("a", 1200) == 0.0
    assert found.take("a", 1) > 60
    clock.now = 59.0
    assert found.take("a", 1) > 0
    clock.now = 61.0
    assert found.take("a", 1) == 0.0


def test_keys_do_not_pay_for_each_other() -> None:
    found, _ = rates(requests=1)
    assert found.take("a", 1) == 0.0
    assert found.take("b", 1) == 0.0
    assert found.take("a", 1) > 0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    found, clock = rates(requests=1)
    clock.now = 100.0
    assert found.take("a", 0) == 0.0
    clock.now = 0.0
    assert found.take("a", 0) == 60.0


def test_full_buckets_are_forgotten_so_that_many_keys_do_not_fill_the_memory() -> None:
    found, clock = rates()
    for number in range(_SWEEP):
        found.take(str(number), 1)
    clock.now = 3600.0
    found.take("one more", 1)
    assert len(found._buckets) == 1
