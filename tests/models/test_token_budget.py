from __future__ import annotations

import random

import pytest

from dadeum.models.prefix_tree import pack
from dadeum.models.token_budget import cut_evenly, cut_padded, cut_sharing, indices_to_try

BEGINNING = list(range(100, 300))


def rows(count: int, seed: int = 0) -> list[list[int]]:
    chance = random.Random(seed)
    return [BEGINNING + [chance.randrange(100) for _ in range(chance.randint(60, 140))] for _ in range(count)]


@pytest.mark.parametrize("budget", [500, 900, 2400, 10**6])
def test_every_row_is_in_one_part_and_every_tree_fits(budget):
    given = rows(40)
    parts = cut_sharing(given, budget)
    assert sorted(index for part in parts for index in part) == list(range(40))
    assert all(len(pack([given[index] for index in part]).ids) <= budget for part in parts)


def test_parts_are_as_few_as_can_be_and_of_like_size():
    given = rows(32)
    sizes = [len(part) for part in cut_sharing(given, 2400)]
    assert len(sizes) == 2  # 3,200 tokens of their own and 200 shared in each part
    assert max(sizes) - min(sizes) <= 4


def test_a_row_over_the_budget_stands_alone():
    assert cut_sharing([[1] * 50, [2] * 50], 10) == [[0], [1]]
    assert cut_sharing([], 10) == []


def test_added_tokens_count():
    given = [BEGINNING + [index] * 10 for index in range(20)]
    assert len(cut_sharing(given, 400)) == 1
    parts = cut_sharing(given, 400, added=10)
    assert [len(part) for part in parts] == [10, 10]


def test_padded_parts_hold_like_lengths_within_the_budget():
    given = [[0] * length for length in (5, 50, 6, 49, 7)]
    assert cut_padded(given, 100) == [[0, 2, 4], [3, 1]]


def test_the_longest_and_the_shortest_rows_are_tried():
    given = [[0] * length for length in (5, 3, 9, 4)]
    assert indices_to_try(given, 3) == [2, 1, 0]
    assert indices_to_try(given[:1]) == [0]


def test_parts_cost_least_padding_and_passes_counted() -> None:
    given = [[0] * length for length in (10, 12, 100, 98)]
    # Together 4 x 100; apart 2 x 12 + 2 x 100 and a pass more.
    assert cut_evenly(given, 1000, 64) == [[0, 1], [3, 2]]
    assert cut_evenly(given, 1000, 1000) == [[0, 1, 3, 2]]
    assert cut_evenly(given, 110, 3) == [[0, 1], [3], [2]]
    assert cut_evenly([], 100, 10) == []


def test_no_other_cut_costs_less() -> None:
    """By hand for six rows: every way to cut the sorted row into parts."""
    from itertools import product

    lengths = [5, 7, 20, 22, 60, 61]
    given = [[0] * length for length in lengths]

    def cost(parts: list[list[int]]) -> int:
        return sum(len(part) * max(lengths[row] for row in part) + 15 for part in parts)

    every = []
    for cuts in product([False, True], repeat=5):
        parts: list[list[int]] = [[0]]
        for row, cut in enumerate(cuts, start=1):
            parts.append([row]) if cut else parts[-1].append(row)
        every.append(cost(parts))
    assert cost(cut_evenly(given, 1000, 15)) == min(every)
