from __future__ import annotations

import pytest

from dadeum.core.messages import Message, both, current_language, text


def test_a_message_is_filled_in_the_language_asked_for() -> None:
    assert text("errors.problems", "ko", num=3) == "문제 3가지를 찾았습니다. 모두 고친 뒤 다시 실행하세요."
    assert text("errors.problems", "en", num=3) == "Found 3 problems. Fix all of them and run again."


@pytest.mark.parametrize(("setting", "language"), [("ko", "ko"), ("en_US.UTF-8", "en"), ("EN", "en"), ("fr", "ko")])
def test_the_language_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, setting: str, language: str) -> None:
    monkeypatch.setenv("DADEUM_LANG", setting)
    assert current_language() == language
    assert both("errors.problems", num=1).startswith(text("errors.problems", language, num=1))


def test_both_gives_korean_first_and_english_under_it() -> None:
    korean, english = both("errors.problems", num=2).split("\n  ")
    assert (korean, english) == (text("errors.problems", "ko", num=2), text("errors.problems", "en", num=2))


def test_a_message_inside_a_message_follows_its_language() -> None:
    where = Message("errors.line", {"path": "a.yaml", "line": 3})
    assert text("errors.missing_key", "ko", where=where, key="task").startswith("a.yaml 3번째 줄:")
    assert text("errors.missing_key", "en", where=where, key="task").startswith("a.yaml line 3:")
    assert str(where) == "a.yaml 3번째 줄"


def test_braces_in_a_value_stay_as_they_are() -> None:
    assert "{not a placeholder}" in text("errors.no_run", "en", folder="{not a placeholder}")


def test_an_unknown_key_or_a_missing_value_is_our_bug() -> None:
    with pytest.raises(KeyError):
        text("errors.no_such_sentence")
    with pytest.raises(KeyError):
        text("errors.problems")
