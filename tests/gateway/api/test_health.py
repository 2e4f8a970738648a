"""Liveness, readiness with its reasons, and the page of figures."""

from __future__ import annotations

from typing import Any

import pytest

from dadeum.core.messages import Message
from dadeum.gateway.api import health
from dadeum.gateway.figures import PrometheusFigures
from dadeum.gateway.state import Gateway
from tests.gateway.conftest import AUTHORIZATION, client, make_gateway


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_FRESH_S", 0.0)


def ready(gateway: Gateway, **headers: str) -> tuple[int, Any]:
    response = client(gateway, Authorization="", **headers).get("/readyz")
    return response.status_code, response.json()


def test_a_process_lives_even_where_it_is_not_ready(gateway: Gateway) -> None:
    gateway.engine.draining = True
    assert client(gateway, Authorization="").get("/livez").json() == {"status": "ok"}
    assert client(gateway, Authorization="").head("/livez").status_code == 200
    assert client(gateway, Authorization="").head("/readyz").status_code == 503


def test_ready_without_reasons_against_it(gateway: Gateway) -> None:
    assert ready(gateway) == (200, {"status": "ready", "reasons": []})


def test_every_reason_is_told_in_the_callers_language(gateway: Gateway) -> None:
    gateway.engine.draining = True
    gateway.store.broken = True
    gateway.checks.append(lambda: Message("gateway.safety.other_base", {"base": "아직"}))
    status, told = ready(gateway, **{"Accept-Language": "ko"})
    assert (status, told["status"]) == (503, "not_ready")
    assert [any(word in reason for reason in told["reasons"]) for word in ("엔진", "기록", "아직")] == [True] * 3
    _, english = ready(gateway, **{"Accept-Language": "en"})
    assert "engine" in english["reasons"][0]


def test_readiness_comes_back(gateway: Gateway, impatient: None) -> None:
    web = client(gateway)
    gateway.store.broken = True
    assert web.get("/readyz").status_code == 503
    gateway.store.broken = False
    assert web.get("/readyz").status_code == 200
    assert web.get("/health").status_code == 200


def test_however_many_ask_the_log_is_asked_once_a_second(gateway: Gateway) -> None:
    asked: list[int] = []
    gateway.checks.append(lambda: asked.append(1))
    web = client(gateway)
    for _ in range(20):
        web.get("/readyz")
    assert len(asked) <= 2


def test_figures_are_for_those_with_the_scope() -> None:
    gateway = make_gateway()
    gateway.figures = PrometheusFigures(gateway.engine)
    web = client(gateway)
    chat = {"model": "counsel", "messages": [{"role": "user", "content": "안녕"}], "user": "kim"}
    assert web.post("/v1/chat/completions", json=chat).status_code == 200
    assert web.get("/v1/nothing").status_code == 404
    page = web.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=")
    assert 'dadeum_requests_total{route="/v1/chat/completions",status="200"} 1.0' in page.text
    assert 'reason="no_route"' in page.text
    assert "kim" not in page.text and AUTHORIZATION["Authorization"][7:] not in page.text
