"""/openapi.json: complete, with examples that work, and what is answered is what it says."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from dadeum.gateway.api.app import create_app
from dadeum.gateway.api.described import _examples
from tests.gateway.conftest import FINDER, RETRIEVE, FakeEngine, catalogue_of_tasks, client, make_gateway, model_of
from tests.gateway.conftest import recipe_of as recipe

OWN = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/v1/models/{model}")


@pytest.fixture(scope="module")
def gateway() -> Any:
    catalogue = catalogue_of_tasks()
    catalogue.add(model_of(recipe(RETRIEVE, "finder", **FINDER)))
    return make_gateway(engine=FakeEngine(catalogue))


@pytest.fixture(scope="module")
def http(gateway: Any) -> Any:
    return client(gateway)


@pytest.fixture(scope="module")
def api(http: Any) -> dict[str, Any]:
    found: dict[str, Any] = http.get("/openapi.json").json()
    return found


def operations(api: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, one) for path, methods in api["paths"].items() for method, one in methods.items()]


def validator(api: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": api["components"]})


def test_every_route_stands_in_it_once(gateway: Any, api: dict[str, Any]) -> None:
    ids = [one["operationId"] for _, _, one in operations(api)]
    assert len(ids) == len(set(ids))
    assert set(OWN) <= set(api["paths"])
    hidden = {route.path for route in create_app(gateway).routes if isinstance(route, Route)} - set(api["paths"])
    assert hidden <= {"/openapi.json"}


def test_every_operation_tells_its_refusals_and_key(api: dict[str, Any]) -> None:
    for _, path, one in operations(api):
        assert {"400", "401", "403", "404", "429", "500", "503"} <= set(one["responses"]), path
        assert "422" not in one["responses"]
        for status, response in one["responses"].items():
            if status >= "400" and path in OWN:
                content = response["content"]["application/json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Refusal"}
                validator(api, content["schema"]).validate(content["example"])
        assert one["security"] == ([] if path in ("/livez", "/readyz") else [{"key": []}])


def test_every_example_is_what_its_schema_says(api: dict[str, Any]) -> None:
    for method, path, one in operations(api):
        if path not in OWN:
            continue
        answer = one["responses"]["200"]["content"]["application/json"]
        validator(api, answer["schema"]).validate(answer["example"])
        if method == "post":
            body = one["requestBody"]["content"]["application/json"]
            for example in body["examples"].values():
                validator(api, body["schema"]).validate(example["value"])


@pytest.mark.parametrize(
    ("path", "name"),
    [(key.split()[1], name) for key, told in _examples().items() for name in told.get("bodies", {})],
)
def test_every_example_can_be_sent_and_the_answer_is_as_described(
    http: Any, api: dict[str, Any], path: str, name: str
) -> None:
    response = http.post(path, json=_examples()[f"post {path}"]["bodies"][name])
    assert response.status_code == 200, response.text
    if response.headers["content-type"] == "application/json":
        described = api["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        validator(api, described).validate(response.json())
    else:
        assert response.text.endswith("data: [DONE]\n\n")


def test_lists_are_as_described(http: Any, api: dict[str, Any]) -> None:
    for path, real in (("/v1/models", "/v1/models"), ("/v1/models/{model}", "/v1/models/counsel")):
        described = api["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        validator(api, described).validate(http.get(real).json())


def test_no_page_loads_anything_from_elsewhere(http: Any) -> None:
    assert [http.get(path).status_code for path in ("/docs", "/redoc")] == [404, 404]
