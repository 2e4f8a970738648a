"""One recipe of grounded answers and rows from plain strings: a question, chunks, what is expected, an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.core.task import Answer
from dadeum.documents.chunks import Chunk
from dadeum.evaluation.asked import Asked
from dadeum.tasks import answer, retrieve

REFUSAL = "문서에서 답을 찾을 수 없습니다."
CHUNKS = {
    "gold": "청년 월세 지원은 매월 20만 원을 최대 12개월 동안 지급합니다. 신청은 복지로 누리집에서 합니다.",
    "other": "노인 일자리 사업은 만 65세 이상이 참여합니다. 문의는 주민센터에 합니다.",
    "third": "국민내일배움카드는 5년 동안 300만 원을 지원합니다.",
}
QUESTION = "청년 월세는 얼마를 지원하나요?"
ANSWER = "매월 20만 원을 지급합니다."


def answer_recipe(task: dict[str, Any] | None = None, **sections: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "pdf-qa",
            "task": {"type": "answer", "instruction": "{chunks}\n\n질문: {question}", "refusal": REFUSAL}
            | (task or {}),
            "model": {"base": "unused", "adapter": {"type": "lora"}},
            "data": {"corpus": {"sources": ["unused.json"]}, "sources": [{"path": "unused.jsonl"}]},
            "stages": [{"name": "sft", "method": "sft"}],
            "evaluate": {"bootstrap_samples": 100, "similarity_model": None},
        }
        | sections
    )


def chunk(name: str) -> Chunk:
    return Chunk(name, f"{name}.pdf", CHUNKS[name], 1, 1, 20)


def answer_row(
    recipe: Recipe,
    number: int,
    kind: str = "answerable",
    question: str = QUESTION,
    expected: str = ANSWER,
    shown: Sequence[str] = ("other", "gold"),
    relevant: Sequence[str] = ("gold",),
    **extra: str,
) -> Example:
    """A row of any kind; of those that are to be refused `expected` is what a person answered."""
    task = recipe.task
    assert isinstance(task, Answer)
    names = list(shown) if kind == "answerable" else [name for name in shown if name not in relevant]
    kept = {answer.SHOWN: retrieve.as_extra(names), answer.KIND: kind, retrieve.RELEVANT: retrieve.as_extra(relevant)}
    completion = answer.refusal(task)
    if kind == "answerable":
        cited = [place for place, name in enumerate(names, 1) if {name, f"{name}.pdf"} & set(relevant)]
        completion = answer.completion(task, expected, cited)
    elif expected:
        kept[answer.GOLD_ANSWER] = expected
    prompt = answer.prompt(task, question, [chunk(name) for name in names])
    return Example(
        f"qa:{number}", "qa", "gold.pdf", str(number), question, prompt, completion, "", extra=kept | extra
    )  # fmt: skip


def answered(
    answers: Sequence[str], rows: Sequence[dict[str, Any]] | None = None, task: dict[str, Any] | None = None
) -> Asked:
    """`rows` are arguments of `answer_row`; all the usual question without."""
    recipe = answer_recipe(task)
    given = rows or [{}] * len(answers)
    made = [answer_row(recipe, number, **arguments) for number, arguments in enumerate(given)]
    train = [answer_row(recipe, 1000), answer_row(recipe, 1001, "unanswerable")]
    return Asked(recipe, made, list(answers), train, {name: chunk(name) for name in CHUNKS})
