"""POST /v1/embeddings: unit vectors of texts, by a run of task `retrieve`."""

from __future__ import annotations

import base64
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from dadeum.core.korean import nfc
from dadeum.core.recipe import Recipe
from dadeum.core.task import Retrieve
from dadeum.gateway.api import answers as said
from dadeum.gateway.api.admission import Visit, visit
from dadeum.gateway.api.answering import check_characters
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.api.shapes import EmbeddingRequest
from dadeum.gateway.api.streaming import unless_late
from dadeum.tasks.retrieve import chunk_text, query_text

router = APIRouter(tags=["embeddings"])


@router.post("/v1/embeddings", name="create_embedding", response_model=said.Embeddings)
async def create_embedding(body: EmbeddingRequest, request: Request) -> Response:
    """One vector per text. `input_type` says whether it is a question (query) or what is searched in (document).

    Longer texts than the model reads are cut as `dadeum index` cuts them; the header x-dadeum-cut tells how many were.
    """
    let_in = visit(request, body.model, body.user)
    if let_in.model.task != "retrieve":
        raise Fault(400, "gateway.api.no_encoder", "model", code="wrong_task", name=let_in.asked)
    texts = _texts(let_in, body)
    kind: Literal["query", "chunk"] = "query" if body.input_type == "query" else "chunk"
    counts = await let_in.read(_counts, let_in, texts, kind)
    tokens = sum(counts)
    let_in.charge(tokens)
    vectors = await unless_late(let_in.gateway.engine.embed(let_in.model, texts, kind), let_in.seconds_left())
    vectors = _cut(vectors, let_in, body.dimensions)
    most = let_in.gateway.engine.window(let_in.model)
    facts = {"texts": len(texts), "cut": sum(count > most for count in counts)}
    entry = let_in.entry("embedded", prompt_tokens=tokens, input_characters=sum(map(len, texts)), facts=facts)
    await let_in.record(entry)
    as_text = body.encoding_format == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(one) if as_text else one.tolist()}
        for index, one in enumerate(vectors)
    ]
    return JSONResponse(_shape(let_in, data, tokens), headers=let_in.headers | {"x-dadeum-cut": str(facts["cut"])})


def _counts(let_in: Visit, texts: list[str], kind: Literal["query", "chunk"]) -> list[int]:
    """Tokens of every text, with what is written before it."""
    task, engine = let_in.model.recipe.task, let_in.gateway.engine
    assert isinstance(task, Retrieve)
    written = query_text if kind == "query" else chunk_text
    return [len(engine.text_ids(let_in.model, written(task, text))) for text in texts]


def _shape(let_in: Visit, data: list[dict[str, Any]], tokens: int) -> dict[str, Any]:
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": let_in.asked, "usage": usage}


def _texts(let_in: Visit, body: EmbeddingRequest) -> list[str]:
    limits = let_in.gateway.settings.limits
    texts = [nfc(text) for text in ([body.input] if isinstance(body.input, str) else body.input)]
    if len(texts) > limits.inputs:
        raise Fault(400, "gateway.api.too_many_inputs", "input", code="too_many_inputs", most=limits.inputs)
    if empty := [number for number, text in enumerate(texts, start=1) if not text.strip()]:
        raise Fault(400, "gateway.api.empty_input", "input", code="empty_input", number=empty[0])
    check_characters(let_in, sum(map(len, texts)), "input")
    return texts


def _cut(vectors: np.ndarray, let_in: Visit, dimensions: int | None) -> np.ndarray:
    """The first places of a vector that was trained for it, made a unit vector again."""
    full = vectors.shape[1]
    if dimensions is None or dimensions == full:
        return vectors
    trained = sorted({full, *trained_sizes(let_in.model.recipe)})
    if dimensions not in trained:
        sizes = ", ".join(map(str, trained))
        raise Fault(400, "gateway.api.bad_dimensions", "dimensions", code="bad_dimensions", sizes=sizes)
    cut = vectors[:, :dimensions]
    unit: np.ndarray = cut / np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), 1e-12)
    return unit


def trained_sizes(recipe: Recipe) -> tuple[int, ...]:
    """Dimensions that a stage trained beside the whole vector (Matryoshka)."""
    return tuple(size for stage in recipe.stages for size in getattr(stage, "matryoshka", ()))


def _base64(vector: np.ndarray) -> str:
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode("ascii")
