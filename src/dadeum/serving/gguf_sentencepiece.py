"""Gemma's kind of vocabulary for llama.cpp: pieces with scores, merged best score first, bytes for what is unknown.

tokenizer.json has merges in an order, llama.cpp wants a score for every piece: minus the rank of the first merge that
makes it. That is exact only while the merges of one piece stand together, so Korean is cut again from the file alone.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from dadeum.core.errors import ExportError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
_SPACE = "\u2581"
_BYTE = re.compile("<0x([0-9A-F]{2})>")
_REPLACES_SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
_NO_SCORE = -1e6
"""Of pieces that no merge makes; only whole they are found."""


def is_sentencepiece(spec: dict[str, Any]) -> bool:
    """Whether this tokenizer.json is merged over raw characters with bytes to fall back on."""
    return spec["model"].get("type") == "BPE" and bool(spec["model"].get("byte_fallback"))


def read_pieces(spec: dict[str, Any], num_rows: int, model: str) -> tuple[list[str], list[int], list[float]]:
    """Tokens, kinds and scores; refuses a tokenizer that does more than replace spaces and merge."""
    cut = spec.get("pre_tokenizer")
    harmless = cut is None or (cut.get("type") == "Split" and cut.get("pattern") == {"String": " "})
    if spec.get("normalizer") != _REPLACES_SPACES or not harmless:
        detail = json.dumps([spec.get("normalizer"), cut], ensure_ascii=False)[:200]
        raise ExportError("export.gguf.tokenizer", model=model, found="normalizer", detail=detail)
    vocab, unknown = spec["model"]["vocab"], spec["model"].get("unk_token")
    scores_of = _scores(spec["model"]["merges"])
    tokens, kinds = [f"[PAD{number}]" for number in range(num_rows)], [UNUSED] * num_rows
    scores = [_NO_SCORE] * num_rows
    for token, number in vocab.items():
        kind = BYTE if _BYTE.fullmatch(token) else UNKNOWN if token == unknown else NORMAL
        tokens[number], kinds[number], scores[number] = token, kind, scores_of.get(token, _NO_SCORE)
    for added in spec["added_tokens"]:
        tokens[added["id"]] = added["content"]
        # llama.cpp would cut runs of spaces out of the raw text first; as plain pieces they are merged as here.
        plain = _SPACE in added["content"] and not added["special"]
        kind = NORMAL if plain else CONTROL if added["special"] else USER_DEFINED
        kinds[added["id"]] = UNKNOWN if added["content"] == unknown else kind
    return tokens, kinds, scores


def _scores(merges: list[Any]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for rank, merge in enumerate(merges):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        scores.setdefault(left + right, -float(rank))
    return scores


class Pieces:
    """llama.cpp's way of cutting with such a vocabulary, from nothing but the GGUF file."""

    def __init__(self, file: Path) -> None:
        from gguf import GGUFReader

        fields = GGUFReader(file).fields
        tokens, self._kinds, self._scores = (
            fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "scores")
        )
        self._ids = {token: number for number, token in enumerate(tokens)}
        marked = [token for token, kind in zip(tokens, self._kinds, strict=True) if kind in (CONTROL, USER_DEFINED)]
        longest_first = sorted(map(re.escape, marked), key=len, reverse=True)
        self._marked = re.compile(f"({'|'.join(longest_first)})") if marked else None

    def encode(self, text: str) -> list[int]:
        parts = self._marked.split(text) if self._marked else [text]
        ids: list[int] = []
        for position, part in enumerate(parts):
            ids += [self._ids[part]] if position % 2 else self._merged(part.replace(" ", _SPACE))
        return ids

    def _merged(self, text: str) -> list[int]:
        symbols = list(text)
        while True:
            pairs = [
                (-self._scores[self._ids[left + right]], place)
                for place, (left, right) in enumerate(pairwise(symbols))
                if left + right in self._ids
            ]
            if not pairs:
                return [number for symbol in symbols for number in self._numbers(symbol)]
            _, place = min(pairs)
            symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]

    def _numbers(self, symbol: str) -> list[int]:
        if symbol in self._ids:
            return [self._ids[symbol]]
        return [self._ids[f"<0x{byte:02X}>"] for byte in symbol.encode()]
