"""The real `openai` client and LangChain's ChatOpenAI against a real server: what they understand is compatible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from dadeum.gateway.engine.work import Ask, Overloaded
from tests.gateway.conftest import (
    ANSWER,
    FINDER,
    KEY,
    RETRIEVE,
    FakeEngine,
    catalogue_of_tasks,
    make_gateway,
    model_of,
    recipe_of,
    serving,
)

openai = pytest.importorskip("openai", reason="openai is not installed")
HELLO: Any = [{"role": "user", "content": "안녕"}]


class Meeting(BaseModel):
    place: str
    hour: int


def answer(ask: Ask) -> str:
    return '{"place": "강남역", "hour": 6}' if ask.sampling.json_schema else ANSWER


@pytest.fixture(scope="module")
def gateway() -> Any:
    catalogue = catalogue_of_tasks()
    catalogue.add(model_of(recipe_of(RETRIEVE, "finder", **FINDER)))
    return make_gateway(engine=FakeEngine(catalogue, answer))


@pytest.fixture(scope="module")
def url(gateway: Any) -> Iterator[str]:
    with serving(gateway) as address:
        yield f"{address}/v1"


@pytest.fixture
def api(url: str) -> Any:
    return openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)


def test_chat(api: Any) -> None:
    found = api.chat.completions.create(model="counsel", messages=HELLO, n=2, logprobs=True, top_logprobs=1, seed=1)
    assert [one.message.content for one in found.choices] == [ANSWER, ANSWER]
    assert "".join(one.token for one in found.choices[0].logprobs.content) == ANSWER
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    assert found.system_fingerprint == "counsel@aaaaaaaaaaaa"
    assert found._request_id == found.id


def test_stream(api: Any) -> None:
    chunks = list(
        api.chat.completions.create(
            model="counsel", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    said = "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)
    assert said == ANSWER
    assert chunks[-1].usage.completion_tokens == len(ANSWER)
    with api.chat.completions.stream(model="counsel", messages=HELLO) as stream:
        assert stream.get_final_completion().choices[0].message.content == ANSWER


def test_a_conversation_goes_on_with_what_came_back(api: Any) -> None:
    first = api.chat.completions.create(model="counsel", messages=HELLO).choices[0].message
    turns = [*HELLO, first.model_dump(), {"role": "user", "content": "더 말해 줘"}]
    assert api.chat.completions.create(model="counsel", messages=turns).choices[0].message.content == ANSWER


def test_structured_answers_are_parsed(api: Any) -> None:
    found = api.chat.completions.parse(model="counsel", messages=HELLO, response_format=Meeting)
    assert found.choices[0].message.parsed == Meeting(place="강남역", hour=6)


def test_completions_models_and_embeddings(api: Any) -> None:
    assert api.completions.create(model="tiny-base", prompt="오늘", max_tokens=3).choices[0].text == ANSWER[:3]
    assert api.completions.create(model="tiny-base", prompt=[50, 51]).usage.prompt_tokens == 2
    assert [one.id for one in api.models.list()] == ["counsel", "finder", "mail", "tiny-base"]
    assert api.models.retrieve("counsel@challenger").root == "counsel@bbbbbbbbbbbb"
    # The client asks for base64 and reads it.
    vectors = api.embeddings.create(model="finder", input=["연차는 며칠?", "출장비"]).data
    assert sum(value**2 for value in vectors[0].embedding) == pytest.approx(1)


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({"model": "gpt"}, "NotFoundError", "model_not_found"),
        ({"n": 99}, "BadRequestError", "too_many_choices"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "BadRequestError", "unsupported_field"),
    ],
)
def test_refusals_are_the_clients_own_errors(api: Any, fields: dict[str, Any], kind: str, code: str) -> None:
    with pytest.raises(getattr(openai, kind)) as caught:
        api.chat.completions.create(**({"model": "counsel", "messages": HELLO} | fields))
    assert caught.value.code == code
    assert caught.value.request_id


def test_a_wrong_key_is_the_clients_own_error(url: str) -> None:
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=url, api_key="nobody", max_retries=0).models.list()


def test_a_full_server_is_asked_again(url: str, gateway: Any) -> None:
    patient = openai.OpenAI(base_url=url, api_key=KEY, max_retries=1)
    refusals = iter([Overloaded("requests", 0.01)])

    class Once:
        def __get__(self, engine: Any, kind: Any = None) -> Any:
            return next(refusals, None)

    kind = type(gateway.engine)
    gateway.engine.__class__ = type("FullOnce", (kind,), {"full": Once()})
    gateway.engine.__dict__.pop("full")
    try:
        assert patient.chat.completions.create(model="counsel", messages=HELLO).choices
    finally:
        gateway.engine.__class__ = kind
        gateway.engine.full = None
    assert next(refusals, None) is None


def test_an_error_within_a_stream_is_raised(api: Any, gateway: Any) -> None:
    gateway.engine.ends = "error"
    try:
        with pytest.raises(openai.APIError) as caught:
            list(api.chat.completions.create(model="counsel", messages=HELLO, stream=True))
        assert caught.value.code == "engine_failed"
    finally:
        gateway.engine.ends = "stop"


# -- LangChain ------------------------------------------------------------------------------------
@pytest.fixture
def chat_model(url: str) -> Any:
    langchain = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")
    return langchain.ChatOpenAI(model="counsel", base_url=url, api_key=KEY, max_retries=0)


def test_langchain_invokes_and_streams(chat_model: Any) -> None:
    found = chat_model.invoke([("system", "짧게"), ("human", "안녕")])
    assert found.content == ANSWER
    assert found.usage_metadata["output_tokens"] == len(ANSWER)
    assert "".join(str(chunk.content) for chunk in chat_model.stream("안녕")) == ANSWER


def test_langchain_gets_structured_answers(chat_model: Any) -> None:
    found = chat_model.with_structured_output(Meeting, method="json_schema").invoke("강남역에서 6시에 만나요")
    assert found == Meeting(place="강남역", hour=6)
