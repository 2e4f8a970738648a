"""The nearest vectors, exactly, by blocks: nothing is approximated and no table of all scores is ever held.

A block of questions meets a block of chunks in one float32 product; only what beats the k-th best so far goes on,
which after the first blocks is next to nothing. Chunks come in rising order, so a later one must be strictly better:
among equals the lower position wins. In the end the few that are left are scored again in float64.
"""

from __future__ import annotations

import numpy as np

from dadeum.retrieval.ranking import NOTHING, Ranking, best, empty

_QUESTIONS_AT_ONCE = 512
_CHUNKS_AT_ONCE = 4096
_SPARE = 8
"""Kept beyond k: float32 sums depend on the shape of the product, the order of near-equals must not."""
_DECIMALS = 6


def nearest(questions: np.ndarray, chunks: np.ndarray, k: int) -> Ranking:
    """Per question the k chunks of the largest inner product (cosine, for unit vectors); `chunks` may lie on disk.

    The result is the same for a question alone and among others. Memory: one block of scores, 8 MiB, and the result.
    """
    found = empty(len(questions), min(k, len(chunks)))
    if found.scores.size == 0:
        return found
    for start in range(0, len(questions), _QUESTIONS_AT_ONCE):
        block = np.ascontiguousarray(questions[start : start + _QUESTIONS_AT_ONCE], dtype=np.float32)
        candidates = _nearest(block, chunks, min(k + _SPARE, len(chunks)))
        exact = _exact(block, chunks, candidates.positions, found.scores.shape[1])
        found.positions[start : start + len(block)] = exact.positions
        found.scores[start : start + len(block)] = exact.scores
    return found


def _nearest(questions: np.ndarray, chunks: np.ndarray, k: int) -> Ranking:
    running = empty(len(questions), 0)
    scores = np.empty((len(questions), min(_CHUNKS_AT_ONCE, len(chunks))), dtype=np.float32)
    for start in range(0, len(chunks), _CHUNKS_AT_ONCE):
        block = np.asarray(chunks[start : start + _CHUNKS_AT_ONCE], dtype=np.float32)
        here = scores[:, : len(block)] if len(block) == scores.shape[1] else np.empty_like(scores[:, : len(block)])
        np.matmul(questions, block.T, out=here)
        running = _merged(running, *_better(running, here, k), start, k)
    return running


def _better(running: Ranking, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(question, chunk of the block, score) of everything that may belong to the k best."""
    width = scores.shape[1]
    if running.scores.shape[1] == k:
        flat = np.flatnonzero(scores > running.scores[:, -1:])
    elif width > k:
        flat = np.flatnonzero(scores >= np.partition(scores, width - k, axis=1)[:, width - k, None])
    else:
        flat = np.arange(scores.size)
    rows, columns = np.divmod(flat, width)
    return rows, columns, scores.reshape(-1)[flat]


def _merged(running: Ranking, rows: np.ndarray, columns: np.ndarray, scores: np.ndarray, start: int, k: int) -> Ranking:
    """The k best of what was kept and what is new; the new ones lie behind the others in the corpus."""
    if len(rows) == 0:
        return running
    counts = np.bincount(rows, minlength=len(running.scores))
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    new = empty(len(counts), int(counts.max()))
    new.positions[rows, place] = columns + start
    new.scores[rows, place] = scores
    return best(np.hstack([running.positions, new.positions]), np.hstack([running.scores, new.scores]), k)


def _exact(questions: np.ndarray, chunks: np.ndarray, positions: np.ndarray, k: int) -> Ranking:
    """The candidates in the order of their float64 scores."""
    positions = np.sort(positions, axis=1)
    scores = np.empty(positions.shape)
    # Few questions at once: each brings vectors of its own.
    for row in range(0, len(questions), 32):
        near = np.asarray(chunks[positions[row : row + 32]], dtype=np.float64)
        scores[row : row + 32] = np.einsum("qd,qkd->qk", questions[row : row + 32].astype(np.float64), near)
    scores = np.where(positions == NOTHING, -np.inf, np.round(scores, _DECIMALS))
    return best(positions, scores, k)
