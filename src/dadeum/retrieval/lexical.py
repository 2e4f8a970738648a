"""BM25 (Robertson & Walker 1994; k1 1.5, b 0.75): every word has its chunks and what it is worth there.

The idf is Lucene's, ln(1 + (N - df + 0.5) / (df + 0.5)): never negative. The counts come from a column of words, so
chunks can be added and removed without reading the others again, which bm25s, scored equally, cannot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dadeum.retrieval.ranking import Ranking, empty

if TYPE_CHECKING:
    import pyarrow as pa

K1 = 1.5
B = 0.75
_BLOCK = 64


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
        scores = np.zeros(-(-self.num_chunks // _BLOCK) * _BLOCK, dtype=np.float32)
        for row, words in enumerate(questions):
            self._score(words, scores)
            positions = _best(scores, found.scores.shape[1])
            found.positions[row, : len(positions)] = positions
            found.scores[row, : len(positions)] = scores[positions]
        return found

    def _score(self, words: Sequence[str], scores: np.ndarray) -> None:
        """Every chunk's score, into `scores`. Words in one order, so that a score does not depend on theirs."""
        scores[:] = 0
        codes = Counter(self._vocabulary[word] for word in words if word in self._vocabulary)
        starts = self._weights.indptr
        for code, times in sorted(codes.items()):
            has_it = slice(starts[code], starts[code + 1])
            scores[self._weights.indices[has_it]] += times * self._weights.data[has_it]


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
    lengths = np.diff(starts)
    # It writes into `starts` when it sums.
    times = csr_array((np.ones(len(codes), dtype=np.float32), codes, starts), shape=(len(ends), num_words))
    times.sum_duplicates()
    mean = lengths.mean() if len(lengths) and lengths.any() else 1.0
    # Per chunk: k1 · (1 - b + b · length / mean length).
    damped = np.repeat(K1 * (1 - B + B * lengths / mean), np.diff(times.indptr))
    df = np.bincount(times.indices, minlength=num_words)
    idf = np.log1p((len(ends) - df + 0.5) / (df + 0.5))
    times.data = (idf[times.indices] * times.data / (times.data + damped)).astype(np.float32)
    return times.T.tocsr()


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """Positions of the k best above 0, best first, the lower one among equals."""
    # The k-th best of the blocks' best is no better than the k-th best of all: most chunks are out at once.
    tops = scores.reshape(-1, _BLOCK).max(axis=1)
    bound = np.partition(tops, len(tops) - k)[len(tops) - k] if len(tops) > k else 0
    positions = np.flatnonzero((scores >= bound) & (scores > 0))
    if len(positions) > k:
        left = scores[positions]
        # Everything as good as the k-th, so that the lowest positions among equals can be taken.
        positions = positions[left >= np.partition(left, len(left) - k)[len(left) - k]]
    return positions[np.argsort(-scores[positions], kind="stable")[:k]]
