"""Every refusal in one shape, OpenAI's: {"error": {"message", "type", "param", "code"}}, in the caller's language.

A route raises `Fault`; what the framework refuses (404, 405, a body that does not fit) takes the same shape here.
`Envelope` stands outermost: it names the request, and what nobody foresaw leaves as a 500 without a word of the prompt.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dadeum.core.errors import DadeumError, DataError, MissingExtra, RecipeError
from dadeum.core.messages import current_language, text
from dadeum.gateway.api.complaints import fault_of_body
from dadeum.gateway.api.faults import CLIENT_GONE, Fault, of_overload
from dadeum.gateway.engine.work import Overloaded

log = logging.getLogger(__name__)

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_OF_FRAMEWORK = {
    400: ("gateway.api.bad_body", "bad_body"),
    404: ("gateway.api.no_route", "no_route"),
    405: ("gateway.api.wrong_method", "wrong_method"),
    413: ("gateway.api.too_large", "body_too_large"),
    415: ("gateway.api.not_json", "not_json"),
}


def shape_of(fault: Fault, language: str) -> dict[str, Any]:
    """The body of the refusal."""
    kind = "server_error" if fault.status >= 500 else _TYPES.get(fault.status, "invalid_request_error")
    said = {"message": fault.in_language(language), "type": kind, "param": fault.param, "code": fault.code}
    return {"error": said}


def refusal(fault: Fault, language: str) -> Response:
    """The whole answer; it can be called as an ASGI application."""
    headers = {}
    if fault.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(fault.retry_after + 0.5)))
    if fault.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(shape_of(fault, language), fault.status, headers)


def language_of(headers: Headers) -> str:
    """`ko` or `en`, whichever Accept-Language likes better; where it names neither, the server's own."""
    liked: dict[str, float] = {}
    for part in headers.get("accept-language", "").split(","):
        tag, _, weight = part.strip().lower().partition(";")
        if (found := tag.strip().split("-")[0]) in ("ko", "en"):
            liked[found] = max(liked.get(found, 0.0), _weight(weight))
    liked = {language: weight for language, weight in liked.items() if weight > 0}
    return max(liked, key=lambda one: liked[one]) if liked else current_language()


def _weight(written: str) -> float:
    name, _, value = written.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


def fault_of(error: BaseException) -> Fault:
    """What a route let through, as a refusal; what is no fault of the caller's is logged and told without details."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, Overloaded):
        return of_overload(error)
    if isinstance(error, MissingExtra):
        return Fault.of(error, 501)
    if isinstance(error, DataError | RecipeError):
        return Fault.of(error, 400)
    return Fault(500, "gateway.api.failed", code="internal_error")


# -- at the application ---------------------------------------------------------------------------
def install(app: FastAPI) -> None:
    """One shape for whatever is raised below."""
    app.add_exception_handler(Fault, _refused)
    app.add_exception_handler(Overloaded, _refused)
    app.add_exception_handler(DadeumError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _body)


async def _refused(request: Request, error: Exception) -> Response:
    fault = fault_of(error)
    if fault.status == HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, Fault):
        tell(error, request_id_of(request.scope))
    return _counted(request, fault)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    key, code = _OF_FRAMEWORK.get(error.status_code, ("gateway.api.failed", "http_error"))
    fault = Fault(error.status_code, key, code=code, path=request.url.path, method=request.method)
    response = _counted(request, fault)
    for name in ("allow", "Allow"):
        if error.headers and name in error.headers:
            response.headers["Allow"] = error.headers[name]
    return response


async def _body(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method != "GET" and kind != "application/json" and not kind.endswith("+json"):
        return _counted(request, Fault(415, "gateway.api.not_json", code="not_json"))
    return _counted(request, fault_of_body(error.errors()))


def _counted(request: Request, fault: Fault) -> Response:
    route = getattr(request.scope.get("route"), "path", "")
    request.app.state.gateway.figures.refused(route, fault.status, fault.code)
    return refusal(fault, language_of(request.headers))


# -- outermost ------------------------------------------------------------------------------------
def request_id_of(scope: MutableMapping[str, Any]) -> str:
    return str(scope.get("state", {}).get("request_id", ""))


class Envelope:
    """Names every request (x-request-id) and keeps what went wrong inside."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        has_begun = False

        async def named(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, named)
        except Exception as error:  # the one place that answers for whatever nobody foresaw
            tell(error, request_id)
            if not has_begun:
                await refusal(fault_of(error), language_of(Headers(scope=scope)))(scope, receive, named)


def tell(error: BaseException, request_id: str) -> None:
    """Into the log: where it happened and of what kind, not what it says, which may quote the prompt."""
    frames = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
    log.error(text("gateway.api.unforeseen", id=request_id, kind=type(error).__name__, frames=frames))


__all__ = [
    "CLIENT_GONE", "Envelope", "Fault", "fault_of", "install", "language_of", "refusal", "request_id_of", "shape_of",
    "tell",
]  # fmt: skip
