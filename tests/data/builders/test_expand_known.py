"""No new conversation says what is there already."""

from __future__ import annotations

from dadeum.data.builders.expand_known import MIN_STARTS, Known
from dadeum.data.builders.expand_rules import NO_FAULT

QUESTION = "여름 이불은 얼마나 자주 빨아야 하나요?"
ANSWER = "두 주에 한 번이면 넉넉합니다. 땀을 많이 흘리신다면 한 주에 한 번으로 당기시고 볕에 바짝 말리시면 됩니다."


def test_what_is_known_is_not_taken_again() -> None:
    known = Known([(QUESTION, ANSWER)], [])
    other = "두꺼운 솜이불은 집에서 빨기 어려우니 세탁소에 맡기시는 편이 낫습니다."
    assert known.fault((QUESTION.replace("얼마나 ", ""), other)) == ("asked_again", QUESTION)
    assert known.fault(("이불 빨래는 며칠에 한 번 할까요?", ANSWER.replace("넉넉", "충분")))[0] == "copied"
    assert known.fault(("커튼도 그만큼 자주 빨까요?", f"두 주에 한 번이면 넉넉합니다. {other}"))[0] == "same_start"
    assert known.fault(("솜이불은 어떻게 빨아요?", other)) == NO_FAULT
    known.accept(("솜이불은 어떻게 빨아요?", other))
    assert known.fault(("솜이불 빠는 방법이 있을까요?", other))[0] == "copied"


def test_too_many_answers_do_not_begin_alike() -> None:
    things = ("연필은 필통에", "신발은 신발장에", "우산은 현관에", "접시는 찬장에", "시계는 벽에")
    said = [(f"{one.split('은 ')[0]} 둘 곳이 있나요?", f"가장 좋은 자리는 {one} 있습니다.") for one in things]
    known = Known([], said[:MIN_STARTS])
    assert known.fault(said[MIN_STARTS]) == ("same_start", f"가장 좋은 ({MIN_STARTS})")
