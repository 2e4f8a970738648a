"""Decoding for many at once: rows join and leave between steps, each with its own adapter and its own way of choosing.

`Running` holds rows whose cache is plain, at any place of their answers. Where an architecture keeps something else
(recurrent states, windows shorter than an answer), rows of equal length start together in `Fixed` and nobody joins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, Protocol

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from dadeum.gateway.engine.adapters import BASE, Held
from dadeum.gateway.engine.cache import Part, Prefixes, merged
from dadeum.models.scoring import tolerance
from dadeum.models.token_budget import cut_evenly

if TYPE_CHECKING:
    from dadeum.gateway.engine.choosing import Chooser, Chosen
    from dadeum.gateway.engine.pieces import Pieces
    from dadeum.gateway.engine.queue import Outbox, Ticket

_TOLERANCE = {"fp32": 1e-3, "half": 0.1}
"""Relative difference of the logits of a row that joined and of the same row alone."""
READ_TOKENS = 2048
"""Of prompts between two steps: those who are being answered wait for no more than this."""
_PASS_TOKENS = 64
"""What reading all weights costs on a CPU, in tokens of a prompt; on a GPU one pass more is never worth the padding."""
_WINDOWS = ("sliding_window", "attention_chunk_size")

Choose = Callable[["list[Chooser]", torch.Tensor], "list[Chosen]"]


@dataclass(eq=False)
class Row:
    """An answer that is being written."""

    ticket: Ticket
    adapter: str
    chooser: Chooser
    pieces: Pieces
    ids: list[int]
    """Prompt and what was written."""
    rules: Any = None
    """What the recipe's `generation` changes about scores, as evaluation does (models/answer_rules.py)."""
    begun: tuple[DynamicCache, int] | None = None
    """Of a prompt that is read in parts: keys and values of its first tokens, and how many these are."""

    @property
    def version(self) -> str:
        return self.ticket.ask.model.version

    def tell(self, chosen: Chosen, now: float, outbox: Outbox) -> bool:
        """Hand out what can be shown; whether the answer goes on."""
        ticket = self.ticket
        ticket.new_tokens += 1
        ticket.first = ticket.first or now
        if piece := self.pieces.add(chosen):
            outbox.piece(ticket, piece)
        reason = "stop" if self.pieces.ended else chosen.ended
        if reason is None:
            return True
        if rest := self.pieces.rest():
            outbox.piece(ticket, rest)
        outbox.end(ticket, reason, self.chooser.fault)
        return False


Outcome = list[tuple[Row, "Chosen"]]


def chosen(rows: list[Row], logits: torch.Tensor, choose: Choose) -> Outcome:
    """Each row's next token, after the rules of its recipe."""
    for place, row in enumerate(rows):
        if row.rules is not None:
            written = torch.tensor([row.ids], device=logits.device)
            logits[place : place + 1] = row.rules(written, logits[place : place + 1])
    found = list(zip(rows, choose([row.chooser for row in rows], logits), strict=True))
    for row, one in found:
        row.ids.append(one.token)
    return found


class Batch(Protocol):
    """Rows that take their steps together."""

    rows: list[Row]

    def step(self) -> Outcome:
        """One token more for every row."""
        ...

    def keep(self, rows: Sequence[Row]) -> None:
        """The others are ended."""
        ...


class Running:
    """A batch that rows join; empty at first."""

    def __init__(self, held: Held, prefixes: Prefixes, choose: Choose) -> None:
        self.rows: list[Row] = []
        self._held = held
        self._prefixes = prefixes
        self._choose = choose
        self._cache: DynamicCache | None = None
        self._lengths: list[int] = []
        self._read = Reader(held.model)
        self._pass_tokens = _PASS_TOKENS if held.model.device.type == "cpu" else READ_TOKENS

    def begin(self, row: Row) -> bool:
        """Read the next part of what is too long for one pass; whether the row can join with what is left of it."""
        if row.begun is None:
            shared = self._prefixes.known(row.version, row.ids)
            if len(row.ids) - shared <= READ_TOKENS:
                return True
            row.begun = self._beginnings([row], shared) if shared else DynamicCache(), shared
            row.ticket.cached_tokens = shared
        cache, seen = row.begun
        if len(row.ids) - seen <= READ_TOKENS:
            return True
        part = row.ids[seen : seen + READ_TOKENS]
        with self._held.switch.through([row.adapter]):
            self._read.alike([part], seen, cache)
        row.begun = cache, seen + len(part)
        return False

    def join(self, rows: Sequence[Row]) -> Iterator[Outcome]:
        """Read what rows have so far and choose their next token; they take part in the steps from then on."""
        begun = [(row, row.begun) for row in rows if row.begun]
        rows = [row for row in rows if not row.begun]
        for row, (cache, seen) in begun:
            row.begun = None
            yield self._prefill([row], seen, cache)
        known = {row: self._prefixes.known(row.version, row.ids) for row in rows}
        for shared in sorted(set(known.values())):
            alike = [row for row in rows if known[row] == shared]
            for indices in cut_evenly([row.ids[shared:] for row in alike], READ_TOKENS, self._pass_tokens):
                yield self._prefill([alike[index] for index in indices], shared)

    def _prefill(self, rows: list[Row], shared: int, begun: DynamicCache | None = None) -> Outcome:
        rows = sorted(rows, key=lambda row: row.adapter)
        cache = begun
        if cache is None:  # beginnings may have left since they were counted
            shared = min([shared, *(self._prefixes.known(row.version, row.ids) for row in rows)])
            cache = self._beginnings(rows, shared) if shared else DynamicCache()
        with self._held.switch.through([row.adapter for row in rows]):
            logits = self._read.prompts([row.ids for row in rows], shared, cache)
        for place, row in enumerate(rows):
            if not row.ticket.new_tokens:
                row.ticket.cached_tokens = shared if begun is None else row.ticket.cached_tokens
                self._prefixes.keep(row.version, row.ids, cache, place, (shared, len(row.ids) - shared))
        self._add(rows, cache, shared)
        return self._chosen(rows, logits)  # last: what fails before can be read again, a token is chosen once

    def _beginnings(self, rows: list[Row], shared: int) -> DynamicCache:
        found = [self._prefixes.beginning(row.version, row.ids, shared) for row in rows]
        cache = DynamicCache()
        for number in range(len(found[0])):
            keys, values = (torch.stack([one[number][kind] for one in found]) for kind in (0, 1))
            cache.update(keys, values, number)
        return cache

    def _add(self, new: list[Row], cache: DynamicCache, shared: int) -> None:
        """Rows of one adapter stand together, so that a slice of the batch is theirs."""
        lengths = dict(zip(self.rows, self._lengths, strict=True)) | {row: len(row.ids) for row in new}
        order = {row: place for place, row in enumerate(sorted(lengths, key=lambda row: row.adapter))}
        parts = [Part(cache, [(n, order[row], lengths[row] - shared) for n, row in enumerate(new)], shared)]
        if self._cache is not None:
            parts.append(Part(self._cache, [(n, order[row], lengths[row]) for n, row in enumerate(self.rows)]))
        self._cache = merged(parts)
        self.rows = list(order)
        self._lengths = [lengths[row] for row in self.rows]

    def step(self) -> Outcome:
        with self._held.switch.through([row.adapter for row in self.rows]):
            logits = self._read.next([row.ids[-1] for row in self.rows], self._lengths, self._cache)
        self._lengths = [length + 1 for length in self._lengths]
        return self._chosen(self.rows, logits)

    def _chosen(self, rows: list[Row], logits: torch.Tensor) -> Outcome:
        return chosen(rows, logits, self._choose)

    def keep(self, rows: Sequence[Row]) -> None:
        kept = set(rows)
        if len(kept) == len(self.rows):
            return
        places = [place for place, row in enumerate(self.rows) if row in kept]
        lengths = [self._lengths[place] for place in places]
        taken = [(place, new, lengths[new]) for new, place in enumerate(places)]
        self._cache = merged([Part(self._cache, taken)]) if taken else None
        self.rows, self._lengths = [self.rows[place] for place in places], lengths


class Fixed:
    """Rows that began together, all of one length: no padding, so any kind of cache is right."""

    def __init__(self, held: Held, rows: Sequence[Row], choose: Choose) -> None:
        self.rows = sorted(rows, key=lambda row: row.adapter)
        self._all = list(self.rows)
        self._held = held
        self._choose = choose
        self._cache: Any = None
        self._read = Reader(held.model)

    def step(self) -> Outcome:
        """Ended rows are computed on and not looked at: their states cannot be taken out of every cache."""
        new = [row.ids if self._cache is None else [row.ids[-1]] for row in self._all]
        seen = len(self._all[0].ids) - len(new[0])
        with self._held.switch.through([row.adapter for row in self._all]):
            logits, self._cache = self._read.alike(new, seen, self._cache)
        places = [place for place, row in enumerate(self._all) if row in self.rows]
        for row in self._all:
            if row not in self.rows:
                row.ids.append(row.ids[-1])
        return chosen([self._all[place] for place in places], logits[places], self._choose)

    def keep(self, rows: Sequence[Row]) -> None:
        self.rows = [row for row in self.rows if row in set(rows)]


class Reader:
    """Passes of a model: logits of the last place, fp32, (rows, vocabulary)."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._takes_positions = "position_ids" in signature(model.forward).parameters

    def prompts(self, rows: list[list[int]], shared: int, cache: Any) -> torch.Tensor:
        """Of whole rows, whose first `shared` tokens the cache holds; padding stands behind those."""
        longest = max(map(len, rows))
        gaps = [longest - len(row) for row in rows]
        ids = [[0] * gap + row[shared:] for row, gap in zip(rows, gaps, strict=True)]
        mask = torch.ones(len(rows), longest, dtype=torch.long)
        for place, gap in enumerate(gaps):
            mask[place, shared : shared + gap] = 0
        return self._pass(torch.tensor(ids), mask, (mask.cumsum(-1) - 1).clamp(min=0)[:, shared:], cache)[0]

    def next(self, tokens: list[int], lengths: list[int], cache: Any) -> torch.Tensor:
        """After one token more of rows with `lengths` tokens before it, all of which end at the right edge."""
        before, width = torch.tensor(lengths)[:, None], max(lengths)
        mask = (torch.arange(width + 1) >= width - before).long()
        return self._pass(torch.tensor(tokens)[:, None], mask, before, cache)[0]

    def alike(self, rows: list[list[int]], seen: int, cache: Any) -> tuple[torch.Tensor, Any]:
        """Rows of one length; the model makes the cache that it needs."""
        ids = torch.tensor(rows)
        positions = torch.arange(seen, seen + ids.shape[1]).expand(len(rows), -1)
        return self._pass(ids, torch.ones(len(rows), seen + ids.shape[1], dtype=torch.long), positions, cache)

    def _pass(
        self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Any
    ) -> tuple[torch.Tensor, Any]:
        device = self._model.device
        inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device), "past_key_values": cache}
        if self._takes_positions:
            inputs["position_ids"] = positions.to(device)
        out = self._model(**inputs, use_cache=True, logits_to_keep=1)
        return out.logits[:, -1].float(), out.past_key_values


def joinable_tokens(held: Held) -> float:
    """Longest prompt and answer together whose row may join others; 0 where none may: tried, not looked up."""
    model = held.model
    rows = [
        [1 + n % (held.vocabulary_size - 1) for n in range(start, start + size)] for start, size in ((0, 6), (3, 4))
    ]
    read = Reader(model)
    try:
        with torch.inference_mode(), held.switch.through([BASE]):
            alone = [read.alike([row], 0, None) for row in rows]
            kinds = {type(layer) for layer in alone[0][1].layers}
            if not kinds <= {DynamicLayer, DynamicSlidingWindowLayer}:
                return 0
            cache = DynamicCache()
            read.prompts([row[:-1] for row in rows], 0, cache)
            lengths = [len(row) - 1 for row in rows]
            cache = merged([Part(cache, [(n, n, length) for n, length in enumerate(lengths)])])
            together = read.next([row[-1] for row in rows], lengths, cache)
    except torch.OutOfMemoryError:
        raise
    except (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError, AttributeError):
        return 0  # caches of their own end here
    plain = torch.cat([logits for logits, _ in alone])
    difference = float((together - plain).norm() / (plain - plain.mean(-1, keepdim=True)).norm().clamp(min=1e-6))
    if not difference <= tolerance(_TOLERANCE, model):
        return 0
    config = model.config.get_text_config()
    windows = [size for name in _WINDOWS if (size := getattr(config, name, None))]
    windows += [layer.sliding_window for layer in alone[0][1].layers if isinstance(layer, DynamicSlidingWindowLayer)]
    return min(windows, default=math.inf)
