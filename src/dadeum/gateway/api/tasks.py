"""POST /v1/tasks/{name}: a recipe's own input → its own output, whatever prompt lies between.

`name` is that of a served run, of its recipe, or a kind of task (decide, summarize, answer). An input of `decide` is
flat: its fields stand beside `model` and `user`, which are fields themselves only where the recipe has such fields.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.responses import JSONResponse

from dadeum.core.errors import ModelError
from dadeum.core.messages import Message
from dadeum.core.task import Decide
from dadeum.gateway.api.admission import Visit, visit
from dadeum.gateway.api.answering import check_characters
from dadeum.gateway.api.complaints import unknown_field
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.api.task_examples import body_of, response_of
from dadeum.gateway.api.task_shapes import GroundedAnswer, QuestionRequest, Summary, SummaryRequest, TaskDecision
from dadeum.gateway.api.task_texts import answer_of, ask_of, other_task, summary_of, warned, written
from dadeum.gateway.api.verdicts import bad, decide, follow, num_characters, told
from dadeum.gateway.catalogue import ServedModel, slug
from dadeum.gateway.deciding import Decided, Posed, trained
from dadeum.gateway.engine.work import Ask
from dadeum.gateway.state import Gateway, gateway_of
from dadeum.gateway.taught import taught
from dadeum.tasks import decide as decide_task

router = APIRouter()

_KINDS = ("decide", "summarize", "answer")
_ROUTES = {"chat": "/v1/chat/completions", "retrieve": "/v1/embeddings"}
Fields = Annotated[dict[str, Any], Body()]
Shape = TypeVar("Shape", bound=BaseModel)


@router.post(
    "/v1/tasks/spam-agent",
    response_model=TaskDecision,
    openapi_extra=body_of("spam-agent"),
    responses=response_of("spam-agent"),
)
async def run_spam_agent(request: Request, body: Fields) -> JSONResponse:
    """A mail's subject and attachments → action, reason and calibrated confidence."""
    return await _run(request, "spam-agent", body)


@router.post(
    "/v1/tasks/decide",
    response_model=TaskDecision,
    openapi_extra=body_of("decide"),
    responses=response_of("spam-agent"),
)
async def run_decide(request: Request, body: Fields) -> JSONResponse:
    """The fields of a run of task `decide` → its label with calibrated probabilities."""
    return await _run(request, "decide", body)


@router.post(
    "/v1/tasks/summarize",
    response_model=Summary,
    openapi_extra=body_of("summarize"),
    responses=response_of("summarize"),
)
async def run_summarize(request: Request, body: SummaryRequest) -> JSONResponse:
    """A dialogue → its summary, with numbers and names that the dialogue does not have."""
    let_in = _let_in(request, "summarize", body.model, body.user)
    return _response(let_in, await summary_of(request, let_in, body))


@router.post(
    "/v1/tasks/answer", response_model=GroundedAnswer, openapi_extra=body_of("answer"), responses=response_of("answer")
)
async def run_answer(request: Request, body: QuestionRequest) -> JSONResponse:
    """A question → an answer that stands in the run's documents, with its places, or a refusal."""
    let_in = _let_in(request, "answer", body.model, body.user)
    return _response(let_in, await answer_of(request, let_in, body))


@router.post(
    "/v1/tasks/{name}",
    response_model=TaskDecision | Summary | GroundedAnswer,
    openapi_extra=body_of("spam-agent"),
    responses=response_of("spam-agent"),
)
async def run_task(request: Request, name: Annotated[str, Path(max_length=200)], body: Fields) -> JSONResponse:
    """The input of any served run → its output; `name` is the run's, its recipe's or a kind of task."""
    return await _run(request, name, body)


# -- which run ------------------------------------------------------------------------------------
async def _run(request: Request, name: str, body: dict[str, Any]) -> JSONResponse:
    fields = dict(body)
    own = _own_fields(gateway_of(request), name)
    asked = None if "model" in own else _name_in(fields, "model")
    user = None if "user" in own else _name_in(fields, "user")
    let_in = _let_in(request, name, asked, user)
    task = let_in.model.task
    if task == "decide":
        return JSONResponse(await _decided(request, let_in, fields), headers=let_in.headers)
    if task == "summarize":
        return _response(let_in, await summary_of(request, let_in, _parsed(SummaryRequest, fields)))
    return _response(let_in, await answer_of(request, let_in, _parsed(QuestionRequest, fields)))


def _let_in(request: Request, name: str, asked: str | None, user: str | None) -> Visit:
    """Under the run that `name` means, or that of them which `asked` chooses."""
    gateway = gateway_of(request)
    meant = {model.name: model for model in _meant(gateway, name)}
    if not meant:
        raise _not_served(gateway, name)
    if asked is None and len(meant) > 1:
        runs = ", ".join(sorted(meant))
        raise Fault(400, "gateway.tasks.several", "model", code="several_models", name=name, runs=runs)
    # `name@alias` and `name@version` are names of a run too.
    let_in = visit(request, asked or (name if "@" in name else next(iter(meant))), user)
    model = let_in.model
    if asked is not None and model.name not in meant:
        raise Fault(
            400, "gateway.tasks.not_of_this", "model", code="other_task", name=model.name, task=name,
            runs=", ".join(sorted(meant)),
        )  # fmt: skip
    if model.task in _ROUTES:
        route = _ROUTES[model.task]
        raise Fault(400, "gateway.tasks.other_route", "model", code="other_route", name=model.name, route=route)
    return let_in


def _meant(gateway: Gateway, name: str) -> list[ServedModel]:
    """Runs of that name, else of a recipe of that name, else of that kind of task."""
    models = [model for model in gateway.engine.catalogue if model.weights is not None]
    plain = name.partition("@")[0]
    return (
        [model for model in models if model.name == plain]
        or [model for model in models if _recipe_name(model) == plain]
        or [model for model in models if model.task == plain and plain in _KINDS]
    )


def _recipe_name(model: ServedModel) -> str:
    try:
        return slug(model.recipe.name)
    except ModelError:  # served under export.name, because its own is none for an address
        return ""


def _not_served(gateway: Gateway, name: str) -> Fault:
    served = sorted({one for model in gateway.engine.catalogue if model.weights is not None
                     for one in (model.name, model.task) if model.task in _KINDS})  # fmt: skip
    values: dict[str, Any] = {"name": name[:100], "known": ", ".join(served) or "-"}
    if near := difflib.get_close_matches(name, served, n=1, cutoff=0.6):
        return Fault(404, "gateway.tasks.not_served_near", code="task_not_found", near=near[0], **values)
    return Fault(404, "gateway.tasks.not_served", code="task_not_found", **values)


def _own_fields(gateway: Gateway, name: str) -> set[str]:
    """Input fields of the decisions that the name may mean."""
    tasks = [model.recipe.task for model in _meant(gateway, name) if model.task == "decide"]
    return {field for task in tasks if isinstance(task, Decide) for field in task.input_fields}


def _name_in(fields: dict[str, Any], key: str) -> str | None:
    """Taken out of the fields; Fault for what is no name."""
    value = fields.pop(key, None)
    if value is None:
        return None
    if not isinstance(value, str):
        raise bad(key, Message("gateway.api.value.string"))
    if not 0 < len(value) <= 512:
        raise bad(key, Message("gateway.api.value.long_text", {"max_length": 512}))
    return value


def _parsed(shape: type[Shape], fields: dict[str, Any]) -> Shape:
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _response(let_in: Visit, answer: BaseModel) -> JSONResponse:
    return JSONResponse(answer.model_dump(mode="json"), headers=let_in.headers)


# -- decisions ------------------------------------------------------------------------------------
async def _decided(request: Request, let_in: Visit, fields: dict[str, Any]) -> dict[str, Any]:
    task = let_in.model.recipe.task
    if not isinstance(task, Decide):
        raise other_task(let_in.model, "decide")
    missing = _check_fields(task, fields)
    check_characters(let_in, num_characters(fields), task.input_fields[0])

    def posed(model: ServedModel) -> list[Posed]:
        other = model.recipe.task
        if not isinstance(other, Decide) or other.labels != task.labels:
            raise other_task(model, "decide")
        return [trained(model, fields)]

    [found], tokens = await decide(let_in, posed, task.input_fields[0])
    label = task.labels[found.best]
    reason, more = await _reason(request, let_in, found, label)
    size = {"input_characters": len(decide_task.plain_text(task, fields))}
    content = {"question": json.dumps(fields, ensure_ascii=False), "answer": label}
    kept = content if let_in.gateway.settings.keep_content else {}
    entry = told([found], [task.labels]) | {"prompt_tokens": tokens} | size | kept
    await let_in.record(let_in.entry("decided", **entry))
    follow(request.app.state.shadows, let_in, posed, [task.labels], **size)
    doubts = [Message("gateway.tasks.warn.missing_fields", {"fields": ", ".join(missing)})] if missing else []
    doubts += [] if found.calibrated else [Message("gateway.tasks.warn.not_calibrated")]
    answer = {
        "reason": reason,
        "confidence": found.confidence,
        "probabilities": dict(zip(task.labels, found.probabilities, strict=True)),
        "calibrated": found.calibrated,
        "label_mass": found.label_mass,
        "warnings": [one.model_dump() for one in warned(request, [*doubts, *more])],
        "model": let_in.model.version,
        "request_id": let_in.request_id,
    }
    return {task.label_key: label} | answer | {task.label_key: label}


def _check_fields(task: Decide, fields: Mapping[str, Any]) -> list[str]:
    """Fields that are absent; 400 for one that the run does not know, or whose value was never taught."""
    for name, value in fields.items():
        if name not in task.input_fields:
            raise unknown_field(name[:100], [*task.input_fields, "model", "user"])
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not (value is None or isinstance(value, str) or is_list):
            raise bad(name, Message("gateway.tasks.value.field"))
    if not any(_said(value) for value in fields.values()):
        names = ", ".join(task.input_fields)
        raise Fault(400, "gateway.tasks.empty_input", task.input_fields[0], code="empty_input", field=names)
    return [name for name in task.input_fields if name not in fields]


def _said(value: str | list[str] | None) -> bool:
    return bool("".join(value).strip()) if value else False


async def _reason(
    request: Request, let_in: Visit, found: Decided, label: str
) -> tuple[str | None, list[Message]]:  # fmt: skip
    """Written after the label, which a schema holds fast; None where the recipe teaches none or none came."""
    task, knows = let_in.model.recipe.task, taught(let_in.model)
    assert isinstance(task, Decide)
    if task.reason_field is None or knows is None:
        return None, []
    properties = {task.label_key: {"const": label}, "reason": {"type": "string"}}
    schema = json.dumps(
        {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False},
        ensure_ascii=False,
    )
    ask: Ask = await let_in.read(ask_of, let_in, found.posed.turns, knows, schema)
    wrote = await written(request, let_in, ask)
    if isinstance(wrote, Fault):
        return None, [Message("gateway.tasks.warn.no_reason")]
    shares = dict(zip(task.labels, found.probabilities, strict=True))
    reason = decide_task.decision(task, shares, wrote.text).get("reason")
    return (reason, []) if reason else (None, [Message("gateway.tasks.warn.no_reason")])
