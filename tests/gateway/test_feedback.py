"""POST /v1/feedback: what people say reaches the log, and what cannot be said is a sentence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dadeum.gateway.api.feedback import _examples
from dadeum.gateway.settings import Settings
from dadeum.gateway.store.entries import Entry
from tests.gateway.conftest import OpenKeys, client, make_gateway


def entry(name, **changes):
    values = {
        "request_id": name, "time": datetime(2026, 11, 2, tzinfo=UTC), "route": "/v1/chat/completions", "key_id": "k",
        "user": "", "model": "counsel", "version": "counsel@aaaaaaaaaaaa", "task": "chat", "status": 200,
        "reason": "stop",
    }  # fmt: skip
    return Entry(**(values | changes))


@pytest.fixture
def gateway():
    made = make_gateway()
    made.store.record(entry("a"))
    made.store.record(entry("d", version="mail@cccccccccccc", task="decide", label="BLOCK", confidence=0.8))
    return made


def test_what_was_said_is_in_the_log(gateway):
    with client(gateway) as api:
        body = {"request_id": "a", "rating": "down", "correction": "고친 답", "comment": "왜"}
        first = api.post("/v1/feedback", json=body)
        second = api.post("/v1/feedback", json={"request_id": "d", "label": "ALLOW"})
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == {"object": "feedback", "request_id": "a", "content_kept": False}
    one, other = gateway.store.said
    assert (one.rating, one.correction, one.comment, one.key_id) == ("down", "고친 답", "왜", "dk_te")
    assert (other.request_id, other.label, other.rating) == ("d", "ALLOW", None)


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"request_id": "gone", "rating": "up"}, 404, "unknown_request", "request_id"),
        ({"request_id": "d", "label": "SPAM"}, 400, "unknown_label", "label"),
        ({"request_id": "a", "label": "ALLOW"}, 400, "no_decision", "label"),
        ({"request_id": "a"}, 400, "nothing_said", None),
        ({"request_id": "a", "rating": "up", "correction": "  "}, 400, "empty_correction", "correction"),
        ({"request_id": "a", "correction": "x" * 51}, 400, "too_many_characters", "correction"),
        ({"request_id": "a", "rating": "sideways"}, 400, None, "rating"),
        ({"request_id": "a", "stars": 5}, 400, None, "stars"),
        ({"rating": "up"}, 400, None, "request_id"),
    ],
)
def test_what_cannot_be_said_is_refused_by_field(body, status, code, param):
    gateway = make_gateway(limits={"characters": 50})
    gateway.store.record(entry("a"))
    gateway.store.record(entry("d", version="mail@cccccccccccc", task="decide", label="BLOCK"))
    with client(gateway) as api:
        answer = api.post("/v1/feedback", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param)
    assert code is None or error["code"] == code
    assert gateway.store.said == []


def test_a_label_of_a_version_that_is_gone_is_taken(gateway):
    gateway.store.record(entry("old", version="mail@000000000000", task="decide", label="BLOCK"))
    with client(gateway) as api:
        assert api.post("/v1/feedback", json={"request_id": "old", "label": "ALLOW"}).status_code == 200


def test_it_wants_a_key_with_the_scope(gateway):
    gateway.keys = OpenKeys(frozenset({"infer"}))
    with client(gateway) as api:
        assert api.post("/v1/feedback", json={"request_id": "a", "rating": "up"}).status_code == 403
        headers = {"Authorization": "Bearer other"}
        assert api.post("/v1/feedback", json={"request_id": "a", "rating": "up"}, headers=headers).status_code == 401


def test_a_log_that_fails_is_a_503(gateway):
    def full(feedback):
        raise OSError(28, "No space left on device")

    gateway.store.say = full
    with client(gateway) as api:
        answer = api.post("/v1/feedback", json={"request_id": "a", "rating": "up"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "log_unavailable")
    assert answer.headers["retry-after"]


def test_examples_are_what_the_route_takes():
    gateway = make_gateway(settings=Settings(keep_content=True))
    for name in ("019364a1c2f07b3d9e", "019364a1c2f07b3d9f"):
        gateway.store.record(entry(name, version="mail@cccccccccccc", task="decide", label="BLOCK"))
    with client(gateway) as api:
        for example in _examples()["bodies"].values():
            answer = api.post("/v1/feedback", json=example["value"])
            assert answer.status_code == 200, answer.text
            assert answer.json().keys() == _examples()["answer"].keys()
        told = api.get("/openapi.json").json()["paths"]["/v1/feedback"]["post"]
    assert set(told["requestBody"]["content"]["application/json"]["examples"]) == set(_examples()["bodies"])
