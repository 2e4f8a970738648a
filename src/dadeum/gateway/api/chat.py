"""POST /v1/chat/completions: with the instruction, generation and finishing of the recipe unless told otherwise."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from jinja2.exceptions import TemplateError
from starlette.responses import Response

from dadeum.core.errors import DataError
from dadeum.core.examples import Turn
from dadeum.core.korean import nfc
from dadeum.core.messages import Message
from dadeum.core.task import Chat
from dadeum.gateway.api import answers as said
from dadeum.gateway.api.admission import Visit, visit
from dadeum.gateway.api.answering import (
    Wanted,
    asks_of,
    check_characters,
    check_counts,
    respond,
    room,
    sampling_of,
)
from dadeum.gateway.api.described import STREAMED
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.api.shapes import ChatRequest, ObjectFormat, SchemaFormat
from dadeum.gateway.api.streaming import Choice
from dadeum.gateway.engine.work import Ask, Ended, Piece, TokenLogprob
from dadeum.gateway.engine.work import Reason as Ending
from dadeum.tasks import chat

router = APIRouter(tags=["chat"])


@router.post(
    "/v1/chat/completions", name="create_chat_completion", response_model=said.ChatCompletion, responses=STREAMED
)
async def create_chat_completion(body: ChatRequest, request: Request) -> Response:
    """The next turn of a conversation, whole or as server-sent events.

    A whole answer went through the recipe's finishing steps, as in `evaluate`; a stream is raw, because what was sent
    cannot be taken back. JSON (`response_format`) is never changed.
    """
    let_in = visit(request, body.model, body.user or body.safety_identifier)
    turns = checked_turns(let_in, body)
    check_counts(let_in, body)
    ask = await _ask(let_in, body, turns)
    wanted = Wanted(
        let_in,
        asks_of(let_in, ask.prompt_ids, ask.max_new_tokens, ask.sampling, body.n or 1),
        body,
        input_characters=sum(len(turn["content"]) for turn in turns),
        question=_question(turns),
        finish=ask.sampling.json_schema is None,
        for_shadow=lambda shadow: _ask(shadow, body, turns),
        facts=_facts(let_in, body),
    )
    return await respond(request, wanted, _Chat())


# -- what is asked --------------------------------------------------------------------------------
def checked_turns(let_in: Visit, body: ChatRequest) -> list[Turn]:
    """The client's turns, in NFC as the texts that were taught; 400 naming the turn that stands wrongly."""
    limits = let_in.gateway.settings.limits
    if len(body.messages) > limits.messages:
        raise Fault(400, "gateway.api.too_many_messages", "messages", code="too_many_messages", most=limits.messages)
    if let_in.model.task == "retrieve":
        raise Fault(400, "gateway.api.no_writer", "model", code="wrong_task", name=let_in.asked)
    check_characters(let_in, sum(len(message.text) for message in body.messages), "messages")
    turns: list[Turn] = [
        {"role": "system" if message.role == "developer" else message.role, "content": nfc(message.text)}
        for message in body.messages
    ]
    answered: list[Turn] = [*turns, {"role": "assistant", "content": ""}]
    for place in range(len(answered)):
        if wrong := chat.misplaced(answered, place):
            place, wrong = (place - 1, "last_not_user") if place == len(turns) else (place, wrong)
            why = Message(f"gateway.api.order.{wrong}")
            raise Fault(400, "gateway.api.misplaced", f"messages[{place}]", code=wrong, number=place + 1, why=why)
    return turns


async def _ask(let_in: Visit, body: ChatRequest, turns: list[Turn]) -> Ask:
    """For this version: its recipe's instruction, its template, its limits."""
    task = let_in.model.recipe.task
    asked = _asked_tokens(let_in, body)
    schema = await _schema(let_in, body)
    prompted = chat.prompt(task, turns) if isinstance(task, Chat) else turns
    try:
        ids = await let_in.read(let_in.gateway.engine.prompt_ids, let_in.model, prompted)
    except TemplateError as error:
        raise Fault(400, "gateway.api.turns_refused", "messages", code="turns_refused") from error
    sampling = sampling_of(let_in, body, _logprobs(body), schema)
    return Ask(let_in.request_id, let_in.model, ids, room(let_in, len(ids), asked, "messages"), sampling,
               let_in.seconds_left())  # fmt: skip


def _asked_tokens(let_in: Visit, body: ChatRequest) -> int | None:
    newer, older = body.max_completion_tokens, body.max_tokens
    if newer is not None and older is not None and newer != older:
        raise Fault(400, "gateway.api.two_limits", "max_tokens", code="two_limits")
    most = let_in.gateway.settings.limits.new_tokens
    if newer is not None and newer > most:
        raise Fault(400, "gateway.api.too_many_tokens", "max_completion_tokens", code="too_many_tokens", most=most)
    return newer or older


async def _schema(let_in: Visit, body: ChatRequest) -> str | None:
    if isinstance(body.response_format, ObjectFormat):
        return "{}"
    if not isinstance(body.response_format, SchemaFormat):
        return None
    schema = json.dumps(body.response_format.json_schema.schema_ or {}, ensure_ascii=False)
    try:
        await let_in.read(let_in.gateway.engine.check_schema, let_in.model, schema)
    except DataError as error:
        raise Fault.of(error, 400, "response_format", code="bad_schema") from error
    return schema


def _logprobs(body: ChatRequest) -> int | None:
    if body.top_logprobs is not None and not body.logprobs:
        raise Fault(400, "gateway.api.needs_logprobs", "top_logprobs", code="needs_logprobs")
    return (body.top_logprobs or 0) if body.logprobs else None


def _question(turns: list[Turn]) -> str:
    """One user turn as it is, a conversation as JSON."""
    return turns[0]["content"] if len(turns) == 1 else json.dumps(turns, ensure_ascii=False)


def _facts(let_in: Visit, body: ChatRequest) -> dict[str, str | float | int]:
    if not let_in.gateway.settings.keep_content:
        return {}
    return {f"metadata.{name[:64]}": value for name, value in (body.metadata or {}).items()}


# -- how it is said -------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Chat:
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(
        self, visit: Visit, choices: Sequence[Choice], texts: Sequence[str], usage: said.Usage
    ) -> said.ChatCompletion:
        return said.ChatCompletion(
            id=visit.request_id, created=self.created, model=visit.asked, system_fingerprint=visit.model.version,
            usage=usage,
            choices=[
                said.ChatChoice(
                    index=index, message=said.Answer(content=text), finish_reason=finish_reason(choice.ended),
                    logprobs=_logprobs_of(choice.logprobs),
                )
                for index, (choice, text) in enumerate(zip(choices, texts, strict=True))
            ],
        )  # fmt: skip

    def begin(self, visit: Visit, index: int) -> said.ChatChunk:
        return self._chunk(visit, index, said.Delta(role="assistant", content=""))

    def chunk(self, visit: Visit, index: int, piece: Piece) -> said.ChatChunk:
        return self._chunk(visit, index, said.Delta(content=piece.text), logprobs=_logprobs_of(piece.logprobs))

    def end(self, visit: Visit, index: int, ended: Ended) -> said.ChatChunk:
        return self._chunk(visit, index, said.Delta(), finish=finish_reason(ended))

    def usage(self, visit: Visit, usage: said.Usage) -> said.ChatChunk:
        return self._event(visit, [], usage)

    def _chunk(
        self,
        visit: Visit,
        index: int,
        delta: said.Delta,
        logprobs: said.ChoiceLogprobs | None = None,
        finish: said.FinishReason | None = None,
    ) -> said.ChatChunk:
        choice = said.ChunkChoice(index=index, delta=delta, logprobs=logprobs, finish_reason=finish)
        return self._event(visit, [choice], None)

    def _event(self, visit: Visit, choices: list[said.ChunkChoice], usage: said.Usage | None) -> said.ChatChunk:
        return said.ChatChunk(
            id=visit.request_id, created=self.created, model=visit.asked, system_fingerprint=visit.model.version,
            choices=choices, usage=usage,
        )  # fmt: skip


def finish_reason(ended: Ended | None) -> said.FinishReason:
    reason: Ending = ended.reason if ended else "error"
    return "length" if reason == "length" else "stop"


def _logprobs_of(found: Sequence[TokenLogprob]) -> said.ChoiceLogprobs | None:
    if not found:
        return None
    content = [
        said.TokenLogprob(
            token=one.token, logprob=one.logprob, bytes=list(one.bytes),
            top_logprobs=[said.TopLogprob(token=top, bytes=list(raw), logprob=value) for top, raw, value in one.top],
        )
        for one in found
    ]  # fmt: skip
    return said.ChoiceLogprobs(content=content)
