"""The door, deadlines and who hears what: without weights."""

from __future__ import annotations

import asyncio
import gc
import time
from types import SimpleNamespace
from typing import Any

import pytest

from dadeum.gateway.engine import queue
from dadeum.gateway.engine.queue import Answer, Door, Outbox, Ticket
from dadeum.gateway.engine.work import Ask, Ended, Overloaded, Piece
from dadeum.gateway.settings import Limits


def ticket(seconds: float | None = None, tokens: int = 4) -> Ticket:
    model: Any = SimpleNamespace(version="a@1")
    return Ticket(Ask("r", model, (1,) * tokens, 6, seconds=seconds), asyncio.get_running_loop())


def test_the_door_counts_requests() -> None:
    door = Door(Limits(waiting_requests=2, waiting_tokens=1000))
    door.enter(10)
    door.enter(10)
    with pytest.raises(Overloaded) as refused:
        door.enter(10)
    assert (refused.value.reason, refused.value.retry_after_s) == ("requests", 2.0)
    door.leave(10)
    door.enter(10)
    assert (door.requests, door.tokens) == (2, 20)


def test_the_door_counts_tokens_and_lets_one_alone_in() -> None:
    door = Door(Limits(waiting_requests=9, waiting_tokens=100))
    door.enter(300)
    with pytest.raises(Overloaded) as refused:
        door.enter(1)
    assert refused.value.reason == "tokens"
    door.leave(300)
    door.enter(60)
    door.enter(40)


def test_the_guess_follows_the_rate_of_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 answers in 30 s: one more leaves in 3 s."""
    now = [0.0]
    monkeypatch.setattr(queue.time, "monotonic", lambda: now[0])
    door = Door(Limits(waiting_requests=10, waiting_tokens=10_000))
    for _ in range(10):
        door.enter(50)
    for _ in range(10):
        door.leave(50)
        now[0] += 3.0
    for _ in range(10):
        door.enter(50)
    with pytest.raises(Overloaded) as refused:
        door.enter(50)
    assert refused.value.retry_after_s == pytest.approx(3.0)


def test_a_closed_door_says_that_it_is_closing() -> None:
    door = Door(Limits(drain_seconds=7))
    door.closed = True
    with pytest.raises(Overloaded) as refused:
        door.enter(1)
    assert (refused.value.reason, refused.value.retry_after_s) == ("draining", 7)


def test_events_arrive_in_order_and_room_is_free_at_the_end() -> None:
    async def listen() -> tuple[list[Any], int]:
        door = Door(Limits())
        one, box = ticket(), Outbox(door)
        door.enter(one.tokens)
        one.started, one.first, one.new_tokens = one.submitted + 1, one.submitted + 2, 2

        def speak() -> None:
            box.piece(one, Piece("가", 1))
            box.piece(one, Piece("나", 1))
            box.flush()
            box.end(one, "stop")
            box.flush()

        await asyncio.to_thread(speak)
        return [event async for event in Answer(one)], door.requests

    events, left = asyncio.run(listen())
    assert [event.text for event in events[:2]] == ["가", "나"]
    ended = events[2]
    assert isinstance(ended, Ended)
    assert (ended.reason, ended.prompt_tokens, ended.new_tokens) == ("stop", 4, 2)
    assert (ended.waited_s, ended.first_token_s) == pytest.approx((1, 2))
    assert (len(events), left) == (3, 0)


def test_an_end_before_the_first_token_has_no_time_of_it() -> None:
    async def look() -> Ended:
        return ticket().ended("cancelled")

    assert asyncio.run(look()).first_token_s is None


def test_a_deadline_counts_from_submission() -> None:
    async def look() -> list[Any]:
        one, free = ticket(seconds=5), ticket()
        now = time.monotonic()
        return [one.over(now), one.over(now + 4.9), one.over(now + 5.1), free.over(now + 1e6)]

    assert asyncio.run(look()) == [None, None, "timeout", None]


@pytest.mark.parametrize("how", ["close", "cancel", "forget"])
def test_leaving_cancels(how: str) -> None:
    async def leave() -> bool:
        one = ticket()
        answer = Answer(one)
        if how == "close":
            await answer.aclose()
        elif how == "cancel":
            task = asyncio.ensure_future(answer.__anext__())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        else:
            del answer
            gc.collect()
        return one.cancelled

    assert asyncio.run(leave())


def test_a_finished_answer_is_not_cancelled() -> None:
    async def finish() -> bool:
        one = ticket()
        one.events.put_nowait(one.ended("stop"))
        answer = Answer(one)
        assert [type(event) async for event in answer] == [Ended]
        await answer.aclose()
        return one.cancelled

    assert not asyncio.run(finish())


def test_a_loop_that_is_gone_stops_nobody_else() -> None:
    box = Outbox(Door(Limits()))

    async def make() -> Ticket:
        return ticket()

    gone = asyncio.run(make())

    async def listen() -> Any:
        one = ticket()
        box.piece(gone, Piece("가", 1))
        box.piece(one, Piece("나", 1))
        await asyncio.to_thread(box.flush)
        return await anext(Answer(one))

    assert asyncio.run(listen()).text == "나"
