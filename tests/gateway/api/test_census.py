"""Every route there is, and many that there are not, without a key that fits: nothing answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from dadeum.gateway.api.admin import admin_router
from dadeum.gateway.api.app import create_app
from dadeum.gateway.api.guard import OPEN, part_of
from dadeum.gateway.keys import SCOPES, KeyRing
from tests.gateway.conftest import make_gateway

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND")


class Place(NamedTuple):
    app: Any
    web: TestClient
    keys: dict[str, str]
    """valid (of one scope each), expired, revoked, wrong."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder: Path = tmp_path_factory.mktemp("keys")
    now = [datetime.now(UTC) - timedelta(days=3)]
    ring = KeyRing(folder / "keys.json", now=lambda: now[0])
    keys = {"expired": ring.create("old", SCOPES, days=1)[0], "wrong": "dk_" + "x" * 43}
    now[0] = datetime.now(UTC)
    keys |= {scope: ring.create(scope, [scope])[0] for scope in SCOPES}
    keys["revoked"], gone = ring.create("gone", SCOPES)
    ring.revoke(gone.prefix)
    app = create_app(make_gateway(keys=ring), more=[admin_router(folder)])
    return Place(app, TestClient(app, raise_server_exceptions=False, follow_redirects=False), keys)


def routes(app: Any) -> list[tuple[str, str]]:
    """(method, path with its blanks filled) of every route, also of mounted applications."""
    found: set[tuple[str, str]] = set()
    waiting = [("", route) for route in app.routes]
    while waiting:
        before, route = waiting.pop()
        path = before + getattr(route, "path", "")
        waiting += [(path, inner) for inner in getattr(route, "routes", None) or ()]
        for method in getattr(route, "methods", None) or ():
            found.add((method, re.sub(r"{[^}]*}", "x", path)))
    # FastAPI may keep included routers whole; what it describes is what it serves.
    for path, methods in app.openapi()["paths"].items():
        found |= {(method.upper(), re.sub(r"{[^}]*}", "x", path)) for method in methods}
    return sorted(found)


def ask(place: Place, method: str, path: str, key: str | None) -> Any:
    headers = {"Authorization": f"Bearer {place.keys[key]}"} if key else {}
    return place.web.request(method, path, headers=headers)


def test_the_census_knows_the_routes(place: Place) -> None:
    known = routes(place.app)
    wanted = {
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/models"),
        ("GET", "/metrics"),
        ("POST", "/v1/admin/models"),
    }
    assert wanted <= set(known)
    assert len(known) >= 12


def test_every_route_stands_in_the_table_of_scopes(place: Place) -> None:
    assert [path for _, path in routes(place.app) if path not in OPEN and part_of(path) is None] == []
    assert all(isinstance(route.path, str) for route in place.app.routes if isinstance(route, APIRoute))


@pytest.mark.parametrize("key", [None, "wrong", "expired", "revoked"])
def test_no_route_answers_without_a_key_that_is_valid(place: Place, key: str | None) -> None:
    said = set()
    for method, path in routes(place.app):
        if path in OPEN and method in ("GET", "HEAD"):
            continue
        response = ask(place, method, path, key)
        assert response.status_code == 401, (method, path)
        if method != "HEAD":
            said.add(response.text)
    assert len(said) == 1


def test_no_route_answers_to_a_key_of_another_scope(place: Place) -> None:
    for method, path in routes(place.app):
        part = part_of(path)
        if path in OPEN or part is None or part[1] is None:
            continue
        for scope in set(SCOPES) - {part[1]}:
            assert ask(place, method, path, scope).status_code == 403, (method, path, scope)


@pytest.mark.parametrize("path", [
    "/", "//", "/v1", "/v1/", "/v1/models/", "/V1/MODELS", "/v1//models", "//v1/models", "/v1/models%2F..",
    "/v1%2Fmodels",
    "/v1/./models", "/v1/chat/../models", "/livez/", "/livez/x", "/livez%2F..%2Fmetrics", "/LIVEZ", "/livez;x",
    "/livez%00",
    "//livez", "/readyz/../metrics", "/docs", "/redoc", "/docs/oauth2-redirect", "/openapi.json", "/openapi.json/",
    "/static/x", "/monitor", "/admin", "/.env", "/favicon.ico", "/robots.txt", "/v1/admin/models%2Fx", "/metrics?key=x",
    "/metrics/", "/health", "/v1/models?api_key=dk_x", "/%2e%2e/%2e%2e/etc/passwd", "/v1/모델",
])  # fmt: skip
def test_nothing_else_answers_either(place: Place, path: str) -> None:
    for method in METHODS:
        response = place.web.request(method, path)
        assert response.status_code == 401, (method, path, response.status_code)
        assert "location" not in response.headers


def test_the_open_paths_are_open_for_looking_only(place: Place) -> None:
    for path in OPEN:
        for method in METHODS:
            wanted = (200,) if method in ("GET", "HEAD") else (401,)
            assert place.web.request(method, path).status_code in wanted, (method, path)


def test_an_admin_path_written_otherwise_never_opens_to_a_lesser_key(place: Place) -> None:
    for path in ("/v1/admin/models", "/v1/admin%2Fmodels", "/v1%2Fadmin/models", "/v1//admin/models",
                 "/v1/./admin/models",
                 "/v1/x/../admin/models", "/V1/admin/models", "/v1/Admin/models", "/v1/admin/models/"):  # fmt: skip
        response = place.web.post(path, headers={"Authorization": f"Bearer {place.keys['infer']}"}, json={"run": "x"})
        assert response.status_code in (403, 404), (path, response.status_code)


def test_a_path_that_is_not_there_is_told_to_whoever_has_a_key(place: Place) -> None:
    for path in ("/chat/completions", "/docs", "/v1/nothing"):
        response = ask(place, "GET", path, "infer")
        assert (response.status_code, response.json()["error"]["code"]) == (404, "no_route"), path


def test_a_route_that_was_forgotten_in_the_table_is_not_reached() -> None:
    app = create_app(make_gateway())
    app.add_api_route("/forgotten", lambda: "open")
    web = TestClient(app, headers={"Authorization": "Bearer dk_test"})
    assert web.get("/forgotten").status_code == 404
