"""BM25 (Robertson & Walker 1994; k1 1.5, b 0.75) as one sparse product per block of questions.

The idf is Lucene's, ln(1 + (N - df + 0.5) / (df + 0.5)): never negative. The counts come from a column of words, so
chunks can be added and removed without reading the others again (bm25s, as fast, is built once and for all).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dadeum.retrieval.ranking import Ranking, empty

if TYPE_CHECKING:
    import pyarrow as pa

K1 = 1.5
B = 0.75
_NUMBERS_AT_ONCE = 20_000_000


class Lexical:
    """A corpus ready to be searched by words."""

    def __init__(self, words: pa.ListArray | Sequence[Sequence[str]]) -> None:
        """`words` of every chunk, in any order; a word that stands twice counts twice."""
        codes, ends, self._vocabulary = _coded(words)
        self.num_chunks = len(ends)
        self._weights = _weights(codes, ends, len(self._vocabulary))

    def search(self, questions: Sequence[Sequence[str]], k: int) -> Ranking:
        """The k chunks that share most with the words of each question; only chunks that share a word at all."""
        found = empty(len(questions), min(k, self.num_chunks))
        if not self.num_chunks or not self._vocabulary:
            return found
        rows = max(1, _NUMBERS_AT_ONCE // self.num_chunks)
        for start in range(0, len(questions), rows):
            scores = self._asked(questions[start : start + rows]) @ self._weights
            for row, (first, last) in enumerate(zip(scores.indptr[:-1], scores.indptr[1:], strict=True), start):
                positions, values = _best(scores.indices[first:last], scores.data[first:last], found.scores.shape[1])
                found.positions[row, : len(positions)] = positions
                found.scores[row, : len(values)] = values
        return found

    def _asked(self, questions: Sequence[Sequence[str]]) -> Any:
        """How often each question (row) has each word (column) that the corpus knows."""
        from scipy.sparse import csr_array

        codes = [[self._vocabulary[word] for word in words if word in self._vocabulary] for words in questions]
        ends = np.cumsum([0, *(len(row) for row in codes)])
        # Sorted, so that a score does not depend on the order of the words asked for.
        flat = np.array([code for row in codes for code in sorted(row)], dtype=np.int64)
        shape = (len(questions), len(self._vocabulary))
        return csr_array((np.ones(len(flat), dtype=np.float32), flat, ends), shape=shape)


def _coded(words: pa.ListArray | Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """(number of the word for every word, where each chunk ends, word → number)."""
    import pyarrow as pa

    if not isinstance(words, pa.Array):
        words = pa.array(words, type=pa.list_(pa.string()))
    ends = words.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).cumsum()
    coded = words.flatten()
    if not isinstance(coded, pa.DictionaryArray):
        coded = coded.dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    return codes, ends, {word: number for number, word in enumerate(coded.dictionary.to_pylist())}


def _weights(codes: np.ndarray, ends: np.ndarray, num_words: int) -> Any:
    """(words, chunks): what a chunk gets for each time that a question has the word."""
    from scipy.sparse import csr_array

    starts = np.concatenate([np.zeros(1, dtype=ends.dtype), ends])
    times = csr_array((np.ones(len(codes), dtype=np.float32), codes, starts), shape=(len(ends), num_words))
    times.sum_duplicates()
    lengths = np.diff(starts)
    mean = lengths.mean() if len(lengths) and lengths.any() else 1.0
    # Per chunk: k1 · (1 - b + b · length / mean length).
    damped = np.repeat(K1 * (1 - B + B * lengths / mean), np.diff(times.indptr))
    df = np.bincount(times.indices, minlength=num_words)
    idf = np.log1p((len(ends) - df + 0.5) / (df + 0.5))
    times.data = (idf[times.indices] * times.data / (times.data + damped)).astype(np.float32)
    return times.T.tocsr()


def _best(positions: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    if len(scores) > k:
        # Everything as good as the k-th, so that the lowest positions among equals can be taken.
        kept = scores >= np.partition(scores, len(scores) - k)[len(scores) - k]
        positions, scores = positions[kept], scores[kept]
    order = np.lexsort((positions, -scores))[:k]
    return positions[order], scores[order]
