from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from dadeum.data.texts.characters import hidden_spans, strip_html, without_hidden
from dadeum.data.texts.code_spans import blank_code, outside_code


def test_what_a_browser_hides_goes_and_the_rest_stays() -> None:
    page = "<!DOCTYPE html><!-- 주석 <b> --><style>p{}</style>안녕<SCRIPT src=x>if (a<b) {}</Script >하세요"
    assert without_hidden(page).split() == ["안녕", "하세요"]
    assert strip_html(page).split() == ["안녕", "하세요"]


def test_a_comment_in_a_script_is_part_of_the_script() -> None:
    assert without_hidden("가<script>/* <!-- 나 --> */</script>다").split() == ["가", "다"]
    assert without_hidden("가<!-- <script>나</script> 라 -->다").split() == ["가", "다"]


def test_what_never_ends_is_text() -> None:
    assert hidden_spans("가 <!-- 나 <script> 다") == []
    assert hidden_spans("가 <!-- 나 --> 다 <!-- 라") == [(2, 12)]


def test_unclosed_openings_cost_no_square() -> None:
    started = time.perf_counter()
    assert hidden_spans("<!-- <script> <style> " * 50_000) == []
    assert len(hidden_spans("<!-- " * 50_000 + "-->")) == 1
    assert time.perf_counter() - started < 5  # a second at most; it was minutes


def test_code_keeps_its_tags() -> None:
    answer = "태그는 `<b>`이고 <b>이렇게</b> 씁니다.\n```html\n<p>안녕</p>\n```\n<br>끝"
    assert outside_code(answer, strip_html) == "태그는 `<b>`이고 이렇게 씁니다.\n```html\n<p>안녕</p>\n```\n 끝"


def test_a_fence_that_never_closes_is_code_to_the_end() -> None:
    assert outside_code("<b>가</b> ```\n<b>나</b>", strip_html) == "가 ```\n<b>나</b>"


@given(st.text(alphabet="ab`\n <>", max_size=60))
def test_outside_code_changes_nothing_that_blank_code_leaves_out(text: str) -> None:
    assert outside_code(text, lambda part: part) == text
    assert len(blank_code(text)) == len(text)
