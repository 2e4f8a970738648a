from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadeum.core.mojibake import find_mojibake, repair

TEXTS = (
    "안녕하세요, 주말에 갈 만한 곳을 추천해 주세요.",
    "2025년 3월 5일 (수) 10:30 회의 — 장소는 “별관” 2층입니다.",
    "스팸",
    "서울시 은평구에서 café 문을 열었어요 ☕",
)
CORRECT = (
    "café와 naïve, São Paulo’s 거리",
    "½컵은 50㎖, ¼컵은 25㎖",
    "물은 100°C에서 끓습니다 (±2°C)",
    "입장료는 €12, £10입니다",
    "½½",
    "··· 그리고 ····",
    "美·中 정상, 韓國 언론",
    "뷁 펲 햏",
    "Ångström, München, coração, Noël",
    "“좋은” ‘말’ … — 끝",
    "¡Hola! ¿Qué tal?",
    "10×20×30mm ÷ 2",
    "ㅋㅋㅋ ㅠㅠ",
    "社長②님",
    "日本語の文章です。中文，也可以。",
    "Ünïcödé",
    "«guillemets» § 3 ¶ 4",
    "é",
)


def kinds(text: str) -> set[str]:
    return {span.found for span in find_mojibake(text)}


def lossless_cp1252(text: str) -> str:
    """As browsers do: the five bytes that mean nothing stay as controls."""
    return "".join(
        chr(byte) if byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else bytes([byte]).decode("cp1252")
        for byte in text.encode()
    )


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "misread",
    [
        lambda text: text.encode().decode("latin-1"),
        lossless_cp1252,
        lambda text: text.encode().decode("latin-1").encode().decode("latin-1"),
    ],
    ids=["latin-1", "cp1252", "twice"],
)
def test_utf8_read_as_latin_is_found_and_undone(text: str, misread: Callable[[str], str]) -> None:
    assert kinds(misread(text)) == {"utf8_as_latin1"}
    assert repair(misread(text)) == text


@pytest.mark.parametrize("text", TEXTS[:3])
def test_cp949_read_as_latin_is_found_and_undone(text: str) -> None:
    misread = text.replace("—", "-").encode("cp949").decode("latin-1")
    assert kinds(misread) == {"cp949_as_latin1"}
    assert repair(misread) == text.replace("—", "-")


def test_one_field_of_a_correct_text() -> None:
    name = "바람길".encode("cp949").decode("latin-1")
    text = f"편지에는 {name} 출판사라고 적혀 있습니다."
    (span,) = find_mojibake(text)
    assert text[span.start : span.end] == name
    assert repair(text) == "편지에는 바람길 출판사라고 적혀 있습니다."


def test_utf8_read_as_cp949_is_found_even_where_it_cannot_be_undone() -> None:
    lost = "한국 경제 회복".encode().decode("cp949", "replace")
    assert kinds(lost) == {"utf8_as_cp949"}
    assert repair(lost) == lost.replace("경제".encode().decode("cp949"), "경제")  # the one word that lost nothing
    whole = "꾸어".encode().decode("cp949")
    assert kinds(whole) == {"utf8_as_cp949"}
    assert repair(whole) == "꾸어"


@pytest.mark.parametrize("text", ["it wasn�셳 too late", "put THIS in your 占쏙옙"])
def test_traces_in_real_subjects(text: str) -> None:
    assert kinds(text) == {"utf8_as_cp949"}
    assert repair(text) == text


def test_lost_characters() -> None:
    assert kinds("남�� 모두에게") == {"replacement"}
    assert kinds("안녕하세요".encode("cp949").decode("utf-8", "replace")) <= {"replacement", "utf8_as_cp949"}


@pytest.mark.parametrize("text", CORRECT)
def test_correct_text_is_left_alone(text: str) -> None:
    assert find_mojibake(text) == []
    assert repair(text) == text


@given(
    st.text(
        st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3) | st.sampled_from(" .,?!abc123°½é“”…"), max_size=40
    )
)
def test_typed_korean_is_never_changed(text: str) -> None:
    assert repair(text) == text


@given(st.text(max_size=40))
def test_places_are_in_order_and_repair_ends(text: str) -> None:
    spans = find_mojibake(text)
    assert all(span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= two.start for one, two in pairwise(spans))
    assert repair(repair(text)) == repair(text)


def test_real_chat_survives(shared_data: Path) -> None:
    text = (shared_data / "chat" / "ChatbotData.csv").read_text(encoding="utf-8")
    assert not any(find_mojibake(line) for line in text.splitlines())


@pytest.mark.parametrize(("encoding", "kind"), [("cp949", "cp949_as_mac"), ("utf-8", "utf8_as_mac")])
def test_read_as_macroman(encoding: str, kind: str) -> None:
    text = "누구나 그런 고민이 있어요."
    misread = text.encode(encoding).decode("mac_roman")
    assert kinds(misread) == {kind}
    assert repair(misread) == text
    for correct in ("값은 ≤ 5, ≥ 3 그리고 ±∞", "∑∏ ∫∂", "«인용» ¿Qué?", "Ω와 π, µm"):
        assert kinds(correct) == set()


def test_cp949_read_as_gb18030_is_found_and_not_repaired() -> None:
    misread = "누구나 그런 고민이 있어요.".encode("cp949").decode("gb18030")
    assert kinds(misread) == {"cp949_as_gb18030"}
    assert repair(misread) == misread
    for correct in ("你好，我们是学生。", "大韓民國 憲法 第一條", "今日は天気がいい", "사자성어 塞翁之馬"):
        assert kinds(correct) == set()


def test_question_marks_in_place_of_syllables() -> None:
    assert kinds("?? ???? ???, ?? ?????.") == {"question_marks"}
    for correct in ("정말?? 왜 ?? ??? ??", "??? ??? ???", "What?? Really??", "? ? ?"):
        assert kinds(correct) == set()


def test_what_is_left_of_a_no_break_space() -> None:
    assert kinds("오늘은 Â 바람이 불어요") == {"utf8_as_latin1"}
    assert kinds("Âge de la retraite") == set()
