"""Everything that comparing texts needs, computed once per text: 3-gram sets and MinHash values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dadeum.data.engine import load_daft
from dadeum.data.similar.shingles import Ints, Shingles, shingle

NUM_HASHES = 208
MAX_TEXTS = 250_000
"""Texts whose fingerprints are held at once: about 2 GB at 130 characters a text."""
_SPACE_MARK = "\u2581"


@dataclass(frozen=True)
class Fingerprints:
    """Distinct texts as 3-gram sets and MinHash values, row by row."""

    shingles: Shingles
    hashes: npt.NDArray[np.uint32]
    """Shape (n, NUM_HASHES)."""

    def __len__(self) -> int:
        return len(self.shingles.sizes)

    def take(self, rows: Ints) -> Fingerprints:
        """The fingerprints of some rows."""
        return Fingerprints(self.shingles.take(rows), self.hashes[rows])


def fingerprint(texts: Sequence[str]) -> Fingerprints:
    return Fingerprints(shingle(texts), _minhashes(texts))


def _minhashes(texts: Sequence[str]) -> npt.NDArray[np.uint32]:
    """MinHash over character 3-grams. Daft hashes n-grams of words, so every character becomes a word."""
    daft = load_daft()
    spaced = [" ".join(text.replace(" ", _SPACE_MARK)) for text in texts]
    column = daft.col("text").minhash(num_hashes=NUM_HASHES, ngram_size=3, seed=1, hash_function="xxhash3_64")
    table = daft.from_arrow(pa.table({"text": pa.array(spaced, type=pa.large_string())}))
    hashed = table.select(column).to_arrow()["text"]
    values = [chunk.flatten().to_numpy() for chunk in hashed.chunks]
    return np.concatenate([np.zeros(0, dtype=np.uint32), *values]).reshape(len(texts), NUM_HASHES)


class Memory:
    """Fingerprints of the texts seen last: cleaning, splitting and checking compare the same texts again."""

    def __init__(self) -> None:
        self._row: dict[str, int] = {}
        self._prints: Fingerprints | None = None

    def of(self, texts: Sequence[str]) -> tuple[Fingerprints, Ints]:
        """(fingerprints of the distinct texts in order of appearance, number of each text among them)."""
        distinct, numbers = numbered(texts)
        if self._prints is None or not self._row.keys() >= distinct.keys():
            self._row, self._prints = distinct, fingerprint(list(distinct))
            return self._prints, numbers
        rows = np.fromiter((self._row[text] for text in distinct), dtype=np.int64, count=len(distinct))
        return self._prints.take(rows), numbers


def numbered(texts: Sequence[str]) -> tuple[dict[str, int], Ints]:
    """(distinct texts with their number in order of appearance, number of each text)."""
    distinct: dict[str, int] = {}
    numbers = [distinct.setdefault(text, len(distinct)) for text in texts]
    return distinct, np.array(numbers, dtype=np.int64)
