"""The models in this process: one worker per set of weights, one door before all of them.

Runs on one base share its weights; a full-weight run and an adapter of another kind have weights of their own. Texts
become tokens in the caller's thread, everything that touches weights happens in a worker's.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dadeum.core.errors import ModelError
from dadeum.core.examples import Turn
from dadeum.core.messages import text
from dadeum.gateway.catalogue import Catalogue, ServedModel, served
from dadeum.gateway.engine import choosing as own_choosing
from dadeum.gateway.engine import embedding
from dadeum.gateway.engine.adapters import Held, shares, weights_key
from dadeum.gateway.engine.deciding import Decision
from dadeum.gateway.engine.grammar import compiled
from dadeum.gateway.engine.queue import Answer, Door, Ticket
from dadeum.gateway.engine.work import Ask, Ended, Piece, Stats
from dadeum.gateway.engine.worker import Worker
from dadeum.gateway.engine.writing import Voice
from dadeum.gateway.settings import Limits
from dadeum.models.seq2seq_render import load_renderer

log = logging.getLogger(__name__)

_LOOK_S = 0.02
"""How often draining looks whether everything has ended."""
_LEAVING_S = 2.0
"""For what is cancelled at the end of draining."""


class LocalEngine:
    """`await start()` loads what the catalogue names; ModelError where something of it cannot be loaded."""

    def __init__(self, catalogue: Catalogue, limits: Limits, choosing: Any = own_choosing) -> None:
        self.catalogue = catalogue
        self._limits = limits
        self._choosing = choosing
        self._door = Door(limits)
        self._workers: dict[str, Worker] = {}
        """By `weights_key`."""
        self._of: dict[str, Worker] = {}
        """By version."""
        self._voices: dict[str, Voice] = {}
        self._alike: dict[str, Voice] = {}
        """Versions that are written alike share a tokenizer."""
        self._rendering = threading.Lock()
        self._loading = threading.Lock()

    async def start(self) -> None:
        await asyncio.to_thread(self.open)

    def open(self) -> None:
        for model in self.catalogue:
            self._take(model)

    # -- what is there ------------------------------------------------------------------------------
    async def load(self, folder: str) -> ServedModel:
        model = await asyncio.to_thread(served, Path(folder))
        known = self.catalogue.models.get(model.version)
        if known is not None:
            return known
        num_adapters = sum(one.weights is not None for one in self.catalogue)
        if num_adapters >= self._limits.adapters:
            raise ModelError("gateway.engine.too_many", version=model.version, limit=self._limits.adapters)
        await asyncio.to_thread(self._take, model)
        self.catalogue.add(model, leads=False)  # whoever asks for the name goes on with what he had
        return model

    async def unload(self, version: str) -> None:
        self.catalogue.remove(version)
        worker = self._of.pop(version, None)
        if worker is None:
            return
        await asyncio.wrap_future(worker.leave(version))
        self._voices.pop(version, None)
        if worker not in self._of.values():
            worker.stop()
            self._workers = {key: one for key, one in self._workers.items() if one is not worker}

    def _take(self, model: ServedModel) -> None:
        """One at a time: two runs on a base that is not there yet must not both load it."""
        if model.task == "retrieve":  # loaded by the first text (embedding.py)
            return
        with self._loading:
            voice = self._voice(model)
            key = weights_key(model)
            worker = self._workers.get(key)
            if worker is None or worker.is_over:
                worker = self._worker(model)
            worker.ready.result()
            self._voices[model.version] = voice
            held = worker.held
            worker.do(lambda: held.add(model)).result()
            self._workers[key] = self._of[model.version] = worker

    def _worker(self, model: ServedModel) -> Worker:
        own = None if shares(model) else model.weights
        worker = Worker(lambda: Held(model.recipe, own), self._limits.running, self._door, self._voices, self._choosing)
        worker.start()
        return worker

    def _voice(self, model: ServedModel) -> Voice:
        recipe = model.recipe
        key = f"{weights_key(model)} {recipe.render.model_dump_json()}"
        if key not in self._alike:
            self._alike[key] = load_renderer(recipe)
        return self._alike[key]

    # -- prompts ------------------------------------------------------------------------------------
    def prompt_ids(self, model: ServedModel, turns: Sequence[Turn]) -> tuple[int, ...]:
        with self._rendering:
            return tuple(self._known(model).prompt_ids(list(turns)))

    def _known(self, model: ServedModel) -> Voice:
        voice = self._voices.get(model.version)
        if voice is None:
            raise ModelError("gateway.engine.not_loaded", version=model.version)
        return voice

    def text_ids(self, model: ServedModel, text: str) -> tuple[int, ...]:
        if model.task == "retrieve":
            return embedding.text_ids(model, text)
        with self._rendering:
            control = self._known(model).control
            return tuple(control.encode(control.wrap("user", text)))

    def vocabulary(self, model: ServedModel) -> int:
        self._known(model)
        return self._of[model.version].held.vocabulary_size

    def check_schema(self, model: ServedModel, json_schema: str) -> None:
        voice = self._known(model)
        compiled(json_schema, voice.tokenizer, voice.stop_ids, self.vocabulary(model), self._limits)

    def window(self, model: ServedModel) -> int:
        most = self._limits.prompt_tokens + self._limits.new_tokens
        if model.task == "retrieve":
            return embedding.reads(model) or most
        worker = self._of.get(model.version)
        if worker is None:
            return most
        config = worker.held.model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or most)

    def answer_room(self, model: ServedModel, num_prompt: int) -> int:
        window, worker = self.window(model), self._of.get(model.version)
        has_own = worker is not None and worker.held.is_seq2seq and num_prompt <= window
        return window if has_own else window - num_prompt

    # -- answers ------------------------------------------------------------------------------------
    def submit(self, ask: Ask) -> AsyncIterator[Piece | Ended]:
        worker = self._of.get(ask.model.version)
        if worker is None:
            raise ModelError("gateway.engine.not_loaded", version=ask.model.version)
        prompt, room = len(ask.prompt_ids), self.answer_room(ask.model, len(ask.prompt_ids))
        if room < 1 or not prompt:
            raise ModelError("gateway.engine.no_room", prompt=prompt, window=self.window(ask.model))
        ask = replace(ask, max_new_tokens=min(ask.max_new_tokens, room))
        ticket = Ticket(ask, asyncio.get_running_loop())
        self._door.enter(ticket.tokens)
        try:
            worker.submit(ticket)
        except ModelError:
            self._door.leave(ticket.tokens)
            raise
        return Answer(ticket)

    async def decide(
        self, model: ServedModel, prompts: Sequence[Sequence[Turn]], candidates: Sequence[Sequence[str]]
    ) -> list[np.ndarray]:
        worker = self._of.get(model.version)
        if worker is None:
            raise ModelError("gateway.engine.not_loaded", version=model.version)
        if worker.held.is_seq2seq:
            raise ModelError("models.seq2seq.no_decisions", base=model.recipe.model.base)
        ids = [list(self.prompt_ids(model, turns)) for turns in prompts]
        texts = [tuple(one) for one in candidates]
        decision = Decision(model.version, self._known(model), ids, texts)
        tokens = sum(map(len, ids))
        self._door.enter(tokens)
        try:
            worker.decide(decision)
            return await asyncio.wrap_future(decision.future)
        finally:
            self._door.leave(tokens)

    async def embed(self, model: ServedModel, texts: Sequence[str], kind: Literal["query", "chunk"]) -> np.ndarray:
        return await asyncio.to_thread(embedding.embedded, model, texts, kind)

    # -- the door -----------------------------------------------------------------------------------
    def stats(self) -> Stats:
        """`waiting_tokens` are those of all that wait or run, as asked for: what the limit of that name is about."""
        workers = set(self._workers.values())
        running = sum(worker.num_running for worker in workers)
        share = sum(worker.num_tokens for worker in workers) / self._limits.waiting_tokens
        accepting = not self._door.closed and not any(worker.died for worker in workers)
        waiting = max(0, self._door.requests - running)
        return Stats(running, waiting, self._door.tokens, accepting, min(share, 1.0))

    async def drain(self, seconds: float) -> None:
        self._door.closed = True
        loop = asyncio.get_running_loop()
        for until in (loop.time() + seconds, loop.time() + seconds + _LEAVING_S):
            while self._door.requests and loop.time() < until:
                await asyncio.sleep(_LOOK_S)
            if self._door.requests:
                log.warning(text("gateway.engine.cut_short", rows=self._door.requests))
                for worker in set(self._workers.values()):
                    worker.cut_short()
        for worker in set(self._workers.values()):
            worker.stop()
