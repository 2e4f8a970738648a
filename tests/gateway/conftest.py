"""A gateway without weights: an engine that answers from a script, a log in memory, keys for everybody."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from dadeum.core.examples import Turn
from dadeum.core.recipe import Recipe
from dadeum.gateway.catalogue import Catalogue, ServedModel
from dadeum.gateway.engine.work import Ask, Ended, Overloaded, Piece, Sampling, Stats, TokenLogprob
from dadeum.gateway.settings import Limits, Settings
from dadeum.gateway.state import Assigned, Caller, Gateway
from dadeum.gateway.store.entries import Entry, Feedback

KEY = "dk_test"
AUTHORIZATION = {"Authorization": f"Bearer {KEY}"}
EVERY_SCOPE = frozenset({"infer", "feedback", "admin", "metrics"})
ANSWER = "안녕하세요. 무엇을 도와드릴까요?"


# -- models ---------------------------------------------------------------------------------------
def recipe_of(task: dict[str, Any], name: str = "tiny", **changes: Any) -> Recipe:
    raw: dict[str, Any] = {
        "name": name,
        "task": task,
        "model": {"base": "tiny-base", "adapter": {"type": "lora", "r": 4, "alpha": 8}, "precision": "fp32"},
        "data": {"sources": [{"path": "unused.csv"}]},
        "stages": [{"name": "sft", "method": "sft", "epochs": 1, "batch_size": 4, "learning_rate": 1e-3}],
    }
    return Recipe.model_validate(raw | changes)


CHAT: dict[str, Any] = {"type": "chat", "instruction": "친절하게 답하세요."}
DECIDE: dict[str, Any] = {
    "type": "decide", "instruction": "Is this mail spam? Answer BLOCK or ALLOW as JSON.",
    "labels": ["BLOCK", "ALLOW"], "input_fields": ["subject"],
}  # fmt: skip
RETRIEVE: dict[str, Any] = {"type": "retrieve", "query_prefix": "query: ", "chunk_prefix": "passage: "}
FINDER: dict[str, Any] = {
    "data": {"sources": [{"path": "unused.csv"}], "corpus": {"sources": ["unused"]}},
    "stages": [{"name": "contrastive", "method": "contrastive", "matryoshka": [2]}],
}  # fmt: skip
"""Sections of a recipe of task `retrieve`."""


def model_of(recipe: Recipe, digest: str = "0123456789ab", folder: Path | None = None) -> ServedModel:
    """As if a run had trained it; `weights` is never read by the fakes."""
    where = folder or Path("runs") / recipe.name
    return ServedModel(recipe.name, f"{recipe.name}@{digest}", recipe, where, where / "adapter", "tiny-base")


def catalogue_of_tasks() -> Catalogue:
    """`counsel` (chat, two versions, champion and challenger), `mail` (decide), and their base."""
    counsel = recipe_of(CHAT, "counsel")
    found = Catalogue()
    found.add(ServedModel("tiny-base", "tiny-base", counsel, None, None, None))
    found.add(model_of(counsel, "bbbbbbbbbbbb"))
    found.add(model_of(counsel, "aaaaaaaaaaaa"))
    found.add(model_of(recipe_of(DECIDE, "mail"), "cccccccccccc"))
    found.point("counsel", "champion", "counsel@aaaaaaaaaaaa")
    found.point("counsel", "challenger", "counsel@bbbbbbbbbbbb")
    return found


# -- fakes ----------------------------------------------------------------------------------------
class FakeEngine:
    """Every syllable is a token; the prompt is one token per character. What it was asked stands in `asked`."""

    def __init__(self, catalogue: Catalogue | None = None, answer: str | Callable[[Ask], str] = ANSWER) -> None:
        self.catalogue = catalogue or catalogue_of_tasks()
        self.answer = answer
        self.asked: list[Ask] = []
        self.decided: list[tuple[ServedModel, list[list[Turn]], list[list[str]]]] = []
        self.prompts: list[tuple[ServedModel, list[Turn]]] = []
        self.cancelled: list[str] = []
        self.full: Overloaded | None = None
        """Raised for every request while it is set."""
        self.seconds_per_token = 0.0
        self.ends: Literal["stop", "length", "cancelled", "timeout", "error"] = "stop"
        self.size = 4096
        self.two_windows = False
        """As an encoder-decoder has them."""
        self.draining = False
        self.scores: Callable[[Sequence[Turn], Sequence[str]], Sequence[float]] = lambda turns, texts: [
            1.0 / (number + 1) for number in range(len(texts))
        ]
        """Weights of the candidates of one prompt; made probabilities here."""

    async def submit(self, ask: Ask) -> AsyncIterator[Piece | Ended]:
        if self.full:
            raise self.full
        self.asked.append(ask)
        text = self.answer if isinstance(self.answer, str) else self.answer(ask)
        new, reason, started = 0, self.ends, time.monotonic()
        cut = min((at for stop in ask.sampling.stops if (at := text.find(stop)) >= 0), default=len(text))
        try:
            for character in text[:cut]:
                if new == ask.max_new_tokens:
                    reason = "length"
                    break
                await asyncio.sleep(self.seconds_per_token)
                if ask.seconds is not None and time.monotonic() - started > ask.seconds:
                    reason = "timeout"
                    break
                new += 1
                yield Piece(character, 1, _logprobs(character, ask.sampling))
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.append(ask.id)
            raise
        yield Ended(reason, len(ask.prompt_ids), new, 0, 0.0, 0.001, time.monotonic() - started, "scripted")

    async def decide(
        self, model: ServedModel, prompts: Sequence[Sequence[Turn]], candidates: Sequence[Sequence[str]]
    ) -> list[np.ndarray]:
        if self.full:
            raise self.full
        self.decided.append((model, [list(turns) for turns in prompts], [list(texts) for texts in candidates]))
        found = []
        for turns, texts in zip(prompts, candidates, strict=True):
            weights = np.asarray(self.scores(turns, texts), dtype=float)
            found.append(np.log(weights / weights.sum()))
        return found

    async def embed(self, model: ServedModel, texts: Sequence[str], kind: Literal["query", "chunk"]) -> np.ndarray:
        rows = np.asarray([[len(text) + 1.0, float(kind == "chunk"), 1.0, 0.5] for text in texts], dtype=np.float32)
        unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def prompt_ids(self, model: ServedModel, turns: Sequence[Turn]) -> tuple[int, ...]:
        self.prompts.append((model, list(turns)))
        return tuple(ord(character) for turn in turns for character in turn["content"]) or (0,)

    def text_ids(self, model: ServedModel, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text)) or (0,)

    def vocabulary(self, model: ServedModel) -> int:
        return 0x110000

    def check_schema(self, model: ServedModel, json_schema: str) -> None:
        """By shape and size only: there is no vocabulary."""
        from dadeum.gateway.engine.grammar import checked

        checked(json_schema, Limits())

    def window(self, model: ServedModel) -> int:
        return self.size

    def answer_room(self, model: ServedModel, num_prompt: int) -> int:
        return self.size if self.two_windows and num_prompt <= self.size else self.size - num_prompt

    async def load(self, folder: str) -> ServedModel:
        model = model_of(recipe_of(CHAT, Path(folder).name), "dddddddddddd", Path(folder))
        self.catalogue.add(model)
        return model

    async def unload(self, version: str) -> None:
        self.catalogue.remove(version)

    def stats(self) -> Stats:
        return Stats(0, 0, 0, accepting=not self.draining)

    async def drain(self, seconds: float) -> None:
        self.draining = True


def _logprobs(character: str, sampling: Sampling) -> tuple[TokenLogprob, ...]:
    if sampling.logprobs is None:
        return ()
    other = tuple((f"{number}", (48 + number,), -2.0 - number) for number in range(max(0, sampling.logprobs - 1)))
    own = (character, tuple(character.encode()), -0.25)
    return (TokenLogprob(*own, top=(own, *other)[: sampling.logprobs]),)


class MemoryStore:
    """Everything in lists; `broken` makes every write fail as a full disk does."""

    def __init__(self) -> None:
        self.written: list[Entry] = []
        self.said: list[Feedback] = []
        self.broken = False
        self.closed = False

    def record(self, entry: Entry) -> None:
        if self.broken:
            raise OSError(28, "No space left on device")
        self.written.append(entry)

    def say(self, feedback: Feedback) -> bool:
        if all(entry.request_id != feedback.request_id for entry in self.written):
            return False
        self.said.append(feedback)
        return True

    def find(self, request_id: str) -> Entry | None:
        return next((entry for entry in self.written if entry.request_id == request_id), None)

    def entries(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[Entry]:
        for entry in sorted(self.written, key=lambda one: (one.time, one.request_id)):
            if (since is None or entry.time >= since) and (until is None or entry.time < until):
                yield entry

    def feedback(self, request_ids: Sequence[str] | None = None) -> Iterator[Feedback]:
        yield from (one for one in self.said if request_ids is None or one.request_id in set(request_ids))

    def ready(self) -> bool:
        return not self.broken

    def forget(self, user: str) -> int:
        kept = [entry for entry in self.written if entry.user != user]
        gone = len(self.written) - len(kept)
        self.written = kept
        return gone

    def close(self) -> None:
        self.closed = True


@dataclasses.dataclass
class OpenKeys:
    """One key, `dk_test`, with every scope."""

    scopes: frozenset[str] = EVERY_SCOPE
    wait: float = 0.0
    """Seconds that `admit` tells to wait."""
    charged: list[int] = dataclasses.field(default_factory=list)

    def caller(self, authorization: str | None) -> Caller | None:
        return Caller("dk_te", self.scopes) if authorization == f"Bearer {KEY}" else None

    def admit(self, caller: Caller, tokens: int) -> float:
        self.charged.append(tokens)
        return self.wait


@dataclasses.dataclass
class PlainTraffic:
    """The newest version of the name; `shadows` answer too."""

    catalogue: Catalogue
    shadows: tuple[ServedModel, ...] = ()

    def assign(self, asked: str, user: str) -> Assigned | None:
        model = self.catalogue.find(asked)
        return Assigned(model, shadows=self.shadows) if model else None


class NoFigures:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.requests: list[Entry] = []
        self.refusals: list[tuple[str, int, str]] = []

    def request(self, entry: Entry) -> None:
        self.requests.append(entry)

    def refused(self, route: str, status: int, reason: str) -> None:
        self.refusals.append((route, status, reason))

    def page(self) -> tuple[bytes, str]:
        return b"", "text/plain; version=0.0.4"


def make_gateway(**changes: Any) -> Gateway:
    """Fakes everywhere; `changes` replace parts of the Gateway, `limits` a dict of those."""
    numbers = itertools.count(1)
    limits = Limits.model_validate(changes.pop("limits", {}))
    engine = changes.pop("engine", None) or FakeEngine()
    parts: dict[str, Any] = {
        "settings": Settings(limits=limits),
        "engine": engine,
        "store": MemoryStore(),
        "keys": OpenKeys(),
        "traffic": PlainTraffic(engine.catalogue),
        "figures": NoFigures(),
        "new_id": lambda: f"req-{next(numbers):06d}",
        "hash_user": lambda user: f"hash-{user}" if user else "",
    }
    return Gateway(**(parts | changes))


# -- clients --------------------------------------------------------------------------------------
def client(gateway: Gateway, **headers: str) -> Any:
    """starlette's TestClient with the key; `raise_server_exceptions` off: a 500 is looked at as a 500."""
    from starlette.testclient import TestClient

    from dadeum.gateway.api.app import create_app

    return TestClient(create_app(gateway), raise_server_exceptions=False, headers=AUTHORIZATION | headers)


def async_client(gateway: Gateway, **headers: str) -> Any:
    """httpx.AsyncClient in-process, with the key."""
    import httpx

    from dadeum.gateway.api.app import create_app

    transport = httpx.ASGITransport(create_app(gateway), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=AUTHORIZATION | headers)


@contextmanager
def serving(gateway: Gateway) -> Iterator[str]:
    """The address (`http://127.0.0.1:…`) of a real uvicorn in a thread."""
    import uvicorn

    from dadeum.gateway.api.app import create_app

    config = uvicorn.Config(create_app(gateway), host="127.0.0.1", port=0, log_level="error", timeout_keep_alive=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def gateway() -> Gateway:
    return make_gateway()
