"""Which chunks say what a gold chunk says: the same text again, most of it, or the sentences where two overlap.

Such a chunk answers the question too. Taught as wrong, it would teach the model to tell apart what is one thing.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from dadeum.core.korean import nfc
from dadeum.documents.chunks import Chunk

_WORDS = 4
"""Words in a row that make a shingle."""
_SHARE = 0.5
"""Share of the shorter chunk's shingles that must stand in the other."""
_COMMON = 100
"""A shingle in more gold chunks than this is a stock phrase and says nothing."""


def alike(chunks: Sequence[Chunk], gold: Collection[int]) -> dict[int, set[int]]:
    """Place of each gold chunk → places of all chunks that say the same, itself among them.

    Memory: the shingles of the gold chunks; the others pass by one at a time.
    """
    same = {at: {at} for at in gold}
    _add_overlaps(chunks, same)
    by_shingle: dict[int, list[int]] = defaultdict(list)
    sizes: dict[int, int] = {}
    for at in same:
        found = _shingles(chunks[at].text)
        sizes[at] = len(found)
        for shingle in found:
            by_shingle[shingle].append(at)
    for at, chunk in enumerate(chunks):
        found = _shingles(chunk.text)
        shared: Counter[int] = Counter()
        for shingle in found:
            holders = by_shingle.get(shingle, ())
            if len(holders) <= _COMMON:
                shared.update(holders)
        for other, number in shared.items():
            if number >= _SHARE * min(len(found), sizes[other]):
                same[other].add(at)
    return same


def _add_overlaps(chunks: Sequence[Chunk], same: dict[int, set[int]]) -> None:
    """A chunk whose beginning repeats the end of the one before it shares these sentences with it."""
    for at in range(1, len(chunks)):
        if chunks[at].repeated and chunks[at].document == chunks[at - 1].document:
            for one, other in ((at, at - 1), (at - 1, at)):
                if one in same:
                    same[one].add(other)


def _shingles(text: str) -> set[int]:
    words = nfc(text).lower().split()
    if len(words) < _WORDS:
        return {zlib.crc32(" ".join(words).encode())}
    return {zlib.crc32(" ".join(words[start : start + _WORDS]).encode()) for start in range(len(words) - _WORDS + 1)}
