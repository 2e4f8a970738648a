"""Rows from tickets, and answers that are written from beginning to end at once: encoder-decoders and beam search.

What a recipe says of `generation` holds here as in evaluation: its rules for every answer, its beams wherever a request
does not choose tokens in another way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from dadeum.core.generation import Generation
from dadeum.gateway.engine.adapters import Held
from dadeum.gateway.engine.decoder import Choose, Outcome, Row
from dadeum.gateway.engine.pieces import Pieces
from dadeum.gateway.engine.queue import Outbox, Ticket
from dadeum.gateway.engine.sources import write_sources
from dadeum.gateway.engine.work import Piece, Sampling
from dadeum.models.answer_rules import rules
from dadeum.models.generation import Writing, generate_batch
from dadeum.models.seq2seq_engine import Seq2SeqEngine
from dadeum.models.seq2seq_render import Seq2SeqRow
from dadeum.models.writing import options

Voice = Any
"""Renderer of a version: of decoders or of encoder-decoders."""


def new_row(ticket: Ticket, held: Held, voice: Voice, choosing: Any) -> Row:
    """`choosing` is the module of that name, or what stands in for it."""
    ask = ticket.ask
    chooser = choosing.Chooser(ask, voice.tokenizer, voice.stop_ids, held.vocabulary_size)
    told = ask.model.recipe.generation
    kept = Generation(repetition_penalty=told.repetition_penalty, no_repeat_ngram=told.no_repeat_ngram)
    own = rules(kept, len(ask.prompt_ids), None) or None
    pieces = Pieces(voice.tokenizer, ask.sampling.stops)
    return Row(ticket, held.adapter(ask.model.version), chooser, pieces, list(ask.prompt_ids), rules=own)


def writes_whole(row: Row) -> bool:
    """Whether beams have to be weighed to their end before there is a text."""
    ask = row.ticket.ask
    return ask.model.recipe.generation.beams > 1 and ask.sampling == Sampling(seed=ask.sampling.seed)


def write_whole(
    held: Held,
    voice: Voice,
    rows: Sequence[Row],
    choose: Choose,
    told: Callable[[Outcome], Sequence[Row]],
    outbox: Outbox,
) -> None:
    """Rows of one version, all of them by beams or none."""
    if not writes_whole(rows[0]):
        write_sources(held, voice, rows, choose, told)
        return
    for longest in sorted({row.ticket.ask.max_new_tokens for row in rows}):
        part = [row for row in rows if row.ticket.ask.max_new_tokens == longest]
        with held.switch.through([part[0].adapter]):  # beams are rows to the model: all take this one
            found = (_beams_of_sources if held.is_seq2seq else _beams)(held, voice, part, longest)
        for row, (text, num_tokens, finished) in zip(part, found, strict=True):
            row.ticket.new_tokens = num_tokens
            row.ticket.first = time.monotonic()  # nobody sees a token before the beams are weighed to their end
            outbox.piece(row.ticket, Piece(text, num_tokens))
            outbox.end(row.ticket, "stop" if finished else "length")


def _beams(held: Held, voice: Voice, rows: Sequence[Row], longest: int) -> list[tuple[str, int, bool]]:
    generation = rows[0].ticket.ask.model.recipe.generation.model_copy(update={"temperature": 0.0})
    writing = Writing(longest, voice.stop_ids, voice.tokenizer.pad_token_id, generation)
    found = generate_batch(held.model, [row.ids for row in rows], writing, None)
    return [(str(voice.tokenizer.decode(ids)), min(len(ids) + 1, longest), len(ids) < longest) for ids in found]


def _beams_of_sources(held: Held, voice: Voice, rows: Sequence[Row], longest: int) -> list[tuple[str, int, bool]]:
    generation = rows[0].ticket.ask.model.recipe.generation.model_copy(update={"temperature": 0.0})
    batch = voice.batch([Seq2SeqRow(row.ids, []) for row in rows])
    lines = Seq2SeqEngine(held.model, voice).model.generate(
        input_ids=batch["input_ids"].to(held.model.device),
        attention_mask=batch["attention_mask"].to(held.model.device),
        **(options(generation, longest, voice.stop_ids, voice.pad_id) | voice.generation),
        logits_processor=rules(generation, 1, None),
    )
    found = []
    for line in lines.tolist():
        end = next((place for place, one in enumerate(line[1:], start=1) if one in voice.stop_ids), None)
        num_tokens = end or len(line) - 1
        found.append((voice.decode(line[1:end]), num_tokens, end is not None))
    return found
