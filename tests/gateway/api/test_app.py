"""The application as a whole: how it ends, and what stands in it."""

from __future__ import annotations

from fastapi import APIRouter

from dadeum.gateway.api.app import create_app
from tests.gateway.conftest import AUTHORIZATION, PlainTraffic, make_gateway


def test_at_its_end_the_engine_is_drained_and_shadows_are_given_up() -> None:
    import time

    from starlette.testclient import TestClient

    gateway = make_gateway()
    slow = gateway.engine.catalogue.models["counsel@bbbbbbbbbbbb"]  # type: ignore[attr-defined]
    gateway.traffic = PlainTraffic(gateway.engine.catalogue, shadows=(slow,))
    body = {"model": "counsel", "messages": [{"role": "user", "content": "안녕"}]}
    with TestClient(create_app(gateway), headers=AUTHORIZATION) as http:
        assert http.post("/v1/chat/completions", json=body).status_code == 200
        gateway.engine.seconds_per_token = 60.0  # type: ignore[attr-defined]
        assert not gateway.engine.draining  # type: ignore[attr-defined]
        started = time.monotonic()
    assert time.monotonic() - started < 10
    assert gateway.engine.draining  # type: ignore[attr-defined]


def test_routers_of_others_get_the_same_refusals() -> None:
    from starlette.testclient import TestClient

    from dadeum.gateway.api.faults import Fault

    router = APIRouter()

    @router.get("/v1/more", name="more")
    async def more() -> None:
        raise Fault(409, "gateway.api.conflict")

    http = TestClient(create_app(make_gateway(), [router]), headers=AUTHORIZATION)
    assert http.get("/v1/more").json()["error"]["code"] == "conflict"
    assert "503" in http.get("/openapi.json").json()["paths"]["/v1/more"]["get"]["responses"]
