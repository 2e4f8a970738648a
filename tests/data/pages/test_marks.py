"""Marked excerpts: where they begin and end, what they say they left out, what they make visible."""

from __future__ import annotations

from dadeum.data.pages.marks import marked


def test_marks_in_long_texts() -> None:
    text = "가" * 5000 + "표시" + "나" * 5000
    html = marked(text, [(5000, 5002)], 360)
    assert "<mark>표시</mark>" in html
    assert "4,910자" in html
    assert "4,732자" in html
    assert marked("짧다", [(0, 99), (-3, 1)]) == "<mark>짧다</mark>"
    assert marked("그대로", [(2, 2), (9, 12)]) == "그대로"
    assert len(marked("\n" * 10_000, [])) < 200


def test_a_mark_over_nothing_but_spaces_shows_them() -> None:
    assert marked("가  나", [(1, 3)]) == "가<mark>␣␣</mark>나"
    assert marked("가\n나", [(1, 2)]) == "가<mark>⏎</mark>나"
    assert marked("가\u200b나", [(1, 2)]) == '가<mark><span class="chip">U+200B</span></mark>나'


def test_an_empty_text_says_so() -> None:
    assert "(빈 글)" in marked(" \n", [])
