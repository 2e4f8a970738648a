from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadeum.data.reading.cells import attachment_names, field_value, is_missing, label_text, text_of


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("a.docx (16.4 K), b.png (3 K)", ["a.docx", "b.png"]),
        ("Offer, final.docx", ["Offer, final.docx"]),
        ("Offer.docx, Offer - contextual advertising.docx", ["Offer.docx", "Offer - contextual advertising.docx"]),
        ("계획, 2차.hwp (1,024 KB); 사진.JPG", ["계획, 2차.hwp", "사진.JPG"]),
        ("a.pdf | b.pdf", ["a.pdf", "b.pdf"]),
        ("a.pdf\nb, c.pdf", ["a.pdf", "b, c.pdf"]),
        ('["a.docx", "b.png (3 KB)"]', ["a.docx", "b.png"]),
        ("['a.docx', 'b.png']", ["a.docx", "b.png"]),
        ("[공지] 안내.hwp, 양식.hwp", ["[공지] 안내.hwp", "양식.hwp"]),
        ("v1.2, draft.docx", ["v1.2, draft.docx"]),
        ("x.7z, y.mp3", ["x.7z", "y.mp3"]),
        ("header(1).jpg", ["header(1).jpg"]),
        ("자료 (2)", ["자료 (2)"]),
        (["a.pdf (251.4 KB)", "", None, "b, c.pdf"], ["a.pdf", "b, c.pdf"]),
        ("a.pdf,", ["a.pdf"]),
        ("", []),
        ("[]", []),
        ("nan", []),
        (None, []),
        (float("nan"), []),
    ],
)
def test_attachments(cell: Any, names: list[str]) -> None:
    assert attachment_names(cell) == names


@given(st.lists(st.from_regex(r"[가-힣a-z]{1,8}( [가-힣]{1,4})?\.(docx|hwp|pdf)", fullmatch=True), max_size=5))
def test_names_joined_with_commas_and_sizes_come_apart_again(names: list[str]) -> None:
    assert attachment_names(", ".join(f"{name} (1.5 K)" for name in names)) == names
    assert attachment_names(", ".join(names)) == names


def test_a_huge_cell_of_separators_does_not_take_for_ever() -> None:
    started = time.process_time()
    attachment_names("a, " * 300_000)
    attachment_names(" " * 900_000 + ")")
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("그대로 ", "그대로 "),
        (3.0, "3"),
        (2.5, "2.5"),
        (7, "7"),
        (True, "true"),
        (None, ""),
        (float("nan"), ""),
        (datetime(2024, 1, 2, 3, 4), "2024-01-02T03:04:00"),
        ({"가": 1}, '{"가": 1}'),
    ],
)
def test_a_cell_reads_as_a_person_would_write_it(cell: Any, text: str) -> None:
    assert text_of(cell) == text


def test_a_list_stays_a_list_and_a_label_is_trimmed_and_composed() -> None:
    assert field_value(["a", 2.0], is_list=False) == ["a", "2"]
    assert label_text(["스팸 "]) == "스팸"
    assert label_text("\u1109\u1173\u1111\u1162\u11b7") == "스팸"


@pytest.mark.parametrize("value", ["", " ", "NaN", "None", "null", "#N/A"])
def test_words_for_nothing_are_nothing(value: str) -> None:
    assert is_missing(value)
    assert not is_missing("스팸")
