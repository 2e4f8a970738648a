"""Summaries and answers from documents: what their recipe's input is, and its output with what cannot be trusted.

Prompt, length, finishing and doubts are those of `evaluate` and `dadeum ask`; only the tokens come from the engine.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from dadeum.asking import Asked, Result
from dadeum.core.errors import DataError
from dadeum.core.examples import Turn
from dadeum.core.letters import tidy
from dadeum.core.messages import Message, text
from dadeum.core.task import Summarize
from dadeum.evaluation.metrics import unsupported
from dadeum.gateway.api.admission import Visit
from dadeum.gateway.api.answering import check_characters, room_left
from dadeum.gateway.api.errors import language_of
from dadeum.gateway.api.faults import CLIENT_GONE, Fault
from dadeum.gateway.api.streaming import Answers, unless_gone
from dadeum.gateway.api.task_shapes import (
    Cited,
    GroundedAnswer,
    QuestionRequest,
    Shown,
    Summary,
    SummaryRequest,
    Warned,
)
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.engine.work import Ask, Sampling
from dadeum.gateway.library import answering_of, asked_with, shelf
from dadeum.gateway.taught import Taught, taught
from dadeum.tasks import summarize


@dataclass(frozen=True)
class Written:
    text: str
    is_whole: bool
    """False where the limit on its length ended it."""
    figures: dict[str, Any]
    """For the log."""


# -- writing --------------------------------------------------------------------------------------
def ask_of(visit: Visit, turns: list[Turn], knows: Taught, schema: str | None = None) -> Ask:
    """As evaluation wrote: the recipe's generation, as long as what was taught. 400 for a prompt beyond the window."""
    limits, engine = visit.gateway.settings.limits, visit.gateway.engine
    ids = engine.prompt_ids(visit.model, turns)
    left = room_left(visit, len(ids))
    usual = visit.model.recipe.generation
    is_drawn = usual.temperature > 0 and schema is None
    sampling = Sampling(
        temperature=usual.temperature if is_drawn else 0.0,
        top_p=usual.top_p if is_drawn else 1.0,
        seed=visit.model.recipe.seed if is_drawn else None,
        json_schema=schema,
    )
    room = min(knows.max_new_tokens, limits.new_tokens, left)
    return Ask(visit.request_id, visit.model, ids, room, sampling, visit.seconds_left())


async def written(request: Request, visit: Visit, ask: Ask) -> Written | Fault:
    """What the engine wrote, or why there is nothing; the caller writes both down."""
    visit.charge(len(ask.prompt_ids) + ask.max_new_tokens)
    answers = Answers(visit.gateway.engine, [ask], visit.seconds_left())
    try:
        if await unless_gone(request, asyncio.ensure_future(_drain(answers))) is None:
            return Fault(CLIENT_GONE, "gateway.api.stopped", code="cancelled")
        if fault := answers.fault():
            return fault
        choice = answers.choices[0]
        assert choice.ended is not None
        return Written(choice.text, choice.ended.reason == "stop", answers.figures())
    finally:
        await answers.close()


async def _drain(answers: Answers) -> bool:
    async for _ in answers.items():
        pass
    return True


async def record_fault(visit: Visit, fault: Fault) -> None:
    reason = {504: "timeout", 503: "cancelled", CLIENT_GONE: "cancelled"}.get(fault.status, "error")
    await visit.record(visit.entry(reason, fault.status))


def warned(request: Request, messages: Sequence[Message]) -> list[Warned]:
    language = language_of(request.headers)
    return [Warned(code=one.key.rpartition(".")[2], message=text(one.key, language, **one.values)) for one in messages]


# -- summaries ------------------------------------------------------------------------------------
async def summary_of(request: Request, visit: Visit, body: SummaryRequest) -> Summary:
    if not body.text.strip():
        raise Fault(400, "gateway.tasks.empty_input", "dialogue", code="empty_input", field="dialogue")
    check_characters(visit, len(body.text), "dialogue")
    source = await visit.read(_cleaned, visit.model, body.text)
    ask = await visit.read(_ask_summary, visit, source)
    wrote = await _written_or_raise(request, visit, ask)
    summary, steps, told = await visit.read(_judged, visit.model, wrote, source)
    fields: dict[str, Any] = {"input_characters": len(body.text), "facts": {"warnings": len(told)}}
    kept = _kept(visit, body.text, summary)
    more = wrote.figures | fields | kept | {"output_characters": len(summary)}
    await visit.record(visit.entry("stop" if wrote.is_whole else "length", **more))

    async def again(other: Visit) -> Ask:
        return await other.read(_ask_summary, other, await other.read(_cleaned, other.model, body.text))

    request.app.state.shadows.start(visit, again, **fields)
    return Summary(
        summary=summary, finished=steps, cut_off=not wrote.is_whole, warnings=warned(request, told),
        model=visit.model.version, request_id=visit.request_id,
    )  # fmt: skip


def _cleaned(model: ServedModel, given: str) -> str:
    knows = taught(model)
    return knows.cleaned(given) if knows else given


def _ask_summary(visit: Visit, source: str) -> Ask:
    task, knows = visit.model.recipe.task, taught(visit.model)
    if not isinstance(task, Summarize) or knows is None:
        raise other_task(visit.model, "summarize")
    return ask_of(visit, summarize.prompt(task, source, visit.model.recipe.render.format), knows)


def other_task(model: ServedModel, wanted: str) -> Fault:
    return Fault(400, "gateway.tasks.other_task", "model", code="other_task", name=model.name, task=model.task,
                 wanted=wanted)  # fmt: skip


async def _written_or_raise(request: Request, visit: Visit, ask: Ask) -> Written:
    found = await written(request, visit, ask)
    if isinstance(found, Fault):
        await record_fault(visit, found)
        raise found
    return found


def _judged(model: ServedModel, wrote: Written, source: str) -> tuple[str, list[str], list[Message]]:
    """(summary, steps that changed it, doubts)."""
    knows = taught(model)
    assert knows is not None
    summary, steps = knows.steps(wrote.text)
    told = one_of_several(model)
    told += [] if wrote.is_whole else [Message("gateway.tasks.warn.cut_off", {"limit": knows.max_new_tokens})]
    shown = tidy(summary)
    found: tuple[tuple[str, Callable[[str, str], Any]], ...] = (
        ("gateway.tasks.warn.unsupported_numbers", unsupported.numbers),
        ("gateway.tasks.warn.unsupported_names", unsupported.names),
    )
    for key, of in found:
        words = dict.fromkeys(shown[span.start : span.end] for span in of(shown, source))
        if words:
            told.append(Message(key, {"found": ", ".join(words)}))
    if not summary.strip():
        told.append(Message("gateway.tasks.warn.empty"))
    return summary, steps, told


def one_of_several(model: ServedModel) -> list[Message]:
    """Evaluation took the best of several drawn answers; the API draws one."""
    num = model.recipe.generation.candidates
    return [Message("gateway.tasks.warn.one_of_several", {"num": num})] if num > 1 else []


def _kept(visit: Visit, question: str, answer: str) -> dict[str, str]:
    return {"question": question, "answer": answer} if visit.gateway.settings.keep_content else {}


# -- answers from documents -----------------------------------------------------------------------
async def answer_of(request: Request, visit: Visit, body: QuestionRequest) -> GroundedAnswer:
    given = body.passages or []
    check_characters(visit, len(body.question) + sum(len(one.text) for one in given), "question")
    try:
        asked = await visit.read(_asked, visit.model, body)
    except DataError as error:
        raise Fault(400, "gateway.tasks.empty_input", "question", code="empty_input", field="question") from error
    wrote = Written("", True, {})
    if asked.turns:
        wrote = await _written_or_raise(request, visit, await visit.read(_ask_answer, visit, asked))
    result = await visit.read(_result, visit.model, asked, wrote)
    facts = {"refused": int(result.refused), "citations": len(result.citations), "warnings": len(result.warnings)}
    fields: dict[str, Any] = {"input_characters": len(body.question), "facts": facts}
    said = result.answer or ""
    # The prompt with its chunks: an answer without what it rests on teaches nobody.
    seen = json.dumps(asked.turns, ensure_ascii=False) if asked.turns else body.question
    kept = _kept(visit, seen, said)
    more = wrote.figures | fields | kept | {"output_characters": len(said)}
    await visit.record(visit.entry("stop" if wrote.is_whole else "length", **more))

    async def again(other: Visit) -> Ask:
        return await other.read(_ask_answer, other, await other.read(_asked, other.model, body))

    if asked.turns:
        request.app.state.shadows.start(visit, again, **fields | {"facts": {}})
    return _grounded(request, visit, result)


def _asked(model: ServedModel, body: QuestionRequest) -> Asked:
    if model.task != "answer":
        raise other_task(model, "answer")
    if not body.question.strip():
        raise DataError("gateway.tasks.empty_input", field="question")
    return asked_with(answering_of(model), body.question, body.passages) if body.passages else (
        shelf(model).asked(body.question)
    )  # fmt: skip


def _ask_answer(visit: Visit, asked: Asked) -> Ask:
    knows = taught(visit.model)
    assert knows is not None
    return ask_of(visit, asked.turns, knows)


def _result(model: ServedModel, asked: Asked, wrote: Written) -> Result:
    answering = answering_of(model)
    return answering.result(asked, answering.finished(wrote.text), wrote.is_whole)


def _grounded(request: Request, visit: Visit, result: Result) -> GroundedAnswer:
    places = {hit.chunk: (hit.document, hit.first_page, hit.last_page) for hit in result.hits}
    shown = [
        Shown(number=number, document=hit.document, page=hit.first_page, last_page=hit.last_page, chunk=hit.chunk)
        for number, hit in enumerate(result.hits, start=1)
    ]
    cited = [
        Cited(number=one.number, document=places[one.chunk][0], page=one.first_page, last_page=one.last_page,
              chunk=one.chunk, quote=one.quote)
        for one in result.citations
    ]  # fmt: skip
    told = [*one_of_several(visit.model), *result.warnings]
    return GroundedAnswer(
        question=result.question, answer=result.answer or "", refused=result.refused, citations=cited, passages=shown,
        warnings=warned(request, told), model=visit.model.version, request_id=visit.request_id,
    )  # fmt: skip
