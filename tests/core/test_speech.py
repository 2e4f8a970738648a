from __future__ import annotations

import pytest

from dadeum.core.morphemes import spacing, tokenized
from dadeum.core.speech import PLAIN, POLITE, analyse, level, levels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("내일 다시 연락드리겠습니다.", "hapsyo"),
        ("여기 앉으십시오.", "hapsyo"),
        ("같이 갑시다", "hapsyo"),
        ("감사합니다 :)", "hapsyo"),
        ("오늘은 날씨가 좋네요.", "haeyo"),
        ("갔는데요", "haeyo"),
        ("괜찮아용ㅎㅎ", "haeyo"),
        ("그렇죠?", "haeyo"),
        ("글쎄요.", "haeyo"),
        ("어서 오시오", "hao"),
        ("그래도 괜찮아", "hae"),
        ("그거 내가 할게.", "hae"),
        ("그는 집에 갔다.", "haera"),
        ("이리 와 봐라!", "haera"),
        ("공부해 보렴", "haera"),
        ("밥은 먹었니?", "haera"),
        ("점검을 완료했음", "nominal"),
        ("내일까지 제출하기", "nominal"),
        ("오늘의 날씨", "noun"),
    ],
)
def test_the_last_ending_decides(text: str, expected: str) -> None:
    assert level(text) == expected


@pytest.mark.parametrize("text", ["그거 좋네", "비가 오니까", "아니", "네.", "어디 가나", "OK", "Hello there."])
def test_what_the_ending_does_not_tell_stays_open(text: str) -> None:
    assert level(text) == "undecided"


def test_polite_words_inside_a_plain_sentence_do_not_count() -> None:
    assert level("할머니께서 진지를 드셨어") == "hae"


def test_an_address_may_follow_the_ending() -> None:
    assert level("알겠습니다, 손님.") == "hapsyo"
    assert level("주문하시겠어요, Karen?") == "haeyo"
    assert level("“좋아요”라는 말") == "noun"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('친구가 "어제 집에 갔어요."라고 말했습니다.', ["hapsyo"]),
        ('바꾸면 "나는 산에 갔다. 길이 험했다."가 됩니다. 뜻은 같아요.', ["hapsyo", "haeyo"]),
        ("그는 “가라. 오지 마라.” 하고 말했어요.", ["haeyo"]),
        ("‘가자. 빨리 가자.’라는 말과 ‘싫어. 안 가.’라는 말이 오갔다.", ["haera"]),
        ('"이리 와!" 그가 불렀습니다.', ["hae", "hapsyo"]),
    ],
)
def test_a_sentence_with_a_quotation_inside_is_one(text: str, expected: list[str]) -> None:
    assert [sentence.level for sentence in levels(text)] == expected


def test_sentences_are_places_in_the_text() -> None:
    text = "😀 강아지가 아파요 병원에 가야 한다.\n정말로!"
    found = levels(text)
    assert [(text[sentence.start : sentence.end], sentence.level) for sentence in found] == [
        ("😀 강아지가 아파요", "haeyo"),
        ("병원에 가야 한다.", "haera"),
        ("정말로!", "undecided"),
    ]


def test_a_line_break_ends_a_sentence() -> None:
    assert [sentence.level for sentence in levels("재료\n물을 끓인다\n맛있게 드세요!")] == ["noun", "haera", "haeyo"]


def test_a_mask_does_not_hide_the_ending() -> None:
    text = "제 번호는 #PhoneNumber#입니다."
    (sentence,) = levels(text)
    assert (sentence.level, text[sentence.start : sentence.end]) == ("hapsyo", text)


def test_a_text_has_the_level_of_most_of_its_sentences() -> None:
    assert level("좋아요. 그렇게 해요. 알았다.") == "haeyo"
    assert level("알았다. 좋아요.") == "haeyo"
    assert level("") == "undecided"
    assert level("• • •") == "undecided"


def test_no_level_is_both_polite_and_plain() -> None:
    assert not POLITE & PLAIN


def test_texts_are_read_in_their_order() -> None:
    assert [[sentence.level for sentence in found.sentences] for found in analyse(["가자.", "", "갑니다."])] == [
        ["haera"], [], ["hapsyo"],
    ]  # fmt: skip
    assert list(analyse([])) == []


@pytest.mark.parametrize(
    ("text", "missing", "spare"),
    [
        ("오늘은 날씨가 좋아서 산책을 나갔습니다.", 0, 0),
        ("오늘은날씨가좋아서산책을나갔습니다.", 4, 0),
        ("학교 에서 밥 을 먹 었 습니다", 0, 4),
        ("한번 먹어봤다. 사과 3개를 샀다.", 0, 0),
        ("이제 아니에요. 쉬운 게 아니죠.", 0, 0),
    ],
)
def test_spacing_counts_only_what_orthography_does_not_leave_open(text: str, missing: int, spare: int) -> None:
    found = spacing(text, next(tokenized([text])))
    assert (found.missing, found.spare) == (missing, spare)


def test_spacing_share_of_an_empty_text_is_zero() -> None:
    assert spacing("", []).share == 0
