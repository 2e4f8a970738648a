"""Near duplicates among many short texts: who is like whom, compared exactly once candidates are found.

Similarity is the Jaccard index of character 3-gram sets. The same texts give the same result, in any run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from dadeum.core.korean import masked
from dadeum.data.similar.candidates import count_pairs, cross_pairs, find_buckets, first_pairs
from dadeum.data.similar.fingerprints import Fingerprints, Memory, numbered
from dadeum.data.similar.shingles import Ints, Shingles

LEAK_SIMILARITY = 0.7
"""From here on a text says too much about another one for both to stand on two sides of a split."""


def near_copies(texts: Sequence[str], similarity: float, memory: Memory | None = None) -> dict[int, tuple[int, float]]:
    """Index of each text that is as like as that to an earlier kept one → (index of the kept one, similarity).

    Kept are the first text and every later one that is like no kept text before it. Equal texts count as like.
    `memory` saves work when the same texts are compared again.
    """
    prints, numbers = (memory or Memory()).of(texts)
    copy_of = _first_like(prints.shingles, _families(prints, similarity), similarity)
    first = _first_positions(numbers, len(prints))
    copies = {}
    for position, number in enumerate(numbers.tolist()):
        if number in copy_of:
            kept, value = copy_of[number]
            copies[position] = (int(first[kept]), value)
        elif position != first[number]:
            copies[position] = (int(first[number]), 1.0)
    return copies


def near_groups(texts: Sequence[str], similarity: float, memory: Memory | None = None) -> Ints:
    """Group of every text: the index of its first member. Groups are joined along chains of like pairs."""
    prints, numbers = (memory or Memory()).of(texts)
    return _named_by_first(_families(prints, similarity)[numbers])


def template_groups(
    texts: Sequence[str], memory: Memory | None = None, kin: Sequence[Sequence[str]] | None = None
) -> Ints:
    """Like `near_groups` at LEAK_SIMILARITY, joined with texts that are equal once names and numbers are masked.

    `kin`, one list of keys per text, joins texts that share a key.
    """
    _, template = numbered([masked(text) for text in texts])
    near = near_groups(texts, LEAK_SIMILARITY, memory)
    groups = _joined(near, np.arange(len(texts)), _named_by_first(template))
    if kin is not None:
        owners = [(row, key) for row, keys in enumerate(kin) for key in keys]
        rows = np.array([row for row, _ in owners], dtype=np.int64)
        _, numbers = numbered([key for _, key in owners])
        groups = _joined(groups, rows, rows[_named_by_first(numbers)])
    return _named_by_first(groups)


def nearest_known(texts: Sequence[str], known: Sequence[str], similarity: float, memory: Memory | None = None) -> Ints:
    """For every text the index of a known text that is as like as that, or -1; equal counts as like."""
    place = {text: number for number, text in reversed(list(enumerate(known)))}
    unknown = [text for text in dict.fromkeys(texts) if text not in place]
    candidates = [*unknown, *place]
    if unknown and place:
        prints, _ = (memory or Memory()).of(candidates)
        found = _partners(prints, len(unknown), similarity).tolist()
        place |= {text: place[candidates[other]] for text, other in zip(unknown, found, strict=True) if other >= 0}
    return np.array([place.get(text, -1) for text in texts], dtype=np.int64)


def _partners(prints: Fingerprints, num_open: int, similarity: float) -> Ints:
    """For each of the first `num_open` texts one of the others that is like it, or -1.

    A text is compared with few others first, then with eight times as many, until it has found its like.
    """
    part = (np.arange(len(prints)) >= num_open).astype(np.int64)
    partner = np.full(len(prints), -1, dtype=np.int64)
    buckets = find_buckets(prints, similarity, part)
    skip, most = 0, 4
    while buckets:
        for bucket in buckets:
            for left, right in cross_pairs(bucket, part, skip, most):
                left, right = prints.shingles.alike(left, right, similarity)
                partner[left] = right
        skip, most = skip + most, most * 8
        still_open = (part == 1) | (partner < 0)
        buckets = [bucket.only(still_open, part) for bucket in buckets]
        buckets = [bucket for bucket in buckets if count_pairs(bucket, part, skip)]
    return partner[:num_open]


# -- families -------------------------------------------------------------------------------------
def _families(prints: Fingerprints, similarity: float) -> Ints:
    """Connected components over all like pairs: a number per text.

    Pairs inside a component are not compared again, so a family of thousands costs no square.
    """
    family = np.arange(len(prints))
    buckets = find_buckets(prints, similarity, family)
    for bucket in buckets:
        family = _joined(family, *prints.shingles.alike(*first_pairs(bucket, family), similarity))
    for bucket in buckets:
        for left, right in cross_pairs(bucket, family):
            family = _joined(family, *prints.shingles.alike(left, right, similarity))
    return family


def _joined(family: Ints, left: Ints, right: Ints) -> Ints:
    """`family` after the families of each pair of texts are joined; a joined family gets one of their numbers."""
    concerned, ends = np.unique(np.r_[family[left], family[right]], return_inverse=True)
    if not len(concerned):
        return family
    edges = (np.ones(len(left), dtype=np.int8), (ends[: len(left)], ends[len(left) :]))
    graph = sparse.coo_matrix(edges, shape=(len(concerned), len(concerned)))
    component = connected_components(graph, directed=False)[1]
    renamed = np.arange(family.max() + 1)
    renamed[concerned] = concerned[_first_positions(component, len(concerned))[component]]
    return renamed[family]


def _first_like(shingles: Shingles, family: Ints, similarity: float) -> dict[int, tuple[int, float]]:
    """Text → (first kept text like it, similarity), round by round over all families at once.

    In a round the first text left of each family is kept and takes those like it; the others wait.
    """
    order = np.lexsort((np.arange(len(family)), family))
    copies: dict[int, tuple[int, float]] = {}
    while len(order):
        starts = np.flatnonzero(np.r_[True, family[order][1:] != family[order][:-1]])
        leader = np.repeat(order[starts], np.diff(np.r_[starts, len(order)]))
        rest = leader != order
        leader, order = leader[rest], order[rest]
        value = shingles.similarity(leader, order)
        like = value >= similarity - 1e-9
        copies |= {
            int(text): (int(kept), float(close))
            for text, kept, close in zip(order[like], leader[like], value[like], strict=True)
        }
        order = order[~like]
    return copies


def _named_by_first(numbers: Ints) -> Ints:
    """The same grouping, each group named by its first position. Numbers lie in 0..n-1."""
    return _first_positions(numbers, len(numbers))[numbers]


def _first_positions(numbers: Ints, num: int) -> Ints:
    """First position at which each number stands."""
    first = np.full(num, -1, dtype=np.int64)
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]
    return first
