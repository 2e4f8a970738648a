from __future__ import annotations

import pytest

from dadeum.core.examples import Example, Turn
from dadeum.data.context import Context
from dadeum.data.texts import sentences
from dadeum.data.texts.sentences import analyse_answers


def chat(number: int, *turns: str) -> Example:
    """Turns of a conversation, user and assistant by turns; the last one is the answer."""
    roles = ["user", "assistant"] * len(turns)
    said: list[Turn] = [{"role": role, "content": text} for role, text in zip(roles, turns, strict=False)]
    return Example(f"chat:{number}", "chat", "chat", str(number), turns[0], said[:-1], said[-1:], "")


def test_every_assistant_turn_is_read_and_nothing_else() -> None:
    found = analyse_answers([chat(0, "뭐 해?", "책을 읽어요.", "재밌어?", "네, 재미있습니다.")], full=False, seed=1)
    assert [(answer.part, answer.level) for answer in found.answers] == [
        ("assistant.2", "haeyo"), ("assistant.4", "hapsyo"),
    ]  # fmt: skip
    assert (found.num_rows, found.num_sampled) == (1, 1)


def test_a_sample_is_drawn_by_the_seed_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "BUDGET_CHARACTERS", 60)
    rows = [chat(number, "질문", f"답은 {number}번이에요. 다시 보세요.") for number in range(40)]
    found = analyse_answers(rows, full=False, seed=7)
    assert found.num_rows == 40
    assert 1 < found.num_sampled < 10
    assert [answer.row for answer in analyse_answers(rows, False, 7).answers] == [
        answer.row for answer in found.answers
    ]
    assert [answer.row for answer in analyse_answers(rows, False, 8).answers] != [
        answer.row for answer in found.answers
    ]
    assert analyse_answers(rows, full=True, seed=7).num_sampled == 40


def test_rows_with_equal_answers_are_read_once_and_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    analyse = sentences.analyse
    monkeypatch.setattr(sentences, "analyse", lambda texts: read.append(len(texts)) or analyse(texts))
    found = analyse_answers([chat(number, "질문", "네, 그래요.") for number in range(5)], full=False, seed=1)
    assert (found.num_sampled, read) == (5, [1])


def test_only_the_beginning_of_a_very_long_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "MAX_CHARACTERS_PER_TEXT", 10)
    long = chat(0, "질문", "그래요. " * 50)
    sampled, full = (analyse_answers([long], full, 1).answers[0] for full in (False, True))
    assert sampled.text == full.text
    assert len(sampled.sentences) < len(full.sentences)


def test_labels_are_no_answers_and_bare_texts_are_read_themselves() -> None:
    decision = Example("a", "a", "a", "a", "제목", [{"role": "user", "content": "제목"}],
                       [{"role": "assistant", "content": "스팸"}], "스팸")  # fmt: skip
    assert analyse_answers([decision], full=False, seed=1).num_rows == 0
    bare = Example("b", "b", "b", "b", "글이다.", [{"role": "user", "content": "글이다."}], [], "")
    context = Context({"train": [bare]}, task="text")
    assert [answer.level for answer in context.sentences.answers] == ["haera"]
