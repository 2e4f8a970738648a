"""What is said to a vLLM server, and what its replies mean. Nothing here waits or calls."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

import numpy as np

from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.engine.work import Ask, Piece, TokenLogprob

_DONE = "[DONE]"


class Failed(Exception):
    """The server refused, or said what nobody understands."""


def upstream_name(model: ServedModel) -> str:
    """A base by its hub id, an adapter by its version."""
    return model.recipe.model.base if model.weights is None else model.version.replace("@", "--")


def unknown_there(model: ServedModel) -> list[str]:
    """What the recipe writes with and a vLLM server does not know: served there, answers would not be those judged."""
    generation = model.recipe.generation
    asked = {"no_repeat_ngram": generation.no_repeat_ngram, "beams": generation.beams - 1}
    return [name for name, wanted in asked.items() if wanted]


def body_of(ask: Ask, stop_ids: Sequence[int]) -> dict[str, Any]:
    """A streamed completion of token ids."""
    sampling, generation = ask.sampling, ask.model.recipe.generation
    body: dict[str, Any] = {
        "model": upstream_name(ask.model),
        "prompt": list(ask.prompt_ids),
        "max_tokens": ask.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "stop": list(sampling.stops),
        "stop_token_ids": list(stop_ids),
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if generation.repetition_penalty != 1.0:
        body["repetition_penalty"] = generation.repetition_penalty
    if sampling.top_k is not None:
        body["top_k"] = sampling.top_k
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.logprobs is not None:
        body["logprobs"] = sampling.logprobs
    if sampling.json_schema is not None:
        schema = json.loads(sampling.json_schema)
        body["structured_outputs"] = {"json": schema} if schema else {"json_object": True}
    return body


async def answer_pieces(
    lines: AsyncIterator[str], told: dict[str, int]
) -> AsyncIterator[tuple[Piece | None, Literal["stop", "length"] | None]]:
    """(text, how it ended) per event; `told` takes the usage. Failed where the stream breaks off or is no JSON."""
    finished: str | None = None
    async for line in lines:
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == _DONE:
            if finished is None:
                raise Failed("the stream ended without a finish_reason")
            return
        event = _read(data)
        if usage := event.get("usage"):
            details = usage.get("prompt_tokens_details") or {}
            told["prompt"] = int(usage.get("prompt_tokens", told["prompt"]))
            told["new"] = int(usage.get("completion_tokens", told["new"]))
            told["cached"] = int(details.get("cached_tokens") or 0)
        for choice in event.get("choices", [])[:1]:
            finished = choice.get("finish_reason") or finished
            piece = _piece(choice)
            yield piece if piece.text or piece.logprobs else None, _reason(choice.get("finish_reason"))
    raise Failed("the connection broke off")


def _read(data: str) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except json.JSONDecodeError as error:
        raise Failed(f"an event is no JSON: {data[:80]!r}") from error
    if not isinstance(event, dict):
        raise Failed(f"an event is no object: {data[:80]!r}")
    if "error" in event:
        raise Failed(str(event["error"])[:300])
    return event


def _reason(said: str | None) -> Literal["stop", "length"] | None:
    if said is None:
        return None
    if said in ("stop", "length"):
        return "stop" if said == "stop" else "length"
    raise Failed(f"finish_reason {said}")


def _piece(choice: dict[str, Any]) -> Piece:
    told = choice.get("logprobs") or {}
    tokens = told.get("tokens") or []
    likeliest = told.get("top_logprobs") or [None] * len(tokens)
    values = told.get("token_logprobs") or [0.0] * len(tokens)
    logprobs = tuple(
        TokenLogprob(token, _bytes(token), float(value or 0.0), _top(top))
        for token, value, top in zip(tokens, values, likeliest, strict=True)
    )
    return Piece(str(choice.get("text") or ""), len(tokens), logprobs)


def _top(likeliest: dict[str, float] | None) -> tuple[tuple[str, tuple[int, ...], float], ...]:
    return tuple((token, _bytes(token), float(value)) for token, value in (likeliest or {}).items())


def _bytes(token: str) -> tuple[int, ...]:
    return tuple(token.encode())


def choice_scores(replies: Sequence[dict[str, Any]], rows: Sequence[list[int]], start: int) -> np.ndarray:
    """Natural-log probability of what each row has behind `start`: the tokens that tell the candidates apart."""
    scores = np.zeros(len(rows))
    for place, (reply, row) in enumerate(zip(replies, rows, strict=True)):
        told = (reply.get("choices") or [{}])[0].get("prompt_logprobs")
        if not isinstance(told, list) or len(told) != len(row):
            raise Failed("the server tells no log probabilities of prompt tokens")
        for at in range(start, len(row)):
            found = (told[at] or {}).get(str(row[at]))
            if found is None:
                raise Failed(f"no log probability of token {row[at]} at place {at}")
            scores[place] += float(found["logprob"])
    return scores
