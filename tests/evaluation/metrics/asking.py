"""One chat recipe and rows from plain strings, so that a metric's test is a question, an answer and a number."""

from __future__ import annotations

from typing import Any

from dadeum.core.examples import Example, Turn
from dadeum.core.recipe import Recipe
from dadeum.evaluation.asked import Asked

TAUGHT = ("그 마음 이해해요.", "천천히 찾아봐도 괜찮아요.", "오늘은 푹 쉬세요.", "잘하고 있어요.", "함께 생각해 봐요.")


def chat_recipe(task: dict[str, Any] | None = None, **evaluate: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "counsel",
            "task": {"type": "chat"} | (task or {}),
            "model": {"base": "unused", "adapter": {"type": "lora"}},
            "data": {"sources": [{"path": "unused.jsonl"}]},
            "stages": [{"name": "sft", "method": "sft"}],
            "evaluate": {"bootstrap_samples": 100} | evaluate,
        }
    )


def row(
    number: int, question: str = "뭘 해야 할까요?", reference: str = "천천히 찾아봐요.", system: str = ""
) -> Example:
    turns: list[Turn] = [{"role": "system", "content": system}] if system else []
    turns.append({"role": "user", "content": question})
    answer: list[Turn] = [{"role": "assistant", "content": reference}]
    return Example(f"chat:{number}", "chat", "chat", str(number), question, turns, answer, "")


def asked(
    answers: list[str],
    references: list[str] | None = None,
    questions: list[str] | None = None,
    taught: tuple[str, ...] = TAUGHT,
    system: str = "",
    task: dict[str, Any] | None = None,
    **evaluate: Any,
) -> Asked:
    references = references or ["천천히 찾아봐요."] * len(answers)
    questions = questions or ["뭘 해야 할까요?"] * len(answers)
    rows = [row(i, *pair, system) for i, pair in enumerate(zip(questions, references, strict=True))]
    train = [row(1000 + i, reference=answer) for i, answer in enumerate(taught)]
    return Asked(chat_recipe(task, **evaluate), rows, answers, train)
