from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption

from dadeum.core.errors import DataError, MissingExtra
from dadeum.documents import ocr
from dadeum.documents.pdf import read_pdf
from tests.documents.make import HEIGHT, SENTENCES, Paper, wrapped

REAL = Path(__file__).parents[3] / "shared" / "data" / "pdf_qa"
BODY = " ".join(SENTENCES)


def paragraphs(document) -> list[str]:
    return [block.text for page in document.pages for block in page.blocks]


# -- reading order ------------------------------------------------------------------------------
def test_two_columns_are_read_one_after_the_other(tmp_path):
    paper = Paper(tmp_path / "columns.pdf")
    title = "두 단으로 짠 문서의 제목은 이렇게 온 쪽을 지나서 길게 이어집니다"
    top = paper.lines([title], 60, 60, size=14)
    left, right = " ".join(SENTENCES[:3]), " ".join(SENTENCES[3:])
    paper.lines(wrapped(left, 220), 60, top + 20)
    paper.lines(wrapped(right, 220), 310, top + 20)
    document = read_pdf(paper.save())
    assert paragraphs(document) == [title, left, right]


def test_a_paragraph_goes_on_in_the_next_column_and_on_the_next_page(tmp_path):
    paper = Paper(tmp_path / "goes_on.pdf")
    lines = wrapped(BODY, 220)
    assert len(lines) >= 11
    # Cut where a sentence is not at its end.
    first = next(i for i in range(3, 6) if not lines[i - 1].endswith("."))
    second = next(i for i in range(first + 3, len(lines) - 1) if not lines[i - 1].endswith("."))
    paper.lines(lines[:first], 60, 60)
    paper.lines(lines[first:second], 310, 60)
    paper.next_page()
    paper.lines(lines[second:], 60, 60)
    document = read_pdf(paper.save())
    assert document.text == BODY
    assert [page.number for page in document.pages] == [1, 2]
    assert document.changes["paragraphs_over_pages"] == 1
    assert document.pages[1].blocks[0].joint in (" ", "")


def test_a_page_stored_on_its_side_reads_like_an_upright_one(tmp_path):
    paper = Paper(tmp_path / "turned.pdf")
    paper.canvas.setPageRotation(90)
    paper.canvas.translate(595, 0)
    paper.canvas.rotate(90)
    for number, line in enumerate(wrapped(BODY, 400)):
        paper.canvas.setFont("HYSMyeongJo-Medium", 10)
        paper.canvas.drawString(60, 500 - 14 * number, line)
    assert paragraphs(read_pdf(paper.save())) == [BODY]


# -- lines --------------------------------------------------------------------------------------
@pytest.mark.parametrize("by_words", [True, False])
def test_broken_lines_become_the_text_that_they_were(tmp_path, by_words):
    paper = Paper(tmp_path / "lines.pdf")
    paper.lines(wrapped(BODY, 300, by_words), 60, 60)
    document = read_pdf(paper.save())
    assert paragraphs(document) == [BODY]
    assert document.changes["lines_with_space"] >= 3
    assert bool(document.changes["lines_without_space"]) != by_words


def test_list_items_titles_and_gaps_begin_paragraphs(tmp_path):
    paper = Paper(tmp_path / "list.pdf")
    items = ["제1조(목적) 이 계약은 다음과 같습니다.", *(f"{n}. {SENTENCES[n]}" for n in (1, 2)), f"가. {SENTENCES[3]}"]
    top = 60.0
    for item in items:
        top = paper.lines(wrapped(item, 220), 60, top)
    paper.lines(["끝맺는 말"], 60, top + 30)
    assert paragraphs(read_pdf(paper.save())) == [*items, "끝맺는 말"]


def test_a_hyphen_of_a_line_break_goes_and_is_counted(tmp_path):
    paper = Paper(tmp_path / "hyphen.pdf")
    paper.lines(["The insurer will pay the agreed compen-", "sation to the beneficiary of the contract"], 60, 60)
    document = read_pdf(paper.save())
    assert "compensation to" in document.text
    assert document.changes["hyphens"] == 1


def test_spaced_syllables_are_mended_and_counted(tmp_path):
    paper = Paper(tmp_path / "spaced.pdf")
    paper.lines(["월 드 투 어 를 시 작 한 다 고 밝 혔 다."], 60, 60)
    document = read_pdf(paper.save())
    assert document.text == "월드 투어를 시작한다고 밝혔다."
    assert document.changes["spaced_syllables"] == 1


def test_decomposed_letters_are_composed_and_invisible_ones_removed(tmp_path):
    paper = Paper(tmp_path / "letters.pdf")
    paper.lines(["보험금\u200b 지급"], 60, 60)
    document = read_pdf(paper.save())
    assert document.text == "보험금 지급"
    assert unicodedata.is_normalized("NFC", document.text)


# -- headers, footers, tables ----------------------------------------------------------------------
def test_headers_footers_and_page_numbers_go_and_are_counted(tmp_path):
    paper = Paper(tmp_path / "running.pdf")
    for number in range(1, 6):
        paper.lines(["해외여행보험 보통약관"], 60, 30)
        paper.lines(wrapped(SENTENCES[number - 1], 300, by_words=True), 60, 120)
        paper.lines([f"- {number} -"], 290, HEIGHT - 40)
        paper.next_page()
    document = read_pdf(paper.save())
    assert paragraphs(document) == list(SENTENCES)
    assert (document.changes["running_lines"], document.changes["page_numbers"]) == (5, 5)


def test_a_line_that_comes_back_in_the_middle_of_pages_stays(tmp_path):
    paper = Paper(tmp_path / "refrain.pdf")
    for number in range(4):
        paper.lines(["해외여행보험 보통약관"], 60, 400)
        paper.lines([SENTENCES[number][:20]], 60, 120)
        paper.next_page()
    assert read_pdf(paper.save()).text.count("해외여행보험 보통약관") == 4


def test_a_ruled_table_becomes_markdown_in_its_place(tmp_path):
    rows = [["구분", "토요일", "평일"], ["3월", "17:00", "18:30"], ["4월", "14:00", "18:30"]]
    paper = Paper(tmp_path / "table.pdf")
    top = paper.lines(["경기개시 시간"], 60, 60)
    top = paper.table(rows, 60, top + 10)
    paper.lines(["어린이날은 14:00에 시작합니다."], 60, top + 10)
    document = read_pdf(paper.save())
    before, table, after = document.pages[0].blocks
    assert (before.text, after.text) == ("경기개시 시간", "어린이날은 14:00에 시작합니다.")
    assert [list(row) for row in table.rows] == rows
    assert table.text.splitlines()[:3] == ["| 구분 | 토요일 | 평일 |", "| --- | --- | --- |", "| 3월 | 17:00 | 18:30 |"]
    assert document.changes["tables"] == 1


def test_a_cell_over_two_rows_stands_in_both(tmp_path):
    paper = Paper(tmp_path / "spanning.pdf")
    paper.table([["구분", "시간"], ["3월", ""], ["4월", ""]], 60, 60)
    # Paint over the line between the two empty cells by drawing the table's lines anew.
    paper = Paper(tmp_path / "spanning.pdf")
    y0 = HEIGHT - 60
    for y, start in ((0, 60), (18, 60), (36, 60), (54, 60)):
        paper.canvas.line(start, y0 - y, 140 if y == 36 else 220, y0 - y)
    for x in (60, 140, 220):
        paper.canvas.line(x, y0, x, y0 - 54)
    for text, x, y in (("구분", 63, 13), ("시간", 143, 13), ("3월", 63, 31), ("4월", 63, 49), ("17:00", 143, 40)):
        paper.canvas.setFont("HYSMyeongJo-Medium", 10)
        paper.canvas.drawString(x, y0 - y, text)
    document = read_pdf(paper.save())
    assert document.pages[0].tables[0].rows == (("구분", "시간"), ("3월", "17:00"), ("4월", "17:00"))
    assert document.changes["spanning_cells"] == 1


def test_a_table_without_lines_is_seen_by_its_gaps(tmp_path):
    rows = [("구분", "가입금액", "보험료"), ("사망", "일억 원", "3,000원"), ("후유장해", "오천만 원", "1,200원")]
    paper = Paper(tmp_path / "gaps.pdf")
    for number, row in enumerate(rows):
        for cell, left in zip(row, (60, 200, 340), strict=True):
            paper.lines([cell], left, 60 + 14 * number)
    assert [block.rows for block in read_pdf(paper.save()).pages[0].blocks] == [tuple(rows)]


def test_a_frame_around_text_is_no_table(tmp_path):
    paper = Paper(tmp_path / "frame.pdf")
    paper.canvas.rect(50, HEIGHT - 140, 400, 100)
    paper.lines(wrapped(SENTENCES[0], 300), 60, 60)
    assert paragraphs(read_pdf(paper.save())) == [SENTENCES[0]]


# -- what cannot be read ---------------------------------------------------------------------------
def test_scanned_and_empty_pages_are_told_apart_and_reported(tmp_path):
    paper = Paper(tmp_path / "scan.pdf")
    paper.lines([SENTENCES[0]], 60, 60)
    paper.next_page()
    paper.image()
    paper.next_page()
    paper.canvas.showPage()
    document = read_pdf(paper.save())
    assert [page.kind for page in document.pages] == ["text", "scanned", "empty"]
    [notice] = document.notices
    assert notice.key == "documents.notice.scanned"
    assert "1쪽" in str(notice) and "(2쪽)" in str(notice) and "recognise" in str(notice)


def test_an_empty_password_is_no_obstacle_and_another_is_asked_for(tmp_path):
    open_to_all = Paper(tmp_path / "owner.pdf", StandardEncryption("", ownerPassword="주인", strength=128))
    open_to_all.lines([SENTENCES[0]], 60, 60)
    assert read_pdf(open_to_all.save()).text == SENTENCES[0]
    locked = Paper(tmp_path / "locked.pdf", StandardEncryption("geheim", strength=128))
    locked.lines([SENTENCES[0]], 60, 60)
    path = locked.save()
    with pytest.raises(DataError, match="qpdf") as caught:
        read_pdf(path)
    assert caught.value.key == "documents.encrypted"
    with pytest.raises(DataError) as caught:
        read_pdf(path, password="falsch")
    assert caught.value.key == "documents.wrong_password"
    assert read_pdf(path, password="geheim").text == SENTENCES[0]


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"", "empty_file"),
        (b" \n", "empty_file"),
        (b"PK\x03\x04 a zip file", "not_a_pdf"),
        (b"%PDF-1.4\nnothing of a PDF follows", "broken_pdf"),
    ],
)
def test_what_is_no_readable_pdf_is_one_clear_error(tmp_path, content, key):
    path = tmp_path / "문서.pdf"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_pdf(path)
    assert caught.value.key == f"documents.{key}"
    assert "문서.pdf" in str(caught.value)


def test_a_missing_file_and_a_folder_are_clear_errors(tmp_path):
    for path, key in ((tmp_path / "none.pdf", "missing_file"), (tmp_path, "is_folder")):
        with pytest.raises(DataError) as caught:
            read_pdf(path)
        assert caught.value.key == f"documents.{key}"


def many_pages(path: Path, num_pages: int) -> Path:
    paper = Paper(path)
    body = wrapped(" ".join(SENTENCES[:2]), 300)
    for number in range(num_pages):
        paper.lines([f"{number + 1}번째 쪽의 글입니다.", *body], 60, 150)
        paper.next_page()
    return paper.save()


def test_a_file_without_its_end_is_read_and_reported(tmp_path):
    path = many_pages(tmp_path / "cut.pdf", 5)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"%%EOF")])
    document = read_pdf(path)
    assert [page.kind for page in document.pages] == ["text"] * 5
    [notice] = document.notices
    assert notice.key == "documents.notice.cut_off" and "5쪽" in str(notice)


def test_a_file_of_which_half_is_missing_is_one_clear_error(tmp_path):
    path = many_pages(tmp_path / "half.pdf", 5)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="qpdf") as caught:
        read_pdf(path)
    assert caught.value.key == "documents.broken_pdf"


def test_a_page_that_fails_is_named_and_the_others_are_kept(tmp_path):
    path = many_pages(tmp_path / "page.pdf", 3)
    content = path.read_bytes()
    pages = [found.start() for found in re.finditer(rb"/Type /Page\b(?!s)", content)]
    # As long as before, so that the table of offsets stays right.
    damaged = content[: pages[1]] + b"/Type /Pxge" + content[pages[1] + 11 :]
    path.write_bytes(damaged)
    document = read_pdf(path)
    assert [page.kind for page in document.pages] == ["text", "failed", "text"]
    [notice] = document.notices
    assert notice.key == "documents.notice.failed" and notice.values["pages"] == "2"
    assert "3번째 쪽" in document.pages[2].text


# -- size, identity, recognition -------------------------------------------------------------------
PROGRAM = """
import json, resource, sys
from pathlib import Path
from dadeum.documents.pdf import read_pdf
peaks = []
for name in sys.argv[1:]:
    document = read_pdf(Path(name))
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(json.dumps({"peaks": peaks, "pages": len(document.pages), "last": document.pages[-1].text[:12]}))
"""


def test_a_thousand_pages_take_little_memory(tmp_path):
    few, many = many_pages(tmp_path / "few.pdf", 10), many_pages(tmp_path / "many.pdf", 1000)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, "-c", PROGRAM, few, many]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["pages"], told["last"]) == (1000, "1000번째 쪽의 글입")
    # The first reading has paid for Python, Kiwi and PDFium.
    assert told["peaks"][1] - told["peaks"][0] < 150


def test_the_id_follows_name_and_content_and_not_the_place(tmp_path):
    path = many_pages(tmp_path / "보험 약관.pdf", 1)
    elsewhere = tmp_path / "other" / unicodedata.normalize("NFD", path.name)
    elsewhere.parent.mkdir()
    shutil.copy(path, elsewhere)
    assert read_pdf(path).id == read_pdf(elsewhere).id
    assert re.fullmatch("보험-약관-[0-9a-f]{8}", read_pdf(path).id)
    path.write_bytes(path.read_bytes() + b"\n")
    assert read_pdf(path).id != read_pdf(elsewhere).id


def test_recognition_without_tesseract_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    ocr.check_installed.cache_clear()
    with pytest.raises(MissingExtra, match="tesseract-ocr-kor"):
        read_pdf(many_pages(tmp_path / "scan.pdf", 1), recognise=True)


def test_recognised_pages_are_text_and_marked(tmp_path, monkeypatch):
    # In the place of tesseract a program that answers as it does.
    program = tmp_path / "bin" / "tesseract"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\nif [ \"$1\" = --list-langs ]; then printf 'kor\\neng\\n'; exit; fi\n"
        "head -c 2 > /dev/null; cat > /dev/null\nprintf '보험금을 지급\\n합니다.\\n\\n둘째 문단입니다.\\n\\f'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    ocr.check_installed.cache_clear()
    paper = Paper(tmp_path / "scan.pdf")
    paper.image()
    document = read_pdf(paper.save(), recognise=True)
    ocr.check_installed.cache_clear()
    [page] = document.pages
    assert page.kind == "scanned" and page.was_recognised
    assert [block.text for block in page.blocks] == ["보험금을 지급합니다.", "둘째 문단입니다."]
    assert [notice.key for notice in document.notices] == ["documents.notice.recognised"]


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_tesseract_reads_a_scanned_page(tmp_path):
    ocr.check_installed.cache_clear()
    paper = Paper(tmp_path / "text.pdf")
    paper.lines(["HELLO 2026"], 60, 60, size=30)
    from dadeum.documents.pdf_pages import open_pdf

    with open_pdf(paper.save()) as opened:
        assert "2026" in " ".join(line for lines in ocr.recognised(opened, 1) for line in lines)


# -- real files --------------------------------------------------------------------------------------
needs_real = pytest.mark.skipif(not REAL.exists(), reason="the shared PDFs are not here")


@needs_real
def test_the_table_of_a_real_pdf_has_a_time_in_every_cell():
    document = read_pdf(REAL / "kbo_table_text.pdf")
    [table] = document.pages[0].tables
    assert table.rows[0] == ("구분", "토요일", "일요일/공휴일", "평일")
    assert table.rows[4] == ("6월", "17:00", "17:00", "18:30")
    assert len(table.rows) == 9 and all(all(row) for row in table.rows)
    # Broken inside words there: "9회/까지", "서/스펜디드"; the page number is gone.
    assert "9회까지 경기속행이" in document.text and "서스펜디드 경기로" in document.text
    assert document.changes["page_numbers"] == 1 and not document.text.rstrip().endswith("12")


@needs_real
def test_every_line_break_of_a_real_pdf_is_mended():
    document = read_pdf(REAL / "korean_texts_two_page.pdf")
    assert document.changes["lines_with_space"] == 46 and not document.changes["lines_without_space"]
    assert "보험회사(이하 ‘회사’라 합니다) 사이에" in document.text
    starts = [block.text.split()[0] for block in document.pages[0].blocks]
    assert starts[:4] == ["【보통약관】", "제1관", "제1조(목적)", "제2조(용어의"]
    assert starts.count("가.") == 4 and "마." in starts
