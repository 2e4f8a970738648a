"""The description against the application: whatever it allows is answered, as it says, and never with a 5xx of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from dadeum.gateway.api.admin import admin_router
from dadeum.gateway.api.app import create_app
from tests.gateway.conftest import AUTHORIZATION, make_gateway

CHECKS = (not_a_server_error, status_code_conformance, response_schema_conformance)


def operations() -> list[Any]:
    app = create_app(make_gateway(), more=[admin_router(Path("no-such-folder"))])
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=AUTHORIZATION)
    return [found.ok() for found in schema.get_all_operations()]


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
def test_whatever_the_description_allows_is_answered_as_it_says(operation: Any) -> None:
    @settings(
        max_examples=5, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy())
    def answered(case: Any) -> None:
        response = case.call(headers=AUTHORIZATION)
        if response.status_code in (501, 503):  # told as such: not built for this model, or not ready
            assert response.json()
            return
        case.validate_response(response, checks=CHECKS)

    answered()
