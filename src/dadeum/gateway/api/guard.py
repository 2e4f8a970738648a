"""In front of every route, those that nobody wrote included: host, key, scope, and a body that is small and on time.

Deny by default: a path asks for a key unless it stands in OPEN. A body is read to its end before a route sees it, so
no slow client holds a route; answers pass through as they come, each piece with a deadline. There is no CORS: OPTIONS
is refused like everything else, and a body must be JSON, so no page of somebody else's can make a browser ask.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dadeum.gateway.api.bodies import check_json
from dadeum.gateway.api.errors import language_of, refusal
from dadeum.gateway.api.faults import CLIENT_GONE, Fault
from dadeum.gateway.state import Gateway

OPEN = ("/livez", "/readyz")
"""For GET and HEAD, by exactly this path."""
SCOPE_OF = (
    ("/v1/admin", "admin"),
    ("/v1/experiments", "admin"),
    ("/v1/feedback", "feedback"),
    ("/v1/votes", "feedback"),
    ("/v1", "infer"),
    ("/metrics", "metrics"),
    ("/monitor", "metrics"),
    ("/health", None),
    ("/openapi.json", None),
)
"""The first that a path lies under, and what its key must be allowed; None: nothing in particular.

A path that lies under none of them is never asked for: 404, also where a route was added and forgotten here.
"""
_OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")
_SECURE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
_LARGE = 65_536
"""Bytes from which a body is checked beside the loop, which others wait for."""
_SHOWN = 200


class SlowReader(OSError):
    """The client left an answer unread for too long; an OSError, because that is what a lost connection is."""


def part_of(path: str) -> tuple[str, str | None] | None:
    """The row of SCOPE_OF that a path lies under."""
    return next((row for row in SCOPE_OF if path == row[0] or path.startswith(f"{row[0]}/")), None)


class Guard:
    """Plain ASGI: middleware that gathers an answer before it passes it on would end streaming."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway
        self._limits = gateway.settings.limits
        # Without a key, a page whose name was pointed at this machine could ask: its name gives it away.
        own = () if gateway.settings.require_key else (*_OWN_NAMES, gateway.settings.host)
        self._hosts = frozenset(host.lower() for host in gateway.settings.hosts or own)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        secured = self._secured(send)
        try:
            try:
                body = await self._let_in(scope, receive)
            except Fault as fault:
                await self._refuse(scope, fault, secured)
            else:
                await self._app(scope, _again(body, receive), secured)
        except ClientDisconnect:
            self._count(scope, CLIENT_GONE, "client_gone")
        except SlowReader:
            self._count(scope, CLIENT_GONE, "slow_reader")

    # -- letting in ---------------------------------------------------------------------------
    async def _let_in(self, scope: Scope, receive: Receive) -> bytes:
        headers = Headers(scope=scope)
        is_open = scope["path"] in OPEN and scope["method"] in ("GET", "HEAD")
        if not is_open:
            self._check_host(headers)
            self._check_key(scope, headers)
        declared = _declared_length(headers)
        if declared is not None and declared > self._limits.body_bytes:
            raise Fault(413, "gateway.api.too_large", code="body_too_large")
        body = await self._read(receive)
        if body:
            await _check_body(headers, body)
        return body

    def _check_host(self, headers: Headers) -> None:
        if self._hosts and _without_port(headers.get("host", "")) not in self._hosts:
            raise Fault(400, "gateway.safety.bad_host", code="bad_host")

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        written = headers.getlist("authorization")
        caller = self._gateway.keys.caller(written[0] if len(written) == 1 else None)
        if caller is None:
            raise Fault(401, "gateway.api.no_key", code="invalid_api_key")
        part = part_of(scope["path"])
        if part is None:
            raise Fault(404, "gateway.api.no_route", code="no_route", path=scope["path"][:_SHOWN])
        if part[1] is not None and part[1] not in caller.scopes:
            raise Fault(403, "gateway.api.no_scope", code="missing_scope", scope=part[1])
        scope.setdefault("state", {})["caller"] = caller

    async def _read(self, receive: Receive) -> bytes:
        """The whole body, counted while it comes: chunked bodies do not say how long they are."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._limits.body_bytes:
                        raise Fault(413, "gateway.api.too_large", code="body_too_large")
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise Fault(408, "gateway.safety.slow_body", code="slow_body", seconds=self._limits.body_seconds) from None

    # -- answering ----------------------------------------------------------------------------
    def _secured(self, send: Send) -> Send:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                _secure(MutableHeaders(scope=message))
            try:
                async with asyncio.timeout(self._limits.write_seconds):
                    await send(message)
            except TimeoutError:
                raise SlowReader from None

        return secured

    async def _refuse(self, scope: Scope, fault: Fault, send: Send) -> None:
        self._count(scope, fault.status, fault.code)
        response = refusal(fault, language_of(Headers(scope=scope)))
        response.headers["connection"] = "close"  # the rest of the body is not read
        await response(scope, _nothing, send)

    def _count(self, scope: Scope, status: int, reason: str) -> None:
        # The part of the table that it lies under: what somebody asked for freely is no label.
        part = part_of(scope["path"])
        self._gateway.figures.refused(part[0] if part else "", status, reason)


async def _check_body(headers: Headers, body: bytes) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    if not is_json or headers.get("content-encoding", "identity").lower() != "identity":
        raise Fault(415, "gateway.api.not_json", code="not_json")
    if len(body) >= _LARGE:
        await asyncio.to_thread(check_json, body)
    else:
        check_json(body)


def _declared_length(headers: Headers) -> int | None:
    """None where none is declared. A body of two lengths is one thing here and another at a proxy: refused."""
    lengths = headers.getlist("content-length")
    if lengths and (len(lengths) > 1 or "transfer-encoding" in headers or not _is_count(lengths[0])):
        raise Fault(400, "gateway.safety.two_lengths", code="bad_request")
    return int(lengths[0]) if lengths else None


def _is_count(written: str) -> bool:
    return written.isascii() and written.isdigit() and len(written) <= 18


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() and not host.endswith("]") else host.lower()


def _secure(headers: MutableHeaders) -> None:
    for name in [name for name in headers if name.startswith("access-control-")]:
        del headers[name]
    for name, value in _SECURE.items():
        headers.setdefault(name, value)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was read, and then whatever comes (the client leaving)."""
    is_told = False

    async def told() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return told


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
