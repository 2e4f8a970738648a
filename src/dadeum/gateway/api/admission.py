"""Letting a request in and writing it down: who asks, which version answers, what it may cost, how it ended.

Answered means written down: `Visit.record` returns when the log has the request, and a log that fails is a refusal.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from fastapi import Request

from dadeum.core.errors import DadeumError
from dadeum.core.messages import text
from dadeum.gateway.api.errors import request_id_of
from dadeum.gateway.api.faults import CLIENT_GONE, Fault
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.engine.work import Ended
from dadeum.gateway.state import Assigned, Caller, Gateway, gateway_of
from dadeum.gateway.store.entries import Entry

log = logging.getLogger(__name__)
Found = TypeVar("Found")

_STATUS = {"stop": 200, "length": 200, "cancelled": CLIENT_GONE, "timeout": 504, "error": 500}
# Reading and splitting texts is work for a core: one at a time, so that a hundred long prompts starve nobody.
_READERS = ThreadPoolExecutor(1, thread_name_prefix="dadeum-prompts")
_WRITERS = ThreadPoolExecutor(16, thread_name_prefix="dadeum-log")


@dataclass(frozen=True)
class Visit:
    """One request that was let in."""

    gateway: Gateway
    request_id: str
    arrived: datetime
    started: float
    """Monotonic clock."""
    caller: Caller
    route: str
    asked: str
    """Model as the request named it."""
    user: str
    """Hashed."""
    assigned: Assigned

    @property
    def model(self) -> ServedModel:
        return self.assigned.model

    @property
    def headers(self) -> dict[str, str]:
        """Of the response: which version answered."""
        return {"x-dadeum-model": self.model.version}

    def seconds_left(self) -> float:
        return max(0.0, self.gateway.settings.limits.request_seconds - (time.monotonic() - self.started))

    def charge(self, tokens: int) -> None:
        """429 where the key's rate does not allow it now."""
        wait = self.gateway.keys.admit(self.caller, tokens)
        if wait > 0:
            raise Fault(429, "gateway.api.too_fast", code="rate_limit_exceeded", retry_after=wait)

    def entry(self, reason: str, status: int | None = None, **fields: Any) -> Entry:
        """What the log is to hold; `status` follows from the reason where it is not given."""
        told: dict[str, Any] = {
            "experiment": self.assigned.experiment,
            "variant": self.assigned.variant,
            "total_s": time.monotonic() - self.started,
        }
        return Entry(
            request_id=self.request_id, time=self.arrived, route=self.route, key_id=self.caller.key_id, user=self.user,
            model=self.asked, version=self.model.version, task=self.model.task,
            status=_STATUS.get(reason, 200) if status is None else status, reason=reason, **(told | fields),
        )  # fmt: skip

    async def record(self, entry: Entry) -> None:
        """Written down when it returns; 503 where it cannot be."""
        try:
            await in_thread(_WRITERS, self.gateway.store.record, entry)
        except (DadeumError, OSError) as error:
            log.error(text("gateway.api.log_failed", id=entry.request_id, kind=type(error).__name__))
            raise Fault(503, "gateway.api.not_written", code="log_unavailable", retry_after=5.0) from error
        self.gateway.figures.request(entry)

    async def read(self, work: Callable[..., Found], *given: Any) -> Found:
        """Work on a text that takes a core, off the event loop."""
        return await in_thread(_READERS, work, *given)


async def in_thread(pool: ThreadPoolExecutor, work: Callable[..., Found], *given: Any) -> Found:
    return await asyncio.get_running_loop().run_in_executor(pool, work, *given)


def figures_of(ended: Ended) -> dict[str, Any]:
    """Of an Ended, what Entry has too."""
    return {
        "prompt_tokens": ended.prompt_tokens, "new_tokens": ended.new_tokens, "cached_tokens": ended.cached_tokens,
        "waited_s": ended.waited_s, "first_token_s": ended.first_token_s, "total_s": ended.total_s,
    }  # fmt: skip


def caller_of(request: Request, scope: str | None = "infer") -> Caller:
    """Who asks: as the guard found, or looked up here where none stands in front. 401, or 403 without the scope."""
    gateway = gateway_of(request)
    caller: Caller | None = request.scope.get("state", {}).get("caller")
    if caller is None:
        caller = gateway.keys.caller(request.headers.get("authorization"))
    if caller is None:
        raise Fault(401, "gateway.api.no_key", code="invalid_api_key")
    if scope is not None and scope not in caller.scopes:
        raise Fault(403, "gateway.api.no_scope", code="missing_scope", scope=scope)
    return caller


def visit(request: Request, asked: str, user: str | None = None) -> Visit:
    """Let in under the version that traffic gives it; 404 for a model that is not served, with the nearest name."""
    gateway = gateway_of(request)
    caller = caller_of(request)
    hashed = gateway.hash_user(user) if user else ""
    assigned = gateway.traffic.assign(asked, hashed)
    if assigned is None:
        raise unknown_model(gateway, asked)
    return Visit(
        gateway, request_id_of(request.scope), datetime.now(UTC), time.monotonic(), caller,
        getattr(request.scope.get("route"), "path", request.url.path), asked, hashed, assigned,
    )  # fmt: skip


def shadow_visit(of: Visit, model: ServedModel) -> Visit:
    """The same request to a version that nobody sees."""
    assigned = replace(of.assigned, model=model, variant="shadow", shadows=())
    started, now = time.monotonic(), datetime.now(UTC)
    return replace(of, request_id=of.gateway.new_id(), arrived=now, started=started, assigned=assigned)


def unknown_model(gateway: Gateway, asked: str) -> Fault:
    names = gateway.engine.catalogue.names()
    near = difflib.get_close_matches(asked, [*names, *gateway.engine.catalogue.aliases], n=1, cutoff=0.5)
    key = "gateway.api.unknown_model_near" if near else "gateway.api.unknown_model"
    known = ", ".join(names) or "-"
    return Fault(404, key, "model", code="model_not_found", name=asked[:200], known=known, near=", ".join(near))
