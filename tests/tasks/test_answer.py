"""Citations, refusals and finishing steps of grounded answers."""

from __future__ import annotations

import pytest

from dadeum.core.examples import Example
from dadeum.core.task import Answer
from dadeum.tasks import answer

TASK = Answer(type="answer", instruction="{chunks} {question}", refusal="문서에서 답을 찾을 수 없습니다.")


@pytest.mark.parametrize(
    ("text", "said", "cited"),
    [
        ("30만 원입니다. [2]", "30만 원입니다.", [2]),
        ("30만 원입니다.[1][2]", "30만 원입니다.", [1, 2]),
        ("30만 원입니다. [1, 3]", "30만 원입니다.", [1, 3]),
        ("30만 원입니다 [2].", "30만 원입니다.", [2]),
        ("30만 원입니다. [2].", "30만 원입니다.", [2]),
        ("[2023]", "[2023]", []),
        ("표 [1]을 보세요.", "표 [1]을 보세요.", []),
        ("", "", []),
        ("[1]", "", [1]),
    ],
)
def test_numbers_at_the_end_are_citations(text: str, said: str, cited: list[int]) -> None:
    assert answer.split_citations(text) == (said, cited)


def test_finishing_leaves_the_numbers_alone() -> None:
    text = "자세한 내용은 안내를 보세요. 자세한 내용은 안내를 보세요. [1][2]"
    assert answer.finished(text, ["drop_repeats"]) == "자세한 내용은 안내를 보세요. [1][2]"
    assert answer.finished("끝까지 씁니다. 그런데 이", ["drop_unfinished"]) == "끝까지 씁니다."


def test_what_a_person_answered_is_empty_where_nobody_knows() -> None:
    def row(kind: str, said: str, **extra: str) -> Example:
        turns = [{"role": "assistant", "content": said}]
        return Example("1", "s", "o", "g", "?", [], turns, "", extra={answer.KIND: kind} | extra)  # type: ignore[arg-type]

    assert answer.gold_answer(row("answerable", "30만 원입니다. [2]")) == "30만 원입니다."
    assert answer.gold_answer(row("missed", TASK.refusal, gold_answer="30만 원입니다.")) == "30만 원입니다."
    assert answer.gold_answer(row("unanswerable", TASK.refusal)) == ""
    assert answer.is_refusal(TASK, "문서에서 답을  찾을 수 없습니다. [1]")
