from __future__ import annotations

import pytest

from dadeum.core.korean_phrases import listed_phrase
from dadeum.data.texts.boilerplate import contains, find_phrases, place_of

TOPICS = (
    *("사과", "배", "포도", "감", "귤", "딸기", "수박", "참외", "자두", "살구", "앵두", "매실"),
    *("대추", "밤", "호두", "잣", "석류", "키위", "망고", "레몬", "유자", "오디", "무화과", "복숭아"),
)


def answers(every: int, phrase: str) -> list[str]:
    """One answer per topic, the phrase at the end of every n-th."""
    return [
        f"{topic} 이야기예요. {topic} 맛이 그만이죠. {phrase if number % every == 0 else ''}"
        for number, topic in enumerate(TOPICS)
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("물을 드세요. 정확한 판단은 의료·수의 전문가에게 확인하세요.", "warning"),
        ("증상이 심하면 의사와 상담하시기 바랍니다.", "warning"),
        ("저는 AI 언어 모델로서 감정이 없습니다.", "identity"),
        ("인공지능 비서이므로 볼 수 없어요.", "identity"),
        ("좋은 질문입니다! 하늘은 파래요.", "opening"),
        ("도움이 되셨기를 바랍니다.", "closing"),
        ("더 궁금한 점이 있으시면 물어보세요.", "closing"),
        ("언제든지 편하게 문의해 주세요.", "closing"),
        ("죄송하지만 그 요청에는 답변을 드릴 수 없습니다.", "refusal"),
    ],
)
def test_listed_phrases_are_found_where_they_stand(text: str, kind: str) -> None:
    found = listed_phrase(text)
    assert found is not None
    start, end, what = found
    assert what == kind
    assert 0 <= start < end <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "언제든 새로 시작할 수 있어요.", "산부인과 전문의의 확인이 필요합니다.", "전문가가 되고 싶어요.",
        "정보를 모아 두세요.",
        "운동이 도움이 돼요.", "좋은 하루였어요.", "추가 도움이 필요하다고 판단되는 경우에 신청합니다.",
    ],
)  # fmt: skip
def test_ordinary_sentences_are_not_listed(text: str) -> None:
    assert listed_phrase(text) is None


def test_a_sentence_that_many_different_answers_have_is_found() -> None:
    (phrase,) = find_phrases(answers(4, "우리 가게에서 드리는 작은 정보였습니다!"))
    assert (phrase.text, phrase.count, phrase.share) == ("우리 가게에서 드리는 작은 정보였습니다", 6, 6 / 24)


def test_names_and_numbers_do_not_hide_a_phrase() -> None:
    texts = [
        f"{topic} 이야기예요. 김{topic[0]}수님의 다음 예약은 {number}월 {number}일입니다."
        for number, topic in enumerate(TOPICS)
    ]
    (phrase,) = find_phrases(texts)
    assert phrase.text == "<이름>님의 다음 예약은 <수>월 <수>일입니다"
    place = place_of(phrase, texts[3])
    assert place is not None
    assert texts[3][slice(*place)] == "김감수님의 다음 예약은 3월 3일입니다"


def test_one_answer_many_times_is_no_phrase() -> None:
    assert find_phrases(["우리 가게에서 드리는 작은 정보였습니다!"] * 1000) == []


def test_few_answers_short_phrases_and_code_say_nothing() -> None:
    assert find_phrases(answers(2, "우리 가게에서 드리는 작은 정보였습니다!")[:10]) == []
    assert find_phrases(answers(1, "할 수 있어요.")) == []
    assert find_phrases(answers(1, "```\nprint('우리 가게에서 드리는 작은 정보였습니다')\n```")) == []


def test_a_clause_stands_for_itself_only_where_it_is_alone() -> None:
    texts = answers(3, "끝까지 읽어 주셔서 고맙습니다, 다음에 또 재미있는 이야기로 만나요.")
    assert [phrase.count for phrase in find_phrases(texts)] == [8]
    texts += [f"{topic} 말고 다른 것도 있죠. 다음에 또 재미있는 이야기로 만나요." for topic in TOPICS]
    assert {phrase.text: phrase.count for phrase in find_phrases(texts)} == {
        "다음에 또 재미있는 이야기로 만나요": 32,
        "끝까지 읽어 주셔서 고맙습니다, 다음에 또 재미있는 이야기로 만나요": 8,
    }


def test_contains_asks_for_any_of_the_phrases() -> None:
    phrases = find_phrases(answers(4, "우리 가게에서 드리는 작은 정보였습니다!"))
    assert contains("안녕하세요.\n우리  가게에서 드리는 작은 정보였습니다~", phrases)
    assert not contains("우리 가게에 오세요.", phrases)
