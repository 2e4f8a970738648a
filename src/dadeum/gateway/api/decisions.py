"""POST /v1/decisions: the same questions in OpenAI's shape, as its own client library sends and reads them.

Beside OpenAI's fields every answer tells whether its probabilities are calibrated and how much of the model's
probability lies on the options at all.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import JSONResponse

from dadeum.core.messages import Message
from dadeum.gateway.api.admission import Visit, visit
from dadeum.gateway.api.answering import check_characters
from dadeum.gateway.api.answers import Shape, plain
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.api.shapes import Body, Name
from dadeum.gateway.api.task_examples import body_of, response_of
from dadeum.gateway.api.verdicts import (
    bad,
    check_number,
    check_question,
    decide,
    follow,
    num_characters,
    told,
)
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.deciding import NO, YES, Decided, Option, Posed, Question, State, as_text, pose

router = APIRouter()


class DecisionText(Body):
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {"prompt_cache_breakpoint": ()}
    type: Literal["input_text", "output_text"]
    text: str


class DecisionJson(Body):
    type: Literal["input_json"]
    data: dict[str, Any] | list[dict[str, Any]]


Part = Annotated[DecisionText | DecisionJson, Field(discriminator="type")]
Said = str | Annotated[list[Part], Field(min_length=1)]


class DecisionMessage(Body):
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {"phase": ()}
    role: Literal["user", "developer", "system", "assistant"]
    content: Said
    type: Literal["message"] = "message"


class DecisionPredicate(Body):
    type: Literal["predicate"]
    instructions: Said
    name: str | None = None


class DecisionOption(Body):
    value: str | bool
    description: str | None = None


class DecisionChoice(Body):
    type: Literal["choice"]
    instructions: Said
    choices: list[DecisionOption]
    name: str | None = None


class DecisionLevel(Body):
    label: str
    description: str | None = None


class DecisionScore(Body):
    type: Literal["score"]
    instructions: Said
    levels: list[DecisionLevel]
    name: str | None = None


AnyQuestion = DecisionPredicate | DecisionChoice | DecisionScore


class DecisionRequest(Body):
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {"prompt_cache_key": (), "prompt_cache_options": ()}
    model: Name
    input: str | Annotated[list[DecisionMessage], Field(min_length=1)]
    """A text, or messages of texts and JSON. For a `decide` run its input: JSON of its fields."""
    questions: list[Annotated[AnyQuestion, Field(discriminator="type")]]
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    """Stored as a keyed hash; whoever sends the same one stays with the same variant."""


class DecisionAnswer(Shape):
    name: str | None
    calibrated: bool
    """Whether the probabilities were fitted on rows of validation; else they only order the options."""
    label_mass: float
    """Share of the model's probability that lies on the options at all."""


class DecisionPredicateAnswer(DecisionAnswer):
    type: Literal["predicate"] = "predicate"
    probability: float


class ValueProbability(Shape):
    value: str | bool
    probability: float


class DecisionChoiceAnswer(DecisionAnswer):
    type: Literal["choice"] = "choice"
    choice: str | bool
    confidence: float
    """Probability of that choice."""
    probabilities: list[ValueProbability]


class LevelProbability(Shape):
    label: str
    probability: float
    value: int


class DecisionScoreAnswer(DecisionAnswer):
    type: Literal["score"] = "score"
    score: float
    """Expected level, from 0."""
    confidence: float
    probabilities: list[LevelProbability]


class InputDetails(Shape):
    cache_write_tokens: int = 0
    cached_tokens: int = 0


class OutputDetails(Shape):
    reasoning_tokens: int = 0


class DecisionUsage(Shape):
    input_tokens: int
    input_tokens_details: InputDetails = Field(default_factory=InputDetails)
    output_tokens: int = 0
    """Always 0: nothing is written."""
    output_tokens_details: OutputDetails = Field(default_factory=OutputDetails)
    total_tokens: int


class Decision(Shape):
    id: str
    """Also x-request-id; /v1/feedback takes it."""
    model: str
    """The version that answered."""
    version: str
    answers: list[DecisionPredicateAnswer | DecisionChoiceAnswer | DecisionScoreAnswer]
    """In the order of the questions."""
    usage: DecisionUsage


@router.post(
    "/v1/decisions",
    response_model=Decision,
    openapi_extra=body_of("decisions"),
    responses=response_of("decisions"),
)
async def create_decision(request: Request, body: DecisionRequest) -> JSONResponse:
    """Questions about an input, answered with probabilities in one forward pass each."""
    let_in = visit(request, body.model, body.safety_identifier)
    questions, state = _questions(let_in, body), _state(body)
    labels = [question.values for question in questions]

    def posed(model: ServedModel) -> list[Posed]:
        return [pose(model, state, question) for question in questions]

    found, tokens = await decide(let_in, posed, "input")
    size = {"input_characters": num_characters(state)}
    await let_in.record(let_in.entry("decided", prompt_tokens=tokens, **told(found, labels), **size))
    follow(request.app.state.shadows, let_in, posed, labels, **size)
    response = Decision(
        id=let_in.request_id,
        model=let_in.model.version,
        version=let_in.model.version,
        answers=[_answer(asked, one) for asked, one in zip(body.questions, found, strict=True)],
        usage=DecisionUsage(input_tokens=tokens, total_tokens=tokens),
    )
    return JSONResponse(plain(response), headers=let_in.headers)


# -- what was sent --------------------------------------------------------------------------------
def _questions(let_in: Visit, body: DecisionRequest) -> list[Question]:
    limits = let_in.gateway.settings.limits
    check_number(len(body.questions), limits)
    check_characters(let_in, num_characters(body.model_dump(include={"input", "questions"})), "input")
    found = []
    for number, asked in enumerate(body.questions):
        found.append(_question(asked, f"questions[{number}]"))
        check_question(found[-1], limits, f"questions[{number}]")
    return found


def _question(asked: AnyQuestion, param: str) -> Question:
    said = _text(asked.instructions)
    match asked:
        case DecisionPredicate():
            return Question("yes_no", said, (Option(YES), Option(NO)))
        case DecisionChoice():
            names = [_name(one.value) for one in asked.choices]
            if len(set(names)) < len(names):
                # true and "true" are two values to OpenAI, and one text to a model.
                advice = Message("gateway.tasks.value.two_alike", {"value": max(names, key=names.count)[:100]})
                raise bad(f"{param}.choices", advice, code="bad_options")
            pairs = zip(names, asked.choices, strict=True)
            return Question("choice", said, tuple(Option(name, one.description or "") for name, one in pairs))
        case DecisionScore():
            return Question("score", said, tuple(Option(one.label, one.description or "") for one in asked.levels))


def _state(body: DecisionRequest) -> State:
    """One message is what it says; several are told with who said what."""
    if isinstance(body.input, str):
        return body.input
    if all(message.role != "user" for message in body.input):
        raise Fault(400, "gateway.api.missing_field", "input", code="missing_field", field="input[].role=user")
    if len(body.input) > 1:
        return [{"role": message.role, "content": _text(message.content)} for message in body.input]
    content = body.input[0].content
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], DecisionJson):
        return content[0].data
    return _text(content)


def _text(said: Said) -> str:
    if isinstance(said, str):
        return said
    return "".join(part.text if isinstance(part, DecisionText) else as_text(part.data) for part in said)


def _name(value: str | bool) -> str:
    if isinstance(value, bool):
        return YES if value else NO
    return value


# -- answers --------------------------------------------------------------------------------------
def _answer(asked: AnyQuestion, found: Decided) -> DecisionPredicateAnswer | DecisionChoiceAnswer | DecisionScoreAnswer:
    shared: dict[str, Any] = {
        "name": asked.name, "calibrated": found.calibrated, "label_mass": found.label_mass,
    }  # fmt: skip
    shares = found.probabilities
    match asked:
        case DecisionPredicate():
            return DecisionPredicateAnswer(probability=shares[0], **shared)
        case DecisionChoice():
            values = [one.value for one in asked.choices]
            told_of = zip(values, shares, strict=True)
            each = [ValueProbability(value=value, probability=share) for value, share in told_of]
            chosen = values[found.best]
            return DecisionChoiceAnswer(choice=chosen, confidence=found.confidence, probabilities=each, **shared)
        case DecisionScore():
            levels = enumerate(zip(asked.levels, shares, strict=True))
            steps = [LevelProbability(label=one.label, probability=share, value=at) for at, (one, share) in levels]
            score = sum(at * share for at, share in enumerate(shares))
            return DecisionScoreAnswer(score=score, confidence=found.confidence, probabilities=steps, **shared)
