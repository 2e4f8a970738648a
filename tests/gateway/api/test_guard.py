"""What stands in front of every route: host, key, body, time; and the hostile things that people send."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from dadeum.gateway.api.guard import Guard
from dadeum.gateway.keys import Everybody
from dadeum.gateway.settings import Settings
from dadeum.gateway.state import Gateway
from tests.gateway.conftest import ANSWER, AUTHORIZATION, client, make_gateway

CHAT = {"model": "counsel", "messages": [{"role": "user", "content": "안녕"}]}
JSON = {"content-type": "application/json"}


def post(gateway: Gateway, body: bytes | str, **headers: str) -> Any:
    return client(gateway).post("/v1/chat/completions", content=body, headers=JSON | headers)


def error_of(response: Any) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_a_request_with_a_key_passes_and_its_answer_is_sealed(gateway: Gateway) -> None:
    response = client(gateway).post("/v1/chat/completions", json=CHAT)
    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["message"]["content"] == ANSWER
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-request-id"]


def test_refusals_are_counted_by_part_of_the_api_and_never_by_what_was_asked_for(gateway: Gateway) -> None:
    keyless = client(gateway, Authorization="")
    for path in ("/v1/secret-name", "/elsewhere", "/metrics"):
        assert keyless.get(path).status_code == 401
    assert gateway.figures.refusals == [("/v1", 401, "invalid_api_key"), ("", 401, "invalid_api_key"),
                                        ("/metrics", 401, "invalid_api_key")]  # fmt: skip


def test_every_refusal_for_want_of_a_key_says_the_same(gateway: Gateway) -> None:
    said = {client(gateway, Authorization=written).get("/v1/models").text for written in ("", "Bearer dk_x", "Basic a")}
    assert len(said) == 1
    response = client(gateway, Authorization="").get("/v1/models")
    assert error_of(response)["code"] == "invalid_api_key"
    assert response.headers["www-authenticate"] == "Bearer"


def test_two_authorizations_are_none(gateway: Gateway) -> None:
    from starlette.testclient import TestClient

    from dadeum.gateway.api.app import create_app

    headers = [("Authorization", AUTHORIZATION["Authorization"]), ("Authorization", "Bearer other")]
    assert TestClient(create_app(gateway)).get("/v1/models", headers=headers).status_code == 401


def test_a_browser_of_another_site_gets_nothing(gateway: Gateway) -> None:
    asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = client(gateway, Authorization="").options("/v1/chat/completions", headers=asking)
    assert preflight.status_code == 401
    answered = client(gateway).post("/v1/chat/completions", json=CHAT, headers=asking)
    for response in (preflight, answered):
        assert not [name for name in response.headers if name.startswith("access-control")]
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        response = client(gateway).post(
            "/v1/chat/completions", content=json.dumps(CHAT), headers={"content-type": kind}
        )
        assert (response.status_code, error_of(response)["code"]) == (415, "not_json")


def test_packed_bodies_are_refused(gateway: Gateway) -> None:
    import gzip

    response = post(gateway, gzip.compress(json.dumps(CHAT).encode()), **{"content-encoding": "gzip"})
    assert response.status_code == 415


def test_without_keys_only_this_machines_own_names_are_answered() -> None:
    keyless = make_gateway(settings=Settings(require_key=False), keys=Everybody())
    for host, status in (("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:8000", 200), ("LOCALHOST:1", 200),
                         ("evil.example", 400), ("127.0.0.1.evil.example", 400), ("", 400)):  # fmt: skip
        assert client(keyless, Host=host).get("/v1/models").status_code == status, host
    assert client(keyless, Host="10.1.2.3").get("/livez").status_code == 200  # probes call by address


def test_a_gateway_may_be_told_its_names() -> None:
    named = make_gateway(settings=Settings(hosts=("llm.example.kr",)))
    assert client(named, Host="llm.example.kr:443").get("/v1/models").status_code == 200
    response = client(named, Host="localhost").get("/v1/models")
    assert (response.status_code, error_of(response)["code"]) == (400, "bad_host")


# -- bodies ---------------------------------------------------------------------------------------
def test_a_large_body_is_refused_before_it_is_read_to_its_end() -> None:
    small = make_gateway(limits={"body_bytes": 1000})
    assert error_of(post(small, b"x" * 1001))["code"] == "body_too_large"
    read: list[int] = []

    def parts() -> Any:
        for number in range(100):
            read.append(number)
            yield b" " * 100

    response = post(small, parts())  # chunked: no length is declared
    assert (response.status_code, response.headers["connection"]) == (413, "close")


def run_guard(gateway: Gateway, receive: Any, send: Any = None, headers: Any = (), app: Any = None) -> list[Any]:
    """The messages that one POST made."""
    sent: list[Any] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": (await receive())["body"]})

    key = (b"authorization", AUTHORIZATION["Authorization"].encode())
    scope = {"type": "http", "method": "POST", "path": "/v1/x", "query_string": b"", "headers": [key, *headers]}
    asyncio.run(Guard(app or echo, gateway)(scope, receive, send or keep))
    return sent


def test_a_chunked_body_is_counted_while_it_comes() -> None:
    asked = 0

    async def endless() -> Any:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 600, "more_body": True}

    sent = run_guard(make_gateway(limits={"body_bytes": 1000}), endless)
    assert sent[0]["status"] == 413
    assert asked == 2


def test_a_body_that_does_not_come_is_given_up() -> None:
    async def never() -> Any:
        await asyncio.sleep(60)

    sent = run_guard(make_gateway(limits={"body_seconds": 0.05}), never)
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["error"]["code"] == "slow_body"


def test_a_client_that_leaves_while_sending_is_no_error() -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    gateway = make_gateway()
    assert run_guard(gateway, gone) == []
    assert gateway.figures.refusals == [("/v1", 499, "client_gone")]


def test_a_client_that_does_not_read_is_let_go() -> None:
    async def body() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def stuck(message: Any) -> None:
        await asyncio.sleep(60)

    gateway = make_gateway(limits={"write_seconds": 0.05})
    run_guard(gateway, body, stuck)
    assert gateway.figures.refusals == [("/v1", 499, "slow_reader")]


def test_permission_for_other_sites_is_taken_out_of_any_answer() -> None:
    async def body() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def careless(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"access-control-allow-origin", b"*"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    headers = dict(run_guard(make_gateway(), body, app=careless)[0]["headers"])
    assert b"access-control-allow-origin" not in headers
    assert headers[b"cache-control"] == b"no-cache"


@pytest.mark.parametrize("headers", [
    [(b"content-length", b"3"), (b"content-length", b"5")],
    [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")],
    [(b"content-length", b"+3")], [(b"content-length", b"-1")], [(b"content-length", b"0x3")],
    [(b"content-length", b"9" * 30)], [(b"content-length", b"3, 3")], [(b"content-length", "３".encode())],
])  # fmt: skip
def test_a_body_of_two_lengths_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    async def body() -> Any:
        raise AssertionError("nothing is read")

    assert run_guard(make_gateway(), body, headers=headers)[0]["status"] == 400


def test_websockets_are_closed_before_they_open(gateway: Gateway) -> None:
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client(gateway).websocket_connect("/v1/chat/completions"):
        pass
