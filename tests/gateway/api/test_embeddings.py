"""Embeddings and bare completions."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from tests.gateway.conftest import (
    ANSWER,
    FINDER,
    RETRIEVE,
    FakeEngine,
    catalogue_of_tasks,
    client,
    make_gateway,
    model_of,
    recipe_of,
)


@pytest.fixture
def gateway() -> Any:
    catalogue = catalogue_of_tasks()
    catalogue.add(model_of(recipe_of(RETRIEVE, "finder", **FINDER)))
    return make_gateway(engine=FakeEngine(catalogue))


def embed(gateway: Any, **fields: Any) -> Any:
    return client(gateway).post("/v1/embeddings", json={"model": "finder", "input": "연차"} | fields)


def test_one_vector_per_text_as_numbers_or_base64(gateway: Any) -> None:
    texts = ["연차는 며칠?", "출장비"]
    plain = embed(gateway, input=texts).json()["data"]
    packed = embed(gateway, input=texts, encoding_format="base64").json()["data"]
    assert [one["index"] for one in plain] == [0, 1]
    for one, other in zip(plain, packed, strict=True):
        assert np.frombuffer(base64.b64decode(other["embedding"]), "<f4") == pytest.approx(one["embedding"])


def test_questions_and_documents_are_read_differently(gateway: Any) -> None:
    question = embed(gateway).json()
    document = embed(gateway, input_type="document").json()
    assert question["data"][0]["embedding"] != document["data"][0]["embedding"]
    # With what the recipe writes before them.
    assert question["usage"]["prompt_tokens"] == len("query: 연차")
    assert document["usage"]["prompt_tokens"] == len("passage: 연차")
    assert gateway.store.written[0].reason == "embedded"


def test_a_shorter_vector_only_where_it_was_trained(gateway: Any) -> None:
    short = embed(gateway, dimensions=2).json()["data"][0]["embedding"]
    assert len(short) == 2
    assert sum(value**2 for value in short) == pytest.approx(1, abs=1e-6)
    refused = embed(gateway, dimensions=3)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "dimensions")
    assert "2, 4" in refused.json()["error"]["message"]


def test_texts_that_are_cut_are_told(gateway: Any) -> None:
    gateway.engine.size = 10
    response = embed(gateway, input=["가" * 30, "가"])
    assert response.headers["x-dadeum-cut"] == "1"
    assert gateway.store.written[0].facts["cut"] == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"input": []}, "bad_value"),
        ({"input": [1, 2]}, "bad_value"),
        ({"input": ["가", " "]}, "empty_input"),
        ({"input": ["가"] * 300}, "too_many_inputs"),
        ({"model": "counsel"}, "wrong_task"),
        ({"dimensions": 0}, "bad_value"),
    ],
)
def test_what_cannot_be_embedded_is_refused(gateway: Any, fields: dict[str, Any], code: str) -> None:
    response = embed(gateway, **fields)
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)


# -- completions ----------------------------------------------------------------------------------
def complete(gateway: Any, **fields: Any) -> Any:
    return client(gateway).post("/v1/completions", json={"model": "tiny-base", "prompt": "오늘"} | fields)


def test_a_text_goes_on_without_a_template(gateway: Any) -> None:
    found = complete(gateway, logprobs=2, stop="도와").json()
    assert found["choices"][0]["text"] == ANSWER.partition("도와")[0]
    assert found["choices"][0]["logprobs"]["tokens"][:2] == ["안", "녕"]
    assert gateway.engine.asked[0].prompt_ids == (ord("오"), ord("늘"))
    assert gateway.engine.prompts == []


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"prompt": ""}, "empty_prompt", "prompt"),
        ({"prompt": [5, 0x110000]}, "bad_token", "prompt"),
        ({"prompt": [-1]}, "bad_value", "prompt[0]"),
        ({"echo": True}, "unsupported_field", "echo"),
        ({"suffix": "끝"}, "unsupported_field", "suffix"),
        ({"best_of": 4}, "unsupported_field", "best_of"),
        ({"model": "finder"}, "wrong_task", "model"),
    ],
)
def test_what_cannot_go_on_is_refused(gateway: Any, fields: dict[str, Any], code: str, param: str) -> None:
    gateway.engine.text_ids = lambda model, text: tuple(map(ord, text))
    response = complete(gateway, **fields)
    assert response.status_code == 400, response.text
    assert (response.json()["error"]["code"], response.json()["error"]["param"]) == (code, param)
