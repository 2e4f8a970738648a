"""From a checked request to its answers: limits before any work, then whole or streamed, and written down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import anyio
from fastapi import Request
from starlette.responses import JSONResponse, Response

from dadeum.core.messages import text
from dadeum.gateway.api.admission import Visit
from dadeum.gateway.api.answers import Shape, Usage, plain
from dadeum.gateway.api.errors import language_of, shape_of
from dadeum.gateway.api.faults import CLIENT_GONE, Fault
from dadeum.gateway.api.shadows import Shadows
from dadeum.gateway.api.shapes import Writing
from dadeum.gateway.api.streaming import DONE, KEEP_ALIVE, Answers, Choice, Events, event, unless_gone
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.engine.work import Ask, Ended, Piece, Sampling
from dadeum.gateway.taught import taught
from dadeum.tasks import answer as answers_of_documents

log = logging.getLogger(__name__)
_MOST_STOP_CHARACTERS = 200


class Dialect(Protocol):
    """How one route says it: shapes of the whole answer and of the events."""

    def whole(self, visit: Visit, choices: Sequence[Choice], texts: Sequence[str], usage: Usage) -> Shape: ...

    def begin(self, visit: Visit, index: int) -> Shape | None:
        """First event of an answer, where the route has one."""
        ...

    def chunk(self, visit: Visit, index: int, piece: Piece) -> Shape: ...

    def end(self, visit: Visit, index: int, ended: Ended) -> Shape: ...

    def usage(self, visit: Visit, usage: Usage) -> Shape: ...


@dataclass(frozen=True)
class Wanted:
    """A request whose every limit was looked at."""

    visit: Visit
    asks: list[Ask]
    body: Writing
    input_characters: int
    question: str
    finish: bool
    """Whether the recipe's finishing steps belong to the answer: not to JSON, nor to a bare continuation."""
    for_shadow: Callable[[Visit], Any]
    """Coroutine function: the same request for another version."""
    facts: dict[str, str | float | int]

    def fields(self, answer: str) -> dict[str, Any]:
        """For the log, which masks contents and leaves them out where none are kept."""
        told = {"input_characters": self.input_characters, "facts": self.facts}
        return told | {"question": self.question, "answer": answer}


# -- before any work ------------------------------------------------------------------------------
def check_counts(visit: Visit, body: Writing) -> None:
    """What can be refused without reading a text."""
    limits = visit.gateway.settings.limits
    if (body.n or 1) > limits.choices:
        raise Fault(400, "gateway.api.too_many_choices", "n", code="too_many_choices", most=limits.choices)
    if len(body.stops) > limits.stops or any(not 0 < len(stop) <= _MOST_STOP_CHARACTERS for stop in body.stops):
        raise Fault(
            400, "gateway.api.bad_stops", "stop", code="bad_stops", most=limits.stops, characters=_MOST_STOP_CHARACTERS
        )  # fmt: skip
    if body.stream_options is not None and not body.stream:
        raise Fault(400, "gateway.api.only_streamed", "stream_options", code="only_streamed")
    if body.max_tokens is not None and body.max_tokens > limits.new_tokens:
        raise Fault(400, "gateway.api.too_many_tokens", "max_tokens", code="too_many_tokens", most=limits.new_tokens)


def check_characters(visit: Visit, num_characters: int, param: str) -> None:
    most = visit.gateway.settings.limits.characters
    if num_characters > most:
        raise Fault(400, "gateway.api.too_many_characters", param, code="too_long", most=most, found=num_characters)


def room(visit: Visit, num_prompt: int, asked: int | None, param: str) -> int:
    """Tokens that the answer may have; 400 where prompt and answer do not fit into the window."""
    left = room_left(visit, num_prompt, param)
    if asked is not None and asked > left:
        raise Fault(
            400, "gateway.api.answer_too_long", "max_tokens", code="context_length_exceeded", left=left, asked=asked
        )  # fmt: skip
    return min(asked or _usual_tokens(visit.model) or left, left, visit.gateway.settings.limits.new_tokens)


def room_left(visit: Visit, num_prompt: int, param: str | None = None) -> int:
    """What the window leaves for an answer; 400 for a prompt that leaves none, or beyond its own limit."""
    engine, most = visit.gateway.engine, visit.gateway.settings.limits.prompt_tokens
    left = engine.answer_room(visit.model, num_prompt)
    if num_prompt <= most and left > 0:
        return left
    window = engine.window(visit.model)
    most = min(most, window if engine.answer_room(visit.model, window) > 0 else window - 1)
    raise Fault(400, "gateway.api.prompt_too_long", param, code="context_length_exceeded", most=most, found=num_prompt)


def _usual_tokens(model: ServedModel) -> int | None:
    """As long as answers may be: the recipe's, or what evaluation allowed; None of a base, which was taught none."""
    told = taught(model)
    if told is None or told.recipe.generation.max_new_tokens or not told.scores:
        return model.recipe.generation.max_new_tokens
    return told.max_new_tokens


def finished(model: ServedModel, texts: Sequence[str]) -> list[str]:
    """Answers after the steps of `generation.finish`, as evaluation has them; a base's stay as they are."""
    told = taught(model)
    if told is None or not told.recipe.generation.finish:
        return list(texts)
    steps, level = told.recipe.generation.finish, told.level
    return [answers_of_documents.finished(text, steps, level) for text in texts]


def sampling_of(visit: Visit, body: Writing, logprobs: int | None, json_schema: str | None = None) -> Sampling:
    """What the request says, and the recipe's own settings where it says nothing."""
    usual = visit.model.recipe.generation
    return Sampling(
        temperature=usual.temperature if body.temperature is None else body.temperature,
        top_p=usual.top_p if body.top_p is None else body.top_p,
        top_k=body.top_k,
        seed=body.seed,
        stops=tuple(body.stops),
        logprobs=logprobs,
        json_schema=json_schema,
        frequency_penalty=body.frequency_penalty or 0.0,
        presence_penalty=body.presence_penalty or 0.0,
    )


def asks_of(visit: Visit, prompt_ids: tuple[int, ...], room: int, sampling: Sampling, number: int) -> list[Ask]:
    """One Ask per choice: with a seed each has its own, so that they differ and come again."""
    seeds = [None if sampling.seed is None else sampling.seed + place for place in range(number)]
    names = [visit.request_id if place == 0 else f"{visit.request_id}.{place}" for place in range(number)]
    return [
        Ask(name, visit.model, prompt_ids, room, replace(sampling, seed=seed), visit.seconds_left())
        for name, seed in zip(names, seeds, strict=True)
    ]


# -- answers --------------------------------------------------------------------------------------
async def respond(request: Request, wanted: Wanted, dialect: Dialect) -> Response:
    """The response, whole or streamed."""
    visit = wanted.visit
    visit.charge(sum(ask.max_new_tokens for ask in wanted.asks) + len(wanted.asks[0].prompt_ids))
    answers = Answers(visit.gateway.engine, wanted.asks, visit.seconds_left())
    try:
        if wanted.body.stream:
            await answers.opened()
            return Events(
                _events(request, wanted, answers, dialect), headers=visit.headers, closing=answers.close
            )  # fmt: skip
        response = await _whole(request, wanted, answers, dialect)
    except BaseException:
        await answers.close()
        raise
    await answers.close()
    return response


async def _whole(request: Request, wanted: Wanted, answers: Answers, dialect: Dialect) -> Response:
    visit = wanted.visit
    if await unless_gone(request, asyncio.ensure_future(_drain(answers))) is None:
        await visit.record(visit.entry("cancelled", **answers.figures(), **wanted.fields("")))
        return Response(status_code=CLIENT_GONE)
    if fault := answers.fault():
        await _record_fault(wanted, answers, fault)
        raise fault
    texts = [choice.text for choice in answers.choices]
    if wanted.finish:
        texts = await visit.read(finished, visit.model, texts)
    told = answers.figures() | wanted.fields(texts[0]) | {"output_characters": sum(map(len, texts))}
    await visit.record(visit.entry(answers.reason, **told))
    _shadow(request, wanted)
    shape = dialect.whole(visit, answers.choices, texts, usage_of(answers))
    return JSONResponse(plain(shape), headers=visit.headers)


async def _drain(answers: Answers) -> bool:
    async for _ in answers.items():
        pass
    return True


async def _events(request: Request, wanted: Wanted, answers: Answers, dialect: Dialect) -> AsyncIterator[str]:
    visit, is_written = wanted.visit, False
    try:
        for index in range(len(answers.choices)):
            if first := dialect.begin(visit, index):
                yield event(plain(first))
        async for got in answers.items():
            if got is None:
                yield KEEP_ALIVE
            elif isinstance(got[1], Piece) and (got[1].text or got[1].logprobs):
                yield event(plain(dialect.chunk(visit, got[0], got[1])))
        if fault := answers.fault():
            is_written = True
            await _record_fault(wanted, answers, fault)
            raise fault
        is_written = True
        answer = answers.choices[0].text
        await visit.record(visit.entry(answers.reason, **answers.figures(), **wanted.fields(answer)))
        _shadow(request, wanted)
        for index, choice in enumerate(answers.choices):
            assert choice.ended is not None
            yield event(plain(dialect.end(visit, index, choice.ended)))
        if wanted.body.stream_options and wanted.body.stream_options.include_usage:
            yield event(plain(dialect.usage(visit, usage_of(answers))))
        yield DONE
    except Fault as fault:
        if not is_written:
            is_written = True
            await _record_fault(wanted, answers, fault)
        yield event(shape_of(fault, language_of(request.headers)))
    finally:
        if not is_written:  # the reader left; whoever cancels must not keep this from being written down
            with anyio.CancelScope(shield=True):
                await visit.record(visit.entry("cancelled", **answers.figures(), **wanted.fields("")))


async def _record_fault(wanted: Wanted, answers: Answers, fault: Fault) -> None:
    details = "; ".join(choice.ended.detail for choice in answers.choices if choice.ended and choice.ended.detail)
    if fault.status >= 500 and details:
        log.error(text("gateway.api.engine_failed", id=wanted.visit.request_id, detail=details))
    reason = {504: "timeout", 503: "cancelled"}.get(fault.status, "error")
    entry = wanted.visit.entry(reason, fault.status, **answers.figures(), **wanted.fields(""))
    await wanted.visit.record(entry)


def _shadow(request: Request, wanted: Wanted) -> None:
    shadows: Shadows = request.app.state.shadows
    shadows.start(wanted.visit, wanted.for_shadow, **wanted.fields(""))


def usage_of(answers: Answers) -> Usage:
    told = answers.figures()
    prompt, new = told["prompt_tokens"], told["new_tokens"]
    details = {"cached_tokens": told.get("cached_tokens", 0)}
    return Usage.model_validate(
        {"prompt_tokens": prompt, "completion_tokens": new, "total_tokens": prompt + new}
        | {"prompt_tokens_details": details}
    )
