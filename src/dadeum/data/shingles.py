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
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    points = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    row = np.repeat(np.arange(len(texts)), lengths)
    if len(points) < 3:
        points, row = np.zeros(3, dtype=np.int64), np.array([-1, -2, -3])
    # A code point has 21 bits: three of them fit one integer.
    grams = (points[:-2] << 42) | (points[1:-1] << 21) | points[2:]
    inside = (row[:-2] == row[2:]) & (lengths[row[2:]] >= MIN_CHARACTERS)
    rank, num_distinct = _ranks(grams[inside])
    matrix = _sets(row[2:][inside], rank, (len(texts), max(num_distinct, 1)))
    sizes = np.diff(matrix.indptr).astype(np.int64)
    return Shingles(matrix, sizes, _sketches(matrix))


def _ranks(grams: Ints) -> tuple[Ints, int]:
    """Number of every 3-gram's distinct value, the rarest value 0; ties in order of appearance."""
    coded = pa.array(grams).dictionary_encode()
    codes = coded.indices.to_numpy()
    num_distinct = len(coded.dictionary)
    order = np.argsort(np.bincount(codes, minlength=num_distinct), kind="stable")
    rank = np.empty(num_distinct, dtype=np.int32)
    rank[order] = np.arange(num_distinct, dtype=np.int32)
    return rank[codes], num_distinct


def _sets(row: Ints, column: Ints, shape: tuple[int, int]) -> Any:
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
    matrix = sparse.csr_matrix((np.ones(len(column), dtype=np.int32), column, starts), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def _sketches(matrix: Any) -> npt.NDArray[np.uint64]:
    sketches = np.zeros(matrix.shape[0] * _SKETCH_WORDS, dtype=np.uint64)
    # Fibonacci hashing spreads neighbouring ranks over the 256 bits.
    bit = (matrix.indices.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56)
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    word = row * _SKETCH_WORDS + (bit >> np.uint64(6)).astype(np.int64)
    np.bitwise_or.at(sketches, word, np.uint64(1) << (bit & np.uint64(63)))
    return np.ascontiguousarray(sketches.reshape(-1, _SKETCH_WORDS).T)
