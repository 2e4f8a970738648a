"""JSON of a schema, token by token: which tokens keep the text on its way to a valid answer (llguidance).

A schema is refused at the door or not at all: what cannot be kept is never ignored. Compiled schemas and the table of
a vocabulary (a second for a real one) are kept; every answer has its own place in the grammar.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from dadeum.core.errors import DataError, first_line
from dadeum.gateway.settings import Limits

_KEPT = 128
"""Compiled schemas per vocabulary; the one that was not used for longest goes."""
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose values are schemas under names that people chose."""
_ALWAYS = {"lenient": False, "whitespace_flexible": True, "whitespace_pattern": r"[ \n\t]{1,24}"}
"""Nothing in a schema is passed over, and a model that writes spaces cannot go on with them for ever."""
_GUIDANCE = "x-guidance"
"""llguidance's own options inside a schema: they could switch the above off."""
# Half of llguidance's own or less: a step over the limit ends one answer, a slow step holds up the whole batch.
_PARSER = {
    "max_items_in_row": 1000,
    "initial_lexer_fuel": 500_000,
    "step_lexer_fuel": 100_000,
    "step_max_items": 25_000,
    "max_lexer_states": 25_000,
    "max_grammar_size": 100_000,
    "verbose_errors": False,
}
_LET_IN = Limits(schema_bytes=10_000_000, schema_depth=100)
_SILENT = 0
_WORD_BITS = 32


class Grammar:
    """A compiled schema over one vocabulary; rows take copies of its beginning."""

    def __init__(self, beginning: LLMatcher, num_tokens: int) -> None:
        self._beginning = beginning
        self._num_tokens = num_tokens
        self._lock = Lock()

    def begin(self) -> Following:
        """For one answer."""
        with self._lock:
            return Following(self._beginning.deep_copy(), self._num_tokens)


class Following:
    """Where one answer is in its grammar."""

    def __init__(self, matcher: LLMatcher, num_tokens: int) -> None:
        self._matcher = matcher
        self._num_tokens = num_tokens
        self._bits = np.zeros((num_tokens + _WORD_BITS - 1) // _WORD_BITS, dtype="<i4")

    def allowed(self) -> np.ndarray:
        """Ids of the tokens that may come next, rising; none where the grammar broke (see `fault`)."""
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        if self.fault:
            return np.empty(0, dtype=np.int64)
        bits = np.unpackbits(self._bits.view(np.uint8), bitorder="little", count=self._num_tokens)
        return np.flatnonzero(bits)

    def take(self, token: int) -> None:
        """What was chosen among the allowed; no end token."""
        self._matcher.consume_token(token)

    @property
    def is_complete(self) -> bool:
        """Nothing but an end token may follow: the answer is whole."""
        return bool(self._matcher.is_stopped()) and not self.fault

    @property
    def fault(self) -> str:
        """A limit of the parser was reached, or a mistake of ours."""
        return str(self._matcher.get_error()) if self._matcher.is_error() else ""


class _Vocabulary:
    """llguidance's table of one tokenizer, and what was compiled over it."""

    def __init__(self, tokenizer: Any, stop_ids: Sequence[int], num_tokens: int) -> None:
        self._table = _table(tokenizer, stop_ids, num_tokens)
        self._num_tokens = num_tokens
        self._grammars: OrderedDict[str, Grammar] = OrderedDict()
        self._lock = Lock()

    def compiled(self, schema: str) -> Grammar:
        with self._lock:
            if schema in self._grammars:
                self._grammars.move_to_end(schema)
                return self._grammars[schema]
        found = self._compile(schema)  # twice where two ask at once: harmless
        with self._lock:
            self._grammars[schema] = found
            if len(self._grammars) > _KEPT:
                self._grammars.popitem(last=False)
        return found

    def _compile(self, schema: str) -> Grammar:
        try:
            written = LLMatcher.grammar_from_json_schema(schema, overrides=_ALWAYS)  # type: ignore[arg-type]
            limits = LLParserLimits(**_PARSER)  # type: ignore[arg-type]
            matcher = LLMatcher(self._table, written, log_level=_SILENT, limits=limits)
        except ValueError as error:
            raise DataError("gateway.schema.refused", reason=first_line(error)) from error
        if matcher.is_error():
            raise DataError("gateway.schema.refused", reason=_short(matcher.get_error()))
        grammar = Grammar(matcher, self._num_tokens)
        # The first step shows what compiling does not: a schema that nothing can fulfil, or that takes too much.
        first = grammar.begin()
        if not len(first.allowed()):
            raise DataError("gateway.schema.no_answer")
        return grammar


_vocabularies: WeakKeyDictionary[Any, dict[tuple[tuple[int, ...], int], _Vocabulary]] = WeakKeyDictionary()
_lock = Lock()


def compiled(
    schema_json: str,
    tokenizer: Any,
    stop_ids: Sequence[int],
    vocabulary_size: int,
    limits: Limits | None = None,
) -> Grammar:
    """The grammar of a schema ("{}": any JSON object). DataError, with the reason, for one that cannot be kept.

    `vocabulary_size` is the width of the model's head; `stop_ids` may follow where an answer is whole. Without
    `limits` it was let in at the door and is only looked up again.
    """
    schema = checked(schema_json, limits or _LET_IN)
    return _vocabulary(tokenizer, stop_ids, vocabulary_size).compiled(json.dumps(schema))


def checked(schema_json: str, limits: Limits) -> dict[str, Any]:
    """The schema, if it has a size and shape that we compile; DataError otherwise."""
    size = len(schema_json.encode(errors="replace"))
    if size > limits.schema_bytes:
        raise DataError("gateway.schema.too_large", size=size, most=limits.schema_bytes)
    try:
        schema = json.loads(schema_json)
    except RecursionError as error:
        raise DataError("gateway.schema.too_deep", most=limits.schema_depth) from error
    except ValueError as error:
        raise DataError("gateway.schema.no_json", reason=first_line(error)) from error
    if not isinstance(schema, dict):
        raise DataError("gateway.schema.no_object", found=json.dumps(schema, ensure_ascii=False)[:80])
    _look(schema, limits.schema_depth, limits.schema_depth)
    return schema or {"type": "object"}


def _look(schema: Any, left: int, most: int) -> None:
    """Through every schema inside; a name under `properties` may be anything, also `$ref`."""
    if left < 0:
        raise DataError("gateway.schema.too_deep", most=most)
    if isinstance(schema, list):
        for one in schema:
            _look(one, left - 1 if isinstance(one, list) else left, most)
    if not isinstance(schema, dict):
        return
    _refuse_keywords(schema)
    for keyword, value in schema.items():
        inner = list(value.values()) if keyword in _MAPS and isinstance(value, dict) else value
        if isinstance(inner, dict | list):
            _look(inner, left - 1, most)


def _refuse_keywords(schema: Mapping[str, Any]) -> None:
    reference = schema.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        raise DataError("gateway.schema.remote", reference=reference[:200])
    if _GUIDANCE in schema:
        raise DataError("gateway.schema.refused", reason=_GUIDANCE)


def _vocabulary(tokenizer: Any, stop_ids: Sequence[int], num_tokens: int) -> _Vocabulary:
    key = (tuple(stop_ids), num_tokens)
    # Others wait while a table is made: two at once would take twice as long on the same core.
    with _lock:
        made = _vocabularies.setdefault(tokenizer, {})
        if key not in made:
            made[key] = _Vocabulary(tokenizer, stop_ids, num_tokens)
        return made[key]


def _table(tokenizer: Any, stop_ids: Sequence[int], num_tokens: int) -> LLTokenizer:
    from llguidance.hf import from_tokenizer  # imports transformers

    try:
        return from_tokenizer(tokenizer, n_vocab=num_tokens, eos_token=[int(one) for one in stop_ids])
    except ValueError as error:
        raise DataError("gateway.schema.no_table", model=tokenizer.name_or_path, reason=first_line(error)) from error


def _short(reason: str) -> str:
    lines = [line.strip() for line in reason.strip().splitlines() if line.strip()]
    # Of a pattern llguidance shows the place in several lines; the last one says what is wrong.
    return (lines[-1] if lines and lines[-1].startswith("error:") else " ".join(lines))[:300]
