"""POST /v1/completions: a text goes on, without a template, an instruction or finishing steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from starlette.responses import Response

from dadeum.core.korean import nfc
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
from dadeum.gateway.api.chat import finish_reason
from dadeum.gateway.api.described import STREAMED
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.api.shapes import CompletionRequest
from dadeum.gateway.api.streaming import Choice
from dadeum.gateway.engine.work import Ask, Ended, Piece, TokenLogprob

router = APIRouter(tags=["completions"])


@router.post("/v1/completions", name="create_completion", response_model=said.Completion, responses=STREAMED)
async def create_completion(body: CompletionRequest, request: Request) -> Response:
    """What comes after a text, or after token ids of the model's own tokenizer."""
    let_in = visit(request, body.model, body.user)
    if let_in.model.task == "retrieve":
        raise Fault(400, "gateway.api.no_writer", "model", code="wrong_task", name=let_in.asked)
    check_counts(let_in, body)
    check_characters(let_in, len(body.prompt), "prompt")
    ask = await _ask(let_in, body)
    wanted = Wanted(
        let_in,
        asks_of(let_in, ask.prompt_ids, ask.max_new_tokens, ask.sampling, body.n or 1),
        body,
        input_characters=len(body.prompt) if isinstance(body.prompt, str) else 0,
        question=body.prompt if isinstance(body.prompt, str) else "",
        finish=False,
        for_shadow=lambda shadow: _ask(shadow, body),
        facts={},
    )
    return await respond(request, wanted, _Completions())


async def _ask(let_in: Visit, body: CompletionRequest) -> Ask:
    engine, model = let_in.gateway.engine, let_in.model
    if isinstance(body.prompt, str):
        ids = await let_in.read(engine.text_ids, model, nfc(body.prompt))
        if not ids:
            raise Fault(400, "gateway.api.empty_prompt", "prompt", code="empty_prompt")
    else:
        ids, size = tuple(body.prompt), engine.vocabulary(model)
        if max(ids) >= size:
            raise Fault(400, "gateway.api.bad_token", "prompt", code="bad_token", most=size - 1)
    sampling = sampling_of(let_in, body, body.logprobs)
    return Ask(let_in.request_id, model, ids, room(let_in, len(ids), body.max_tokens, "prompt"), sampling,
               let_in.seconds_left())  # fmt: skip


@dataclass
class _Completions:
    created: int = field(default_factory=lambda: int(time.time()))
    offsets: dict[int, int] = field(default_factory=dict)
    """Characters of each answer that were sent already."""

    def whole(
        self, visit: Visit, choices: Sequence[Choice], texts: Sequence[str], usage: said.Usage
    ) -> said.Completion:
        said_ones = [
            said.CompletionChoice(
                index=index, text=text, finish_reason=finish_reason(choice.ended),
                logprobs=_logprobs(choice.logprobs, 0),
            )
            for index, (choice, text) in enumerate(zip(choices, texts, strict=True))
        ]  # fmt: skip
        return self._event(visit, said_ones, usage)

    def begin(self, visit: Visit, index: int) -> None:
        return None

    def chunk(self, visit: Visit, index: int, piece: Piece) -> said.Completion:
        start = self.offsets.get(index, 0)
        self.offsets[index] = start + len(piece.text)
        choice = said.CompletionChoice(index=index, text=piece.text, logprobs=_logprobs(piece.logprobs, start))
        return self._event(visit, [choice])

    def end(self, visit: Visit, index: int, ended: Ended) -> said.Completion:
        return self._event(visit, [said.CompletionChoice(index=index, text="", finish_reason=finish_reason(ended))])

    def usage(self, visit: Visit, usage: said.Usage) -> said.Completion:
        return self._event(visit, [], usage)

    def _event(
        self, visit: Visit, choices: list[said.CompletionChoice], usage: said.Usage | None = None
    ) -> said.Completion:
        return said.Completion(
            id=visit.request_id, created=self.created, model=visit.asked, system_fingerprint=visit.model.version,
            choices=choices, usage=usage,
        )  # fmt: skip


def _logprobs(found: Sequence[TokenLogprob], start: int) -> said.CompletionLogprobs | None:
    if not found:
        return None
    offsets = []
    for one in found:
        offsets.append(start)
        start += len(one.token)
    return said.CompletionLogprobs(
        tokens=[one.token for one in found],
        token_logprobs=[one.logprob for one in found],
        top_logprobs=[{token: value for token, _, value in one.top} for one in found],
        text_offset=offsets,
    )
