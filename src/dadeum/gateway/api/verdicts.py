"""What the routes of decisions have in common: limits before any work, one call of the engine, one entry in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from dadeum.core.errors import DadeumError, DataError, first_line
from dadeum.core.messages import Message, text
from dadeum.core.task import Retrieve
from dadeum.gateway.api.admission import Visit, shadow_visit
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.api.shadows import Shadows
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.deciding import Decided, Posed, Question, alike, decided
from dadeum.gateway.engine.work import Overloaded
from dadeum.gateway.settings import Limits

log = logging.getLogger(__name__)
Pose = Callable[[ServedModel], list[Posed]]


# -- before any work ------------------------------------------------------------------------------
def num_characters(value: Any) -> int:
    """Of all texts in it, names of fields included; bodies.py has seen to it that it is not deep."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + num_characters(inner) for name, inner in value.items())
    return sum(map(num_characters, value)) if isinstance(value, list | tuple) else 0


def check_question(question: Question, limits: Limits, param: str) -> None:
    """As many options as allowed, and each with a word of its own."""
    values = question.values
    if not 2 <= len(values) <= limits.options:
        advice = Message("gateway.tasks.value.options", {"found": len(values), "limit": limits.options})
        raise bad(param, advice, code="bad_options")
    if any(not value.strip() for value in values):
        raise bad(param, Message("gateway.tasks.value.empty_option"), code="bad_options")
    if (found := alike(values)) is not None:
        raise bad(param, Message("gateway.tasks.value.two_alike", {"value": found[:100]}), code="bad_options")


def check_number(num: int, limits: Limits) -> None:
    if not 1 <= num <= limits.questions:
        advice = Message("gateway.tasks.value.questions", {"found": num, "limit": limits.questions})
        raise bad("questions", advice, code="too_many_questions")


def bad(param: str, advice: Message, code: str = "bad_value") -> Fault:
    return Fault(400, "gateway.api.bad_value", param, code=code, field=param, advice=advice)


# -- the work -------------------------------------------------------------------------------------
async def decide(visit: Visit, pose: Pose, param: str, *, charged: bool = True) -> tuple[list[Decided], int]:
    """Answers and tokens of all prompts; what was let in and came too late stands in the log too."""
    try:
        posed = await visit.read(pose, visit.model)
    except DataError as error:
        values: dict[str, Any] = dict(error.values)
        raise Fault(400, error.key, param, code="not_its_input", **values) from error
    tokens = await visit.read(_count, visit, posed, param)
    if charged:
        visit.charge(tokens)
    try:
        async with asyncio.timeout(visit.seconds_left()):
            return await decided(visit.gateway.engine, visit.model, posed), tokens
    except TimeoutError as error:
        await visit.record(visit.entry("timeout", prompt_tokens=tokens))
        raise Fault(504, "gateway.api.too_late", code="timeout") from error


def _count(visit: Visit, posed: Sequence[Posed], param: str) -> int:
    """Tokens of all prompts; Fault for a model without an answer to score, or a prompt beyond its window."""
    model, engine = visit.model, visit.gateway.engine
    if isinstance(model.recipe.task, Retrieve):
        raise Fault(400, "gateway.tasks.cannot_decide", "model", code="cannot_decide", name=model.name)
    total = 0
    for one in posed:
        found = len(engine.prompt_ids(model, one.turns))
        # No tokenizer needs more tokens than bytes, and an answer has a few that end it.
        answer = 4 + max(len(candidate.encode()) for candidate in one.candidates)
        limit = min(visit.gateway.settings.limits.prompt_tokens, engine.window(model) - answer)
        if found > limit:
            most = max(0, limit)
            raise Fault(
                400, "gateway.api.prompt_too_long", param, code="context_length_exceeded", most=most, found=found
            )  # fmt: skip
        total += found
    return total


def told(found: Sequence[Decided], labels: Sequence[Sequence[str]]) -> dict[str, Any]:
    """What an Entry says of decisions; label and confidence only where there was one question."""
    facts: dict[str, str | float | int] = {
        "questions": len(found),
        "calibrated": int(all(one.calibrated for one in found)),
        "label_mass": min(one.label_mass for one in found),
    }
    if len(found) > 1:
        return {"facts": facts}
    return {"label": labels[0][found[0].best], "confidence": found[0].confidence, "facts": facts}


def follow(shadows: Shadows, visit: Visit, pose: Pose, labels: Sequence[Sequence[str]], **fields: Any) -> None:
    """Versions that decide the same unseen."""

    async def behind(model: ServedModel) -> None:
        unseen = shadow_visit(visit, model)
        try:
            found, tokens = await decide(unseen, pose, "model", charged=False)
            more = told(found, labels) | fields | {"prompt_tokens": tokens}
            await unseen.record(unseen.entry("decided", shadow_of=visit.request_id, **more))
        except (Fault, Overloaded, DadeumError) as error:
            visit.gateway.figures.refused(visit.route, 503, "shadow")
            log.warning(text("gateway.tasks.shadow_failed", version=model.version, kind=first_line(error)[:60]))

    shadows.follow(visit, behind)
