"""Beginnings of prompts: found by version and tokens, exact, and never more than there is room for."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from dadeum.gateway.engine.cache import BLOCK, Part, Prefixes, merged

HEADS, DIMENSION, LAYERS = 2, 4, 3
BLOCK_BYTES = LAYERS * HEADS * BLOCK * 2 * DIMENSION * 4


def cache_of(lengths: list[int], seed: int = 0) -> DynamicCache:
    """Rows at the right edge, as a padded pass leaves them."""
    made = DynamicCache()
    generator = torch.Generator().manual_seed(seed)
    for number in range(LAYERS):
        shape = len(lengths), HEADS, max(lengths), DIMENSION
        made.update(torch.randn(shape, generator=generator), torch.randn(shape, generator=generator), number)
    return made


def row(cache: DynamicCache, layer: int, place: int, length: int) -> torch.Tensor:
    return cache.layers[layer].keys[place, :, cache.layers[layer].keys.shape[2] - length :]


def test_rows_of_two_caches_stand_at_the_right_edge_of_one() -> None:
    first, second = cache_of([5, 3]), cache_of([9, 2, 4], seed=1)
    both = merged([Part(first, [(0, 2, 5), (1, 0, 3)]), Part(second, [(2, 1, 4)])])
    for layer in range(LAYERS):
        assert both.layers[layer].keys.shape == (3, HEADS, 5, DIMENSION)  # as narrow as the longest of them
        for cache, old, new, length in ((first, 0, 2, 5), (first, 1, 0, 3), (second, 2, 1, 4)):
            torch.testing.assert_close(row(both, layer, new, length), row(cache, layer, old, length))


def test_a_merged_cache_grows_without_losing_what_it_had() -> None:
    made = merged([Part(cache_of([6, 6]), [(0, 0, 6), (1, 1, 6)])])
    before = made.layers[0].keys.clone()
    steps = [torch.randn(2, HEADS, 1, DIMENSION) for _ in range(200)]
    for step in steps:
        keys, values = made.update(step, -step, 0)
    torch.testing.assert_close(keys, torch.cat([before, *steps], dim=2))
    torch.testing.assert_close(values[:, :, 6:], -keys[:, :, 6:])
    assert made.get_seq_length() == 206


def test_rows_on_a_beginning_are_made_whole() -> None:
    """Shared tokens at the left edge, then padding, then the row's own."""
    cache = cache_of([9, 9])
    made = merged([Part(cache, [(0, 0, 5), (1, 1, 2)], left=4)])
    keys = cache.layers[0].keys
    torch.testing.assert_close(row(made, 0, 0, 9), keys[0])
    torch.testing.assert_close(row(made, 0, 1, 6), torch.cat([keys[1, :, :4], keys[1, :, 7:]], dim=1))


def test_what_was_kept_comes_back_exactly() -> None:
    kept, ids = Prefixes(2**20), list(range(3 * BLOCK + 5))
    cache = cache_of([len(ids)])
    kept.keep("a@1", ids, cache, 0, (0, len(ids)))
    assert len(kept) == 3
    assert kept.used == 3 * BLOCK_BYTES
    assert kept.known("a@1", [*ids[: 2 * BLOCK], *range(900, 930)]) == 2 * BLOCK
    for number, (keys, values) in enumerate(kept.beginning("a@1", ids, 3 * BLOCK)):
        torch.testing.assert_close(keys, cache.layers[number].keys[0, :, : 3 * BLOCK])
        torch.testing.assert_close(values, cache.layers[number].values[0, :, : 3 * BLOCK])


def test_a_longer_prompt_on_a_known_beginning_adds_only_its_own() -> None:
    kept, ids = Prefixes(2**20), list(range(4 * BLOCK))
    kept.keep("a@1", ids[: 2 * BLOCK], cache_of([2 * BLOCK]), 0, (0, 2 * BLOCK))
    first = kept.beginning("a@1", ids, 2 * BLOCK)[0][0].clone()
    longer = cache_of([4 * BLOCK], seed=1)
    kept.keep("a@1", ids, longer, 0, (2 * BLOCK, 2 * BLOCK))
    keys = kept.beginning("a@1", ids, 4 * BLOCK)[0][0]
    torch.testing.assert_close(keys[:, : 2 * BLOCK], first)
    torch.testing.assert_close(keys[:, 2 * BLOCK :], longer.layers[0].keys[0, :, 2 * BLOCK :])


def test_another_version_finds_nothing_and_a_last_token_is_always_computed() -> None:
    kept, ids = Prefixes(2**20), list(range(2 * BLOCK))
    kept.keep("a@1", ids, cache_of([2 * BLOCK]), 0, (0, 2 * BLOCK))
    assert kept.known("a@2", ids) == 0
    assert kept.known("a@1", ids) == BLOCK
    assert kept.known("a@1", ids[1:]) == 0
    kept.forget("a@1")
    assert (kept.known("a@1", ids), kept.used, len(kept)) == (0, 0, 0)


def test_the_least_recently_used_leaves_and_ends_leave_before_starts() -> None:
    kept = Prefixes(3 * BLOCK_BYTES)
    first, second = list(range(2 * BLOCK)), list(range(500, 500 + 2 * BLOCK))
    kept.keep("a@1", first, cache_of([2 * BLOCK]), 0, (0, 2 * BLOCK))
    kept.keep("a@1", second, cache_of([2 * BLOCK]), 0, (0, 2 * BLOCK))
    assert kept.used == 3 * BLOCK_BYTES
    assert kept.known("a@1", [*second, 1]) == 2 * BLOCK
    assert kept.known("a@1", [*first, 1]) == BLOCK


@pytest.mark.parametrize("room", [0, BLOCK_BYTES - 1])
def test_no_room_keeps_nothing(room: int) -> None:
    kept, ids = Prefixes(room), list(range(BLOCK + 1))
    kept.keep("a@1", ids, cache_of([BLOCK + 1]), 0, (0, BLOCK + 1))
    assert (len(kept), kept.used) == (0, 0)


def test_layers_of_unlike_shapes_are_not_kept() -> None:
    cache, ids = cache_of([BLOCK]), list(range(BLOCK))
    cache.layers[1].keys = cache.layers[1].keys[:, :1]
    cache.layers[1].values = cache.layers[1].values[:, :1]
    kept = Prefixes(2**20)
    kept.keep("a@1", ids, cache, 0, (0, BLOCK))
    assert (len(kept), kept.room) == (0, 0)
