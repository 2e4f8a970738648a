"""Hard negatives: chunks that words or the starting model find for a question, and that do not answer it.

Left out are chunks that say what a gold chunk says, chunks of held-out documents, and chunks that the starting model
finds nearly as similar as the gold (https://arxiv.org/abs/2407.15831): they are probably right and nobody said so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from dadeum.core.progress import Progress, silent
from dadeum.core.stages import Negatives
from dadeum.documents.chunks import Chunk
from dadeum.retrieval.dense import nearest
from dadeum.retrieval.lexical import Lexical
from dadeum.retrieval.ranking import NOTHING
from dadeum.retrieval.words import content_words
from dadeum.training.contrastive.lessons import Asked

_QUESTIONS_AT_ONCE = 1024


@dataclass(frozen=True)
class Row:
    """One question with one gold chunk and what was found against it."""

    asked: Asked
    gold: int
    negatives: tuple[int, ...] = ()


@dataclass
class Mined:
    rows: list[Row]
    counts: Counter[str] = field(default_factory=Counter)
    """`by_words`, `by_model`: taken. `alike`, `similar`: passed over. `short`: rows with fewer than asked."""


@dataclass(frozen=True)
class Vectors:
    """Unit vectors of the model as the stage begins."""

    questions: np.ndarray
    chunks: np.ndarray


Find = Callable[[int, int, int], np.ndarray]
"""(first question, last question + 1, how many) → places in the corpus, best first."""


def mine(
    asked: Sequence[Asked],
    chunks: Sequence[Chunk],
    barred: set[int],
    vectors: Vectors,
    settings: Negatives,
    progress: Progress = silent,
) -> Mined:
    """A row for every gold chunk of every question; `barred` chunks are never negatives."""
    mined = Mined([])
    allowed = np.array([at for at in range(len(chunks)) if at not in barred], dtype=np.int64)
    if not settings.number or not len(allowed):
        mined.rows = [Row(one, gold) for one in asked for gold in one.taught]
        mined.counts["short"] = len(mined.rows) if settings.number else 0
        return mined
    finders = [_finder(by, asked, chunks, allowed, vectors) for by in settings.by]
    for start in range(0, len(asked), _QUESTIONS_AT_ONCE):
        end = min(start + _QUESTIONS_AT_ONCE, len(asked))
        # Everything right stands before the `depth` others, in the worst case.
        k = settings.depth + max(len(one.right) for one in asked[start:end])
        found = [find(start, end, k) for find in finders]
        for at in range(start, end):
            lists = [places[at - start].tolist() for places in found]
            mined.rows += [
                _row(asked[at], gold, lists, at, vectors, settings, mined.counts) for gold in asked[at].taught
            ]
        progress("train.contrastive.mining", end, len(asked))
    return mined


def _finder(by: str, asked: Sequence[Asked], chunks: Sequence[Chunk], allowed: np.ndarray, vectors: Vectors) -> Find:
    if by == "model":
        within = vectors.chunks[allowed]
        return lambda start, end, k: _places(nearest(vectors.questions[start:end], within, k).positions, allowed)
    index = Lexical(content_words([chunks[at].text for at in allowed]))
    words = content_words([one.text for one in asked])
    return lambda start, end, k: _places(index.search(words[start:end], k).positions, allowed)


def _places(positions: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    return np.where(positions == NOTHING, NOTHING, allowed[np.maximum(positions, 0)])


def _row(
    asked: Asked, gold: int, lists: list[list[int]], at: int, vectors: Vectors, settings: Negatives,
    counts: Counter[str],
) -> Row:  # fmt: skip
    question = vectors.questions[at]
    likeness = float(question @ vectors.chunks[gold])
    most = likeness - settings.margin * abs(likeness)
    taken: list[int] = []
    seen: set[int] = set()
    for by, place in _in_turn(asked, lists, settings, first=at, counts=counts):
        if len(taken) == settings.number:
            break
        if place in seen:
            continue
        seen.add(place)
        if float(question @ vectors.chunks[place]) >= most:
            counts["similar"] += 1
            continue
        taken.append(place)
        counts[f"by_{by}"] += 1
    counts["short"] += len(taken) < settings.number
    return Row(asked, gold, tuple(taken))


def _in_turn(
    asked: Asked, lists: list[list[int]], settings: Negatives, first: int, counts: Counter[str]
) -> Iterator[tuple[str, int]]:
    """(who found it, place): the `depth` best that are not gold, of one finder and the next, who begin in turn."""
    turned = [(first + step) % len(lists) for step in range(len(lists))]
    kept = [[place for place in lists[finder] if place != NOTHING] for finder in turned]
    wrong = [[place for place in places if place not in asked.right][: settings.depth] for places in kept]
    counts["alike"] += len({place for places in kept for place in places if place in asked.right} - set(asked.taught))
    for step in zip_longest(*wrong):
        for finder, place in zip(turned, step, strict=True):
            if place is not None:
                yield settings.by[finder], place
