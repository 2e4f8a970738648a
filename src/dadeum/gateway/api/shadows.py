"""Versions that answer unseen: after the visible answer, in the background, written down beside it for comparison."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from dadeum.core.errors import DadeumError
from dadeum.core.messages import text
from dadeum.gateway.api.admission import Visit, figures_of, shadow_visit
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.engine.work import Ask, Ended, Overloaded, Piece

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64
"""Beyond that a shadow is left out, which is counted: it must never slow what people see."""


class Shadows:
    """What runs behind the answers; one per application."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, of: Visit, asked: Callable[[Visit], Coroutine[Any, Any, Ask]], **fields: Any) -> None:
        """One answer of every shadow that traffic named; `asked` renders the request for another version."""
        self.follow(of, lambda model: _answer(of, model, asked, fields))

    def follow(self, of: Visit, work: Callable[[ServedModel], Coroutine[Any, Any, None]]) -> None:
        """`work` for every shadow that traffic named; it writes its own entry and lets no error out."""
        for model in of.assigned.shadows:
            if len(self._running) >= MOST_AT_ONCE:
                of.gateway.figures.refused(of.route, 503, "shadow")
                continue
            task = asyncio.create_task(work(model))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def done(self, seconds: float) -> None:
        """What is not ready by then is given up: nobody waits for it."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        for task in list(self._running):
            task.cancel()


async def _answer(
    of: Visit, model: ServedModel, asked: Callable[[Visit], Coroutine[Any, Any, Ask]], fields: dict[str, Any]
) -> None:
    visit = shadow_visit(of, model)
    try:
        answer, ended = await _whole(visit, await asked(visit))
        told = figures_of(ended) | fields | {"output_characters": len(answer), "answer": answer}
        await visit.record(visit.entry(ended.reason, shadow_of=of.request_id, **told))
    except (Fault, Overloaded, DadeumError) as error:
        visit.gateway.figures.refused(of.route, 503, "shadow")
        log.warning(text("gateway.api.shadow_failed", version=model.version, kind=type(error).__name__))


async def _whole(visit: Visit, ask: Ask) -> tuple[str, Ended]:
    said: list[str] = []
    async for item in visit.gateway.engine.submit(ask):
        if isinstance(item, Piece):
            said.append(item.text)
        else:
            return "".join(said), item
    return "".join(said), Ended("error", len(ask.prompt_ids), 0, detail="no end")
