"""Server-sent events: their order, what is written down before the end, what happens where one side leaves."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from dadeum.gateway.api import streaming
from dadeum.gateway.engine.work import Ask
from tests.gateway.conftest import ANSWER, AUTHORIZATION, FakeEngine, client, make_gateway, serving

BODY: dict[str, Any] = {"model": "counsel", "messages": [{"role": "user", "content": "안녕"}], "stream": True}


def events(text: str) -> list[Any]:
    """Data of the events; [DONE] as it is."""
    data = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data: ")]
    return [one if one == "[DONE]" else json.loads(one) for one in data]


def stream(gateway: Any, path: str = "/v1/chat/completions", **fields: Any) -> list[Any]:
    response = client(gateway).post(path, json=BODY | fields)
    assert response.headers["content-type"].startswith("text/event-stream")
    return events(response.text)


def test_role_then_content_then_the_end_then_usage_then_done() -> None:
    gateway = make_gateway()
    *chunks, usage, done = stream(gateway, stream_options={"include_usage": True})
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(one["content"] for one in deltas[1:-1]) == ANSWER
    assert deltas[-1] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-2:] == [None, "stop"]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(ANSWER)
    assert done == "[DONE]"
    assert len({chunk["id"] for chunk in [*chunks, usage]}) == 1
    assert gateway.store.written[0].answer == ANSWER


def test_without_being_asked_there_is_no_usage_chunk() -> None:
    assert all(one == "[DONE]" or one["choices"] for one in stream(make_gateway()))


def test_several_answers_come_side_by_side() -> None:
    engine = FakeEngine(answer=lambda asked: {5: "가나다", 6: "라마바"}[asked.sampling.seed or 0])
    engine.seconds_per_token = 0.01
    chunks = stream(make_gateway(engine=engine), n=2, seed=5)[:-1]
    order = [one["choices"][0]["index"] for one in chunks if one["choices"][0]["delta"].get("content")]
    said = {
        index: "".join(
            one["choices"][0]["delta"].get("content", "") for one in chunks if one["choices"][0]["index"] == index
        )
        for index in (0, 1)
    }
    assert said == {0: "가나다", 1: "라마바"}
    assert order != sorted(order)


def test_the_log_has_it_before_done_and_a_log_that_fails_is_an_error_event() -> None:
    gateway = make_gateway()
    gateway.store.broken = True
    found = stream(gateway)
    assert found[-1]["error"]["code"] == "log_unavailable"
    assert "[DONE]" not in found
    assert all(one.get("choices", [{}])[0].get("finish_reason") is None for one in found)


@pytest.mark.parametrize(("reason", "status", "code"), [("error", 500, "engine_failed"), ("timeout", 504, "timeout")])
def test_what_fails_after_the_first_byte_is_an_event_of_the_same_shape(reason: Any, status: int, code: str) -> None:
    gateway = make_gateway()
    gateway.engine.ends = reason
    last = stream(gateway)[-1]
    assert set(last["error"]) == {"message", "type", "param", "code"}
    assert last["error"]["code"] == code
    assert [(one.status, one.reason) for one in gateway.store.written] == [(status, reason)]


def test_an_engine_that_breaks_midway_is_told_and_written_down() -> None:
    class Broken(FakeEngine):
        async def submit(self, ask: Ask) -> Any:
            async for item in super().submit(ask):
                yield item
                raise ZeroDivisionError("안녕")

    gateway = make_gateway(engine=Broken())
    last = stream(gateway)[-1]
    assert last["error"]["code"] == "internal_error"
    assert [one.status for one in gateway.store.written] == [500]


def test_silence_is_filled_with_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "KEEP_ALIVE_S", 0.02)
    monkeypatch.setattr(streaming.Answers.opened, "__defaults__", (0.01,))
    gateway = make_gateway(engine=FakeEngine(answer="가"))
    gateway.engine.seconds_per_token = 0.1
    response = client(gateway).post("/v1/chat/completions", json=BODY)
    assert ": keep-alive" in response.text
    assert events(response.text)[-1] == "[DONE]"


def test_an_answer_that_never_comes_ends_in_time() -> None:
    class Silent(FakeEngine):
        async def submit(self, ask: Ask) -> Any:
            await asyncio.sleep(60)
            yield None

    gateway = make_gateway(engine=Silent(), limits={"request_seconds": 0.05})
    started = time.monotonic()
    response = client(gateway).post("/v1/chat/completions", json=BODY | {"stream": False})
    assert response.status_code == 504
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("streamed", [True, False])
def test_a_reader_that_leaves_stops_the_answer_and_is_written_down(streamed: bool) -> None:
    gateway = make_gateway(engine=FakeEngine(answer="가" * 2000))
    gateway.engine.seconds_per_token = 0.02
    with serving(gateway) as url:
        with httpx.Client(base_url=url, headers=AUTHORIZATION) as http:
            if streamed:
                with http.stream("POST", "/v1/chat/completions", json=BODY) as response:
                    assert next(response.iter_lines())
            else:
                with pytest.raises(httpx.ReadTimeout):
                    http.post("/v1/chat/completions", json=BODY | {"stream": False}, timeout=0.3)
        until = time.monotonic() + 10
        while not gateway.store.written and time.monotonic() < until:
            time.sleep(0.02)
    assert [(one.status, one.reason) for one in gateway.store.written] == [(499, "cancelled")]
    assert gateway.engine.cancelled


def test_completions_stream_too() -> None:
    body = {"model": "tiny-base", "prompt": "오늘", "stream": True, "logprobs": 1}
    response = client(make_gateway()).post("/v1/completions", json=body)
    *chunks, done = events(response.text)
    assert "".join(one["choices"][0]["text"] for one in chunks) == ANSWER
    assert [one["choices"][0]["logprobs"]["text_offset"] for one in chunks[:3]] == [[0], [1], [2]]
    assert done == "[DONE]"
