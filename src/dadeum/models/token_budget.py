"""Rows → parts that fit into a budget of tokens. How rows are cut changes time and memory, never a result."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

from dadeum.models.prefix_tree import MIN_SHARED_TOKENS

Ids = list[int]


def cut_sharing(rows: list[Ids], budget: int, added: int = 0) -> list[list[int]]:
    """Indices of rows, in parts of about equal work whose packed trees hold at most `budget` tokens (or one row).

    Rows that begin alike end up together. `added` tokens come to every row that are not in `rows`.
    """
    if not rows:
        return []
    order = sorted(range(len(rows)), key=lambda index: rows[index])
    whole = [len(rows[index]) + added for index in order]
    new = [whole[0], *(new_tokens(rows[a], rows[b]) + added for a, b in pairwise(order))]
    num_parts = len(_fill(whole, new, budget))
    # The smallest room that needs no more parts: a last part of two rows would cost its beginning all over again.
    sizes = range(1, budget + 1)
    room = sizes[bisect_left(sizes, True, key=lambda size: len(_fill(whole, new, size)) <= num_parts)]
    return [[order[place] for place in part] for part in _fill(whole, new, room)]


def _fill(whole: list[int], new: list[int], room: int) -> list[range]:
    """Consecutive places; the first row of a part counts whole, the others what they add."""
    starts, filled = [0], whole[0]
    for place in range(1, len(new)):
        filled += new[place]
        if filled > room:
            starts.append(place)
            filled = whole[place]
    return [range(start, end) for start, end in pairwise([*starts, len(new)])]


def new_tokens(before: Ids, row: Ids) -> int:
    """Tokens that `row` adds to a tree that already holds `before`."""
    common = 0
    for a, b in zip(before, row, strict=False):
        if a != b:
            break
        common += 1
    return len(row) - (common if common >= MIN_SHARED_TOKENS else 0)


def cut_padded(rows: list[Ids], budget: int) -> list[list[int]]:
    """Indices of rows, in parts of at most `budget` tokens, padding counted; rows of like length together."""
    parts: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda index: len(rows[index])):
        if parts and (len(parts[-1]) + 1) * len(rows[index]) <= budget:
            parts[-1].append(index)
        else:
            parts.append([index])
    return parts


def cut_evenly(rows: list[Ids], budget: int, pass_tokens: int) -> list[list[int]]:
    """Indices of rows, in parts of at most `budget` tokens (or one row) that together cost least.

    A part costs its tokens, padding counted, and `pass_tokens` more: what reading the weights once is worth.
    """
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    best: list[tuple[int, int]] = [(0, 0)]
    """For the first n rows by length: their cost, and where their last part begins."""
    for end in range(1, len(order) + 1):
        longest = len(rows[order[end - 1]])
        starts = [start for start in range(end) if (end - start) * longest <= budget] or [end - 1]
        best.append(min((best[start][0] + (end - start) * longest + pass_tokens, start) for start in starts))
    parts, end = [], len(order)
    while end:
        start = best[end][1]
        parts.append(order[start:end])
        end = start
    return parts[::-1]


def indices_to_try(rows: list[Ids], at_most: int = 4) -> list[int]:
    """The longest, the shortest and the first rows: what a window or a padding rule would treat differently."""
    by_length = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    return list(dict.fromkeys([by_length[-1], by_length[0], *range(len(rows))]))[:at_most]
