"""Korean examples of bodies and answers for /openapi.json; they stand in task_examples.yaml, and tests send them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml


@cache
def examples() -> dict[str, Any]:
    """Route → title → {body, answer}."""
    file = resources.files("dadeum.gateway.api").joinpath("task_examples.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def body_of(route: str) -> dict[str, Any]:
    """For `openapi_extra` of a route: example bodies beside the schema that is there."""
    told = {title: {"value": one["body"]} for title, one in examples()[route].items()}
    return {"requestBody": {"content": {"application/json": {"examples": told}}}}


def response_of(route: str) -> dict[int | str, dict[str, Any]]:
    """For `responses` of a route."""
    told = {title: {"value": one["answer"]} for title, one in examples()[route].items() if "answer" in one}
    return {200: {"content": {"application/json": {"examples": told}}}}
