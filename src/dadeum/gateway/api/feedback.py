"""POST /v1/feedback: what people say about an answer, by its request id (x-request-id, or `id` of the response).

All of it is kept; of two that say the same thing differently the last one counts.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

import yaml
from fastapi import APIRouter, Request
from fastapi import Body as Sent
from pydantic import BaseModel, ConfigDict, Field

from dadeum.core.errors import DadeumError
from dadeum.core.korean import nfc
from dadeum.core.messages import text
from dadeum.core.task import Decide
from dadeum.gateway.api.admission import caller_of
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.api.shapes import Body
from dadeum.gateway.state import Gateway, gateway_of
from dadeum.gateway.store.entries import Entry, Feedback, Rating

log = logging.getLogger(__name__)
router = APIRouter(tags=["feedback"])
_STORE = ThreadPoolExecutor(8, thread_name_prefix="dadeum-feedback")
_COMMENT_CHARACTERS = 10_000
_RETRY_S = 5.0


@cache
def _examples() -> dict[str, Any]:
    file = resources.files("dadeum.gateway.api").joinpath("feedback_examples.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


class FeedbackRequest(Body):
    """At least one of rating, label, correction and comment."""

    request_id: Annotated[str, Field(min_length=1, max_length=200)]
    """Of the answer: header x-request-id, or `id` of its response."""
    rating: Rating | None = None
    label: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """The right label, where the answer was a decision."""
    correction: str | None = None
    """The right answer, whole. Personal data is masked before it is stored."""
    comment: Annotated[str, Field(max_length=_COMMENT_CHARACTERS)] | None = None
    """Masked too."""


class FeedbackAnswer(BaseModel):
    """It was written down."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["feedback"]
    request_id: str
    content_kept: bool
    """False: the server keeps no contents, so the texts of correction and comment were not stored."""


@router.post(
    "/v1/feedback", name="create_feedback", response_model=FeedbackAnswer,
    responses={200: {"content": {"application/json": {"example": _examples()["answer"]}}}},
)  # fmt: skip
async def create_feedback(
    body: Annotated[FeedbackRequest, Sent(openapi_examples=_examples()["bodies"])], request: Request
) -> FeedbackAnswer:
    """Say that an answer was good or bad, what would have been right, or why."""
    gateway = gateway_of(request)
    caller = caller_of(request, "feedback")
    _check(gateway, body)
    asked = await _stored(gateway.store.find, body.request_id)
    if asked is None:
        raise _unknown(body)
    if body.label is not None:
        _check_label(gateway, asked, body.label)
    said = Feedback(
        body.request_id, datetime.now(UTC), body.rating, None if body.label is None else nfc(body.label),
        _text(body.correction), _text(body.comment), caller.key_id,
    )  # fmt: skip
    if not await _stored(gateway.store.say, said):
        raise _unknown(body)  # deleted since
    return FeedbackAnswer(
        object="feedback", request_id=body.request_id, content_kept=gateway.settings.keep_content
    )  # fmt: skip


def _text(given: str | None) -> str | None:
    return None if given is None else nfc(given)


async def _stored(work: Any, given: Any) -> Any:
    """In a thread: a log waits for its disk. 503 where it fails."""
    try:
        return await asyncio.get_running_loop().run_in_executor(_STORE, work, given)
    except (DadeumError, OSError) as error:
        log.error(text("gateway.feedback.failed", kind=type(error).__name__))
        raise Fault(503, "gateway.feedback.not_written", code="log_unavailable", retry_after=_RETRY_S) from error


def _unknown(body: FeedbackRequest) -> Fault:
    return Fault(404, "gateway.feedback.unknown", "request_id", code="unknown_request", id=body.request_id)


def _check(gateway: Gateway, body: FeedbackRequest) -> None:
    if body.rating is None and body.label is None and not (body.correction or "").strip() and not body.comment:
        raise Fault(400, "gateway.feedback.empty", code="nothing_said")
    if body.correction is not None and not body.correction.strip():
        raise Fault(400, "gateway.feedback.empty_correction", "correction", code="empty_correction")
    most = gateway.settings.limits.characters
    if body.correction is not None and len(body.correction) > most:
        raise Fault(400, "gateway.feedback.too_long", "correction", code="too_many_characters", most=most)


def _check_label(gateway: Gateway, asked: Entry, label: str) -> None:
    """400 unless it is one of those that the answer could have been."""
    if not asked.label:
        raise Fault(400, "gateway.feedback.no_decision", "label", code="no_decision", id=asked.request_id)
    model = gateway.engine.catalogue.find(asked.version)
    task = model.recipe.task if model else None
    # A question of the client's own had options that nobody wrote down, and so had a version that is gone.
    if isinstance(task, Decide) and asked.label in task.labels and nfc(label) not in task.labels:
        known = ", ".join(task.labels)
        raise Fault(400, "gateway.feedback.unknown_label", "label", code="unknown_label", label=label, known=known)
