"""Answers of encoder-decoders: rows that came together are written together by `generate`, with our own choosing.

Nobody joins: their number is small and their answers short. A row that has ended is told to end at every place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from dadeum.core.generation import Generation
from dadeum.gateway.engine.adapters import Held
from dadeum.gateway.engine.decoder import Choose, Outcome, Row, chosen
from dadeum.models.seq2seq_engine import Seq2SeqEngine
from dadeum.models.seq2seq_render import Seq2SeqRow
from dadeum.models.writing import options


def write_sources(
    held: Held, renderer: Any, rows: Sequence[Row], choose: Choose, told: Callable[[Outcome], Sequence[Row]]
) -> None:
    """`told` gets every step's tokens and says which rows go on."""
    engine = Seq2SeqEngine(held.model, renderer)
    batch = renderer.batch([Seq2SeqRow(list(row.ids), []) for row in rows])
    longest = max(row.ticket.ask.max_new_tokens for row in rows)
    settings = options(Generation(), longest, renderer.stop_ids, renderer.pad_id) | renderer.generation
    chooser = _Chosen(list(rows), choose, told, renderer.stop_ids[0])
    with torch.inference_mode(), held.switch.through([row.adapter for row in rows]):
        engine.model.generate(
            input_ids=batch["input_ids"].to(held.model.device),
            attention_mask=batch["attention_mask"].to(held.model.device),
            **settings,
            logits_processor=LogitsProcessorList([chooser]),
        )


class _Chosen(LogitsProcessor):
    """Leaves the token that a row's own chooser took: greedy search then takes it."""

    def __init__(self, rows: list[Row], choose: Choose, told: Callable[[Outcome], Sequence[Row]], end_id: int) -> None:
        self._rows = rows
        self._going = list(rows)
        self._choose = choose
        self._told = told
        self._end_id = end_id

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        tokens = torch.full((len(self._rows), 1), self._end_id, device=scores.device)
        places = [place for place, row in enumerate(self._rows) if row in self._going]
        if places:
            outcome = chosen([self._rows[place] for place in places], scores[places].float(), self._choose)
            self._going = list(self._told(outcome))
            for place, (row, one) in zip(places, outcome, strict=True):
                # Ended by a stop text, a deadline or its caller: generate knows only the end token.
                tokens[place] = one.token if row in self._going else self._end_id
        return torch.full_like(scores, -torch.inf).scatter_(1, tokens, 0.0)
