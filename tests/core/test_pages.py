"""The shared page: what of a text from data can be seen, and what must never reach a page or a terminal."""

from __future__ import annotations

from dadeum.core.pages import environment, printable, visible


def test_what_nobody_sees_is_written_out() -> None:
    assert visible("가\u200b나") == '가<span class="chip">U+200B</span>나'
    assert visible("<b>\x00") == '&lt;b&gt;<span class="chip">U+0000</span>'
    assert visible("\ud800") == '<span class="chip">U+D800</span>'
    assert visible("줄\n탭\t칸 ") == "줄\n탭\t칸 "


def test_a_joiner_between_emoji_is_part_of_them() -> None:
    assert visible("👩\u200d💻") == "👩\u200d💻"
    assert visible("가\u200d나") == '가<span class="chip">U+200D</span>나'


def test_nothing_can_move_a_cursor_or_turn_a_line() -> None:
    assert printable("\x1b[31m빨강\u202e") == "U+001B[31m빨강U+202E"
    assert printable("평범한 글\n두 줄") == "평범한 글\n두 줄"


def test_style_and_script_of_a_page_follow_the_shared_ones() -> None:
    made = environment("dadeum.evaluation", "report", "report")
    assert made.globals["css"].index(":root") < made.globals["css"].index(".figure-row")
    assert made.globals["t"]("header.kind").en == "Run report"
    assert made.globals["p"]("contents").en == "Contents"
