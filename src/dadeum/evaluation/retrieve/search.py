"""Rankings of all questions by words and by meaning: every text is encoded once, every chunk is compared.

The untuned model is asked before training and remembered in evaluation/base_ranking.npz, for as long as questions,
chunks and model stay the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dadeum.core.errors import ModelError
from dadeum.core.progress import Progress
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, atomic, fingerprint
from dadeum.evaluation.retrieve.questions import Questions
from dadeum.retrieval.dense import nearest
from dadeum.retrieval.encoder import Encoder, encoder_of
from dadeum.retrieval.hybrid import DEPTH
from dadeum.retrieval.lexical import Lexical
from dadeum.retrieval.ranking import Ranking
from dadeum.retrieval.words import content_words


@dataclass(frozen=True)
class Searched:
    """One way of searching, on validation and on test questions, a hundred deep."""

    validation: Ranking
    test: Ranking
    seconds: float
    """For all test questions, the chunks being ready."""


@dataclass(frozen=True)
class Tuned:
    searched: Searched
    shortened: dict[int, Ranking]
    """First so many dimensions → test ranking."""
    dimensions: int
    seconds_chunks: float
    name: str
    revision: str


def by_words(questions: Questions, progress: Progress) -> Searched:
    """BM25 over content morphemes."""
    index = Lexical(content_words([chunk.text for chunk in questions.corpus.chunks], progress))
    progress("evaluate.progress.bm25", 0, 1)
    validation = index.search(content_words(questions.validation.texts), DEPTH)
    started = time.perf_counter()
    test = index.search(content_words(questions.test.texts), DEPTH)
    seconds = time.perf_counter() - started
    progress("evaluate.progress.bm25", 1, 1)
    return Searched(validation, test, seconds)


def by_tuned(recipe: Recipe, weights: Path, questions: Questions, dims: tuple[int, ...], progress: Progress) -> Tuned:
    """The model that the last stage trained; `dims` are tried as well."""
    encoder = encoder_of(recipe, weights)
    vectors = _vectors(encoder, questions, progress)
    short = {
        size: nearest(_first(vectors.test, size), _first(vectors.chunks, size), DEPTH)
        for size in sorted(set(dims))
        if size < vectors.chunks.shape[1]
    }
    return Tuned(
        vectors.searched(), short, int(vectors.chunks.shape[1]), vectors.seconds_chunks, encoder.name, encoder.revision
    )


def by_base(recipe: Recipe, run: Run, questions: Questions, progress: Progress) -> Searched:
    """The same model before tuning, from the file where the same was asked before."""
    path = run.scores_path.parent / "base_ranking.npz"
    encoder = encoder_of(recipe, None)
    key = _key(recipe, encoder, questions)
    if path.exists():
        with np.load(path) as stored:
            if str(stored["key"]) == key:
                validation, test = (
                    Ranking(stored[f"{of}_positions"], stored[f"{of}_scores"]) for of in ("validation", "test")
                )
                return Searched(validation, test, float(stored["seconds"]))
    found = _vectors(encoder, questions, progress).searched()
    arrays = {
        f"{of}_{part}": getattr(getattr(found, of), part)
        for of in ("validation", "test")
        for part in ("positions", "scores")
    }
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, key=key, seconds=found.seconds, **arrays)
    return found


def _key(recipe: Recipe, encoder: Encoder, questions: Questions) -> str:
    """Chunks in their order: a ranking holds places."""
    return fingerprint(
        {
            "model": [recipe.model.base, encoder.revision],
            "chunks": [[chunk.id, chunk.text] for chunk in questions.corpus.chunks],
            "asked": [questions.validation.texts, questions.test.texts],
            "depth": DEPTH,
        }
    )


@dataclass(frozen=True)
class _Vectors:
    chunks: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    seconds_chunks: float
    seconds_test: float

    def searched(self) -> Searched:
        validation = nearest(self.validation, self.chunks, DEPTH)
        started = time.perf_counter()
        test = nearest(self.test, self.chunks, DEPTH)
        return Searched(validation, test, self.seconds_test + time.perf_counter() - started)


def _vectors(encoder: Encoder, questions: Questions, progress: Progress) -> _Vectors:
    started = time.perf_counter()
    chunks = encoder.encode_chunks([chunk.text for chunk in questions.corpus.chunks], progress)
    seconds_chunks = time.perf_counter() - started
    progress("evaluate.progress.questions", 0, 2)
    validation = encoder.encode_questions(questions.validation.texts)
    progress("evaluate.progress.questions", 1, 2)
    started = time.perf_counter()
    test = encoder.encode_questions(questions.test.texts)
    seconds_test = time.perf_counter() - started
    progress("evaluate.progress.questions", 2, 2)
    for vectors in (chunks, validation, test):
        bad = int((~np.isfinite(vectors).all(axis=1)).sum())
        if bad:
            raise ModelError("evaluate.retrieve.not_finite", model=encoder.name, num=bad, total=len(vectors))
    return _Vectors(chunks, validation, test, seconds_chunks, seconds_test)


def _first(vectors: np.ndarray, size: int) -> np.ndarray:
    """The first dimensions as unit vectors; a vector without any length stays as it is."""
    short = vectors[:, :size]
    lengths = np.linalg.norm(short, axis=1, keepdims=True)
    return np.asarray(short / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)
