"""One recipe of summaries and rows from plain strings: a dialogue, what people wrote of it, an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.evaluation.asked import Asked
from dadeum.tasks import summarize

DIALOGUE = (
    "#Person1#: 저녁에 뭐 할까?\n#Person2#: 7시에 서울역에서 Jimmy를 만나자.\n#Person1#: 좋아, 표는 3만 5천 원이야."
)
SUMMARY = "#Person1#과 #Person2#는 7시에 서울역에서 Jimmy를 만나기로 합니다."


def summary_recipe(task: dict[str, Any] | None = None, **evaluate: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "dialogue-summary",
            "task": {"type": "summarize", "instruction": "다음 대화를 요약하세요."} | (task or {}),
            "model": {"base": "unused", "adapter": {"type": "lora"}},
            "data": {"sources": [{"path": "unused.csv"}]},
            "stages": [{"name": "sft", "method": "sft"}],
            "evaluate": {"bootstrap_samples": 100} | evaluate,
        }
    )


def summary_row(
    recipe: Recipe, number: int, dialogue: str = DIALOGUE, references: Sequence[str] = (SUMMARY,)
) -> Example:
    extra = {summarize.REFERENCES: json.dumps(list(references[1:]))} if len(references) > 1 else {}
    return Example(
        f"talk:{number}", "talk", "talk", str(number), dialogue, summarize.prompt(recipe.task, dialogue, "chat"),
        summarize.completion(references[0]), "", extra=extra,
    )  # fmt: skip


def summarized(
    answers: Sequence[str],
    references: Sequence[Sequence[str]] | None = None,
    dialogues: Sequence[str] | None = None,
    **evaluate: Any,
) -> Asked:
    recipe = summary_recipe(**evaluate)
    references = references or [(SUMMARY,)] * len(answers)
    dialogues = dialogues or [DIALOGUE] * len(answers)
    pairs = enumerate(zip(dialogues, references, strict=True))
    rows = [summary_row(recipe, number, dialogue, wanted) for number, (dialogue, wanted) in pairs]
    return Asked(recipe, rows, list(answers), [summary_row(recipe, 1000)])
