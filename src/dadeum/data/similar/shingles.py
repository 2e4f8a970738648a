"""Texts as sets of character 3-grams, and the exact Jaccard similarity of many pairs at once.

Character 3-grams because Korean mail subjects are 10 to 60 characters: shingles of words miss them. A 256-bit
sketch per text rules out nearly all unlike pairs before their sets are compared; it never rules out a like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MIN_CHARACTERS = 5
"""Shorter texts have no near duplicates, only equal ones: one changed character of four changes everything."""
_CHUNK_PAIRS = 200_000
_CACHE_PAIRS = 100_000
_BLOCK_TEXTS = 20_000
_SKETCH_WORDS = 4
# Room for rounding in t·|A∪B|: similarity 0.7 must not be missed as 0.6999999.
_EPSILON = 1e-9


@dataclass(frozen=True)
class Shingles:
    """Sets of 3-grams of n texts; columns are ordered from the rarest 3-gram to the commonest."""

    matrix: Any
    """scipy CSR of shape (n, distinct 3-grams), ones where the text has the 3-gram, indices sorted in a row."""
    sizes: Ints
    """Distinct 3-grams per text; 0 for texts shorter than MIN_CHARACTERS."""
    sketches: npt.NDArray[np.uint64]
    """Shape (4, n): one of 256 bits per 3-gram, many 3-grams a bit."""

    def take(self, rows: Ints) -> Shingles:
        """The sets of some rows."""
        return Shingles(self.matrix[rows], self.sizes[rows], self.sketches[:, rows])

    def similarity(self, left: Ints, right: Ints) -> npt.NDArray[np.float64]:
        """Jaccard |A∩B| / |A∪B| of pairs of row numbers; 0 where a set is empty."""
        values = np.zeros(len(left))
        for start in range(0, len(left), _CHUNK_PAIRS):
            part = slice(start, start + _CHUNK_PAIRS)
            shared = np.asarray(self.matrix[left[part]].multiply(self.matrix[right[part]]).sum(axis=1)).ravel()
            either = self.sizes[left[part]] + self.sizes[right[part]] - shared
            values[part] = shared / np.maximum(either, 1)
        return values

    def alike(self, left: Ints, right: Ints, similarity: float) -> tuple[Ints, Ints]:
        """The pairs with at least that similarity."""
        # Chunks that stay in the processor's cache are four times as fast.
        starts = range(0, len(left), _CACHE_PAIRS)
        parts = [slice(start, start + _CACHE_PAIRS) for start in starts]
        maybe = [part.start + self._not_ruled_out(left[part], right[part], similarity) for part in parts]
        index = np.concatenate([np.zeros(0, dtype=np.int64), *maybe])
        left, right = left[index], right[index]
        sure = self.similarity(left, right) >= similarity - _EPSILON
        return left[sure], right[sure]

    def _not_ruled_out(self, left: Ints, right: Ints, similarity: float) -> Ints:
        """Positions of the pairs whose sizes and sketches do not show that the similarity is lower.

        |A∩B| ≥ t·|A∪B| means |A△B| ≤ (1−t)/(1+t)·(|A|+|B|), and differing sketch bits never exceed |A△B|.
        """
        one, other = self.sizes.take(left), self.sizes.take(right)
        allowed = np.floor((1 - similarity) / (1 + similarity) * (one + other) + _EPSILON)
        index = np.flatnonzero((np.abs(one - other) <= allowed) & (one > 0))
        left, right, allowed = left.take(index), right.take(index), allowed.take(index)
        different = np.zeros(len(index), dtype=np.int64)
        for word in self.sketches:
            different += np.bitwise_count(word.take(left) ^ word.take(right))
            left_over = np.flatnonzero(different <= allowed)
            index, different, allowed = index.take(left_over), different.take(left_over), allowed.take(left_over)
            left, right = left.take(left_over), right.take(left_over)
        return index


def shingle(texts: Sequence[str]) -> Shingles:
    """3-grams of every text of at least MIN_CHARACTERS characters."""
    blocks = [_grams(texts[start : start + _BLOCK_TEXTS]) for start in range(0, len(texts), _BLOCK_TEXTS)]
    none = np.zeros(0, dtype=np.int64)
    columns, num_distinct = _ranks(np.concatenate([none, *(grams for grams, _ in blocks)]))
    starts = np.cumsum(np.concatenate([[0], *(counts for _, counts in blocks)]))
    ones = np.ones(len(columns), dtype=np.int8)
    matrix = sparse.csr_matrix((ones, columns, starts), shape=(len(texts), max(num_distinct, 1)))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return Shingles(matrix, np.diff(matrix.indptr).astype(np.int64), _sketches(matrix))


def _grams(texts: Sequence[str]) -> tuple[Ints, Ints]:
    """(3-grams of all texts one after another, how many each text has); repeated ones repeated."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    points = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    long_enough = lengths >= MIN_CHARACTERS
    begins_here = np.repeat(long_enough, lengths)
    ends = np.cumsum(lengths)[long_enough]
    begins_here[ends - 1] = False
    begins_here[ends - 2] = False
    # A code point has 21 bits: three of them fit one integer.
    grams = points[:-2].astype(np.int64)
    for later in (points[1:-1], points[2:]):
        grams <<= 21
        grams |= later
    return grams[begins_here[:-2]], np.where(long_enough, lengths - 2, 0)


def _ranks(grams: Ints) -> tuple[npt.NDArray[np.int32], int]:
    """(number of every 3-gram's distinct value, the rarest value 0; how many are distinct)."""
    coded = pa.array(grams).dictionary_encode()
    codes = coded.indices.to_numpy()
    num_distinct = len(coded.dictionary)
    rank = np.empty(num_distinct, dtype=np.int32)
    rank[np.argsort(np.bincount(codes, minlength=num_distinct), kind="stable")] = np.arange(num_distinct)
    return rank[codes], num_distinct


def _sketches(matrix: Any) -> npt.NDArray[np.uint64]:
    sketches = np.zeros(matrix.shape[0] * _SKETCH_WORDS, dtype=np.uint64)
    # Fibonacci hashing spreads neighbouring ranks over the 256 bits.
    bit = (matrix.indices.astype(np.uint32) * np.uint32(0x9E3779B9)) >> np.uint32(24)
    word = np.repeat(np.arange(matrix.shape[0]) * _SKETCH_WORDS, np.diff(matrix.indptr)) + (bit >> np.uint32(6))
    np.bitwise_or.at(sketches, word, np.uint64(1) << (bit & np.uint32(63)).astype(np.uint64))
    return np.ascontiguousarray(sketches.reshape(-1, _SKETCH_WORDS).T)
