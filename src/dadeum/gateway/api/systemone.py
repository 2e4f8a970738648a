"""POST /v1/systemone: a state and typed questions by name → probabilities, in System One's shape.

Options of a question that are the labels of a `decide` run are answered as the run was judged (`calibrated`); its own
question is asked then, so `instructions` and descriptions of the options do not count.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import JSONResponse

from dadeum.gateway.api.admission import Visit, visit
from dadeum.gateway.api.answering import check_characters
from dadeum.gateway.api.answers import Shape, plain
from dadeum.gateway.api.shapes import Body, Name
from dadeum.gateway.api.task_examples import body_of, response_of
from dadeum.gateway.api.verdicts import check_number, check_question, decide, follow, num_characters, told
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.deciding import NO, YES, Decided, Option, Posed, Question, pose

router = APIRouter()

Content = str | dict[str, Any] | list[Any]


class SystemOneQuestion(Body):
    instructions: Content | None = None
    """What is asked about the state; left out, whether, which or how much it is."""


class SystemOneNoul(SystemOneQuestion):
    type: Literal["noul"]
    criteria: dict[Literal["true", "false"], Content | None] | None = None
    """When it is true, and when not."""


class SystemOneChoice(SystemOneQuestion):
    type: Literal["choice"]
    criteria: dict[str, Content | None]
    """Option → what it means, or null."""


class SystemOneScore(SystemOneQuestion):
    type: Literal["score"]
    criteria: list[Content]
    """Levels, lowest first."""


class SystemOneRequest(Body):
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {"assets": ({},)}
    model: Name
    state: Content
    """What is judged. For a `decide` run its input: an object of its fields."""
    questions: dict[str, Annotated[SystemOneNoul | SystemOneChoice | SystemOneScore, Field(discriminator="type")]]
    user: Annotated[str, Field(max_length=512)] | None = None
    """Not in System One's API: stored as a keyed hash; whoever sends the same one stays with the same variant."""


class SystemOneAnswer(Shape):
    calibrated: bool
    """Whether the probabilities were fitted on rows of validation; else they only order the options."""
    confidence: float
    """Probability of the likeliest option."""
    label_mass: float
    """Share of the model's probability that lies on the options at all: low for what the model was never taught."""


class SystemOneNoulAnswer(SystemOneAnswer):
    type: Literal["noul"] = "noul"
    noul: float
    """Probability of true."""


class SystemOneChoiceAnswer(SystemOneAnswer):
    type: Literal["choice"] = "choice"
    choice: str
    probabilities: dict[str, float]


class SystemOneScoreAnswer(SystemOneAnswer):
    type: Literal["score"] = "score"
    score: float
    """Expected level, from 0."""
    legend: dict[str, Any]
    probabilities: dict[str, float]
    """By the level's number."""


class SystemOneUsage(Shape):
    input_tokens: int
    output_tokens: int = 0
    """Always 0: nothing is written."""


class SystemOneResponse(Shape):
    id: str
    """Also x-request-id; /v1/feedback takes it."""
    model: str
    """The version that answered."""
    version: str
    answers: dict[str, SystemOneNoulAnswer | SystemOneChoiceAnswer | SystemOneScoreAnswer]
    usage: SystemOneUsage


@router.post(
    "/v1/systemone",
    response_model=SystemOneResponse,
    openapi_extra=body_of("systemone"),
    responses=response_of("systemone"),
)
async def create_systemone(request: Request, body: SystemOneRequest) -> JSONResponse:
    """Typed questions about a state, answered with probabilities in one forward pass each."""
    let_in = visit(request, body.model, body.user)
    questions = _questions(let_in, body)
    labels = [question.values for question in questions.values()]

    def posed(model: ServedModel) -> list[Posed]:
        return [pose(model, body.state, question) for question in questions.values()]

    found, tokens = await decide(let_in, posed, "state")
    size = {"input_characters": num_characters(body.state)}
    await let_in.record(let_in.entry("decided", prompt_tokens=tokens, **told(found, labels), **size))
    follow(request.app.state.shadows, let_in, posed, labels, **size)
    pairs = zip(body.questions.items(), found, strict=True)
    response = SystemOneResponse(
        id=let_in.request_id,
        model=let_in.model.version,
        version=let_in.model.version,
        answers={name: _answer(asked, questions[name], one) for (name, asked), one in pairs},
        usage=SystemOneUsage(input_tokens=tokens),
    )
    return JSONResponse(plain(response), headers=let_in.headers)


def _questions(let_in: Visit, body: SystemOneRequest) -> dict[str, Question]:
    limits = let_in.gateway.settings.limits
    check_number(len(body.questions), limits)
    asked = body.model_dump(include={"state", "questions"})
    check_characters(let_in, num_characters(asked), "state")
    found = {}
    for name, question in body.questions.items():
        found[name] = _question(question)
        check_question(found[name], limits, f"questions.{name[:64]}.criteria")
    return found


def _question(asked: SystemOneNoul | SystemOneChoice | SystemOneScore) -> Question:
    said = _text(asked.instructions)
    match asked:
        case SystemOneNoul():
            given: dict[Any, Any] = dict(asked.criteria or {})
            return Question("yes_no", said, tuple(Option(value, _text(given.get(value))) for value in (YES, NO)))
        case SystemOneChoice():
            options = (Option(value, _text(meaning)) for value, meaning in asked.criteria.items())
            return Question("choice", said, tuple(options))
        case SystemOneScore():
            return Question("score", said, tuple(Option(_text(level)) for level in asked.criteria))


def _text(content: Content | None) -> str:
    if content is None:
        return ""
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _answer(
    asked: SystemOneNoul | SystemOneChoice | SystemOneScore, question: Question, found: Decided
) -> SystemOneNoulAnswer | SystemOneChoiceAnswer | SystemOneScoreAnswer:
    shared: dict[str, Any] = {
        "calibrated": found.calibrated, "confidence": found.confidence, "label_mass": found.label_mass,
    }  # fmt: skip
    match asked:
        case SystemOneNoul():
            return SystemOneNoulAnswer(noul=found.probabilities[question.values.index(YES)], **shared)
        case SystemOneChoice():
            by_option = dict(zip(question.values, found.probabilities, strict=True))
            return SystemOneChoiceAnswer(choice=question.values[found.best], probabilities=by_option, **shared)
        case SystemOneScore():
            return SystemOneScoreAnswer(
                score=sum(level * share for level, share in enumerate(found.probabilities)),
                legend={str(level): said for level, said in enumerate(asked.criteria)},
                probabilities={str(level): share for level, share in enumerate(found.probabilities)},
                **shared,
            )
