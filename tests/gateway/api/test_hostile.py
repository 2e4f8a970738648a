"""Hostile bodies and wishes, as people send them to find out what breaks: each is a 4xx that says why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.conftest import FakeEngine, client, make_gateway

CHAT = {"model": "counsel", "messages": [{"role": "user", "content": "안녕"}]}


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(scope="module")
def web(engine: FakeEngine) -> Any:
    """One application for all: what one request breaks, the next one finds."""
    return client(make_gateway(engine=engine))


def post(web: Any, body: bytes | str) -> Any:
    return web.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})


def error_of(response: Any) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def chat(content: str) -> str:
    return json.dumps(CHAT).replace('"안녕"', content).replace(json.dumps("안녕"), content)


@pytest.mark.parametrize("body", [
    "[" * 100_000, '{"a":' * 50_000, "[" * 65 + "]" * 65, chat("[" * 70 + "]" * 70),
    "[" + "1," * 400_000 + "1]", "NaN", chat("NaN"), chat("Infinity"), chat("-Infinity"), chat("1e999"),
    chat("9" * 5000), '{"model": "a", "model": "b"}', chat('{"a": 1, "a": 2}'), chat(r'"\ud800"'), chat(r'"\udc00ab"'),
    chat(r'"a\u0000b"'), r'{"\ud800": 1, "\ud800": 2}', r'{"\u0000": 1}', "", " ", "null", "1", '"a"', "{", "{]",
    b"\xff\xfe{\x00}\x00", b'{"model": "\xed\xa0\x80"}', b"\xef\xbb\xbf{}", '{"a": 1}{"b": 2}', "{'a': 1}",
    '{"a": 01}', '{"a": 1,}', "/**/{}", "\x00", '{"a": "\n"}',
], ids=lambda body: repr(body[:30]))  # fmt: skip
def test_no_json_takes_the_gateway_down(web: Any, engine: FakeEngine, body: str | bytes) -> None:
    engine.asked.clear()
    response = post(web, body)
    assert response.status_code == 400, response.text[:300]
    assert error_of(response)["code"]
    assert engine.asked == []


@pytest.mark.parametrize("body", [
    json.dumps(CHAT), chat(r'"안녕 \ud83d\ude00 \\u0000 \\ud800"'), chat(r'"[[[{{{\"]]" '), chat('"' + "[" * 500 + '"'),
])  # fmt: skip
def test_what_only_looks_like_a_bomb_passes(web: Any, body: str) -> None:
    assert post(web, body).status_code == 200


@pytest.mark.parametrize("field", [
    {"n": 10**9}, {"n": 10**30}, {"n": -1}, {"n": 0}, {"n": 1.5}, {"n": True}, {"max_tokens": 10**12},
    {"max_tokens": -1}, {"max_tokens": 0}, {"temperature": -1}, {"temperature": 1e30}, {"top_p": 2},
    {"top_logprobs": 10**6},
    {"stop": ["x"] * 1000}, {"stop": ["x" * 10**5]}, {"seed": 10**40}, {"messages": []}, {"messages": [{}]},
    {"messages": [{"role": "user", "content": "x"}] * 5000}, {"messages": "x"}, {"messages": {"role": "user"}},
    {"messages": [{"role": "user", "content": "가" * 300_000}]}, {"messages": [{"role": "root", "content": "x"}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
    {"model": "../../etc/passwd"}, {"model": "x" * 10_000}, {"model": "http://169.254.169.254/"}, {"model": ""},
    {"user": "x" * 10_000}, {"no_such_field": 1}, {"functions": [{}]}, {"__proto__": {}},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "http://evil.example/s"}}}},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"description": "x" * 10**5}}}},
    {"response_format": {"type": "json_schema", "json_schema": {
        "name": "x", "schema": {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(5000)}}}}},
], ids=lambda field: repr(field)[:50])  # fmt: skip
def test_huge_or_senseless_wishes_are_refused_before_the_engine(
    web: Any, engine: FakeEngine, field: dict[str, Any]
) -> None:
    engine.asked.clear()
    response = post(web, json.dumps(CHAT | field))
    assert 400 <= response.status_code < 500, (response.status_code, response.text[:300])
    assert error_of(response)["message"]
    assert engine.asked == []


def test_no_address_in_a_request_is_ever_called(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    called: list[Any] = []

    def refuse(*given: Any, **_: Any) -> Any:
        called.append(given)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    url = "http://169.254.169.254/latest/meta-data"
    part = {"type": "image_url", "image_url": {"url": url}}
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": url}}}
    for path, body in (
        ("/v1/chat/completions", CHAT | {"messages": [{"role": "user", "content": [part]}]}),
        ("/v1/chat/completions", CHAT | {"messages": [{"role": "user", "content": url}]}),
        ("/v1/chat/completions", CHAT | {"response_format": schema}),
        ("/v1/chat/completions", CHAT | {"model": url}),
        ("/v1/chat/completions", CHAT | {"metadata": {"callback": url}}),
        ("/v1/completions", {"model": "counsel", "prompt": url}),
        ("/v1/embeddings", {"model": "counsel", "input": url}),
        ("/v1/admin/models", {"run": url}),
    ):
        assert web.post(path, json=body).status_code < 500
    assert called == []
