"""One shape for every refusal, in the caller's language, and no key without its sentence."""

from __future__ import annotations

import ast
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from starlette.datastructures import Headers

from dadeum.core.messages import catalogue
from dadeum.gateway.api.errors import language_of
from dadeum.gateway.api.faults import Fault
from tests.gateway.conftest import AUTHORIZATION, client, make_gateway

GATEWAY = Path(__file__).parents[3] / "src" / "dadeum" / "gateway"
CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("method", "path", "content", "kind", "status"),
    [
        ("GET", "/nowhere", None, "", 404),
        ("GET", "/docs", None, "", 404),
        ("DELETE", "/v1/models", None, "", 405),
        ("POST", CHAT, b"{", "application/json", 400),
        ("POST", CHAT, b'{"model": "\xff"}', "application/json", 400),
        ("POST", CHAT, b"{}", "application/json", 400),
        ("POST", CHAT, b"[1]", "application/json", 400),
        ("POST", CHAT, b'"text"', "application/json", 400),
        ("POST", CHAT, b"", "application/json", 400),
        ("POST", CHAT, b"model=counsel", "application/x-www-form-urlencoded", 415),
        ("POST", CHAT, b'{"model": "' + b"x" * 2000 + b'"}', "application/json", 413),
    ],
)
def test_the_frameworks_refusals_have_the_shape_too(
    method: str, path: str, content: bytes | None, kind: str, status: int
) -> None:
    gateway = make_gateway(limits={"body_bytes": 1000})
    response = client(gateway).request(method, path, content=content, headers={"Content-Type": kind} if kind else {})
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert response.headers["x-request-id"]


def test_without_a_key_there_is_nothing() -> None:
    http = client(make_gateway())
    http.headers.pop("authorization")
    for path in ("/v1/models", "/openapi.json", "/nowhere"):
        response = http.get(path)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert response.headers["www-authenticate"] == "Bearer"


def test_the_guard_being_away_routes_still_want_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    import dadeum.gateway.api.app as module

    monkeypatch.setattr(module, "_guard", lambda app, gateway: None)
    http = client(make_gateway())
    assert http.get("/v1/models").status_code == 200
    http.headers.pop("authorization")
    for path in ("/v1/models", "/v1/models/x", "/openapi.json"):
        assert http.get(path).status_code == 401
    body = {"model": "counsel", "messages": [{"role": "user", "content": "안녕"}]}
    assert http.post(CHAT, json=body).status_code == 401


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "ko"), ("en-US,en;q=0.9,ko;q=0.8", "en"), ("ko-KR,en;q=0.5", "ko"), ("fr", "ko"), ("*", "ko"),
        ("en;q=0", "ko"), ("ko;q=0.1, en;q=0.2", "en"), ("en;q=x", "ko"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_that_the_caller_likes(accepted: str, language: str) -> None:
    assert language_of(Headers({"accept-language": accepted})) == language


def test_messages_follow_the_language_and_codes_do_not() -> None:
    http = client(make_gateway())
    korean, english = (
        http.post(CHAT, json={"model": "x", "messages": []}, headers={"Accept-Language": one}).json()["error"]
        for one in ("ko", "en")
    )
    assert korean["code"] == english["code"]
    assert "messages" in korean["message"]
    assert korean["message"] != english["message"]
    assert english["message"].isascii()


def test_a_scope_that_is_missing_is_403() -> None:
    from tests.gateway.conftest import OpenKeys

    response = client(make_gateway(keys=OpenKeys(scopes=frozenset({"metrics"})))).get("/v1/models")
    assert (response.status_code, response.json()["error"]["type"]) == (403, "permission_error")


def faults() -> list[tuple[str, str, set[str]]]:
    """Literal keys of every Fault in the gateway, and the values that come with them."""
    found = []
    for module in sorted(GATEWAY.rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Fault" and len(node.args) > 1:
                key = node.args[1]
                if isinstance(key, ast.Constant) and all(word.arg for word in node.keywords):
                    given = {str(word.arg) for word in node.keywords}
                    found.append((f"{module.name}:{node.lineno}", str(key.value), given))
    return found


def test_every_refusal_has_its_sentence_and_what_the_sentence_needs() -> None:
    """`Fault` takes its key second, so the test of all other sentences does not see it."""
    found = faults()
    assert len(found) > 20
    for where, key, given in found:
        assert key in catalogue("ko"), where
        wanted = {name for _, name, _, _ in Formatter().parse(catalogue("ko")[key]) if name}
        assert wanted <= given, where


def test_a_code_is_the_end_of_its_key_unless_given() -> None:
    assert Fault(400, "gateway.api.bad_body").code == "bad_body"
    assert Fault(400, "gateway.api.bad_body", code="x").code == "x"


def test_every_answer_has_a_request_id_of_its_own() -> None:
    http = client(make_gateway())
    ids = [http.get(path, headers=AUTHORIZATION).headers["x-request-id"] for path in ("/v1/models", "/v1/models")]
    assert len(set(ids)) == 2


def test_a_field_of_a_wrong_type_is_named_with_its_place() -> None:
    body: dict[str, Any] = {"model": "counsel", "messages": [{"role": "user", "content": [{"type": "text"}]}]}
    error = client(make_gateway()).post(CHAT, json=body).json()["error"]
    assert error["param"] == "messages[0].content[0].text"
    assert error["code"] == "missing_field"


@pytest.mark.parametrize(
    ("path", "more", "param", "said"),
    [
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "사람", "schema": {}}}},
         "response_format.json_schema.name", "^[A-Za-z0-9_-]{1,64}$ 꼴이어야 합니다."),
        (CHAT, {"response_format": {"type": "json_schema"}}, "response_format.json_schema", "값이 없습니다."),
        (CHAT, {"response_format": {"type": "xml"}}, "response_format.type", "가운데 하나여야 합니다."),
        (CHAT, {"response_format": {}}, "response_format.type", "값이 없습니다."),
        ("/v1/feedback", {"rating": 1}, "rating", "'up', 'down' 가운데 하나여야 합니다."),
    ],
)  # fmt: skip
def test_a_field_is_named_as_its_sender_knows_it(path: str, more: dict[str, Any], param: str, said: str) -> None:
    whole = {"request_id": "req_1"} if path != CHAT else {
        "model": "counsel", "messages": [{"role": "user", "content": "안녕"}]
    }  # fmt: skip
    error = client(make_gateway()).post(path, json=whole | more, headers={"Accept-Language": "ko"}).json()["error"]
    assert error["param"] == param
    assert said in error["message"] and " or " not in error["message"]
