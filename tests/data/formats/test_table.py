from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from dadeum.core.errors import DataError
from dadeum.data.corpus import Given, read_corpus
from tests.data.conftest import write_csv
from tests.data.formats.conftest import ReadRows, only

MAIL_HEADER = ("수신일자", "수신시간", "메일 종류", "제목", "첨부")


def test_a_postal_list_is_a_decision(tmp_path: Path) -> None:
    rows = [
        ("2024-01-01", "00:20:30", "스팸", "보험 안내", "안내.docx (16 K), 약관.pdf (3 K)"),
        ("2024-01-02", "08:00:00", "스팸", "대출 상담", ""),
    ]
    corpus = read_corpus([Given(write_csv(tmp_path / "mail.csv", [MAIL_HEADER, *rows], "utf-8-sig"))])
    first, second = corpus.splits["train"]
    assert corpus.task == "decide"
    assert (first.label, first.text) == ("스팸", "보험 안내\n안내.docx, 약관.pdf")
    assert first.prompt == [{"role": "user", "content": first.text}]
    assert first.completion == [{"role": "assistant", "content": "스팸"}]
    assert first.extra == {"time": "2024-01-01 00:20:30"}
    assert second.text == "대출 상담"
    assert corpus.files[0].columns == {"text": "제목, 첨부", "label": "메일 종류", "time": "수신일자, 수신시간"}
    assert any(note.key == "data.note.label_by_name" for note in corpus.notes)


def test_a_label_for_the_whole_file(read_rows: ReadRows) -> None:
    row = {"title": "수강 신청", "attachments": ["a.hwp"], "board": "학사", "created_at": "2024-01-01T00:00:00"}
    corpus = read_rows([row], label="ALLOW")
    example = only(corpus)
    assert (corpus.task, example.label, example.origin) == ("decide", "ALLOW", "학사")
    assert example.text == "수강 신청\na.hwp"
    assert example.extra == {"time": "2024-01-01T00:00:00", "origin": "학사"}
    assert read_rows([row]).task == "text"


def test_a_given_label_beats_the_column(read_rows: ReadRows) -> None:
    example = only(read_rows([{"text": "가", "label": "스팸"}], label="BLOCK"))
    assert (example.label, example.extra) == ("BLOCK", {"label": "스팸"})


def test_conversations_take_no_label(read_rows: ReadRows) -> None:
    with pytest.raises(DataError) as raised:
        read_rows([{"messages": [{"role": "user", "content": "가"}]}], label="BLOCK")
    assert raised.value.key == "data.label_not_possible"


def test_texts_without_labels_have_no_answer(read_rows: ReadRows) -> None:
    corpus = read_rows([{"id": 1, "text": "첫 글입니다"}, {"id": 2, "text": "둘째 글입니다"}])
    example = corpus.splits["train"][0]
    assert corpus.task == "text"
    assert (example.text, example.completion, example.extra) == ("첫 글입니다", [], {"id": "1"})


def test_reviews_in_a_column_document_are_the_text(read_rows: ReadRows) -> None:
    rows = [{"id": n, "document": f"정말 재미있게 본 영화였습니다 {n}", "label": n % 2} for n in range(4)]
    example = read_rows(rows).splits["train"][1]
    assert (example.text, example.label, example.extra) == ("정말 재미있게 본 영화였습니다 1", "1", {"id": "1"})


def test_few_short_values_that_repeat_are_guessed_to_be_the_label(read_rows: ReadRows) -> None:
    rows = [{"문의": f"배송이 언제 되나요 {n}", "종별": ["배송", "환불"][n % 2], "조회수": n} for n in range(40)]
    corpus = read_rows(rows)
    example = corpus.splits["train"][0]
    assert (corpus.task, example.label) == ("decide", "배송")
    assert (example.text, example.extra) == ("배송이 언제 되나요 0", {"조회수": "0"})
    assert any(note.key == "data.note.label_by_content" for note in corpus.notes)
    assert read_rows(rows, "text").task == "text"


def test_two_candidates_are_no_guess(read_rows: ReadRows) -> None:
    rows = [{"문의": f"배송 질문 {n}", "종별": ["배송", "환불"][n % 2], "등급": ["상", "하"][n % 2]} for n in range(40)]
    assert read_rows(rows).task == "text"


def test_a_long_target_is_no_label(read_rows: ReadRows) -> None:
    rows = [
        {"text": f"짧은 글 {n}", "target": f"이것은 라벨이라기에는 너무나 길고 저마다 다른 글입니다, 번호는 {n}" * 2}
        for n in range(5)
    ]
    assert read_rows(rows).task == "text"


def test_rows_without_label_or_text_are_listed(read_rows: ReadRows) -> None:
    rows = [{"text": "가", "label": "a"}, {"text": "나", "label": ""}, {"label": "a"}, {"text": 3, "label": "a"}]
    corpus = read_rows(rows)
    assert [(row.id, row.reason) for row in corpus.unread] == [
        ("rows:2", "missing_label"), ("rows:3", "missing_field"), ("rows:4", "wrong_type"),
    ]  # fmt: skip


def test_a_class_may_be_called_none(read_rows: ReadRows) -> None:
    assert only(read_rows([{"comments": "좋은 글", "label": "none"}])).label == "none"


def test_an_object_is_no_label(read_rows: ReadRows) -> None:
    rows = [{"sentence1": f"앞 문장 {n}", "sentence2": f"뒤 문장 {n}", "labels": {"label": 3.7}} for n in range(4)]
    corpus = read_rows(rows)
    assert (corpus.task, corpus.splits["train"][0].text) == ("text", "앞 문장 0\n뒤 문장 0")


def test_an_answerer_is_no_answer(read_rows: ReadRows) -> None:
    assert read_rows([{"제목": "배송 문의", "답변자": "김민수"}]).task == "text"


def test_numbers_alone_are_nothing_to_train_on(read_rows: ReadRows) -> None:
    with pytest.raises(DataError, match="height, weight") as raised:
        read_rows([{"height": 170, "weight": 60}])
    assert raised.value.key == "data.unknown_shape"


def test_a_spreadsheet_may_turn_text_into_numbers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (("question", "answer"), ("올해는 몇 년인가요?", 2024), ("이름은?", "다듬")):
        book.active.append(row)
    book.save(tmp_path / "rows.xlsx")
    corpus = read_corpus([Given(tmp_path / "rows.xlsx")])
    assert corpus.splits["train"][0].completion[0]["content"] == "2024"
    assert corpus.files[0].container == "xlsx"


def test_labels_may_stand_in_brackets(read_rows: ReadRows) -> None:
    rows = [{"제목": f"{n}번 안내문", "분류": ("[공지]", "[광고]")[n % 2]} for n in range(8)]
    assert {example.label for example in read_rows(rows).splits["train"]} == {"[공지]", "[광고]"}
    lists = [{"제목": f"{n}번 안내문", "분류": "['공지', '광고']"} for n in range(8)]
    assert read_rows(lists).task == "text"


def test_a_column_called_label_that_is_none_is_spoken_of(read_rows: ReadRows) -> None:
    corpus = read_rows([{"text": f"{n}번 글", "label": f"L{n}"} for n in range(100)])
    [note] = [note for note in corpus.notes if note.key == "data.note.label_refused"]
    assert corpus.task == "text"
    assert (note.values["column"], note.values["num"], note.values["looked"]) == ("label", 100, 100)
