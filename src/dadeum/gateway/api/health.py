"""Whether the process lives, whether it can be served now and if not why, and the figures for Prometheus."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from dadeum.core.messages import Message, text
from dadeum.gateway.api.errors import language_of
from dadeum.gateway.state import Gateway, gateway_of

router = APIRouter()
_FRESH_S = 1.0
"""Anybody may ask /readyz, and asking the log is a write: it is asked once in this time, however many ask."""


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})
    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether requests can be answered now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"status": "ready", "reasons": []},
                {"status": "not_ready", "reasons": [text("gateway.safety.engine_closed", "ko")]},
            ]
        }
    )
    status: Literal["ready", "not_ready"]
    reasons: Annotated[list[str], Field(description="Why not, in words.")]


class Readiness:
    """Engine, log and `gateway.checks`, asked at most once in `_FRESH_S` seconds."""

    def __init__(self) -> None:
        self._reasons: list[Message] = []
        self._asked = -_FRESH_S
        self._lock = asyncio.Lock()

    async def reasons(self, gateway: Gateway) -> list[Message]:
        async with self._lock:
            if time.monotonic() - self._asked >= _FRESH_S:
                self._reasons = await asyncio.to_thread(_reasons, gateway)
                self._asked = time.monotonic()
            return self._reasons


def _reasons(gateway: Gateway) -> list[Message]:
    found: list[Message | None] = []
    if not gateway.engine.stats().accepting:
        found.append(Message("gateway.safety.engine_closed"))
    if not gateway.store.ready():
        found.append(Message("gateway.safety.log_closed"))
    found += [check() for check in gateway.checks]
    return [reason for reason in found if reason is not None]


@router.get("/livez", response_model=Alive, summary="Liveness")
async def livez() -> Alive:
    """Answers as long as the process does; needs no key."""
    return Alive()


@router.head("/livez", include_in_schema=False)
async def livez_head() -> Response:
    return Response()


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready}}, summary="Readiness")
async def readyz(request: Request) -> JSONResponse:
    """200 where the engine takes requests, the log can be written and the deploy check passed; else 503 and why."""
    state = request.app.state
    if not hasattr(state, "readiness"):
        state.readiness = Readiness()
    reasons = await state.readiness.reasons(gateway_of(request))
    language = language_of(request.headers)
    told = Ready(
        status="not_ready" if reasons else "ready", reasons=[text(one.key, language, **one.values) for one in reasons]
    )
    return JSONResponse(told.model_dump(), 503 if reasons else 200)


@router.head("/readyz", include_in_schema=False)
async def readyz_head(request: Request) -> Response:
    return Response(status_code=(await readyz(request)).status_code)


@router.get("/health", response_model=Ready, responses={503: {"model": Ready}}, summary="Readiness, with a key")
async def health(request: Request) -> JSONResponse:
    """The same as /readyz, under the name that vLLM has for it."""
    return await readyz(request)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}, summary="Figures")
async def metrics(request: Request) -> Response:
    """For Prometheus; a key with the scope `metrics`."""
    content, kind = await asyncio.to_thread(gateway_of(request).figures.page)
    return Response(content, media_type=kind)
