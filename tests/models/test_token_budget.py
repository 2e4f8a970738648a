from __future__ import annotations

import random

import pytest

from dadeum.models.prefix_tree import pack
from dadeum.models.token_budget import cut_padded, cut_sharing, indices_to_try

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
