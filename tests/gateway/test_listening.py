"""A real server on a real socket, and clients that mean it harm: slow heads, slow bodies, no reading, bad framing."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from dadeum.gateway.api.app import create_app
from dadeum.gateway.api.guard import Guard
from dadeum.gateway.listening import Listener, listening
from dadeum.gateway.settings import Settings
from tests.gateway.conftest import AUTHORIZATION, make_gateway

SLOW = 1000
KEY = f"Authorization: {AUTHORIZATION['Authorization']}\r\n"
CHAT = {"model": "counsel", "messages": [{"role": "user", "content": "안녕"}]}


@contextmanager
def serving(gateway: Any, app: Any = None) -> Iterator[int]:
    """The port of a server that listens as `dadeum serve` does."""
    settings = Settings(port=0, limits=gateway.settings.limits)
    server = uvicorn.Server(listening(app or create_app(gateway), settings))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(15)


def talk(port: int, sent: str | bytes, seconds: float = 10.0) -> bytes:
    """Everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(sent if isinstance(sent, bytes) else sent.encode())
        got = b""
        while part := connection.recv(65536):
            got += part
        return got


async def besiege(port: int, ask: Any) -> tuple[Any, int]:
    """What `ask` returned while SLOW clients were sending a byte now and then, and how many were open then."""
    writers = []
    for number in range(SLOW):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: " if number % 2 else b"G")
        writers.append(writer)

    async def trickle() -> None:
        while True:
            for writer in writers:
                if not writer.is_closing():
                    writer.write(b"a")
            await asyncio.sleep(0.5)

    trickling = asyncio.create_task(trickle())
    try:
        return await asyncio.to_thread(ask), sum(not writer.is_closing() for writer in writers)
    finally:
        trickling.cancel()
        for writer in writers:
            writer.transport.abort()


@pytest.mark.parametrize("connections", [2048, 200])
def test_a_thousand_slow_clients_do_not_keep_others_from_being_answered(connections: int) -> None:
    gateway = make_gateway(limits={"connections": connections, "header_seconds": 60})

    def ask() -> list[tuple[int, float]]:
        told = []
        for _ in range(5):
            begun = time.monotonic()
            answer = httpx.post(
                f"http://127.0.0.1:{port}/v1/chat/completions", json=CHAT, headers=AUTHORIZATION, timeout=20
            )
            told.append((answer.status_code, time.monotonic() - begun))
        return told

    with serving(gateway) as port:
        told, still_open = asyncio.run(besiege(port, ask))
    assert [status for status, _ in told] == [200] * 5
    assert max(seconds for _, seconds in told) < 10
    if connections > SLOW:
        assert still_open > SLOW * 0.9  # they were there while others were answered


def test_a_head_that_does_not_end_is_cut() -> None:
    with serving(make_gateway(limits={"header_seconds": 0.3, "idle_seconds": 1})) as port:
        for sent in (b"", b"G", b"GET /livez HTTP/1.1\r\nHost: x\r\n"):
            begun = time.monotonic()
            assert talk(port, sent) == b""
            assert time.monotonic() - begun < 8
        # Also of a second request, and of bytes that follow a refusal.
        first = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        assert talk(port, first + b"GET /li").startswith(b"HTTP/1.1 200")


def test_a_body_that_does_not_end_is_answered_with_408() -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n{KEY}Content-Type: application/json\r\n"
    with serving(make_gateway(limits={"body_seconds": 0.3})) as port:
        assert talk(port, head + "Content-Length: 100\r\n\r\n{").startswith(b"HTTP/1.1 408")
        assert talk(port, head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n").startswith(b"HTTP/1.1 408")


def test_a_body_is_not_waited_for_where_there_is_no_key() -> None:
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    with serving(make_gateway()) as port:
        told = talk(port, head)
    assert told.startswith(b"HTTP/1.1 401")
    assert b"connection: close" in told.lower() and b"server:" not in told.lower()


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    async def endless(request: Any) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65536

        return StreamingResponse(parts())

    gateway = make_gateway(limits={"write_seconds": 0.5})
    app = Guard(Starlette(routes=[Route("/v1/endless", endless)]), gateway)
    with serving(gateway, app) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(f"GET /v1/endless HTTP/1.1\r\nHost: x\r\n{KEY}\r\n".encode())
        until = time.monotonic() + 15
        while not gateway.figures.refusals and time.monotonic() < until:
            time.sleep(0.05)
    assert gateway.figures.refusals == [("/v1", 499, "slow_reader")]


@pytest.mark.parametrize("sent", [
    "POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    f"POST /v1/x HTTP/1.1\r\nHost: x\r\n{KEY}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /v1/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "GET /v1/x HTTP/1.1\r\n\r\n",
    "GET /v1/x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "GET /v1/x HTTP/1.1\r\nHost : x\r\n\r\n",
    "GET /v1/x HTTP/1.1\r\nHost: x\r\nA: b\r\n c\x00\r\n\r\n", "\x16\x03\x01\x02\x00", "GET\r\n\r\n",
    "GET /v1/x HTTP/1.1\r\nHost: x\r\nA: " + "a" * 40_000 + "\r\n\r\n",
])  # fmt: skip
def test_bad_framing_is_refused_and_the_connection_closed(port_of_all: int, sent: str) -> None:
    told = talk(port_of_all, sent.encode("latin-1"))
    assert told[9:12] in (b"400", b"401", b"431", b"501"), told[:80]
    assert told.count(b"HTTP/1.1 ") == 1
    assert httpx.get(f"http://127.0.0.1:{port_of_all}/livez").status_code == 200


@pytest.fixture(scope="module")
def port_of_all() -> Iterator[int]:
    with serving(make_gateway(limits={"header_seconds": 1, "idle_seconds": 1})) as port:
        yield port


def test_an_answer_that_outlives_the_drain_has_an_end() -> None:
    """uvicorn alone would cut it, with a traceback, and the client would wait for more."""
    cut_short = asyncio.Event()

    async def answer(request: Any) -> StreamingResponse:
        async def words() -> AsyncIterator[str]:
            yield "begun\n"
            await cut_short.wait()
            yield "shutting down\n"

        return StreamingResponse(words())

    async def drain() -> None:
        cut_short.set()

    server = Listener(listening(Starlette(routes=[Route("/", answer)]), Settings(port=0)), drain)

    async def work() -> list[str]:
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient() as client, client.stream("GET", f"http://127.0.0.1:{port}/") as response:
            lines = response.aiter_lines()
            got = [await anext(lines)]
            server.should_exit = True
            got += [line async for line in lines]
        await serving
        return got

    assert asyncio.run(asyncio.wait_for(work(), 5)) == ["begun", "shutting down"]
