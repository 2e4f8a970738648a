"""The models at a vLLM server: the same contract as in this process, so keys, limits, log and decisions stay ours.

Prompts go there as token ids that our renderer made: what was trained is what is served, whatever template lies there.
Decisions are read from the log probabilities of prompt tokens, because its decision routes know few architectures.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import numpy as np

from dadeum.core.errors import ModelError, first_line
from dadeum.core.examples import Turn
from dadeum.gateway.catalogue import Catalogue, ServedModel, served
from dadeum.gateway.engine.upstream import Failed, answer_pieces, body_of, choice_scores, unknown_there, upstream_name
from dadeum.gateway.engine.work import Ask, Ended, Overloaded, Piece, Stats
from dadeum.gateway.settings import Limits
from dadeum.models.render import Renderer, common_prefix, label_spans
from dadeum.models.seq2seq_render import load_renderer

_RETRY_S = 2.0
_CONNECT_S = 5.0


@dataclass
class _Room:
    """What is at the server now, by our own count: refusing here is cheaper than waiting there."""

    limits: Limits
    requests: int = 0
    tokens: int = 0
    closed: bool = False

    def enter(self, tokens: int) -> None:
        if self.closed:
            raise Overloaded("draining", self.limits.drain_seconds)
        if self.requests >= self.limits.waiting_requests:
            raise Overloaded("requests", _RETRY_S)
        if self.requests and self.tokens + tokens > self.limits.waiting_tokens:
            raise Overloaded("tokens", _RETRY_S)
        self.requests += 1
        self.tokens += tokens

    def leave(self, tokens: int) -> None:
        self.requests -= 1
        self.tokens -= tokens


class RemoteEngine:
    """`url` up to `/v1`. Adapters are called there by the version with `@` as `--`; `load` hands them over."""

    def __init__(
        self,
        catalogue: Catalogue,
        url: str,
        key_env: str,
        limits: Limits,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        key = os.environ.get(key_env, "")
        self.catalogue = catalogue
        self._room = _Room(limits)
        self._limits = limits
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(limits.request_seconds, connect=_CONNECT_S),
            transport=transport,
            follow_redirects=False,  # an address that was not configured is never called
        )
        self._renderers: dict[str, Renderer] = {}
        self._windows: dict[str, int] = {}

    # -- what is there ----------------------------------------------------------------------------
    async def start(self) -> None:
        """Ask what is served there, and hand over adapters that are not. ModelError where the server cannot be used."""
        there = await self._get("models")
        known = {str(one["id"]): one for one in there.get("data", [])}
        self._windows = {name: int(one["max_model_len"]) for name, one in known.items() if one.get("max_model_len")}
        for model in self.catalogue:
            if unknown := unknown_there(model):
                raise ModelError("gateway.upstream.unknown_writing", name=model.name, settings=", ".join(unknown))
            if upstream_name(model) in known or model.task == "retrieve":
                continue
            if model.weights is None:
                raise ModelError("gateway.upstream.no_base", base=model.recipe.model.base, known=", ".join(known))
            await self._hand_over(model)

    async def load(self, folder: str) -> ServedModel:
        model = await asyncio.to_thread(served, Path(folder))
        await self._hand_over(model)
        self.catalogue.add(model, leads=False)  # whoever asks for the name goes on with what he had
        return model

    async def unload(self, version: str) -> None:
        model = self.catalogue.models.get(version)
        if model is None:
            return
        self.catalogue.remove(version)
        await self._post("unload_lora_adapter", {"lora_name": upstream_name(model)})

    async def _hand_over(self, model: ServedModel) -> None:
        body = {"lora_name": upstream_name(model), "lora_path": str(model.weights)}
        await self._post("load_lora_adapter", body)

    # -- prompts ----------------------------------------------------------------------------------
    def _renderer(self, model: ServedModel) -> Renderer:
        if model.version not in self._renderers:
            renderer = load_renderer(model.recipe)
            if not isinstance(renderer, Renderer):
                raise ModelError("gateway.upstream.no_decoder", base=model.recipe.model.base)
            self._renderers[model.version] = renderer
        return self._renderers[model.version]

    def prompt_ids(self, model: ServedModel, turns: Sequence[Turn]) -> tuple[int, ...]:
        return tuple(self._renderer(model).prompt_ids(list(turns)))

    def text_ids(self, model: ServedModel, text: str) -> tuple[int, ...]:
        if model.task == "retrieve":
            from dadeum.gateway.engine import embedding

            return embedding.text_ids(model, text)
        control = self._renderer(model).control
        return tuple(control.encode(control.wrap("user", text)))

    def vocabulary(self, model: ServedModel) -> int:
        return len(self._renderer(model).tokenizer)

    def check_schema(self, model: ServedModel, json_schema: str) -> None:
        """Here too: what its own grammar refuses would be an answer that failed, not a request that was wrong."""
        from dadeum.gateway.engine.grammar import compiled

        renderer = self._renderer(model)
        compiled(json_schema, renderer.tokenizer, renderer.stop_ids, self.vocabulary(model), self._limits)

    def window(self, model: ServedModel) -> int:
        most = self._limits.prompt_tokens + self._limits.new_tokens
        if model.task == "retrieve":
            from dadeum.gateway.engine import embedding

            return embedding.reads(model) or most
        names = (upstream_name(model), model.recipe.model.base, model.parent or "")
        return next((self._windows[name] for name in names if name in self._windows), most)

    def answer_room(self, model: ServedModel, num_prompt: int) -> int:
        return self.window(model) - num_prompt

    # -- answers ----------------------------------------------------------------------------------
    async def submit(self, ask: Ask) -> AsyncIterator[Piece | Ended]:
        started, tokens = time.monotonic(), len(ask.prompt_ids) + ask.max_new_tokens
        self._room.enter(tokens)
        body = body_of(ask, self._renderer(ask.model).stop_ids)
        told, first = {"prompt": len(ask.prompt_ids), "new": 0, "cached": 0}, None
        reason: Literal["stop", "length", "timeout", "error"] = "error"
        detail = ""
        try:
            async with asyncio.timeout(ask.seconds), self._client.stream("POST", "completions", json=body) as response:
                await _refuse(response)
                async for piece, ended in answer_pieces(response.aiter_lines(), told):
                    first = first or time.monotonic() - started
                    reason = ended or reason
                    if piece:
                        yield piece
        except TimeoutError:
            reason = "timeout"
        except (httpx.HTTPError, Failed) as error:
            reason, detail = "error", first_line(error) or type(error).__name__
        finally:  # also where the caller leaves: closing the stream tells vLLM to stop
            self._room.leave(tokens)
        total = time.monotonic() - started
        yield Ended(reason, told["prompt"], told["new"], told["cached"], 0.0, first, total, detail)

    async def decide(
        self, model: ServedModel, prompts: Sequence[Sequence[Turn]], candidates: Sequence[Sequence[str]]
    ) -> list[np.ndarray]:
        renderer = self._renderer(model)
        pairs = zip(prompts, candidates, strict=True)
        return list(await asyncio.gather(*(self._one(model, renderer, turns, texts) for turns, texts in pairs)))

    async def _one(
        self, model: ServedModel, renderer: Renderer, turns: Sequence[Turn], texts: Sequence[str]
    ) -> np.ndarray:
        """As models/engines.Engine.score: the tokens that tell the candidates apart."""
        answers = [renderer.answer_ids(text) for text in texts]
        start = renderer.prompt_ids(list(turns)) + answers[0][: common_prefix(answers)]
        rows = [start + span for span in label_spans(renderer, list(texts))]
        self._room.enter(tokens := sum(map(len, rows)))
        try:
            found = [self._post("completions", _scoring(model, row)) for row in rows]
            return choice_scores(await asyncio.gather(*found), rows, len(start))
        except Failed as error:
            url = str(self._client.base_url)
            raise ModelError("gateway.upstream.failed", url=url, detail=first_line(error)) from error
        finally:
            self._room.leave(tokens)

    async def embed(self, model: ServedModel, texts: Sequence[str], kind: Literal["query", "chunk"]) -> np.ndarray:
        """Embedding models are small and stay in this process."""
        from dadeum.gateway.engine.embedding import embedded

        return await asyncio.to_thread(embedded, model, texts, kind)

    # -- the server -------------------------------------------------------------------------------
    def stats(self) -> Stats:
        return Stats(self._room.requests, 0, self._room.tokens, not self._room.closed)

    async def drain(self, seconds: float) -> None:
        self._room.closed = True
        until = time.monotonic() + seconds
        while self._room.requests and time.monotonic() < until:
            await asyncio.sleep(0.05)
        await self._client.aclose()

    async def _get(self, path: str) -> dict[str, Any]:
        return await self._called(self._client.get(path))

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._called(self._client.post(path, json=body))

    async def _called(self, call: Any) -> dict[str, Any]:
        try:
            response = await call
            await _refuse(response)
            # Adapters are loaded and unloaded with a plain sentence for an answer.
            is_json = response.headers.get("content-type", "").startswith("application/json")
            found: Any = response.json() if is_json else {}
        except (httpx.HTTPError, Failed, ValueError) as error:
            detail = first_line(error) or type(error).__name__
            raise ModelError("gateway.upstream.failed", url=str(self._client.base_url), detail=detail) from error
        return found if isinstance(found, dict) else {}


def _scoring(model: ServedModel, row: list[int]) -> dict[str, Any]:
    return {"model": upstream_name(model), "prompt": row, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}


async def _refuse(response: httpx.Response) -> None:
    """Overloaded for a full server, Failed with its own words for every other refusal."""
    if response.status_code in (429, 503):
        after = response.headers.get("retry-after", "")
        raise Overloaded("requests", float(after) if after.isdecimal() else _RETRY_S)
    if response.status_code >= 300:
        raise Failed(f"{response.status_code} {(await response.aread()).decode(errors='replace')[:300]}")
