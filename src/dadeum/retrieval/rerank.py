"""Reranker: a cross-encoder reads question and chunk together and puts the best of a search in its own order.

Slower than a search by a factor of the chunks that it reads, so it gets the first 50 only, and only when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from dadeum.core.errors import ModelError, first_line
from dadeum.core.progress import Progress, silent
from dadeum.retrieval.searching import Hit

DEPTH = 50
"""Hits that are read: what a search puts further down is seldom right."""
_BATCH_SIZE = 16


class Reranker(Protocol):
    """Anything that scores pairs."""

    @property
    def name(self) -> str: ...

    def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """One number per (question, chunk); more is better."""
        ...


class CrossEncoderReranker:
    """A cross-encoder with one output, by hub id or folder; loaded on first use, remote code never runs."""

    def __init__(self, name: str) -> None:
        self.name = name

    def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        found = self._model.predict(list(pairs), batch_size=_BATCH_SIZE, show_progress_bar=False)
        return np.asarray(found, dtype=np.float64)

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(self.name, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise ModelError("retrieval.ask.no_reranker", name=self.name, detail=first_line(error)) from error
        kinds = ", ".join(config.architectures or ["-"])
        # An embedding model would get a new head of random numbers without a word.
        if not any(kind.endswith("ForSequenceClassification") for kind in config.architectures or ()):
            raise ModelError("retrieval.ask.not_a_reranker", name=self.name, found=kinds)
        if config.num_labels != 1:
            found = f"{kinds}, num_labels {config.num_labels}"
            raise ModelError("retrieval.ask.not_a_reranker", name=self.name, found=found)
        return self._loaded()

    def _loaded(self) -> Any:
        from sentence_transformers import CrossEncoder

        try:
            return CrossEncoder(self.name, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise ModelError("retrieval.ask.no_reranker", name=self.name, detail=first_line(error)) from error


def reranked(
    reranker: Reranker, questions: Sequence[str], found: Sequence[Sequence[Hit]], k: int, progress: Progress = silent
) -> list[list[Hit]]:
    """Per question its k best hits by the reranker, with its scores; equal ones as the search had them.

    ModelError for scores that are no numbers.
    """
    result = []
    for number, (question, hits) in enumerate(zip(questions, found, strict=True), start=1):
        scores = reranker.scores([(question, hit.text) for hit in hits]) if hits else np.zeros(0)
        if not np.isfinite(scores).all():
            raise ModelError("retrieval.ask.no_scores", name=reranker.name, question=question[:80])
        order = np.argsort(-scores, kind="stable")[:k]
        result.append([replace(hits[at], score=float(scores[at])) for at in order])
        progress("retrieval.ask.progress.rerank", number, len(questions))
    return result
