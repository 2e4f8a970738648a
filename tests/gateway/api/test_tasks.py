from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dadeum.core.examples import Example, to_table
from dadeum.core.run import Run
from dadeum.gateway.api.task_examples import examples
from dadeum.gateway.api.task_shapes import GroundedAnswer, Summary, TaskDecision
from dadeum.gateway.catalogue import Catalogue
from dadeum.gateway.settings import Settings
from dadeum.tasks import decide, summarize
from tests.corpora import ANSWER, built_run, recipe_on
from tests.gateway.conftest import FakeEngine, client, make_gateway, model_of, recipe_of
from tests.tiny import save_tokenizer

MAIL: dict[str, Any] = {
    "type": "decide", "instruction": "스팸인지 정하세요.", "labels": ["BLOCK", "ALLOW"],
    "input_fields": ["subject", "attachments"],
}  # fmt: skip
SUMMARIZE: dict[str, Any] = {"type": "summarize", "instruction": "대화를 요약하세요."}
TOLD = "지민: 내일 회의가 몇 시예요?\n하늘: 오후 3시로 옮겼어요."


def scored(folder: Path, **scores: Any) -> Path:
    path = Run(folder).scores_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(scores))
    return folder


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """spam-agent and reasoned (decide), talks (summarize), library (answer), counsel (chat)."""
    root, found = tmp_path_factory.mktemp("runs"), Catalogue()
    save_tokenizer(root / "base")
    mail = scored(root / "mail", calibration={"temperature": 2.0})
    found.add(model_of(recipe_of(MAIL, "spam-agent"), "aaaaaaaaaaaa", mail))
    reasoned = scored(root / "reasoned", calibration=None, max_new_tokens=200)
    found.add(model_of(recipe_of(MAIL | {"reason_field": "why"}, "reasoned"), "bbbbbbbbbbbb", reasoned))
    talks = scored(root / "talks", max_new_tokens=40)
    generation = {"finish": ["drop_unfinished"]}
    found.add(model_of(recipe_of(SUMMARIZE, "talks", generation=generation), "cccccccccccc", talks))
    recipe = recipe_on(root / "files", root / "base", ANSWER, name="library", generation={"max_new_tokens": 60})
    found.add(model_of(recipe, "dddddddddddd", built_run(recipe, root / "library").folder))
    found.add(model_of(recipe_of({"type": "chat"}, "counsel"), "eeeeeeeeeeee", root / "counsel"))
    return found


@pytest.fixture
def gateway(catalogue: Catalogue) -> Any:
    engine = FakeEngine(catalogue)
    engine.scores = lambda turns, texts: [0.9, 0.1]
    return make_gateway(engine=engine)


def test_a_mail_is_decided_with_calibrated_confidence(gateway: Any) -> None:
    sent = {"subject": "(광고) <b>무료</b>  당첨", "attachments": ["당첨.exe"]}
    response = client(gateway).post("/v1/tasks/spam-agent", json=sent | {"user": "kim"})
    assert response.status_code == 200, response.text
    found = response.json()
    assert next(iter(found)) == "action"
    assert (found["action"], found["reason"], found["calibrated"], found["warnings"]) == ("BLOCK", None, True, [])
    assert found["probabilities"] == pytest.approx({"BLOCK": 0.75, "ALLOW": 0.25})
    assert found["confidence"] == found["probabilities"]["BLOCK"]
    assert found["model"] == "spam-agent@aaaaaaaaaaaa" == response.headers["x-dadeum-model"]
    assert found["request_id"] == response.headers["x-request-id"]
    [entry] = gateway.store.written
    assert (entry.label, entry.confidence, entry.user, entry.task) == (
        "BLOCK",
        found["confidence"],
        "hash-kim",
        "decide",
    )
    [(model, [turns], [texts])] = gateway.engine.decided
    shown = {"subject": "(광고) 무료 당첨", "attachments": ["당첨.exe"]}  # as data.clean left the rows that were taught
    assert turns == decide.prompt(model.recipe.task, shown)
    assert texts == decide.candidates(model.recipe.task)


def test_a_reason_is_written_after_the_label_which_a_schema_holds(gateway: Any) -> None:
    gateway.engine.answer = '{"action": "BLOCK", "reason": "광고 문구가 있습니다."}'
    found = client(gateway).post("/v1/tasks/reasoned", json={"subject": "무료", "attachments": []}).json()
    assert (found["action"], found["reason"]) == ("BLOCK", "광고 문구가 있습니다.")
    assert [one["code"] for one in found["warnings"]] == ["not_calibrated"]
    [ask] = gateway.engine.asked
    schema = json.loads(ask.sampling.json_schema)
    assert schema["properties"]["action"] == {"const": "BLOCK"}
    assert list(schema["properties"]) == ["action", "reason"]
    gateway.engine.ends = "error"
    broken = client(gateway).post("/v1/tasks/reasoned", json={"subject": "무료", "attachments": []}).json()
    assert (broken["action"], broken["reason"]) == ("BLOCK", None)
    assert "no_reason" in [one["code"] for one in broken["warnings"]]


@pytest.mark.parametrize(
    ("name", "body", "status", "code", "param"),
    [
        ("spam-agent", {"subjekt": "무료"}, 400, "unknown_field", "subjekt"),
        ("spam-agent", {"subject": 3}, 400, "bad_value", "subject"),
        ("spam-agent", {"subject": "무료", "attachments": [1]}, 400, "bad_value", "attachments"),
        ("spam-agent", {}, 400, "empty_input", "subject"),
        ("spam-agent", {"subject": "무료", "model": "talks"}, 400, "other_task", "model"),
        ("spam-agent", {"subject": "무료", "model": "nobody"}, 404, "model_not_found", "model"),
        ("spam-agent", {"subject": "무료", "user": 3}, 400, "bad_value", "user"),
        ("decide", {"subject": "무료"}, 400, "several_models", "model"),
        ("spam-agnt", {"subject": "무료"}, 404, "task_not_found", None),
        ("counsel", {"messages": []}, 400, "other_route", "model"),
        ("summarize", {"dialogue": " "}, 400, "empty_input", "dialogue"),
        ("summarize", {"text": "글"}, 400, "unknown_field", "text"),
        ("talks", {"dialogue": 3}, 400, "bad_value", None),
        ("answer", {"question": " "}, 400, "empty_input", "question"),
        ("answer", {"question": "입장료", "passages": []}, 400, "bad_value", "passages"),
        ("answer", {"question": "입장료", "model": "talks"}, 400, "other_task", "model"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    gateway: Any, name: str, body: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    response = client(gateway).post(f"/v1/tasks/{name}", json=body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (status, code, param or error["param"]), error
    if status == 404 and code == "task_not_found":
        assert "spam-agent" in error["message"] and "talks" in error["message"]


def test_missing_fields_are_told_and_model_chooses(gateway: Any) -> None:
    found = client(gateway).post("/v1/tasks/decide", json={"subject": "무료", "model": "spam-agent"}).json()
    assert [one["code"] for one in found["warnings"]] == ["missing_fields"]
    assert "attachments" in found["warnings"][0]["message"]
    by_version = {"subject": "무료", "model": "spam-agent@aaaaaaaaaaaa"}
    assert client(gateway).post("/v1/tasks/spam-agent", json=by_version).json()["action"] == "BLOCK"


# -- summaries ------------------------------------------------------------------------------------
def test_a_summary_is_finished_and_doubted(gateway: Any) -> None:
    gateway.engine.answer = "하늘은 회의를 오후 5시로 옮겼습니다. 하늘은 회의를 오후 5시로 옮겼습니다."
    response = client(gateway).post("/v1/tasks/summarize", json={"dialogue": TOLD})
    assert response.status_code == 200, response.text
    found = response.json()
    assert found["cut_off"] is True  # 40 tokens are what this run was judged with
    assert {"cut_off", "unsupported_numbers"} <= {one["code"] for one in found["warnings"]}
    assert "5" in next(one["message"] for one in found["warnings"] if one["code"] == "unsupported_numbers")
    [ask] = gateway.engine.asked
    assert (ask.max_new_tokens, ask.sampling.temperature) == (40, 0.0)
    model, turns = gateway.engine.prompts[-1]
    assert turns == summarize.prompt(model.recipe.task, TOLD, "chat")
    assert gateway.store.written[0].reason == "length"
    gateway.engine.answer = "3시로 옮겼습니다. 하늘은"
    lines = [{"speaker": "지민", "text": "내일 회의가 몇 시예요?"}, {"speaker": "하늘", "text": "오후 3시로 옮겼어요."}]
    again = client(gateway).post("/v1/tasks/talks", json={"dialogue": lines}, headers={"Accept-Language": "en"}).json()
    assert gateway.engine.prompts[-1][1] == turns
    assert (again["summary"], again["finished"], again["cut_off"]) == ("3시로 옮겼습니다.", ["drop_unfinished"], False)


def test_a_summary_that_failed_is_written_down_too(gateway: Any) -> None:
    gateway.engine.ends = "timeout"
    response = client(gateway).post("/v1/tasks/summarize", json={"dialogue": TOLD})
    assert (response.status_code, gateway.store.written[0].status) == (504, 504)


# -- answers from documents -----------------------------------------------------------------------
def test_an_answer_comes_with_its_places(gateway: Any) -> None:
    gateway.settings = Settings(keep_content=True)
    gateway.engine.answer = "입장료는 8천 원입니다. [1]"
    response = client(gateway).post("/v1/tasks/answer", json={"question": "박물관 입장료가 얼마예요?"})
    assert response.status_code == 200, response.text
    found = response.json()
    assert (found["answer"], found["refused"], found["warnings"]) == ("입장료는 8천 원입니다.", False, [])
    [cited] = found["citations"]
    assert (cited["document"], cited["page"], cited["quote"]) == ("doc-08", 1, "박물관 입장료는 8천 원입니다.")
    assert len(found["passages"]) == 3
    assert gateway.store.written[0].facts["citations"] == 1
    # What the model saw, chunks and all: feedback on it is training data only with them.
    kept = json.loads(gateway.store.written[0].question)
    assert kept == gateway.engine.prompts[0][1] and "박물관 입장료는 8천 원입니다." in kept[-1]["content"]
    gateway.engine.answer = ANSWER["refusal"]
    assert client(gateway).post("/v1/tasks/library", json={"question": "박물관 주차"}).json()["refused"] is True


def test_nobody_is_asked_where_nothing_is_found_and_passages_can_be_given(gateway: Any) -> None:
    nothing = client(gateway).post("/v1/tasks/answer", json={"question": "zzz"}).json()
    assert (nothing["refused"], nothing["answer"], gateway.engine.asked) == (True, ANSWER["refusal"], [])
    gateway.engine.answer = "9만 원입니다. [3]"
    given = {"question": "요금은?", "passages": [{"document": "요금표", "page": 4, "text": "요금은 5만 원입니다."}]}
    found = client(gateway).post("/v1/tasks/answer", json=given).json()
    assert found["passages"] == [{"number": 1, "document": "요금표", "page": 4, "last_page": 4, "chunk": "given-1"}]
    assert [one["code"] for one in found["warnings"]] == ["no_such_citation", "unsupported_numbers"]


# -- anything -------------------------------------------------------------------------------------
TEXTS = st.text(max_size=8) | st.sampled_from(["subject", "dialogue", "question", "model", "passages", "spam-agent"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["spam-agent", "summarize", "answer", "reasoned", "library"]),
    body=JSON.filter(lambda body: body is not None),
)
def test_no_json_is_an_error_of_ours(session: Any, name: str, body: Any) -> None:
    response = session.post(f"/v1/tasks/{name}", json=body)
    assert response.status_code in (200, 400, 404), response.text
    assert response.status_code == 200 or set(response.json()["error"]) == {"message", "type", "param", "code"}


@pytest.fixture(scope="module")
def session(catalogue: Catalogue) -> Any:
    return client(make_gateway(engine=FakeEngine(catalogue, answer="네.")))


# -- description ----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["spam-agent", "summarize", "answer"])
def test_examples_of_the_description_can_be_sent(session: Any, name: str) -> None:
    shape = {"spam-agent": TaskDecision, "summarize": Summary, "answer": GroundedAnswer}[name]
    for one in examples()[name].values():
        response = session.post(f"/v1/tasks/{name}", json=one["body"])
        assert response.status_code == 200, response.text
        if "answer" in one:
            shape.model_validate(one["answer"])
            assert response.json().keys() == one["answer"].keys()
    described = session.get("/openapi.json").json()["paths"][f"/v1/tasks/{name}"]["post"]
    assert described["requestBody"]["content"]["application/json"]["examples"]
    assert described["responses"]["200"]["content"]["application/json"]["examples"]


def test_what_was_taught_last_longest_limits_an_answer_that_nobody_judged(tmp_path: Path) -> None:
    from dadeum.gateway.taught import taught

    base = tmp_path / "base"
    save_tokenizer(base)
    recipe = recipe_of(SUMMARIZE, "unjudged").model_copy(
        update={"model": recipe_of(SUMMARIZE).model.model_copy(update={"base": str(base)})}
    )
    run = Run.create(recipe, tmp_path / "run")
    rows = [Example(f"s:{n}", "s", "s", str(n), "글", summarize.prompt(recipe.task, "글", "chat"),
                    summarize.completion("ab" * n), "") for n in (1, 30)]  # fmt: skip
    run.split_path("train").parent.mkdir()
    pq.write_table(to_table(rows), run.split_path("train"))
    knows = taught(model_of(recipe, "121212121212", run.folder))
    assert knows is not None
    assert knows.max_new_tokens == len(knows.renderer.answer_ids("ab" * 30))


def test_one_answer_instead_of_the_best_of_several_is_told() -> None:
    from dadeum.gateway.api.task_texts import one_of_several

    drawn = recipe_of(SUMMARIZE, "drawn", generation={"temperature": 0.7, "candidates": 8})
    assert [message.values for message in one_of_several(model_of(drawn))] == [{"num": 8}]
    assert one_of_several(model_of(recipe_of(SUMMARIZE, "greedy"))) == []
