"""pack(): every row can be read back from the packed tree, and attention is cut without losing a token."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dadeum.models.prefix_tree import _MAX_WASTE, MIN_SHARED_TOKENS, pack

TOKENS = st.integers(1, 2)  # two tokens: rows often begin alike


@st.composite
def rows_with_limits(draw):
    """Rows that grow from a few common beginnings, and how much of each may be shared."""
    beginnings = draw(st.lists(st.lists(TOKENS, max_size=40), min_size=1, max_size=3))
    rows = []
    for _ in range(draw(st.integers(1, 12))):
        beginning = draw(st.sampled_from(beginnings))
        rows.append(beginning[: draw(st.integers(0, 40))] + draw(st.lists(TOKENS, min_size=1, max_size=12)))
    return rows, [draw(st.integers(0, len(row))) for row in rows]


def seen_by(tree, window=None):
    """For every packed column the packed columns that its attention sees, read from blocks and masks."""
    flat = []
    for block in tree.blocks:
        mask = block.mask(window, torch.float32)
        for node in range(len(block.queries)):
            for query in range(block.queries.shape[1]):
                if mask is None:
                    keys = block.keys[node, : query + 1]
                else:
                    keys = block.keys[node][mask[min(node, len(mask) - 1), 0, query] == 0]
                assert len(keys)  # padding too: a softmax over nothing is NaN
                flat.append(keys.tolist())
    return [flat[index] for index in tree.restore.tolist()]


@given(rows_with_limits())
@settings(max_examples=60)
@example(([[1] * 20, [1] * 20], [20, 20]))
@example(([[1] * 20, [1] * 12], [20, 12]))
@example(([[1], [1]], [1, 0]))
def test_every_row_is_read_back_and_sees_itself_only(drawn):
    rows, limits = drawn
    tree = pack(rows, limits)
    seen = seen_by(tree)
    for row, path in zip(rows, tree.paths, strict=True):
        assert tree.ids[path].tolist() == row
        assert tree.positions[path].tolist() == list(range(len(row)))
        for index, column in enumerate(path):
            assert seen[column] == path[: index + 1]


@given(rows_with_limits(), st.integers(1, 20))
@settings(max_examples=40)
def test_a_window_sees_the_last_tokens_by_logical_position(drawn, window):
    tree = pack(*drawn)
    seen = seen_by(tree, window)
    for path in tree.paths:
        for index, column in enumerate(path):
            assert seen[column] == path[max(0, index + 1 - window) : index + 1]


@given(rows_with_limits())
@settings(max_examples=60)
def test_what_is_shared_is_within_the_limits_and_nothing_is_computed_twice_or_for_nobody(drawn):
    rows, limits = drawn
    tree = pack(rows, limits)
    assert {column for path in tree.paths for column in path} == set(range(len(tree.ids)))
    assert len(tree.ids) <= sum(map(len, rows))
    for i, path in enumerate(tree.paths):
        others = {column for j, other in enumerate(tree.paths) if i != j for column in other}
        shared = sum(column in others for column in path)
        assert shared <= limits[i]
        assert shared == 0 or shared >= MIN_SHARED_TOKENS
        assert path[:shared] == [column for column in path if column in others]  # a beginning, without holes


@given(rows_with_limits())
@settings(max_examples=60)
def test_restore_picks_every_column_once_and_never_padding(drawn):
    tree = pack(*drawn)
    queries = torch.cat([block.queries.flatten() for block in tree.blocks])
    assert len(set(tree.restore.tolist())) == len(tree.ids)
    assert queries[tree.restore].tolist() == list(range(len(tree.ids)))


@given(rows_with_limits())
@settings(max_examples=40)
def test_padding_in_attention_is_bounded(drawn):
    tree = pack(*drawn)
    owners = {column: set() for column in range(len(tree.ids))}
    for i, path in enumerate(tree.paths):
        for column in path:
            owners[column].add(i)
    longest = {}  # tokens with the same owners are one node; its queries need keys up to its last token
    for path in tree.paths:
        longest |= {frozenset(owners[column]): index + 1 for index, column in enumerate(path)}
    needed = sum(longest[frozenset(owner)] for owner in owners.values())
    computed = sum(block.queries.shape[1] * block.keys.numel() for block in tree.blocks)
    assert computed <= _MAX_WASTE * needed


def test_everybody_shares_what_two_of_them_share():
    system, other = list(range(100, 120)), list(range(200, 230))
    rows = [[*system, *other, 1], [*system, *other, 2], [*system, 3], [*other, 4], [*other, 5]]
    tree = pack(rows)
    assert len(tree.ids) == len(system) + 2 * len(other) + 5
    assert tree.paths[0][:50] == tree.paths[1][:50]
    assert tree.paths[2][:20] == tree.paths[0][:20]
    assert tree.paths[3][:30] == tree.paths[4][:30] != tree.paths[0][20:50]


def test_a_short_common_beginning_is_computed_in_every_row():
    short = list(range(MIN_SHARED_TOKENS - 1))
    assert len(pack([[*short, 50], [*short, 60]]).ids) == 2 * MIN_SHARED_TOKENS
    assert len(pack([[*short, 9, 50], [*short, 9, 60]]).ids) == MIN_SHARED_TOKENS + 2


def test_limits_keep_the_prompts_last_token_in_every_row():
    prompt = list(range(10, 30))
    tree = pack([[*prompt, 1], [*prompt, 1], [*prompt, 2]], [19, 19, 19])
    assert len(tree.ids) == 19 + 3 * 2


def test_rows_alone_need_no_mask():
    tree = pack([[1] * 30, [2] * 31])
    assert [block.is_causal for block in tree.blocks] == [True]
    assert tree.blocks[0].mask(None, torch.float32) is None
    assert tree.blocks[0].mask(31, torch.float32) is None
    assert tree.blocks[0].mask(30, torch.float32) is not None


def test_masks_are_made_once_per_window_type_and_number_of_heads():
    common = list(range(20))
    block = pack([[*common, 50], [*common, 60]]).blocks[-1]
    assert block.mask(None, torch.float32, 2) is block.mask(1000, torch.float32, 2)
    assert block.mask(5, torch.float32, 2).shape[2] == 2 * block.queries.shape[1]
    assert block.mask(5, torch.bfloat16, 2).dtype is torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.long, torch.int32])
def test_a_tree_moves_whole(dtype):
    tree = pack([[1] * 10, [1] * 9 + [2]])
    moved = tree.to("cpu", dtype=dtype)
    assert {t.dtype for t in (moved.ids, moved.positions, moved.restore)} == {dtype}
    assert all(
        getattr(block, name).dtype is dtype for block in moved.blocks for name in ("queries", "keys", "positions")
    )
    assert moved.paths == tree.paths
