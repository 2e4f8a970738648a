"""Keys and values: of a running batch whose rows come and go, and of beginnings that many prompts share.

A row's tokens end at the right edge of its batch and are contiguous, so that every row sees itself as if it were alone.
Beginnings are kept in blocks, each known by its version and all tokens up to its end: what was computed for one version
is never found by another.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

BLOCK = 16
"""Tokens of a block: what two prompts share beyond the last whole one is computed anew."""
_SLACK = 64
"""Columns that are made at once: else every step would copy everything that was there."""

KeysValues = list[tuple[torch.Tensor, torch.Tensor]]
"""Per layer, each (heads, tokens, dimension): of one row."""


class RoomyLayer(DynamicLayer):
    """Grows into room that is there already."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, width: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._room = keys, values
        self._show(width)

    def _show(self, width: int) -> None:
        self._width = width
        self.keys, self.values = (one[:, :, :width] for one in self._room)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        start, width = self._width, self._width + key_states.shape[-2]
        if width > self._room[0].shape[-2]:
            keys, values = self._room
            self._room = _wider(keys, start, width + _SLACK), _wider(values, start, width + _SLACK)
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, start:width] = new
        self._show(width)
        return self.keys, self.values


def _wider(one: torch.Tensor, filled: int, width: int) -> torch.Tensor:
    rows, heads, _, dimension = one.shape
    wider = one.new_zeros(rows, heads, width, dimension)
    wider[:, :, :filled] = one[:, :, :filled]
    return wider


@dataclass(frozen=True)
class Part:
    """Rows of one cache that go into another: (row, place in the new cache, tokens at its right edge)."""

    cache: DynamicCache
    taken: Sequence[tuple[int, int, int]]
    left: int = 0
    """Tokens at the left edge that belong to each of the rows too."""


def merged(parts: Sequence[Part]) -> DynamicCache:
    """One cache of rows out of several, as narrow as the longest row."""
    width = max(part.left + right for part in parts for _, _, right in part.taken)
    num_rows = sum(len(part.taken) for part in parts)
    layers = []
    for number in range(len(parts[0].cache.layers)):
        pairs = [(part.cache.layers[number].keys, part.cache.layers[number].values) for part in parts]
        keys, values = ([pair[kind] for pair in pairs] for kind in (0, 1))
        layers.append(RoomyLayer(_joined(parts, keys, num_rows, width), _joined(parts, values, num_rows, width), width))
    found = DynamicCache()
    found.layers = layers
    return found


def _joined(parts: Sequence[Part], tensors: Sequence[torch.Tensor], num_rows: int, width: int) -> torch.Tensor:
    first = tensors[0]
    room = first.new_zeros(num_rows, first.shape[1], width + _SLACK, first.shape[3])
    for part, one in zip(parts, tensors, strict=True):
        rows, places, rights = (torch.tensor(column, device=one.device) for column in zip(*part.taken, strict=True))
        # The widest decides for all: what a shorter row has before its own tokens is never looked at.
        span = int(rights.max())
        room[places, :, width - span : width] = one[rows, :, one.shape[2] - span :]
        if part.left:
            for row, place, right in part.taken:
                room[place, :, width - right - part.left : width - right] = one[row, :, : part.left]
    return room


@dataclass(frozen=True)
class _Block:
    tensor: torch.Tensor
    """(layers, heads, BLOCK, keys and values behind each other)."""
    split: int
    """Where the values begin."""


class Prefixes:
    """Beginnings of prompts, the least recently used of which leave when there is no room (bytes)."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.used = 0
        self._blocks: OrderedDict[tuple[str, bytes], _Block] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blocks)

    def _keys(self, version: str, ids: Sequence[int], until: int) -> Iterator[tuple[str, bytes]]:
        """Of each whole block: a hash of all tokens up to its end."""
        whole = sha256()
        for start in range(0, until - BLOCK + 1, BLOCK):
            whole.update(array("q", ids[start : start + BLOCK]).tobytes())
            yield version, whole.digest()

    def known(self, version: str, ids: Sequence[int]) -> int:
        """Tokens at the beginning that need not be computed; at least the last token always is."""
        found = list(takewhile(self._blocks.__contains__, self._keys(version, ids, len(ids) - 1)))
        for key in reversed(found):  # the start of a beginning leaves last
            self._blocks.move_to_end(key)
        return BLOCK * len(found)

    def beginning(self, version: str, ids: Sequence[int], until: int) -> KeysValues:
        """Of the first `until` tokens, which `known` counted."""
        blocks = [self._blocks[key] for key in self._keys(version, ids, until)]
        whole = torch.cat([one.tensor for one in blocks], dim=2)
        split = blocks[0].split
        return [(layer[..., :split], layer[..., split:]) for layer in whole]

    def keep(self, version: str, ids: Sequence[int], cache: DynamicCache, row: int, parts: tuple[int, int]) -> None:
        """What was computed for a prompt: `parts` are its tokens at the left and at the right edge of the cache."""
        new = [(n, key) for n, key in enumerate(self._keys(version, ids, len(ids))) if key not in self._blocks]
        if not new or not self.room:
            return
        start = new[0][0] * BLOCK
        found = _stacked(cache, row, parts, start)
        if found is None:
            self.room = 0  # layers of unlike shapes: nothing that blocks could be made of
            return
        whole, split = found
        # The end of a beginning is worth nothing without its start: starts count as used last.
        for number, key in reversed(new):
            at = number * BLOCK - start
            block = _Block(whole[:, :, at : at + BLOCK].clone(), split)
            self._blocks[key] = block
            self.used += block.tensor.nbytes
        while self.used > self.room:
            _, left = self._blocks.popitem(last=False)
            self.used -= left.tensor.nbytes

    def forget(self, version: str) -> None:
        for key in [key for key in self._blocks if key[0] == version]:
            self.used -= self._blocks.pop(key).tensor.nbytes


def _stacked(cache: DynamicCache, row: int, parts: tuple[int, int], start: int) -> tuple[torch.Tensor, int] | None:
    """Tokens from `start` on, of all layers; None where layers differ in shape or device."""
    left, right = parts
    layers = []
    for layer in cache.layers:
        both = torch.cat([layer.keys[row], layer.values[row]], dim=-1)
        own = both[:, both.shape[1] - right :]
        layers.append(torch.cat([both[:, start:left], own], dim=1) if start < left else own[:, start - left :])
    if len({(one.shape, one.device) for one in layers}) > 1:
        return None
    return torch.stack(layers), cache.layers[0].keys.shape[-1]
