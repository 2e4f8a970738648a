from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dadeum.gateway.api.task_examples import examples
from dadeum.gateway.engine.work import Overloaded
from tests.gateway.conftest import AUTHORIZATION, KEY, FakeEngine, async_client, client, make_gateway, serving
from tests.gateway.test_deciding import judged

ACTION = {"type": "choice", "instructions": "스팸입니까?", "criteria": {"BLOCK": None, "ALLOW": None}}


def gateway_with(folder: Path, temperature: float | None = 2.0, **changes: Any) -> Any:
    """`mail` with scores on disk, in a gateway of fakes."""
    engine = changes.pop("engine", None) or FakeEngine()
    engine.catalogue.add(judged(folder, temperature))
    return make_gateway(engine=engine, **changes)


def systemone(gateway: Any, **body: Any) -> Any:
    asked = {"model": "mail", "state": {"subject": "무료 당첨"}, "questions": {"action": ACTION}} | body
    return client(gateway).post("/v1/systemone", json=asked)


def test_a_taught_question_comes_back_calibrated(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path)
    gateway.engine.scores = lambda turns, texts: [0.9, 0.1]
    response = systemone(gateway)
    assert response.status_code == 200, response.text
    found = response.json()
    answer = found["answers"]["action"]
    assert answer["choice"] == "BLOCK"
    assert answer["probabilities"]["BLOCK"] == pytest.approx(0.75)  # 0.9 and 0.1 at temperature 2: odds of 3
    assert answer["confidence"] == answer["probabilities"]["BLOCK"]
    assert answer["calibrated"] is True
    assert answer["label_mass"] == pytest.approx(1.0)
    assert found["usage"]["output_tokens"] == 0 and found["usage"]["input_tokens"] > 0
    assert found["version"] == response.headers["x-dadeum-model"] == "mail@eeeeeeeeeeee"
    [entry] = gateway.store.written
    assert (entry.label, entry.confidence, entry.reason) == ("BLOCK", answer["confidence"], "decided")
    assert (entry.request_id, entry.facts["calibrated"]) == (found["id"], 1)
    assert entry.prompt_tokens == found["usage"]["input_tokens"] == gateway.keys.charged[0]


def test_every_kind_of_question_in_one_request(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path)
    gateway.engine.scores = lambda turns, texts: [3.0, *[1.0] * (len(texts) - 1)]
    questions = {
        "환불": {"type": "noul", "instructions": "환불을 요구합니까?", "criteria": {"true": "돈을 돌려 달라는 글"}},
        "급함": {"type": "score", "criteria": ["나중에", "이번 주", "오늘"]},
        "말투": {"type": "choice", "criteria": {"공손": "높임말", "무례": None}},
    }
    response = systemone(gateway, model="tiny-base", state="환불해 주세요", questions=questions)
    assert response.status_code == 200, response.text
    found = response.json()["answers"]
    assert found["환불"]["noul"] == pytest.approx(0.75)
    assert found["급함"]["score"] == pytest.approx(0.2 * 1 + 0.2 * 2)
    assert found["급함"]["legend"] == {"0": "나중에", "1": "이번 주", "2": "오늘"}
    assert sum(found["말투"]["probabilities"].values()) == pytest.approx(1)
    assert {one["calibrated"] for one in found.values()} == {False}
    [(_, prompts, candidates)] = gateway.engine.decided
    assert candidates == [["예", "아니요"], ["나중에", "이번 주", "오늘"], ["공손", "무례"]]
    assert "돈을 돌려 달라는 글" in prompts[0][-1]["content"]
    assert gateway.store.written[0].label == ""  # three questions have no one label


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"model": "nobody"}, 404, "model_not_found", "model"),
        ({"state": {"title": "회의"}}, 400, "not_its_input", "state"),
        ({"questions": {}}, 400, "too_many_questions", "questions"),
        ({"questions": {"a": {"type": "choice", "criteria": {"하나": None}}}}, 400, "bad_options",
         "questions.a.criteria"),
        ({"questions": {"a": {"type": "score", "criteria": ["가", "가 "]}}}, 400, "bad_options",
         "questions.a.criteria"),
        ({"questions": {"a": {"type": "choice", "criteria": {"": None, "나": None}}}}, 400, "bad_options",
         "questions.a.criteria"),
        ({"questions": {"a": {"type": "guess"}}}, 400, "bad_value", None),
        ({"assets": {"img": {}}}, 400, "unsupported_field", "assets"),
        ({"mood": 1}, 400, "unknown_field", "mood"),
        ({"state": "가" * 5000}, 400, "context_length_exceeded", "state"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_names_its_field(
    tmp_path: Path, body: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    response = systemone(gateway_with(tmp_path), **body)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code), error
    assert param is None or error["param"] == param


def test_a_state_by_another_name_is_asked_for_by_its_own(tmp_path: Path) -> None:
    body = {"model": "mail", "input": {"subject": "무료"}, "questions": {"action": ACTION}}
    with client(gateway_with(tmp_path)) as open_client:
        response = open_client.post("/v1/systemone", json=body)
    told = response.json()["error"]
    assert (response.status_code, told["param"], told["code"]) == (400, "input", "unknown_field")
    assert "state" in told["message"]


def test_limits_hold_before_any_work(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path, limits={"questions": 1, "characters": 40})
    many = systemone(gateway, questions={"a": ACTION, "b": ACTION})
    assert many.json()["error"]["code"] == "too_many_questions"
    long = systemone(gateway, state={"subject": "가" * 41})
    assert (long.status_code, gateway.engine.decided) == (400, [])


def test_a_full_engine_a_slow_one_and_a_broken_log(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path, limits={"request_seconds": 0.05})
    gateway.engine.full = Overloaded("requests", 3.0)
    full = systemone(gateway)
    assert (full.status_code, full.headers["retry-after"] >= "3") == (503, True)

    class Slow(FakeEngine):
        async def decide(self, *given: Any) -> Any:
            import asyncio

            await asyncio.sleep(5)

    slow = gateway_with(tmp_path / "slow", engine=Slow(), limits={"request_seconds": 0.05})
    assert systemone(slow).status_code == 504
    assert [(entry.status, entry.reason) for entry in slow.store.written] == [(504, "timeout")]
    broken = gateway_with(tmp_path / "broken")
    broken.store.broken = True
    assert systemone(broken).status_code == 503


def test_shadows_decide_unseen(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path)
    other = gateway.engine.catalogue.models["mail@cccccccccccc"]
    gateway.traffic.shadows = (other,)
    with client(gateway) as session:
        seen = session.post(
            "/v1/systemone", json={"model": "mail", "state": {"subject": "무료"}, "questions": {"action": ACTION}}
        ).json()
    first, second = gateway.store.written
    assert (first.version, second.version) == ("mail@eeeeeeeeeeee", other.version)
    assert (second.shadow_of, second.label, second.confidence is not None) == (seen["id"], "BLOCK", True)
    assert len(gateway.keys.charged) == 1


# -- OpenAI's shape -------------------------------------------------------------------------------
def test_the_openai_client_asks_and_reads(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path)
    gateway.engine.scores = lambda turns, texts: [0.9, *[0.1] * (len(texts) - 1)]
    with serving(gateway) as address:
        found = openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0).decisions.create(
            model="mail",
            input=[{"role": "user", "type": "message",
                    "content": [{"type": "input_json", "data": {"subject": "무료 당첨"}}]}],
            questions=[
                {"type": "choice", "name": "action", "instructions": "?",
                 "choices": [{"value": "BLOCK"}, {"value": "ALLOW"}]},
                {"type": "predicate", "instructions": "광고입니다."},
                {"type": "choice", "instructions": "맞습니까?", "choices": [{"value": True}, {"value": False}]},
                {"type": "score", "instructions": "얼마나?", "levels": [{"label": "낮음"}, {"label": "높음"}]},
            ],
        )  # fmt: skip
    choice, predicate, boolean, score = found.answers
    assert (choice.type, choice.name, choice.choice) == ("choice", "action", "BLOCK")
    assert choice.confidence == pytest.approx(0.75)
    assert predicate.type == "predicate" and predicate.probability == pytest.approx(0.9)
    assert boolean.type == "choice" and boolean.choice is True
    assert score.type == "score" and score.probabilities[1].label == "높음"
    assert found.usage.output_tokens == 0 and found.usage.total_tokens == found.usage.input_tokens
    assert found.model == "mail@eeeeeeeeeeee"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"input": []}, "bad_value"),
        ({"input": [{"role": "assistant", "content": "네"}]}, "missing_field"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://a"}]}]}, "bad_value"),
        ({"prompt_cache_key": "a"}, "unsupported_field"),
        ({"questions": [{"type": "choice", "instructions": "?", "choices": [{"value": True}, {"value": "true"}]}]},
         "bad_options"),
    ],
)  # fmt: skip
def test_what_openai_allows_and_we_do_not_is_said(tmp_path: Path, body: dict[str, Any], code: str) -> None:
    whole = {"model": "tiny-base", "input": "글", "questions": [{"type": "predicate", "instructions": "맞다"}]} | body
    response = client(gateway_with(tmp_path)).post("/v1/decisions", json=whole)
    assert (response.status_code, response.json()["error"]["code"]) == (400, code), response.text


def test_several_messages_are_told_with_who_said_what(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path)
    messages = [{"role": "user", "content": "환불?"}, {"role": "assistant", "content": "네"},
                {"role": "user", "content": "고마워요"}]  # fmt: skip
    asked = {"model": "counsel", "input": messages, "questions": [{"type": "predicate", "instructions": "끝났다"}]}
    assert client(gateway).post("/v1/decisions", json=asked).status_code == 200
    [(_, [turns], _)] = gateway.engine.decided
    assert '{"role": "assistant", "content": "네"}' in turns[-1]["content"]


# -- anything -------------------------------------------------------------------------------------
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6) | st.sampled_from(["BLOCK", "noul", "choice"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=JSON, questions=JSON, criteria=JSON, kind=st.sampled_from(["noul", "choice", "score"]))
def test_no_json_is_an_error_of_ours(any_client: Any, state: Any, questions: Any, criteria: Any, kind: str) -> None:
    for asked in (questions, {"q": {"type": kind, "criteria": criteria}}):
        body = {"model": "mail", "state": state, "questions": asked}
        response = any_client.post("/v1/systemone", json=body)
        assert response.status_code in (200, 400), response.text
        assert response.status_code == 200 or set(response.json()["error"]) == {"message", "type", "param", "code"}
    body = {"model": "mail", "input": state, "questions": questions}
    assert any_client.post("/v1/decisions", json=body).status_code in (200, 400)


@pytest.fixture(scope="module")
def any_client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return client(gateway_with(tmp_path_factory.mktemp("any")))


# -- description ----------------------------------------------------------------------------------
@pytest.mark.parametrize("route", ["systemone", "decisions"])
def test_examples_of_the_description_can_be_sent(tmp_path: Path, route: str) -> None:
    from dadeum.gateway.api import decisions, systemone

    gateway = gateway_with(tmp_path)
    shape = {"systemone": systemone.SystemOneResponse, "decisions": decisions.Decision}[route]
    for one in examples()[route].values():
        body = one["body"] | {"model": "mail"}
        text = str(body).replace("'attachments': ['당첨확인서.exe']", "").replace("'attachments': []", "")
        import ast

        response = client(gateway).post(f"/v1/{route}", json=ast.literal_eval(text))
        assert response.status_code == 200, response.text
        if "answer" in one:
            shape.model_validate(one["answer"])
            assert response.json().keys() == one["answer"].keys()
    described = client(gateway).get("/openapi.json").json()["paths"][f"/v1/{route}"]["post"]
    assert "메일 판정" in described["requestBody"]["content"]["application/json"]["examples"]
    assert "메일 판정" in described["responses"]["200"]["content"]["application/json"]["examples"]


def test_without_a_key_nothing_is_decided(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path)
    session = client(gateway, Authorization="Bearer wrong")
    assert AUTHORIZATION["Authorization"] != "Bearer wrong"
    for route in ("/v1/systemone", "/v1/decisions", "/v1/tasks/mail"):
        assert session.post(route, json={}).status_code == 401


async def many_at_once(gateway: Any) -> list[int]:
    import asyncio

    body = {"model": "mail", "state": {"subject": "무료"}, "questions": {"action": ACTION}}
    async with async_client(gateway) as session:
        found = await asyncio.gather(*(session.post("/v1/systemone", json=body) for _ in range(20)))
    return [response.status_code for response in found]


def test_many_callers_at_once(tmp_path: Path) -> None:
    import asyncio

    gateway = gateway_with(tmp_path)
    assert asyncio.run(many_at_once(gateway)) == [200] * 20
    assert len({entry.request_id for entry in gateway.store.written}) == 20
