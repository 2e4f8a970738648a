"""Which pairs of texts may be alike: buckets of rows that share something every like pair shares.

MinHash bands (Broder 1997; Leskovec et al., Mining of Massive Datasets, ch. 3), hashed by Daft. Where
boilerplate fills the bands' buckets with unlike rows (a greeting and a signature around every text), the rarest
3-grams of each text instead (prefix filter, Chaudhuri et al. 2006), which miss nothing and ignore boilerplate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dadeum.data.similar.fingerprints import NUM_HASHES, Fingerprints
from dadeum.data.similar.shingles import Bools, Ints, Shingles

MAX_MISSED = 1e-6
"""Chance that a pair exactly at the threshold shares no MinHash band."""
MANY_PAIRS = 20_000_000
"""Candidate pairs from which the prefix filter is tried: some seconds of comparing."""
_CHUNK_PAIRS = 1_000_000


Keys = npt.NDArray[Any]


@dataclass(frozen=True)
class Buckets:
    """Rows that share a key may be alike; a row may stand in many buckets."""

    keys: Ints
    """Bucket numbers, ascending."""
    rows: Ints

    def only(self, wanted: Bools, part: Ints) -> Buckets:
        """Without the rows for which `wanted`, one flag per text, is False."""
        keep = wanted[self.rows]
        return crowded(self.keys[keep], self.rows[keep], part)


def crowded(keys: Keys, rows: Ints, part: Ints) -> Buckets:
    """Rows by key, for keys that rows of different parts share; the others give no pair."""
    if not len(keys):
        return Buckets(np.zeros(0, dtype=np.int64), rows)
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], rows[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    parts = part[rows]
    mixed = np.minimum.reduceat(parts, starts) != np.maximum.reduceat(parts, starts)
    lengths = np.diff(np.r_[starts, len(keys)])
    keep = np.repeat(mixed, lengths)
    return Buckets(np.repeat(np.arange(len(starts)), lengths)[keep], rows[keep])


def find_buckets(prints: Fingerprints, similarity: float, part: Ints) -> list[Buckets]:
    """Buckets in which every pair of that similarity meets, but for one pair in a million at the threshold.

    Only pairs of rows with different `part` will be asked for.
    """
    if not prints.shingles.sizes.any():
        return []
    bands = [crowded(keys, rows, part) for keys, rows in minhash_bands(prints, similarity)]
    num_pairs = sum(count_pairs(band, part) for band in bands)
    if num_pairs <= MANY_PAIRS:
        return bands
    prefixes = crowded(*rare_shingles(prints.shingles, similarity), part)
    return [prefixes] if count_pairs(prefixes, part) < num_pairs else bands


def minhash_bands(prints: Fingerprints, similarity: float) -> Iterator[tuple[Keys, Ints]]:
    """(keys, rows) of every band of MinHash values, for the rows that have 3-grams."""
    rows = np.flatnonzero(prints.shingles.sizes)
    width = band_width(similarity)
    for start in range(0, NUM_HASHES - width + 1, width):
        yield _mixed(prints.hashes[:, start : start + width])[rows], rows


def band_width(similarity: float) -> int:
    """Most hashes per band that keep the chance of missing a pair, (1 − t^r)^⌊128/r⌋, under MAX_MISSED."""
    widths = range(1, NUM_HASHES + 1)
    return max(width for width in widths if width == 1 or _missed(similarity, width) <= MAX_MISSED)


def _missed(similarity: float, width: int) -> float:
    return float((1 - similarity**width) ** (NUM_HASHES // width))


def _mixed(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """One 64-bit key per row of hashes."""
    keys = np.zeros(len(hashes), dtype=np.uint64)
    for column in hashes.T:
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys


def rare_shingles(shingles: Shingles, similarity: float) -> tuple[Keys, Ints]:
    """Every text under each of its |A| − ⌈t·|A|⌉ + 1 rarest 3-grams: two texts as like as t share one of them."""
    matrix, sizes = shingles.matrix, shingles.sizes
    row = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(row)) - np.repeat(matrix.indptr[:-1].astype(np.int64), sizes)
    num_rare = sizes - np.ceil(similarity * sizes - 1e-9).astype(np.int64) + 1
    rare = place < num_rare[row]
    return matrix.indices[rare], row[rare]


# -- pairs ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Runs:
    """Buckets sorted by key, then part. For each position: where its part ends, and where its bucket ends."""

    rows: Ints
    part: Ints
    part_end: Ints
    bucket_end: Ints


def _runs(buckets: Buckets, part: Ints) -> _Runs:
    # One number for both orders sorts several times faster than two keys.
    order = np.argsort(buckets.keys * (part.max(initial=0) + 1) + part[buckets.rows], kind="stable")
    keys, rows = buckets.keys[order], buckets.rows[order]
    parts = part[rows]
    new_key = np.ones(len(keys), dtype=bool)
    new_key[1:] = keys[1:] != keys[:-1]
    new_part = new_key.copy()
    new_part[1:] |= parts[1:] != parts[:-1]
    return _Runs(rows, parts, _ends(new_part), _ends(new_key))


def _ends(starts_here: Bools) -> Ints:
    """For each position, the end (exclusive) of the run that it stands in."""
    starts = np.flatnonzero(starts_here)
    ends = np.r_[starts[1:], len(starts_here)][: len(starts)].astype(np.int64)
    return np.repeat(ends, np.diff(np.r_[starts, len(starts_here)]))


def count_pairs(buckets: Buckets, part: Ints, skip: int = 0) -> int:
    """Pairs that `cross_pairs` gives."""
    runs = _runs(buckets, part)
    return int(np.maximum(runs.bucket_end - runs.part_end - skip, 0).sum())


def first_pairs(buckets: Buckets, part: Ints) -> tuple[Ints, Ints]:
    """Each row with the last row of its bucket, when their parts differ: joins large families in few pairs."""
    runs = _runs(buckets, part)
    last = runs.bucket_end - 1
    differ = runs.part != runs.part[last]
    return runs.rows[differ], runs.rows[last[differ]]


def cross_pairs(buckets: Buckets, part: Ints, skip: int = 0, most: int | None = None) -> Iterator[tuple[Ints, Ints]]:
    """Pairs in a bucket whose parts differ, the lower part on the left, a million at a time.

    Of each row's partners the first `skip` are left out and at most `most` are taken; None takes all.
    """
    runs = _runs(buckets, part)
    begin = np.minimum(runs.part_end + skip, runs.bucket_end)
    num_partners = np.minimum(runs.bucket_end - begin, most) if most is not None else runs.bucket_end - begin
    total = np.cumsum(num_partners)
    start = 0
    while start < len(total):
        done = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + _CHUNK_PAIRS, side="right")))
        num = num_partners[start:stop]
        offset = np.arange(num.sum()) - np.repeat(np.cumsum(num) - num, num)
        left = np.repeat(runs.rows[start:stop], num)
        yield left, runs.rows[np.repeat(begin[start:stop], num) + offset]
        start = stop
