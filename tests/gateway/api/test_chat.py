"""Chat completions: what reaches the engine, what comes back, what is written down."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.run import Run
from dadeum.gateway.catalogue import Catalogue
from dadeum.gateway.engine.work import Ask, Overloaded
from tests.gateway.conftest import (
    ANSWER,
    CHAT,
    FINDER,
    RETRIEVE,
    FakeEngine,
    MemoryStore,
    OpenKeys,
    PlainTraffic,
    async_client,
    catalogue_of_tasks,
    client,
    make_gateway,
    model_of,
    recipe_of,
)

HELLO = [{"role": "user", "content": "안녕"}]


def ask(gateway: Any, **fields: Any) -> Any:
    return client(gateway).post("/v1/chat/completions", json={"model": "counsel", "messages": HELLO} | fields)


def refused(gateway: Any, **fields: Any) -> tuple[int, str, str | None]:
    response = ask(gateway, **fields)
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return response.status_code, error["code"], error["param"]


def test_an_answer_names_the_version_and_the_request() -> None:
    gateway = make_gateway()
    response = ask(gateway)
    said = response.json()
    assert said["choices"] == [
        {
            "index": 0, "message": {"role": "assistant", "content": ANSWER, "refusal": None},
            "logprobs": None, "finish_reason": "stop",
        }
    ]  # fmt: skip
    assert said["system_fingerprint"] == response.headers["x-dadeum-model"] == "counsel@aaaaaaaaaaaa"
    assert said["id"] == response.headers["x-request-id"] == gateway.store.written[0].request_id
    assert said["usage"]["total_tokens"] == said["usage"]["prompt_tokens"] + len(ANSWER)


@pytest.mark.parametrize(
    ("name", "version"),
    [("counsel@challenger", "counsel@bbbbbbbbbbbb"), ("counsel@bbbbbbbbbbbb", "counsel@bbbbbbbbbbbb")],
)
def test_a_model_is_a_name_an_alias_or_a_version(name: str, version: str) -> None:
    gateway = make_gateway()
    assert ask(gateway, model=name).json()["system_fingerprint"] == version
    assert gateway.engine.asked[0].model.version == version


def test_what_the_recipe_says_stands_where_the_request_says_nothing() -> None:
    recipe = recipe_of(CHAT, "counsel", generation={"max_new_tokens": 7, "temperature": 0.5, "top_p": 0.9})
    catalogue = Catalogue()
    catalogue.add(model_of(recipe))
    gateway = make_gateway(engine=FakeEngine(catalogue))
    assert ask(gateway).json()["choices"][0]["finish_reason"] == "length"
    asked: Ask = gateway.engine.asked[0]
    assert (asked.max_new_tokens, asked.sampling.temperature, asked.sampling.top_p) == (7, 0.5, 0.9)
    assert gateway.engine.prompts[0][1][0] == {"role": "system", "content": CHAT["instruction"]}
    ask(gateway, temperature=0, max_tokens=3, messages=[{"role": "developer", "content": "짧게"}, *HELLO])
    asked = gateway.engine.asked[1]
    assert (asked.max_new_tokens, asked.sampling.temperature) == (3, 0.0)
    assert gateway.engine.prompts[1][1][0] == {"role": "system", "content": "짧게"}


def test_texts_are_composed_as_those_that_were_taught_and_parts_joined() -> None:
    gateway = make_gateway()
    parts = [{"type": "text", "text": unicodedata.normalize("NFD", "반갑")}, {"type": "text", "text": "습니다"}]
    ask(gateway, messages=[{"role": "user", "content": parts}])
    assert gateway.engine.prompts[0][1][-1]["content"] == "반갑습니다"


def test_every_choice_of_sampling_reaches_the_engine() -> None:
    gateway = make_gateway()
    response = ask(
        gateway, n=2, seed=5, stop=["도와"], logprobs=True, top_logprobs=2, temperature=1.5, top_p=0.5, top_k=3,
        frequency_penalty=1, presence_penalty=-1,
    )  # fmt: skip
    first, second = gateway.engine.asked
    assert (first.sampling.seed, second.sampling.seed) == (5, 6)
    assert first.id != second.id
    told = first.sampling
    assert (told.stops, told.logprobs, told.temperature, told.top_p, told.top_k) == (("도와",), 2, 1.5, 0.5, 3)
    assert (told.frequency_penalty, told.presence_penalty) == (1.0, -1.0)
    choices = response.json()["choices"]
    assert [one["index"] for one in choices] == [0, 1]
    assert choices[0]["message"]["content"] == "안녕하세요. 무엇을 "
    token = choices[0]["logprobs"]["content"][0]
    assert token["token"] == "안"
    assert token["bytes"] == list("안".encode())
    assert len(token["top_logprobs"]) == 2
    assert response.json()["usage"]["completion_tokens"] == 2 * len("안녕하세요. 무엇을 ")


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"tools": [{"type": "function"}]}, "unsupported_field", "tools"),
        ({"logit_bias": {"1": 5}}, "unsupported_field", "logit_bias"),
        ({"audio": {"voice": "x"}}, "unsupported_field", "audio"),
        ({"functions": [{}]}, "unsupported_field", "functions"),
        ({"reasoning_effort": "high"}, "unsupported_field", "reasoning_effort"),
        ({"temprature": 1}, "unknown_field", "temprature"),
        ({"temperature": 3}, "bad_value", "temperature"),
        ({"temperature": "warm"}, "bad_value", "temperature"),
        ({"n": 9}, "too_many_choices", "n"),
        ({"n": 0}, "bad_value", "n"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "bad_stops", "stop"),
        ({"stop": ""}, "bad_stops", "stop"),
        ({"max_tokens": 10**9}, "too_many_tokens", "max_tokens"),
        ({"max_completion_tokens": 10**9}, "too_many_tokens", "max_completion_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "two_limits", "max_tokens"),
        ({"top_logprobs": 3}, "needs_logprobs", "top_logprobs"),
        ({"stream_options": {"include_usage": True}}, "only_streamed", "stream_options"),
        ({"messages": []}, "bad_value", "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "bad_value", "messages[0].role"),
        ({"messages": [{"role": "user", "content": "x", "tool_calls": [1]}]}, "unsupported_field", "tool_calls"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
            "unsupported_content", "messages",
        ),
        ({"messages": [*HELLO, *HELLO]}, "not_alternating", "messages[1]"),
        ({"messages": [*HELLO, {"role": "system", "content": "x"}]}, "system_not_first", "messages[1]"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "x"}]}, "last_not_user", "messages[1]"),
        ({"messages": [{"role": "system", "content": "x"}]}, "last_not_user", "messages[0]"),
        ({"messages": HELLO, "response_format": {"type": "xml"}}, "bad_value", "response_format.type"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_name_before_any_work(fields: dict[str, Any], code: str, param: str) -> None:
    gateway = make_gateway()
    assert refused(gateway, **fields) == (400, code, param)
    assert gateway.engine.asked == []


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": None, "logit_bias": {}, "functions": [], "store": False, "service_tier": "auto"},
        {"messages": [{"role": "user", "content": "안녕", "name": None, "tool_calls": [], "refusal": None}]},
        {"metadata": {"화면": "상담"}, "user": "김", "parallel_tool_calls": True},
    ],
)
def test_fields_that_ask_for_nothing_are_nothing(fields: dict[str, Any]) -> None:
    assert ask(make_gateway(), **fields).status_code == 200


def test_a_prompt_and_its_answer_must_fit_the_window() -> None:
    engine = FakeEngine()
    engine.size = 40
    gateway = make_gateway(engine=engine)
    long = [{"role": "user", "content": "가" * 30}]
    assert refused(gateway, messages=long) == (400, "context_length_exceeded", "messages")
    assert refused(gateway, max_tokens=39) == (400, "context_length_exceeded", "max_tokens")
    ask(gateway)
    assert engine.asked[0].max_new_tokens == 40 - len(engine.asked[0].prompt_ids)
    engine.two_windows = True  # one for the prompt, one for the answer
    assert ask(gateway, messages=[{"role": "user", "content": "가" * 12}], max_tokens=40).status_code == 200
    assert engine.asked[-1].max_new_tokens == 40
    assert refused(gateway, max_tokens=41) == (400, "context_length_exceeded", "max_tokens")
    longer = [{"role": "user", "content": "가" * 40}]
    assert refused(gateway, messages=longer) == (400, "context_length_exceeded", "messages")
    assert refused(make_gateway(limits={"characters": 5}), messages=long) == (400, "too_long", "messages")
    assert refused(make_gateway(limits={"messages": 1}), messages=long * 3) == (400, "too_many_messages", "messages")


def test_an_unknown_model_is_told_with_its_nearest() -> None:
    gateway = make_gateway()
    response = ask(gateway, model="counsle")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert "counsel" in response.json()["error"]["message"]


# -- answers are finished and bound ----------------------------------------------------------------
def test_whole_answers_are_finished_as_evaluation_does_and_json_is_not(tmp_path: Path) -> None:
    from dadeum.core.finishing import finish

    steps = ["drop_repeats"]
    recipe = recipe_of(CHAT, "counsel", generation={"finish": steps, "max_new_tokens": 200})
    run = Run.create(recipe, tmp_path / "run")
    catalogue = Catalogue()
    catalogue.add(model_of(recipe, folder=run.folder))
    again = "오늘도 수고 많으셨습니다. " * 3 + "푹 쉬세요."
    gateway = make_gateway(engine=FakeEngine(catalogue, again))
    said = ask(gateway).json()["choices"][0]["message"]["content"]
    assert said == finish(again, steps) != again
    assert gateway.store.written[0].output_characters == len(said)
    bound = ask(gateway, response_format={"type": "json_object"}).json()["choices"][0]["message"]["content"]
    assert bound == again
    assert gateway.engine.asked[1].sampling.json_schema == "{}"


def test_a_schema_reaches_the_engine_and_a_bad_one_is_refused_at_the_door() -> None:
    gateway = make_gateway()
    schema: dict[str, Any] = {"type": "object", "properties": {"장소": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": True}}
    assert ask(gateway, response_format=form).status_code == 200
    assert json.loads(gateway.engine.asked[0].sampling.json_schema) == schema
    form["json_schema"]["schema"] = {"$ref": "http://example.com/schema"}  # type: ignore[index]
    assert refused(gateway, response_format=form) == (400, "bad_schema", "response_format")


# -- what goes wrong ------------------------------------------------------------------------------
@pytest.mark.parametrize(("reason", "status"), [("error", 500), ("timeout", 504), ("cancelled", 503)])
def test_an_answer_that_failed_has_its_status_and_is_written_down(reason: Any, status: int) -> None:
    gateway = make_gateway()
    gateway.engine.ends = reason
    response = ask(gateway)
    assert response.status_code == status
    assert ANSWER not in response.text
    assert (gateway.store.written[0].status, gateway.store.written[0].reason) == (status, reason)


def test_a_full_engine_is_503_with_retry_after_also_for_streams() -> None:
    gateway = make_gateway()
    gateway.engine.full = Overloaded("tokens", 3.2)
    for stream in (False, True):
        response = ask(gateway, stream=stream)
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 3
        assert response.json()["error"]["code"] == "overloaded"
    assert gateway.figures.refusals == [("/v1/chat/completions", 503, "overloaded")] * 2


def test_a_key_over_its_rate_is_429_and_charged_for_what_it_asks() -> None:
    keys = OpenKeys(wait=2.5)
    gateway = make_gateway(keys=keys)
    response = ask(gateway, max_tokens=10, n=2)
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    prompt = len(CHAT["instruction"]) + len("안녕")
    assert keys.charged == [prompt + 20]
    assert gateway.engine.asked == []


def test_what_cannot_be_written_down_is_not_answered() -> None:
    store = MemoryStore()
    store.broken = True
    response = ask(make_gateway(store=store))
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "log_unavailable"
    assert ANSWER not in response.text


def test_what_nobody_foresaw_is_a_500_without_the_prompt(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeEngine):
        def prompt_ids(self, model: Any, turns: Any) -> tuple[int, ...]:
            raise RuntimeError(f"cannot read {turns}")

    secret = [{"role": "user", "content": "비밀 이야기"}]
    response = ask(make_gateway(engine=Broken()), messages=secret)
    assert response.status_code == 500
    assert response.headers["x-request-id"] in caplog.text
    assert "RuntimeError" in caplog.text
    assert "비밀" not in response.text + caplog.text
    assert "Traceback" not in response.text


def test_a_client_that_leaves_stops_its_answer_and_is_written_down_as_499() -> None:
    gateway = make_gateway()
    gateway.engine.seconds_per_token = 0.05

    async def leave() -> None:
        async with async_client(gateway) as http:
            sent = asyncio.create_task(
                http.post("/v1/chat/completions", json={"model": "counsel", "messages": HELLO})
            )  # fmt: skip
            await asyncio.sleep(0.2)
            assert gateway.engine.asked
            sent.cancel()
            await asyncio.sleep(0.2)

    asyncio.run(leave())
    assert gateway.engine.cancelled


def test_a_shadow_answers_after_and_is_written_down_beside() -> None:
    engine = FakeEngine(answer=lambda asked: asked.model.version)
    other = engine.catalogue.models["counsel@bbbbbbbbbbbb"]
    traffic = PlainTraffic(engine.catalogue, shadows=(other,))
    gateway = make_gateway(engine=engine, traffic=traffic)

    async def both() -> Any:
        async with async_client(gateway) as http:
            response = await http.post("/v1/chat/completions", json={"model": "counsel", "messages": HELLO})
            await asyncio.sleep(0.1)
            return response

    said = asyncio.run(both()).json()
    assert said["choices"][0]["message"]["content"] == "counsel@aaaaaaaaaaaa"
    seen, unseen = gateway.store.written
    assert (seen.shadow_of, unseen.shadow_of, unseen.version) == ("", seen.request_id, "counsel@bbbbbbbbbbbb")
    assert unseen.answer == "counsel@bbbbbbbbbbbb"
    assert unseen.question == seen.question == "안녕"


def test_an_embedding_model_writes_nothing() -> None:
    catalogue = catalogue_of_tasks()
    catalogue.add(model_of(recipe_of(RETRIEVE, "finder", **FINDER)))
    assert refused(make_gateway(engine=FakeEngine(catalogue)), model="finder") == (400, "wrong_task", "model")
