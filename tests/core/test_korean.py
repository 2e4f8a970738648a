from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadeum.core.korean import masked, nfc, squash


def test_nfc_joins_what_a_mac_took_apart() -> None:
    assert nfc(unicodedata.normalize("NFD", "한글 파일.hwp")) == "한글 파일.hwp"


@pytest.mark.parametrize("kept", ["ㅋㅋㅋ", "ㅠㅠ", "½", "ＡＢＣ", "①", "㎏", "…"])
def test_nfc_leaves_what_nfkc_would_change(kept: str) -> None:
    assert unicodedata.normalize("NFKC", kept) != kept
    assert nfc(kept) == kept


def test_squash_makes_one_space_of_any_white_space() -> None:
    assert squash("  가\u00a0나\t\n다\u3000라 ") == "가 나 다 라"
    assert squash(" \n ") == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("김민수님의 3월 보험료", "이영희님의 4월 보험료"),
        ("김민수 고객님, 결제 12,000원", "박서준 고객님, 결제 9,900원"),
        ("문의: kim@example.co.kr", "문의: lee.park+a@mail.example.com"),
        ("[긴급] 2024-01-05 점검", "[긴급] 2025.12.31 점검"),
        ("Re: 회의  10:30", "RE: 회의 9:00"),
        ("남궁민수 씨 앞", "홍길동 씨 앞"),
    ],
)
def test_mails_of_one_template_are_equal_once_masked(one: str, other: str) -> None:
    assert masked(one) == masked(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("오늘 날씨가 좋습니다", "오늘 분위기가 좋습니다"),
        ("보험료 안내", "관리비 안내"),
        ("김민수님의 보험료", "김민수님의 관리비"),
        ("3월 안내", "안내"),
    ],
)
def test_different_mails_stay_different(one: str, other: str) -> None:
    assert masked(one) != masked(other)


def test_what_masking_leaves_can_be_read() -> None:
    assert masked("김민수님의 3월 청구서 (kim@example.com)") == "<이름>님의 <수>월 청구서 (<메일>)"


@given(st.text())
def test_masking_does_not_depend_on_form_or_case_and_is_done_in_one_pass(value: str) -> None:
    assert masked(unicodedata.normalize("NFD", value)) == masked(unicodedata.normalize("NFC", value))
    assert not any(digit in masked(value) for digit in "0123456789")
