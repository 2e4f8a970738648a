"""The engine at a vLLM server, against a stand-in that computes with a real tiny model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from dadeum.core.errors import ModelError
from dadeum.core.recipe import Recipe
from dadeum.gateway.catalogue import Catalogue, ServedModel
from dadeum.gateway.engine.remote import RemoteEngine
from dadeum.gateway.engine.work import Ask, Ended, Overloaded, Piece, Sampling
from dadeum.gateway.settings import Limits
from dadeum.tasks import decide
from tests.tiny import decide_recipe

Answer = Callable[[httpx.Request], httpx.Response]
LINES = (
    {"choices": [{"text": "안녕", "finish_reason": None, "logprobs": {
        "tokens": ["안", "녕"], "token_logprobs": [-0.1, -0.2], "top_logprobs": [{"안": -0.1, "네": -2.5}, None]}}]},
    {"choices": [{"text": "하세요", "finish_reason": "stop"}]},
    {"choices": [], "usage": {
        "prompt_tokens": 7, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}},
)  # fmt: skip


def events(*lines: Any, done: bool = True) -> bytes:
    written = [f"data: {line if isinstance(line, str) else json.dumps(line)}\n\n" for line in lines]
    return "".join([*written, "data: [DONE]\n\n"] if done else written).encode()


@pytest.fixture
def recipe(tiny_llama: Path) -> Recipe:
    return decide_recipe(tiny_llama)


def engine(recipe: Recipe, answer: Answer, limits: Limits = Limits()) -> RemoteEngine:  # noqa: B008
    catalogue = Catalogue()
    catalogue.add(ServedModel("base", "base", recipe, None, None, None))
    return RemoteEngine(catalogue, "http://upstream/v1", "NO_KEY", limits, httpx.MockTransport(answer))


def ask(remote: RemoteEngine, **settings: Any) -> Ask:
    seconds = settings.pop("seconds", 5.0)
    return Ask("r1", remote.catalogue.models["base"], (1, 2, 3), 16, Sampling(**settings), seconds)


async def collected(remote: RemoteEngine, wanted: Ask) -> tuple[list[Piece], Ended]:
    found = [each async for each in remote.submit(wanted)]
    assert isinstance(found[-1], Ended)
    assert sum(isinstance(each, Ended) for each in found) == 1
    return [each for each in found if isinstance(each, Piece)], found[-1]


def test_an_answer_comes_in_pieces_and_everything_asked_for_is_handed_on(recipe: Recipe) -> None:
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, content=events(*LINES))

    remote = engine(recipe, answer)
    wanted = ask(remote, temperature=0.7, seed=3, stops=("끝",), logprobs=2, json_schema='{"type": "object"}', top_k=5)
    pieces, ended = asyncio.run(collected(remote, wanted))
    assert "".join(piece.text for piece in pieces) == "안녕하세요"
    assert [each.token for each in pieces[0].logprobs] == ["안", "녕"]
    assert pieces[0].logprobs[0].bytes == tuple("안".encode())
    assert pieces[0].logprobs[0].top[1] == ("네", tuple("네".encode()), -2.5)
    assert (ended.reason, ended.prompt_tokens, ended.new_tokens, ended.cached_tokens) == ("stop", 7, 4, 5)
    (body,) = bodies
    assert body["prompt"] == [1, 2, 3]
    assert body["stop"] == ["끝"] and body["seed"] == 3 and body["top_k"] == 5 and body["logprobs"] == 2
    assert body["structured_outputs"] == {"json": {"type": "object"}}
    assert set(remote._renderer(wanted.model).stop_ids) <= set(body["stop_token_ids"])
    assert remote.stats().running == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (events(LINES[0], done=False), "broke off"),
        (events(LINES[0]), "finish_reason"),
        (events("{half"), "JSON"),
        (events({"error": {"message": "EngineDead"}}), "EngineDead"),
    ],
)
def test_a_reply_that_cannot_be_trusted_ends_as_an_error_and_says_why(
    recipe: Recipe, content: bytes, told: str
) -> None:
    remote = engine(recipe, lambda request: httpx.Response(200, content=content))
    _, ended = asyncio.run(collected(remote, ask(remote)))
    assert ended.reason == "error"
    assert told in ended.detail


def test_a_server_without_time_or_room_is_told_apart(recipe: Recipe) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield events(LINES[0], done=False)
        await asyncio.sleep(5)

    remote = engine(recipe, lambda request: httpx.Response(200, content=slow()))
    pieces, ended = asyncio.run(collected(remote, ask(remote, seconds=0.2)))
    assert (ended.reason, pieces[0].text) == ("timeout", "안녕")

    full = engine(recipe, lambda request: httpx.Response(503, headers={"Retry-After": "9"}))
    with pytest.raises(Overloaded) as caught:
        asyncio.run(collected(full, ask(full)))
    assert caught.value.retry_after_s == 9
    narrow = engine(recipe, lambda request: httpx.Response(200, content=events(*LINES)), Limits(waiting_requests=1))

    async def two() -> None:
        first = narrow.submit(ask(narrow))
        await anext(first)
        with pytest.raises(Overloaded):
            await anext(narrow.submit(ask(narrow)))
        await first.aclose()
        assert narrow.stats().running == 0
        await narrow.drain(0)
        with pytest.raises(Overloaded, match="draining"):
            await anext(narrow.submit(ask(narrow)))

    asyncio.run(two())


def test_a_decision_is_scored_as_evaluation_scores_it(recipe: Recipe) -> None:
    import torch

    from dadeum.models.engines import load_decider

    local = load_decider(recipe, None)

    def answer(request: httpx.Request) -> httpx.Response:
        row = json.loads(request.content)["prompt"]
        with torch.inference_mode():
            log_probs = local.model(input_ids=torch.tensor([row])).logits[0].log_softmax(-1)
        told = [None, *({str(one): {"logprob": float(log_probs[at, one])}} for at, one in enumerate(row[1:]))]
        return httpx.Response(200, json={"choices": [{"text": "x", "prompt_logprobs": told}]})

    task: Any = recipe.task
    prompts = [decide.prompt(task, {"subject": word}) for word in ("무료 상담 안내", "회의 자료")]
    candidates = decide.candidates(task)
    remote = engine(recipe, answer)
    found = asyncio.run(remote.decide(remote.catalogue.models["base"], prompts, [candidates, candidates]))
    np.testing.assert_allclose(np.array(found), local.score(prompts, candidates, 2), atol=1e-4)
    silent = engine(recipe, lambda request: httpx.Response(200, json={"choices": [{"text": "x"}]}))
    with pytest.raises(ModelError, match="log prob"):
        asyncio.run(silent.decide(silent.catalogue.models["base"], prompts[:1], [candidates]))


def test_adapters_are_handed_over_and_a_missing_base_is_said(recipe: Recipe, tmp_path: Path) -> None:
    called: list[tuple[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        called.append((request.url.path, json.loads(request.content) if request.content else None))
        if request.url.path.endswith("models"):
            return httpx.Response(200, json={"data": [{"id": recipe.model.base, "max_model_len": 512}]})
        return httpx.Response(200, text="Success")

    remote = engine(recipe, answer)
    remote.catalogue.add(ServedModel("mine", "mine@abc", recipe, tmp_path, tmp_path, "base"))
    asyncio.run(remote.start())
    assert called[1] == ("/v1/load_lora_adapter", {"lora_name": "mine--abc", "lora_path": str(tmp_path)})
    assert remote.window(remote.catalogue.models["mine@abc"]) == 512
    other = engine(recipe, lambda request: httpx.Response(200, json={"data": [{"id": "another/base"}]}))
    with pytest.raises(ModelError, match="another/base"):
        asyncio.run(other.start())


def test_a_recipe_that_writes_as_the_server_cannot_is_refused(recipe: Recipe) -> None:
    there = {"data": [{"id": recipe.model.base}]}
    strict = recipe.model_copy(update={"generation": recipe.generation.model_copy(update={"no_repeat_ngram": 3})})
    remote = engine(strict, lambda request: httpx.Response(200, json=there))
    with pytest.raises(ModelError, match="no_repeat_ngram"):
        asyncio.run(remote.start())
    penalised = recipe.generation.model_copy(update={"repetition_penalty": 1.2})
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, content=events(*LINES))

    other = engine(recipe.model_copy(update={"generation": penalised}), answer)
    asyncio.run(collected(other, ask(other)))
    assert bodies[0]["repetition_penalty"] == 1.2
