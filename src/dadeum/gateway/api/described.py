"""The description of the API (/openapi.json): refusals, the key, and Korean examples, which stand in examples.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import yaml
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from dadeum.core.messages import Message, text
from dadeum.gateway.api.answers import Refusal
from dadeum.gateway.api.errors import shape_of
from dadeum.gateway.api.faults import Fault

_PROBLEMS: tuple[Fault, ...] = (
    Fault(400, "gateway.api.unsupported_field", "tools", code="unsupported_field", field="tools"),
    Fault(401, "gateway.api.no_key", code="invalid_api_key"),
    Fault(403, "gateway.api.no_scope", code="missing_scope", scope="infer"),
    Fault(404, "gateway.api.unknown_model", "model", code="model_not_found", name="gpt", known="counsel"),
    Fault(405, "gateway.api.wrong_method", code="wrong_method", path="/v1/models", method="POST"),
    Fault(408, "gateway.safety.slow_body", code="slow_body", seconds=20),
    Fault(409, "gateway.api.conflict", code="conflict"),
    Fault(413, "gateway.api.too_large", code="body_too_large"),
    Fault(415, "gateway.api.not_json", code="not_json"),
    Fault(429, "gateway.api.too_fast", code="rate_limit_exceeded"),
    Fault(500, "gateway.api.failed", code="internal_error"),
    Fault(501, "gateway.api.unsupported_field", code="unsupported_field", field="-"),
    Fault(503, "gateway.api.overloaded", code="overloaded", why=Message("gateway.api.overload.requests")),
    Fault(504, "gateway.api.too_late", code="timeout"),
)


REFUSALS: dict[int | str, dict[str, Any]] = {
    fault.status: {"model": Refusal, "description": text(f"gateway.api.status.{fault.status}", "ko")}
    for fault in _PROBLEMS
}
"""`responses` of every route."""
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}  # fmt: skip
"""`responses` of a route that can also answer with server-sent events."""


def describe(app: FastAPI, without_key: Sequence[str]) -> dict[str, Any]:
    """OpenAPI 3.1, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    found = get_openapi(
        title=app.title, version=app.version, routes=app.routes, description=text("gateway.api.about", "ko")
    )  # fmt: skip
    parts = found.setdefault("components", {})
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for gone in ("HTTPValidationError", "ValidationError"):
        parts.get("schemas", {}).pop(gone, None)
    for path, methods in found.get("paths", {}).items():
        for method, operation in methods.items():
            # What does not fit is a 400 of our own shape.
            operation.get("responses", {}).pop("422", None)
            operation["security"] = [] if path in without_key else [{"key": []}]
            _exemplify(operation, _examples().get(f"{method} {path}", {}))
    app.openapi_schema = found
    return found


def _exemplify(operation: dict[str, Any], told: dict[str, Any]) -> None:
    """Where the route brings no examples of its own."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and "bodies" in told:
        body.setdefault("examples", {name: {"value": value} for name, value in told["bodies"].items()})
    answer = operation.get("responses", {}).get("200", {}).get("content", {})
    if "answer" in told and "application/json" in answer:
        answer["application/json"].setdefault("example", told["answer"])
    for fault in _PROBLEMS:  # here, because FastAPI drops what is null in examples
        refused = operation.get("responses", {}).get(str(fault.status), {}).get("content", {}).get("application/json")
        if refused is not None and "Refusal" in refused.get("schema", {}).get("$ref", ""):
            refused.setdefault("example", shape_of(fault, "ko"))
    if "events" in told and "text/event-stream" in answer:
        answer["text/event-stream"].setdefault("example", told["events"])


@cache
def _examples() -> dict[str, Any]:
    """`method path` → bodies, answer, events."""
    file = resources.files("dadeum.gateway.api").joinpath("examples.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found
