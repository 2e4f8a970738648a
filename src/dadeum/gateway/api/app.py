"""create_app(gateway): every route under one envelope, one shape of refusals and one description (/openapi.json).

There are no pages with documentation: those of FastAPI load scripts from elsewhere, and a closed network has none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse

from dadeum.gateway.api import chat, completions, embeddings, models
from dadeum.gateway.api.admission import caller_of
from dadeum.gateway.api.described import REFUSALS, describe
from dadeum.gateway.api.errors import Envelope, install
from dadeum.gateway.api.shadows import Shadows
from dadeum.gateway.state import Gateway

_MORE = ("decisions", "systemone", "tasks", "feedback", "health", "experiments")
"""Modules beside this one that have a `router`."""
_OPEN = ("/livez", "/readyz")


def create_app(gateway: Gateway, more: Sequence[APIRouter] = ()) -> FastAPI:
    """The whole API; `more` are routers that need something of their own (a folder that models may be loaded from)."""
    app = FastAPI(
        title="dadeum", version="1", openapi_url=None, docs_url=None, redoc_url=None, lifespan=_lifespan,
        generate_unique_id_function=_operation_id, redirect_slashes=False,
    )  # fmt: skip
    app.state.gateway = gateway
    app.state.shadows = Shadows()
    install(app)
    for router in [one.router for one in (chat, completions, embeddings, models)] + [*_found(), *more]:
        app.include_router(router, responses=REFUSALS)
    app.add_api_route("/openapi.json", _openapi, include_in_schema=False)
    app.openapi = partial(describe, app, _OPEN)  # type: ignore[method-assign]
    _guard(app, gateway)
    app.add_middleware(Envelope, new_id=gateway.new_id)
    return app


def _found() -> list[APIRouter]:
    there = (f"dadeum.gateway.api.{name}" for name in _MORE)
    return [import_module(name).router for name in there if find_spec(name)]


def _guard(app: FastAPI, gateway: Gateway) -> None:
    """In front of every route, those that do not exist included; behind the envelope, which names the request."""
    if find_spec("dadeum.gateway.api.guard"):
        app.add_middleware(import_module("dadeum.gateway.api.guard").Guard, gateway=gateway)


async def _openapi(request: Request) -> JSONResponse:
    caller_of(request, scope=None)
    return JSONResponse(request.app.openapi())


def _operation_id(route: APIRoute) -> str:
    return route.name


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """At the end what runs is finished, as long as the settings allow."""
    yield {}
    gateway: Gateway = app.state.gateway
    seconds = gateway.settings.limits.drain_seconds
    await gateway.engine.drain(seconds)
    await app.state.shadows.done(1.0)
