from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadeum.core.clean_steps import CleanStep
from dadeum.core.recipe import Recipe
from dadeum.data.repairs.row_kinds import FieldRows
from dadeum.data.repairs.transforms import Rules, apply_step
from dadeum.data.rows import Removed, Row
from dadeum.data.similar.fingerprints import Memory
from dadeum.data.texts.characters import squash_lines, squash_spaces, strip_html


@pytest.fixture
def narrow(make_recipe: Callable[..., Recipe]) -> Recipe:
    return make_recipe([{"path": "none.csv"}])


@pytest.fixture
def wide(make_recipe: Callable[..., Recipe]) -> Recipe:
    return make_recipe([{"path": "none.csv"}], task={"input_fields": ["subject", "attachments"], "reason_field": "why"})


def row(number: int, subject: str, label: str = "BLOCK", **changes: Any) -> Row:
    values: dict[str, Any] = {
        "id": f"mail:{number}", "source": "mail", "origin": "mail", "fields": {"subject": subject}, "label": label,
        "reason": None, "text": subject,
    }  # fmt: skip
    return Row(**(values | changes))


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("<p>안녕<br>하세요</p>", " 안녕 하세요 "),
        ('<a href="http://x.kr" target=_blank>여기</a>', "여기"),
        ("<B>강조</B>와 <i>기울임</i>", "강조와 기울임"),
        ("안<!-- 숨김 -->녕", "안 녕"),
        ("<script>alert('x')</script>본문<style>p{}</style>", " 본문 "),
        ("A&amp;B &lt;할인&gt; &#49;&#x32;", "A&B <할인> 12"),
        ("<img src='a.png'/>끝<BR/>", " 끝 "),
    ],
)
def test_real_html_goes(value: str, cleaned: str) -> None:
    assert strip_html(value) == cleaned


@pytest.mark.parametrize(
    "value",
    [
        "(광고) <치매 진단금 + 평생 간병비> 보장",
        "보험료는 <라이나생명 치아보험>",
        "<A> 반과 <B> 반",
        "<A 상품> 안내",
        "<b 보험> 안내",
        "<2024년> 결산",
        "<table of contents 목차>",
        "3 < 5 > 2",
        "AT&T, R&D",
        "INV &copy.html",
        "<info@x.kr> 에서",
        "<",
        "a <",
    ],
)
def test_what_only_looks_like_html_stays(value: str) -> None:
    assert strip_html(value) == value


@given(st.text(alphabet="가나<>&; /=\"'abpr", max_size=40))
def test_strip_html_never_adds_text(value: str) -> None:
    assert len(strip_html(value)) <= len(html.unescape(value)) + value.count("<")


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("  두  칸\t탭\n줄\u00a0 ", "두 칸 탭 줄"),
        ("무\u200b료\ufeff 상\u00ad품", "무료 상품"),
        ("빈\u3164칸", "빈 칸"),
        ("제어\x00\x07문자\x85끝", "제어문자 끝"),
        ("방향\u202e표시\u2066", "방향표시"),
        ("꼬리표\U000e0041\U000e007f", "꼬리표"),
        ("가족 👨\u200d👩\u200d👧 이모지", "가족 👨\u200d👩\u200d👧 이모지"),
        ("글자\u200d사이", "글자사이"),
        ("ㅋㅋ½Ａ", "ㅋㅋ½Ａ"),
        ("a\x1fb", "a b"),
    ],
)
def test_spaces_and_what_nobody_sees(value: str, cleaned: str) -> None:
    assert squash_spaces(value) == cleaned


@given(st.text())
def test_squashing_twice_changes_nothing_more(value: str) -> None:
    once = squash_spaces(value)
    assert squash_spaces(once) == once
    assert not any(unicodedata.category(character) == "Cc" for character in once)


@given(st.text("가나 a\t\n\r\u200b\x0b-*", max_size=30))
def test_squashing_lines_twice_changes_nothing_more_and_keeps_every_line(value: str) -> None:
    once = squash_lines(value)
    assert squash_lines(once) == once
    assert squash_spaces(once) == squash_spaces(value)


def test_lines_lists_and_indentation_survive_where_a_text_has_lines() -> None:
    value = "할 일:\r\n-  하나 \u200b\n-  둘\n\n\n\n    코드   한 줄\t끝  \n"
    assert squash_lines(value) == "할 일:\n- 하나\n- 둘\n\n    코드 한 줄 끝"


def applied(step: CleanStep, rows: list[Row], recipe: Recipe, **rules: Any) -> tuple[list[Row], list[Removed]]:
    done = apply_step(step, rows, replace(Rules.of(recipe, FieldRows(recipe.task)), **rules), Memory())
    return done.rows, done.removed


def test_text_steps_change_fields_lists_reason_and_text_together(wide: Recipe) -> None:
    fields: dict[str, Any] = {"subject": "<b>안내</b>", "attachments": ["<i>a</i>.pdf", "<p></p>"]}
    item = row(1, "", fields=fields, reason="<u>왜</u>")
    rows, removed = applied("strip_html", [item], wide)
    rows, _ = applied("squash_spaces", rows, wide)
    assert rows[0].fields == {"subject": "안내", "attachments": ["a.pdf"]}
    assert (rows[0].reason, rows[0].text, removed) == ("왜", "안내\na.pdf", [])


def test_nfc_composes_and_leaves_compatibility_letters(narrow: Recipe) -> None:
    rows, _ = applied("nfc", [row(1, "\u1109\u1173\u1111\u1162\u11b7 ㅋㅋ Ａ")], narrow)
    assert rows[0].text == "스팸 ㅋㅋ Ａ"


def test_rows_without_any_input_are_dropped_and_empty_attachments_are_no_reason(wide: Recipe) -> None:
    full = row(1, "안내", fields={"subject": "안내", "attachments": []})
    empty = row(2, " ", fields={"subject": " ", "attachments": []})
    rows, removed = applied("drop_empty", [full, empty], wide)
    assert rows == [full]
    assert [(item.id, item.reason) for item in removed] == [("mail:2", "empty")]


def test_equal_rows_of_one_label_keep_the_first(narrow: Recipe) -> None:
    rows, removed = applied(
        "drop_exact_duplicates",
        [row(1, "안내"), row(2, "안내", "ALLOW"), row(3, "안내"), row(4, "다른")],
        narrow,
    )
    assert [item.id for item in rows] == ["mail:1", "mail:2", "mail:4"]
    assert [(item.id, item.reason, item.detail) for item in removed] == [("mail:3", "exact_duplicate", "mail:1")]


def test_near_copies_of_one_label_name_the_kept_row_and_the_similarity(narrow: Recipe) -> None:
    text = "라이나생명 치매보험 평생 간병비 보장 상품 안내드립니다 지금 확인하세요"
    near = text + "!"
    rows, removed = applied(
        "drop_near_duplicates",
        [row(1, text), row(2, near), row(3, near, "ALLOW"), row(4, "전혀 다른 회의 일정 공지")],
        narrow,
    )
    assert [item.id for item in rows] == ["mail:1", "mail:3", "mail:4"]
    (gone,) = removed
    # 39 characters have 37 3-grams, the longer text has one more: 37 / 38.
    assert (gone.id, gone.reason, gone.detail) == ("mail:2", "near_duplicate", f"mail:1 ({37 / 38:.2f})")
    assert len(text) == 39


# -- texts that change ------------------------------------------------------------------------------
def test_a_change_is_counted_once_and_the_row_remembers_what_was_read(narrow: Recipe) -> None:
    rows = [row(1, "<b>안내</b>  메일"), row(2, "그대로")]
    counts = [
        apply_step(step, rows, Rules.of(narrow, FieldRows(narrow.task)), Memory()).num_changed
        for step in ("nfc", "strip_html", "squash_spaces")
    ]
    assert counts == [0, 1, 1]
    assert (rows[0].text, rows[0].changed_by) == ("안내 메일", ("strip_html", "squash_spaces"))
    assert rows[0].as_read == ({"subject": "<b>안내</b>  메일"}, None)
    assert (rows[1].changed_by, rows[1].as_read) == ((), None)


def test_a_reason_that_changes_alone_counts_too(wide: Recipe) -> None:
    item = row(1, "안내", fields={"subject": "안내", "attachments": []}, reason="<i>광고</i>")
    assert apply_step("strip_html", [item], Rules.of(wide, FieldRows(wide.task)), Memory()).num_changed == 1
    assert item.as_read == ({"subject": "안내", "attachments": []}, "<i>광고</i>")


def test_misread_text_is_repaired_and_right_text_left_alone(narrow: Recipe) -> None:
    rows = [row(1, "안녕하세요 고객님".encode().decode("latin-1")), row(2, "카페 café ½"), row(3, "회의록")]
    assert apply_step("repair_encoding", rows, Rules.of(narrow, FieldRows(narrow.task)), Memory()).num_changed == 1
    assert [item.text for item in rows] == ["안녕하세요 고객님", "카페 café ½", "회의록"]


def test_personal_data_is_masked_and_masking_again_changes_nothing(narrow: Recipe) -> None:
    rows = [row(1, "문의는 010-1234-5678 또는 kim@example.com"), row(2, "회의는 3시")]
    assert apply_step("mask_pii", rows, Rules.of(narrow, FieldRows(narrow.task)), Memory()).num_changed == 1
    assert "1234" not in rows[0].text
    assert "kim@" not in rows[0].text
    assert apply_step("mask_pii", rows, Rules.of(narrow, FieldRows(narrow.task)), Memory()).num_changed == 0


def test_the_order_of_steps_is_respected(narrow: Recipe) -> None:
    """Two rows are copies only after their spaces are squashed."""
    after, _ = applied("drop_exact_duplicates", [row(1, "가 나"), row(2, "가  나")], narrow)
    assert len(after) == 2
    squashed, _ = applied("squash_spaces", after, narrow)
    assert len(applied("drop_exact_duplicates", squashed, narrow)[0]) == 1
