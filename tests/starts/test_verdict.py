"""Thresholds on figures made by hand, and figures of answers written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from dadeum.core.measured import Measured
from dadeum.models.writing import Written
from dadeum.starts.examine import TAUGHT_ANSWERS, _drift, _sampled, lessons_of
from dadeum.starts.openings import drift, first_sentence, openings
from dadeum.starts.result import FirstTokens, Side
from dadeum.starts.verdict import RULES, judge

NOUNS = (
    "사과",
    "배",
    "감",
    "귤",
    "밤",
    "잣",
    "콩",
    "팥",
    "무",
    "파",
    "쑥",
    "깨",
    "김",
    "굴",
    "게",
    "꿩",
    "닭",
    "소",
    "말",
    "양",
)
HEALTHY = [f"{noun}에 알맞은 철은 {number + 1}월입니다." for number, noun in enumerate(NOUNS)]


def exact(value: float) -> Measured:
    return Measured(value=value, low=value, high=value)


def opened(answers: list[str], finished: bool = True) -> Any:
    return openings([Written(answer, finished) for answer in answers], 0)


def side(answers: list[str] = HEALTHY, **first: Any) -> Side:
    figures: dict[str, Any] = {
        "entropy": 5.0, "own_entropy": 3.0, "evenness": 0.2, "dependence": 2.0, "top": "그", "top_probability": 0.1,
        "same_choice": exact(0.2), "marks": exact(0), "ends": exact(0), "torn": exact(0), "foreign": exact(0),
        "partial": exact(0), "form": exact(0),
    }  # fmt: skip
    return Side(first=FirstTokens.model_validate(figures | first), answers=opened(answers))


def found(answers: list[str] = HEALTHY, taught: list[str] | None = None, **first: Any) -> dict[str, str]:
    _, reasons = judge(side(answers, **first), opened(taught) if taught else None, None)
    return {reason.signal: reason.state for reason in reasons}


def test_healthy_answers_give_no_reason():
    assert judge(side(), None, None) == ("healthy", [])


@pytest.mark.parametrize(
    ("share", "state"), [(0, None), (2, None), (3, "at_risk"), (9, "at_risk"), (10, "collapsed"), (20, "collapsed")]
)
def test_marks_count_from_a_tenth_and_from_half(share, state):
    answers = [f"… {answer}" if number < share else answer for number, answer in enumerate(HEALTHY)]
    assert found(answers).get("marks") == state


@pytest.mark.parametrize("quoted", ["'{}'", "**{}**", "“{}”", "- {}", "#Person1#은 {}"])
def test_quotations_markdown_and_masks_are_no_marks(quoted):
    assert found([quoted.format(answer) for answer in HEALTHY]) == {}


@pytest.mark.parametrize(
    ("first", "signal", "state"),
    [
        ({"marks": exact(0.6)}, "first_token_marks", "collapsed"),
        ({"top_probability": 0.95}, "top_token", "collapsed"),
        ({"top_probability": 0.6}, "top_token", "at_risk"),
        ({"dependence": 0.01}, "independence", "at_risk"),
        ({"ends": exact(0.7)}, "ends", "collapsed"),
        ({"torn": exact(0.7)}, "torn", "collapsed"),
        ({"foreign": exact(0.99)}, "foreign", "at_risk"),
        ({"evenness": 0.99}, "untrained", "collapsed"),
    ],
)
def test_first_tokens_give_their_reason(first, signal, state):
    assert found(**first) == {signal: state}


@pytest.mark.parametrize("silent", ["partial", "form"])
def test_parts_of_letters_and_openings_say_nothing_of_words(silent):
    assert found(top_probability=0.95, dependence=0.01, **{silent: exact(0.9)}) == {}


def test_reasoning_is_no_beginning():
    assert found([f"<think>\n\n</think>\n\n{one}" for one in HEALTHY]) == {}
    assert found(["<think>\n음, 사용자가 묻는 것은"] * 20) == {"reasoning": "at_risk"}
    assert opened(["<think>\n음,", *HEALTHY]).num == len(HEALTHY)


@pytest.mark.parametrize(
    ("answers", "signals"),
    [
        (
            [f"정확한 판단은 전문가에게 맡기세요. {one}" for one in HEALTHY],
            {"boilerplate", "first_sentence", "first_word"},
        ),
        ([f"• • • 정확한 판단은... 전문가에게 확인하세요. {one}" for one in HEALTHY], {"marks", "boilerplate"}),
        ([f"오늘도 즐거운 하루 보내고 계시죠? {one}" for one in HEALTHY], {"boilerplate", "first_sentence"}),
        ([""] * 20, {"empty"}),
        (["\ufffd\ufffd"] * 20, {"torn_answers"}),
    ],
)
def test_answers_that_begin_broken_are_collapsed(answers, signals):
    states = found(answers)
    assert signals <= set(states)
    assert all(states[signal] == "collapsed" for signal in signals)


def test_loops_and_breaking_off_put_at_risk_only():
    assert found([f"{one} 좋아요 좋아요 좋아요 좋아요 좋아요" for one in HEALTHY]) == {"loops": "at_risk"}
    assert found([one.removesuffix("입니다.") + "을" for one in HEALTHY]) == {"unfinished": "at_risk"}


def test_an_answer_that_the_limit_cut_is_not_unfinished():
    cut = opened([one.removesuffix("입니다.") + "을" for one in HEALTHY], finished=False)
    assert cut.unfinished is None
    assert cut.cut_off.value == 1
    assert opened([one + " 그리고 \ufffd" for one in HEALTHY], finished=False).shown[0].endswith("그리고")


def test_a_form_that_was_taught_is_excused_and_a_taught_warning_is_named():
    formed = [f"요약하면 {one}" for one in HEALTHY]
    assert found(formed)["first_word"] == "collapsed"
    assert found(formed, taught=formed) == {}
    warned = [f"전문가에게 확인하세요. {one}" for one in HEALTHY]
    _, reasons = judge(side(warned), opened(warned), None)
    assert {reason.signal for reason in reasons if reason.taught} == {"boilerplate", "first_sentence"}
    # A few warnings that nobody taught are no fault of the data.
    for answers in (warned, warned[:3] + HEALTHY * 2):
        _, reasons = judge(side(answers), opened(HEALTHY), None)
        assert "boilerplate" in {reason.signal for reason in reasons}
        assert not any(reason.taught for reason in reasons)


def test_a_drift_of_levels_is_a_risk():
    state, reasons = judge(side(), None, 0.4)
    assert state == "at_risk" and [reason.signal for reason in reasons] == ["level_drift"]
    assert judge(side(), None, 0.2) == ("healthy", [])


def test_one_odd_answer_is_none_and_all_of_two_are_all():
    assert found(["전문가에게 확인하세요.", *HEALTHY[1:]]) == {}
    assert found(["… 네.", "… 아니요."])["marks"] == "collapsed"


def test_english_articles_are_no_collapse():
    english = ("bus", "egg", "sky", "moon", "judge", "verb", "rain", "cat", "poem", "soup")
    answers = opened([f"The {one} is known to everybody." for one in english])
    assert answers.first_word.share.value == 0.1
    assert opened(["The answer is this."] * 10).first_word.text == "The answer"


def test_drift_by_hand():
    reference = {"hapsyo": 0.6, "haeyo": 0.35, "hae": 0.05}
    assert drift({"haeyo": 0.5, "hae": 0.5}, reference) == 0.5
    # A greedy answer takes the commoner of two usual levels.
    assert drift({"hapsyo": 1.0}, reference) == 0


def test_drift_is_judged_against_the_training_answers_and_told_against_the_base():
    polite, plain = opened(HEALTHY), opened([one.replace("입니다", "이야") for one in HEALTHY])
    assert _drift(plain, polite, polite) == (1.0, "taught")
    assert _drift(plain, None, polite) == (1.0, "base")
    assert _drift(plain, opened(HEALTHY[:5]), None) == (None, None)


def test_of_many_training_answers_some_are_read_and_that_is_said():
    many = [f"{number}번 답입니다." for number in range(TAUGHT_ANSWERS + 1)]
    lessons = lessons_of(many, seed=42)
    assert lessons.num == TAUGHT_ANSWERS
    assert _sampled(lessons, len(many))[0].values == {"num": TAUGHT_ANSWERS, "total": TAUGHT_ANSWERS + 1}
    assert _sampled(lessons, TAUGHT_ANSWERS) == []


def test_a_limit_inside_the_interval_is_not_sure():
    answers = [f"… {one}" if number < 11 else one for number, one in enumerate(HEALTHY)]
    _, reasons = judge(side(answers), None, None)
    assert [(reason.signal, reason.sure) for reason in reasons] == [("marks", False)]
    _, reasons = judge(side([f"… {one}" for one in HEALTHY]), None, None)
    assert next(reason.sure for reason in reasons if reason.signal == "marks")


def test_first_sentences_are_compared_without_marks_names_and_numbers():
    assert first_sentence("• 김민수님, 3월입니다. 그렇죠") == first_sentence("이영희님, 11월입니다!")


def test_every_rule_has_one_line():
    names = [rule.signal for rule in RULES]
    assert len(names) == len(set(names))
    assert all(rule.collapsed is None or rule.at_risk < rule.collapsed for rule in RULES)
