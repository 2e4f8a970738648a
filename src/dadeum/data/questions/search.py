"""What a search finds among the chunks: by words, or by words and meaning as a tuned retriever of another run does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.errors import RecipeError, RunError
from dadeum.core.examples import SPLITS, Example, read_examples
from dadeum.core.messages import Message
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.task import Retrieve
from dadeum.data.passages.corpus import Passages
from dadeum.retrieval.dense import nearest
from dadeum.retrieval.hybrid import DEPTH, Fusion, combined
from dadeum.retrieval.ranking import NOTHING, Ranking
from dadeum.retrieval.served import served_by


@dataclass
class Search:
    """Places of chunks for questions, best first."""

    passages: Passages
    retriever: Path | None = None
    """Run folder of a tuned retriever, for what is tested; None: by words."""
    notes: list[Message] = field(default_factory=list)

    def taught(self, questions: list[str], depth: int) -> list[list[int]]:
        """By words: chunks that look right and are not are what an answerer must tell apart."""
        return _places(self.passages.search(questions, depth))

    def tested(self, questions: list[str], depth: int) -> list[list[int]]:
        """As `ask` would find them."""
        if self.retriever is None:
            return self.taught(questions, depth)
        by_meaning = nearest(self._tuned.encode_questions(questions), self._vectors, max(depth, DEPTH))
        if self._fusion is None:
            return _places(Ranking(by_meaning.positions[:, :depth], by_meaning.scores[:, :depth]))
        by_words = self.passages.search(questions, max(depth, DEPTH))
        return _places(combined(by_words, by_meaning, depth, self._fusion))

    def learnt_from(self, rows: Sequence[Example]) -> list[Message]:
        """A word on rows whose documents the retriever was tuned on: it finds these better than new ones."""
        if self.retriever is None:
            return []
        trained = read_examples(self._run.require(self._run.split_path("train"), "data build"))
        # By document: two models count tokens differently, and cut other chunks.
        seen = {row.origin for row in trained}
        num = sum(row.origin in seen for row in rows)
        return [Message("data.passages.retriever_saw", {"num": num, "total": len(rows)})] if num else []

    @cached_property
    def _run(self) -> Run:
        assert self.retriever is not None
        return open_retriever(self.retriever)[0]

    @cached_property
    def _tuned(self) -> Any:
        # Imported here: what encodes needs torch.
        from dadeum.retrieval.encoder import encoder_of

        recipe = self._run.recipe()
        return encoder_of(recipe, self._run.require(self._run.adapter_folder(recipe), "train"))

    @cached_property
    def _vectors(self) -> np.ndarray:
        found: np.ndarray = self._tuned.encode_chunks([chunk.text for chunk in self.passages.chunks])
        return found

    @cached_property
    def _fusion(self) -> Fusion | None:
        """Of words and meaning, as the retriever's evaluation chose it; None: by meaning alone."""
        served = served_by(self._run)
        if served is None:
            self.notes.append(Message("data.passages.no_weight", {"run": self._run.folder}))
        return served.fusion if served and served.by != "meaning" else None


def open_retriever(folder: Path) -> tuple[Run, Recipe]:
    """A run of the task `retrieve`. Raises RecipeError for anything else."""
    try:
        run = Run.open(folder)
    except RunError as error:
        raise RecipeError("data.passages.no_retriever", path=folder) from error
    recipe = run.recipe()
    if not isinstance(recipe.task, Retrieve):
        raise RecipeError("data.passages.other_retriever", path=folder, task=recipe.task.type)
    return run, recipe


def split_of_documents(folder: Path) -> dict[str, str]:
    """Document → split of a tuned retriever's run. One of several splits is where it was learnt from."""
    run, _ = open_retriever(folder)
    found: dict[str, str] = {}
    for split in reversed(SPLITS):
        rows = read_examples(run.require(run.split_path(split), "data build"))
        found |= {row.origin: split for row in rows}
    return found


def _places(ranking: Ranking) -> list[list[int]]:
    return [[at for at in row if at != NOTHING] for row in ranking.positions.tolist()]
