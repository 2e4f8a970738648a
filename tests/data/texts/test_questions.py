"""Questions about documents: support by words and numbers, copies, answers inside, pointers at the text."""

from __future__ import annotations

import pytest

from dadeum.data.texts.questions import (
    copied_letters,
    is_question,
    pointer,
    says_its_answer,
    support,
    yes_or_no,
)

SOURCE = (
    "근로장학금 안내\n1. 교내근로는 시간당 9,620원을 주며 1주 20시간, 1학기 최대 520시간까지 일한다.\n"
    "2. 세대당 60~100만 원을 5년 안에 갚는다. 이자는 3%이고 문의는 1599-2290으로 한다. 오후 6시에 닫는다."
)


@pytest.mark.parametrize(
    "answer",
    [
        "한 학기에 오백이십 시간까지 일할 수 있습니다.",
        "시간당 9620원을 받습니다.",
        "교내 근로는 일주일에 20시간까지입니다.",
        "육십만 원에서 100만 원까지 갚습니다.",
        "5년 동안 갚으면 됩니다.",
        "이자는 3퍼센트입니다.",
        "18시에 닫습니다.",
        "네.",
        "",
    ],
)
def test_an_answer_in_other_words_and_other_figures_is_supported(answer: str) -> None:
    assert not support("얼마나 일할 수 있나요?", answer, SOURCE).is_lacking


@pytest.mark.parametrize(
    ("answer", "unsaid"),
    [
        ("한 학기에 450시간까지입니다.", "450"),
        ("5%입니다.", "5"),  # said of years
        ("3년입니다.", "3"),  # said of per cent
        ("고용노동부 고객센터에서 확인하세요.", "노동부"),
        ("1599-2299로 전화하세요.", "2299"),
    ],
)
def test_what_the_source_does_not_say_is_named(answer: str, unsaid: str) -> None:
    found = support("무엇인가요?", answer, SOURCE)
    assert found.is_lacking
    assert unsaid in [*found.numbers, *found.words]


def test_what_the_question_says_needs_no_source() -> None:
    assert not support("드림하우스 3호점은 언제 닫나요?", "드림하우스 3호점은 오후 6시에 닫습니다.", SOURCE).is_lacking


def test_the_number_of_a_list_is_no_figure() -> None:
    """'1.' and '2.' of the source are places in a list."""
    assert support("언제 나오나요?", "2주 걸립니다.", SOURCE).numbers == ("2",)


def test_a_copy_is_counted_in_letters() -> None:
    assert copied_letters("이자는 3%이고 문의는 어디로 하나요?", SOURCE) == (9, 15)
    assert copied_letters("", SOURCE) == (0, 0)


@pytest.mark.parametrize(
    ("question", "answer", "says"),
    [
        ("이자는 3퍼센트인가요?", "네, 3퍼센트입니다.", True),
        ("문의는 한국장학재단에 하나요?", "한국장학재단입니다.", True),
        ("이자는 얼마인가요?", "3퍼센트입니다.", False),
        ("일요일에도 여나요?", "네.", False),
        ("일요일에도 여나요?", "아니요, 토요일까지만 엽니다.", False),
    ],
)
def test_a_question_that_says_its_answer(question: str, answer: str, says: bool) -> None:
    assert says_its_answer(question, answer) is says


def test_yes_and_no_are_first_words() -> None:
    assert [yes_or_no(text) for text in ("네, 됩니다.", "예", "아니요. 안 됩니다", "네이버에서", "Yes.")] == [
        "yes", "yes", "no", "", "yes",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["어디서 신청하나요?", "신청 방법을 알려 주세요.", "지원 대상이 궁금합니다", "누가 받을 수 있습니까", "Who pays?"],
)
def test_questions_are_known_by_mark_or_ending(text: str) -> None:
    assert is_question(text)


def test_a_statement_is_no_question() -> None:
    assert not is_question("신청은 학교에 합니다.")


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("위 글에 따르면 이자는 얼마인가요?", "위 글"),
        ("본문에서 말하는 대상은?", "본문"),
        ("이 사업의 대상은 누구인가요?", "이"),
        ("주어진 표의 합계는?", "주어진"),
        ("According to the text, who pays?", "According to the"),
        ("근로장학금의 이자는 얼마인가요?", ""),
        ("이자는 언제 내나요?", ""),
        ("높이 글자를 붙이는 간판은 어디에 신청하나요?", ""),
    ],
)
def test_a_question_that_points_at_its_text(question: str, found: str) -> None:
    assert pointer(question) == found
