"""The next token of every row in a batch: greedy rows together, all others by rules and numbers of their own.

What one row gets depends on its logits, its settings and what it has written, never on the rows beside it.
Log probabilities are the model's own, before penalties, grammar and temperature, as vLLM tells them.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dadeum.gateway.engine.grammar import Grammar, compiled
from dadeum.gateway.engine.sampling import drawn
from dadeum.gateway.engine.work import Ask, Reason

if TYPE_CHECKING:
    import torch

_LEAST_LOGPROB = -9999.0
"""Of what the model rules out: JSON knows no infinity, and OpenAI says this."""
_SEED_RANGE = 2**64
Told = tuple[float, tuple[tuple[int, float], ...]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A row's next token."""

    token: int
    logprob: float | None = None
    """None where nobody asked."""
    top: tuple[tuple[int, float], ...] = ()
    """The likeliest, likeliest first."""
    ended: Reason | None = None
    closes: bool = False
    """The token ends the answer and is no part of it."""


class Chooser:
    """What one answer has written so far, as far as it matters for its next token."""

    def __init__(
        self,
        ask: Ask,
        tokenizer: Any,
        stop_ids: Sequence[int],
        vocabulary_size: int,
        grammar: Grammar | None = None,
    ) -> None:
        """`grammar` saves looking it up again where the engine compiled it at the door."""
        sampling = self.sampling = ask.sampling
        self.num_tokens = 0
        self.fault = ""
        """Why an answer ended with "error"."""
        self._stop_ids = frozenset(stop_ids)
        self._most = ask.max_new_tokens
        if sampling.json_schema is not None and grammar is None:
            grammar = compiled(sampling.json_schema, tokenizer, stop_ids, vocabulary_size)
        self._grammar = grammar.begin() if grammar is not None else None
        self._counts = _Counts(ask.max_new_tokens) if _penalised(ask) else None
        self._numbers = _numbers(sampling.seed, ask.max_new_tokens) if sampling.temperature > 0 else None
        self.is_plain = self._grammar is None and self._counts is None and self._numbers is None
        """The likeliest token, whatever was written."""

    def pick(self, row: np.ndarray) -> int | None:
        """From the logits of one row; None, and why in `fault`, where there is nothing to choose from."""
        if self._counts is not None:
            row = self._counts.lowered(row, self.sampling.frequency_penalty, self.sampling.presence_penalty)
        allowed = None
        if self._grammar is not None:
            allowed = self._grammar.allowed()
            if not len(allowed):
                self.fault = self._grammar.fault or "the grammar allows no token"
                return None
            row = row[allowed]
        place = self._place(row)
        return place if allowed is None or place is None else int(allowed[place])

    def _place(self, row: np.ndarray) -> int | None:
        best = int(row.argmax())
        if not math.isfinite(row[best]):
            self.fault = f"the model's logits are {row[best]}"
            return None
        if self._numbers is None:
            return best
        sampling = self.sampling
        return drawn(row, sampling.temperature, sampling.top_p, sampling.top_k, float(self._numbers[self.num_tokens]))

    def took(self, token: int | None, told: Told | None) -> Chosen:
        """Write the token down, and say whether the answer ends with it."""
        if token is None:
            return Chosen(min(self._stop_ids, default=0), ended="error", closes=True)
        self.num_tokens += 1
        logprob, top = told if told is not None else (None, ())
        closes = token in self._stop_ids
        return Chosen(token, logprob, top, "stop" if closes else self._ended(token), closes)

    def _ended(self, token: int) -> Reason | None:
        if self._counts is not None:
            self._counts.add(token)
        if self._grammar is not None:
            self._grammar.take(token)
            if self._grammar.fault:
                self.fault = self._grammar.fault
                return "error"
            if self._grammar.is_complete:
                return "stop"
        return "length" if self.num_tokens >= self._most else None


def choose_all(choosers: Sequence[Chooser], logits: torch.Tensor) -> list[Chosen]:
    """One token per row of `logits`, (rows, vocabulary); the logits are left as they were."""
    logits = logits.detach()
    tokens: list[int | None] = list(_greedy(choosers, logits))
    own = [place for place, chooser in enumerate(choosers) if not chooser.is_plain]
    if own:
        rows = logits[own].float().cpu() if logits.is_cuda else logits.float()
        for number, place in enumerate(own):
            tokens[place] = choosers[place].pick(rows[number if logits.is_cuda else place].numpy())
    told = _told(choosers, logits, tokens)
    triples = zip(choosers, tokens, told, strict=True)
    return [chooser.took(token, one) for chooser, token, one in triples]


def _greedy(choosers: Sequence[Chooser], logits: torch.Tensor) -> list[int | None]:
    """The likeliest token of the plain rows, in one go; None for all others and where the logits are no numbers."""
    if not any(chooser.is_plain for chooser in choosers):
        return [None] * len(choosers)
    values, tokens = logits.max(-1)
    found: list[int | None] = []
    for chooser, value, token in zip(choosers, values.tolist(), tokens.tolist(), strict=True):
        is_number = math.isfinite(value)
        if chooser.is_plain and not is_number:
            chooser.fault = f"the model's logits are {value}"
        found.append(token if chooser.is_plain and is_number else None)
    return found


def _told(choosers: Sequence[Chooser], logits: torch.Tensor, tokens: Sequence[int | None]) -> list[Told | None]:
    """Natural-log probability of the tokens and the likeliest beside them, where they were asked for."""
    told: list[Told | None] = [None] * len(choosers)
    asked = {
        place: chooser.sampling.logprobs
        for place, chooser in enumerate(choosers)
        if chooser.sampling.logprobs is not None and tokens[place] is not None
    }
    if not asked:
        return told
    rows = logits[list(asked)].float()
    whole = rows.logsumexp(-1)
    values, likeliest = rows.topk(min(max(asked.values()), rows.shape[-1]), dim=-1)
    values = values - whole[:, None]
    for number, (place, num_top) in enumerate(asked.items()):
        top = zip(likeliest[number, :num_top].tolist(), values[number, :num_top].tolist(), strict=True)
        own = float(rows[number, tokens[place]] - whole[number])
        told[place] = _finite(own), tuple((token, _finite(value)) for token, value in top)
    return told


def _finite(logprob: float) -> float:
    return max(logprob, _LEAST_LOGPROB)


def _penalised(ask: Ask) -> bool:
    return bool(ask.sampling.frequency_penalty or ask.sampling.presence_penalty)


def _numbers(seed: int | None, length: int) -> np.ndarray:
    """One number in [0, 1) per token of the answer: known from the start, so no neighbour can change them."""
    from dadeum.models.answer_rules import numbers_of

    seed = secrets.randbits(64) if seed is None else seed % _SEED_RANGE
    numbers: np.ndarray = numbers_of(seed, [(0, 0)], length)[0]
    return numbers


class _Counts:
    """How often each token was written: what OpenAI's penalties go by."""

    def __init__(self, most: int) -> None:
        self._places: dict[int, int] = {}
        self._tokens = np.zeros(most, dtype=np.int64)
        self._counts = np.zeros(most)

    def add(self, token: int) -> None:
        place = self._places.setdefault(token, len(self._places))
        self._tokens[place] = token
        self._counts[place] += 1

    def lowered(self, row: np.ndarray, frequency: float, presence: float) -> np.ndarray:
        """A copy: logit - count x frequency - (written at all) x presence."""
        row = row.copy()
        num = len(self._places)
        row[self._tokens[:num]] -= (self._counts[:num] * frequency + presence).astype(row.dtype)
        return row
