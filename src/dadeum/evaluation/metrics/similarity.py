"""Semantic similarity: cosine between the sentence embeddings of the answer and of the reference.

No cosine means anything alone: two unrelated Korean answers are alike too. `chance` is the mean over all answers with
references of other rows, and every notice carries it.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.errors import MissingExtra, ModelError
from dadeum.core.examples import answer_of
from dadeum.core.letters import is_korean, tidy
from dadeum.core.measured import Notice
from dadeum.evaluation.asked import Asked
from dadeum.models.embed import Embedder, load_embedder

TASKS = ("chat", "answer")
BETTER = "higher"


def per_row(asked: Asked) -> np.ndarray:
    """Cosine in -1..1; 0 for an empty answer, NaN without a reference or without the model."""
    embedder = _embedder(asked)
    if isinstance(embedder, Notice) or embedder is None or not asked.rows:
        return np.full(len(asked.rows), np.nan)
    answers, references = _texts(asked)
    cosines: np.ndarray = np.sum(embedder.encode(answers) * embedder.encode(references), axis=1)
    cosines[[not answer for answer in answers]] = 0.0
    cosines[[not reference for reference in references]] = np.nan
    return cosines


def chance(answers: np.ndarray, references: np.ndarray) -> float:
    """Mean cosine of every answer with the references of all other rows; NaN for fewer than two rows.

    By hand: answers (1,0), (0,1) and references (1,0), (0.6,0.8): (1·0.6 + 0·0.8 + 0·1 + 1·0) / 2 = 0.3.
    """
    num = len(answers)
    if num < 2:
        return float("nan")
    everything = float(answers.sum(0) @ references.sum(0))
    return (everything - float(np.sum(answers * references))) / (num * (num - 1))


def notices(asked: Asked) -> list[Notice]:
    """Why there is no figure; else what chance gives, texts that were cut, and that the model knows no Korean."""
    embedder = _embedder(asked)
    if isinstance(embedder, Notice):
        return [embedder]
    if embedder is None or not asked.rows:
        return []
    name = asked.recipe.evaluate.similarity_model or ""
    pairs = [(answer, reference) for answer, reference in zip(*_texts(asked), strict=True) if answer and reference]
    answers, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = []
    if len(pairs) > 1:
        by_chance = chance(embedder.encode(answers), embedder.encode(references))
        values: dict[str, str | int | float] = {"chance": round(by_chance, 3), "name": name, "num": len(pairs)}
        found.append(Notice(key="evaluate.metrics.similarity.chance", values=values))
    if embedder.language == "en" and any(map(is_korean, references)):
        found.append(Notice(key="evaluate.metrics.similarity.english_model", values={"name": name}))
    if num_cut := embedder.num_cut([*answers, *references]):
        values = {"name": name, "num": num_cut, "total": 2 * len(pairs)}
        found.append(Notice(key="evaluate.metrics.similarity.cut", values=values))
    return found


def _embedder(asked: Asked) -> Embedder | Notice | None:
    """The model; a notice where it cannot be had, None where the recipe wants none."""
    name = asked.recipe.evaluate.similarity_model
    if name is None:
        return None
    try:
        return load_embedder(name)
    except MissingExtra as error:
        values: dict[str, str | int | float] = {"name": name, "requirement": str(error.values["requirement"])}
        return Notice(key="evaluate.metrics.similarity.no_package", values=values)
    except ModelError as error:
        values = {"name": name, "detail": str(error.values["detail"])}
        return Notice(key="evaluate.metrics.similarity.no_model", values=values)


def _texts(asked: Asked) -> tuple[list[str], list[str]]:
    return [tidy(answer) for answer in asked.answers], [tidy(answer_of(row)) for row in asked.rows]
