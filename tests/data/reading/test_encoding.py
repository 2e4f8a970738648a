from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadeum.core.errors import DataError
from dadeum.core.korean import COMMON_SYLLABLES
from dadeum.core.messages import Message
from dadeum.data.reading.encoding import decode, detect, reads_like_korean

PATH = Path("mail.csv")
KOREAN = "제목,라벨\n(광고) 보험료 안내입니다,스팸\n회의 일정을 알려 드립니다,정상\n"
CHINESE = "标题,标签\n本公司因业务发展需要现招聘以下岗位人员请将简历发送至邮箱,正常\n"
JAPANESE = "件名,ラベル\nお世話になっております明日の会議の資料を添付いたします,正常\n"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (KOREAN.encode(), "utf-8"),
        (KOREAN.encode("utf-8-sig"), "utf-8-sig"),
        (KOREAN.encode("cp949"), "cp949"),
        (KOREAN.encode("euc-kr"), "cp949"),
        (KOREAN.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + KOREAN.encode("utf-16-be"), "utf-16"),
        (KOREAN.encode("utf-16-le"), "utf-16-le"),
        (KOREAN.encode("utf-16-be"), "utf-16-be"),
        (KOREAN.encode("utf-32"), "utf-32"),
        (b"subject,label\nhello,BLOCK\n", "utf-8"),
        ("똠방각하 펲시콜라,스팸\n".encode("cp949"), "cp949"),
    ],
)
def test_the_content_tells_the_encoding(content: bytes, name: str) -> None:
    found = decode(content, PATH)
    assert found.encoding == name
    assert found.text == content.decode(name).removeprefix("\ufeff")
    assert not found.text.startswith("\ufeff")


@given(
    st.text(st.sampled_from(sorted(COMMON_SYLLABLES)), min_size=6, max_size=60),
    st.sampled_from(["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
)
def test_korean_survives_every_encoding(text: str, encoding: str) -> None:
    written = f"subject,label\n{text},BLOCK\n"
    assert decode(written.encode(encoding), PATH).text == written


def test_symbols_and_a_single_syllable_are_enough_for_cp949() -> None:
    assert detect("★ SALE ★,BLOCK".encode("cp949")) == "cp949"
    assert detect("A반,BLOCK".encode("cp949")) == "cp949"


@pytest.mark.parametrize("content", [CHINESE.encode("gbk"), JAPANESE.encode("shift_jis")])
def test_chinese_and_japanese_bytes_are_not_taken_for_korean(content: bytes) -> None:
    assert not reads_like_korean(content.decode("cp949", errors="ignore"))
    with pytest.raises(DataError) as caught:
        decode(content, PATH)
    assert caught.value.key == "data.encoding_unknown"


def test_a_broken_byte_is_named_by_offset_and_line() -> None:
    content = KOREAN.encode()
    offset = content.index("회의".encode())
    with pytest.raises(DataError) as caught:
        decode(content[:offset] + b"\xff" + content[offset:], PATH)
    assert caught.value.key == "data.encoding_unknown"
    assert caught.value.values["offset"] == offset
    assert caught.value.values["line"] == 3
    assert "mail.csv" in caught.value.in_language("ko")


def test_a_stray_zero_byte_leaves_utf8_alone() -> None:
    content = (KOREAN * 20 + "끝\0,스팸\n").encode()
    assert detect(content) == detect(content + b" ") == "utf-8"


def test_a_stray_zero_byte_leaves_cp949_alone() -> None:
    content = (KOREAN * 20 + "끝\0,스팸\n").encode("cp949")
    assert detect(content) == detect(content + b" ") == "cp949"


def test_bytes_that_are_no_text_at_all_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        decode(bytes(range(256)) * 8, PATH)
    assert caught.value.key == "data.encoding_unknown"


def test_english_utf16_without_a_mark_is_not_utf8_with_zeros() -> None:
    assert detect("subject,label\nhello,BLOCK\n".encode("utf-16-le")) == "utf-16-le"


def test_a_given_encoding_is_used() -> None:
    assert decode(KOREAN.encode("cp949"), PATH, "euc-kr").text == KOREAN
    assert decode(KOREAN.encode("utf-8-sig"), PATH, "utf-8").text == KOREAN


def test_a_wrong_given_encoding_is_one_error_that_names_the_right_one() -> None:
    with pytest.raises(DataError) as caught:
        decode(KOREAN.encode("cp949"), PATH, "utf-8")
    assert caught.value.key == "data.encoding_wrong"
    assert caught.value.values["found"] == "cp949"
    assert caught.value.values["line"] == 1


def test_a_given_encoding_that_takes_anything_is_checked_against_the_content() -> None:
    with pytest.raises(DataError) as caught:
        decode(KOREAN.encode(), PATH, "latin-1")
    assert caught.value.key == "data.encoding_misreads"
    assert caught.value.values["found"] == "utf-8"


def test_an_unknown_encoding_gets_the_nearest_name() -> None:
    with pytest.raises(DataError) as caught:
        decode(KOREAN.encode(), PATH, "cp-494")
    assert caught.value.key == "data.encoding_name"
    assert caught.value.values["near"] == Message("data.nearest", {"near": "cp949"})
