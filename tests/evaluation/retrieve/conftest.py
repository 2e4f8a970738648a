from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from dadeum.core.recipe import Recipe
from tests.evaluation.retrieve.made import OTHERS, WORDS, Known

KNOWN_BY_TUNED = [*WORDS[1::2], *OTHERS]
"""Nothing of half of the documents: questions in their words are BM25's."""


@pytest.fixture
def encoders(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Known]]:
    """Puts encoders in the place of models: the untuned one knows nothing."""

    def use(tuned: Iterable[str] = (*WORDS, *OTHERS), base: Iterable[str] = ()) -> dict[str, Known]:
        made = {"tuned": Known("tuned", tuned), "base": Known("some/base", base)}

        def encoder_of(recipe: Recipe, weights: Path | None) -> Known:
            return made["base" if weights is None else "tuned"]

        monkeypatch.setattr("dadeum.evaluation.retrieve.search.encoder_of", encoder_of)
        monkeypatch.setattr("dadeum.evaluation.retrieve.evaluate.count_cut", lambda recipe, questions: None)
        return made

    return use
