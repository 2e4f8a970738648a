"""What a draft is turned away for."""

from __future__ import annotations

import pytest

from dadeum.core.messages import LANGUAGES, text
from dadeum.data.builders.asking import Draft
from dadeum.data.builders.draft_rules import Rules
from dadeum.documents.chunks import Chunk

CHUNK = Chunk(
    "안내#1", "안내",
    "한빛도서관 안내. 한빛도서관은 매주 월요일에 쉬며 회원증을 만들 때 사진 한 장과 수수료 2천 원이 필요합니다.",
    1, 1, 40,
)  # fmt: skip
GOOD = Draft("한빛도서관 회원증을 만들려면 무엇을 준비하나요?", "사진 한 장과 수수료 2,000원입니다.", "easy")


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("왜요?", "그냥입니다.", "short"),
        ("한빛도서관 회원증을 만드는 방법입니다.", "사진입니다.", "no_question"),
        ("한빛도서관은 언제 쉬나요?", "", "no_answer"),
        ("이 도서관은 언제 쉬나요?", "월요일입니다.", "not_alone"),
        ("본문에 나온 도서관은 언제 쉬나요?", "월요일입니다.", "not_alone"),
        ("When is the Hanbit library closed?", "On Mondays.", "foreign"),
        ("한빛도서관은 何曜日에 쉬나요?", "월요일입니다.", "foreign"),
        ("한빛도서관은 언제 쉬나요?", "둘째 수요일과 공휴일입니다.", "unsupported"),
        ("한빛도서관 수수료는 얼마인가요?", "3천 원입니다.", "unsupported"),
        ("한빛도서관이 월요일에 쉬나요?", "월요일에 쉽니다.", "answer_inside"),
        ("한빛도서관은 매주 월요일에 쉬며 회원증을 만들 때 얼마?", "2천 원입니다.", "copied"),
    ],
)
def test_the_fault_is_named(question: str, answer: str, reason: str) -> None:
    assert Rules().fault(Draft(question, answer, "easy"), CHUNK)[0] == reason
    for language in LANGUAGES:
        assert text(f"data.builders.reason.{reason}", language)


def test_a_good_draft_is_accepted_once() -> None:
    rules = Rules()
    assert rules.fault(GOOD, CHUNK) == ("", "")
    rules.remember(GOOD.question)
    assert rules.fault(GOOD, CHUNK)[0] == "duplicate"
    again = Draft("한빛도서관 회원증을 만들려면, 무엇이 준비되어야 하나요?", GOOD.answer, "easy")
    assert rules.fault(again, CHUNK) == ("duplicate", "한빛도서관회원증을만들려면무엇을준비하나요")
    other = Draft("한빛도서관은 무슨 요일에 쉬나요?", "월요일입니다.", "easy")
    assert rules.fault(other, CHUNK) == ("", "")
