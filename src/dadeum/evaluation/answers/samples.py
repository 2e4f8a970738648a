"""samples.jsonl: every answered row with what each system wrote, and the figures of each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dadeum.core.examples import Example, answer_of
from dadeum.documents.chunks import Chunk
from dadeum.evaluation.answers.figures import OF_MODELS, PerRow
from dadeum.evaluation.answers.rows import Rows
from dadeum.evaluation.answers.scores import AnswerSample, ShownChunk
from dadeum.evaluation.answers.systems import Spoken
from dadeum.tasks import answer, retrieve


def samples(
    rows: Rows,
    spoken: Mapping[str, Spoken],
    per_row: Mapping[str, PerRow],
    raw: Mapping[str, Sequence[str]],
) -> list[AnswerSample]:
    """In file order; `raw` are answers before the finishing steps, of the systems that had any."""
    return [
        AnswerSample(
            id=row.id,
            source=row.source,
            origin=row.origin,
            group=row.group,
            before=_before(row),
            question=_question(row),
            reference=answer_of(row),
            **_grounded(row, rows.chunks),
            answers={name: said.answers[index] for name, said in spoken.items()},
            raw={name: texts[index] for name, texts in raw.items() if texts[index] != spoken[name].answers[index]},
            cut_off=[name for name, said in spoken.items() if said.cut_off[index]],
            metrics={name: _figures(found, index) for name, found in per_row.items()},
        )
        for index, row in enumerate(rows.answered)
    ]


def _figures(per_row: PerRow, index: int) -> dict[str, float | None]:
    """Those that one row has; perplexity is its loss said again, and figures of the corpus have no rows."""
    return {
        metric: None if np.isnan(values[index]) else float(values[index])
        for metric, values in per_row.items()
        if (metric not in OF_MODELS or metric == "loss") and values.ndim == 1
    }


def _grounded(row: Example, chunks: Mapping[str, Chunk]) -> dict[str, Any]:
    """What a sample of grounded answers has more."""
    if answer.KIND not in row.extra:
        return {}
    kind, relevant = answer.kind(row), set(retrieve.relevant(row))
    shown = [chunks[id] for id in answer.shown(row)]
    return {
        "kind": kind,
        "gold_answer": "" if kind == "answerable" else answer.gold_answer(row),
        "difficulty": row.extra.get(retrieve.DIFFICULTY, ""),
        "domain": row.extra.get(retrieve.DOMAIN, ""),
        "shown": [
            ShownChunk(
                id=one.id,
                document=one.document,
                page=one.first_page,
                is_gold=bool({one.id, one.document} & set(relevant)),
            )
            for one in shown
        ],
    }


def _question(row: Example) -> str:
    """What the user said last; the whole input where the task has no turns of a user, or chunks stand around it."""
    if answer.KIND in row.extra:
        return row.text
    return next((turn["content"] for turn in reversed(row.prompt) if turn["role"] == "user"), row.text)


def _before(row: Example) -> list[dict[str, str]]:
    """The conversation before the question, without the system turn."""
    said = [{"role": turn["role"], "content": turn["content"]} for turn in row.prompt if turn["role"] != "system"]
    return said[:-1] if said and said[-1]["role"] == "user" else []
