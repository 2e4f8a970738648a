"""BERTScore (Zhang et al. 2020): every token finds its nearest on the other side, by vectors of an encoder.

Raw values sit in a narrow high band and there are no published baselines for Korean: `notices` say model, layer, and
what the same answers get against the references of other rows. Only where the recipe names a model. Special tokens
are left out on both sides; the bert-score package lets tokens match them, so its values are a little higher.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.errors import ModelError
from dadeum.core.letters import tidy
from dadeum.core.measured import Notice
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._encoder import Encoder, load_encoder
from dadeum.evaluation.metrics._references import references_of

TASKS = ("summarize", "answer")
BETTER = "higher"


def per_row(asked: Asked) -> np.ndarray:
    """F1, the mean over references; 0 for an empty answer, NaN without a reference or without the model."""
    encoder = _encoder(asked)
    if not isinstance(encoder, Encoder):
        return np.full(len(asked.rows), np.nan)
    return _scores(encoder, [tidy(answer) for answer in asked.answers], references_of(asked))


def f1(answer: np.ndarray, reference: np.ndarray) -> float:
    """Of unit vectors, shape (tokens, dimensions); 0 where one side has no token.

    By hand: answer (1,0) against (1,0), (0,1): P = 1, R = (1 + 0) / 2, so F = 2/3.
    """
    if not len(answer) or not len(reference):
        return 0.0
    alike = answer @ reference.T
    precision, recall = float(alike.max(axis=1).mean()), float(alike.max(axis=0).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def notices(asked: Asked) -> list[Notice]:
    """Why there is no figure; else model, layer, and what unrelated texts get."""
    encoder = _encoder(asked)
    if isinstance(encoder, Notice):
        return [encoder]
    if encoder is None or not asked.rows:
        return []
    name = asked.recipe.evaluate.bertscore_model or ""
    answers, wanted = [tidy(answer) for answer in asked.answers], references_of(asked)
    others = _scores(encoder, answers, [*wanted[1:], *wanted[:1]])
    found = []
    if len(answers) > 1 and not np.isnan(others).all():
        values: dict[str, str | int | float] = {"name": name, "layer": encoder.layer}
        values["chance"] = round(float(np.nanmean(others)), 3)
        found.append(Notice(key="evaluate.metrics.bertscore.chance", values=values))
    texts = [*answers, *(text for row in wanted for text in row)]
    if num_cut := encoder.num_cut(texts):
        values = {"name": name, "num": num_cut, "total": len(texts), "limit": encoder.limit}
        found.append(Notice(key="evaluate.metrics.bertscore.cut", values=values))
    return found


def _scores(encoder: Encoder, answers: list[str], wanted: list[list[str]]) -> np.ndarray:
    encoder.tokens([*answers, *(text for row in wanted for text in row)])
    return np.array(
        [
            np.mean([f1(encoder.tokens([said])[0], one) for one in encoder.tokens(texts)]) if texts else np.nan
            for said, texts in zip(answers, wanted, strict=True)
        ],
        dtype=float,
    )


def _encoder(asked: Asked) -> Encoder | Notice | None:
    """The model; a notice where it cannot be had, None where the recipe wants none."""
    name = asked.recipe.evaluate.bertscore_model
    if name is None:
        return None
    try:
        return load_encoder(name)
    except ModelError as error:
        values: dict[str, str | int | float] = {"name": name, "detail": str(error.values["detail"])}
        return Notice(key="evaluate.metrics.bertscore.no_model", values=values)
