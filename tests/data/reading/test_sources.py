from __future__ import annotations

import json
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dadeum.core.errors import DataError
from dadeum.core.messages import LANGUAGES, Message
from dadeum.core.recipe import Source
from dadeum.data.reading.sources import read_source
from dadeum.data.rows import Table

ROWS = [("안내 메일입니다", "스팸"), ("회의록, 2차", "정상")]
CSV = '제목,라벨\n안내 메일입니다,스팸\n"회의록, 2차",정상\n'
JSONL = "\n".join(json.dumps({"제목": subject, "라벨": label}, ensure_ascii=False) for subject, label in ROWS)


def read(path: Path, **settings: str) -> Table:
    return read_source(Source.model_validate({"path": str(path), **settings}))


def refused(path: Path, **settings: str) -> DataError:
    """The error that reading gives; its sentence must hold the file's name in both languages."""
    with pytest.raises(DataError) as caught:
        read(path, **settings)
    for language in LANGUAGES:
        assert path.name in caught.value.in_language(language)
        assert "\n" not in caught.value.in_language(language)
    return caught.value


def table_file(path: Path, kind: str) -> None:
    """The same two rows in any format, under any name."""
    if kind == "parquet":
        pq.write_table(pa.table({"제목": [row[0] for row in ROWS], "라벨": [row[1] for row in ROWS]}), path)
    elif kind == "xlsx":
        book = openpyxl.Workbook()
        for row in [("제목", "라벨"), *ROWS]:
            book.active.append(row)
        with path.open("wb") as file:
            book.save(file)
    else:
        texts = {
            "csv": CSV,
            "tsv": "제목\t라벨\n안내 메일입니다\t스팸\n회의록, 2차\t정상\n",
            "jsonl": JSONL,
            "json": json.dumps(
                [{"제목": subject, "라벨": label} for subject, label in ROWS], ensure_ascii=False, indent=1
            ),
        }
        path.write_text(texts[kind], encoding="utf-8")


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json", "parquet", "xlsx"])
@pytest.mark.parametrize("name", ["right", "data.txt", "data", "data.csv", "data.json"])
def test_the_content_tells_the_format_not_the_name(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / (f"data.{kind}" if name == "right" else name)
    table_file(path, kind)
    table = read(path)
    assert table.format == ("csv" if kind == "tsv" else kind)
    assert table.columns == ["제목", "라벨"]
    assert [tuple(row) for row in table.rows] == ROWS
    assert table.num_rows == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le"])
def test_every_encoding_gives_the_same_table(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "mail.csv"
    path.write_bytes(CSV.encode(encoding))
    table = read(path)
    assert table.columns == ["제목", "라벨"]
    assert [tuple(row) for row in table.rows] == ROWS
    assert table.encoding == encoding


def test_decomposed_column_names_are_composed(tmp_path: Path) -> None:
    path = tmp_path / "mail.csv"
    path.write_text("\u110c\u1166\u1106\u1169\u11a8,라벨\n가,나\n", encoding="utf-8")
    assert read(path).columns == ["제목", "라벨"]


def test_a_csv_with_one_column_needs_a_name_that_says_csv(tmp_path: Path) -> None:
    path = tmp_path / "mail.csv"
    path.write_text("제목\n안내\n", encoding="utf-8")
    assert read(path).rows == [["안내"]]
    assert refused(path.rename(tmp_path / "mail.dat")).key == "data.unknown_format"


def test_a_header_that_begins_with_a_bracket_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "mail.csv"
    path.write_text("[제목],라벨\n가,나\n", encoding="utf-8")
    assert read(path).columns == ["[제목]", "라벨"]


def test_a_line_of_jsonl_that_is_broken_does_not_make_it_csv(tmp_path: Path) -> None:
    path = tmp_path / "mail.jsonl"
    path.write_text("oops, not json\n" + JSONL, encoding="utf-8")
    table = read(path)
    assert table.format == "jsonl"
    assert [(row.number, row.reason) for row in table.bad] == [(1, "broken_json")]


# -- bad input ------------------------------------------------------------------------------------
def test_a_missing_file_gets_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "block_list.csv").write_text(CSV, encoding="utf-8")
    error = refused(tmp_path / "blocklist.csv")
    assert error.key == "data.missing_file"
    assert error.values["near"] == Message("data.nearest", {"near": "block_list.csv"})
    assert refused(tmp_path / "nowhere" / "x.csv").values["near"] == Message("data.no_nearest")


def test_a_directory_lists_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-8")
    error = refused(tmp_path)
    assert (error.key, error.values["files"]) == ("data.is_directory", "a.csv")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n\n", "\ufeff".encode("utf-16-le")])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mail.csv"
    path.write_bytes(content)
    assert refused(path).key == "data.empty_file"


@pytest.mark.parametrize(("name", "text"), [("a.csv", "제목,라벨\n"), ("b.json", "[]"), ("c.csv", "제목,라벨")])
def test_a_header_without_rows(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert refused(path).key == "data.header_only"


def test_an_xlsx_with_a_header_only(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["제목", "라벨"])
    book.save(tmp_path / "mail.xlsx")
    assert refused(tmp_path / "mail.xlsx").key == "data.header_only"


def test_two_columns_with_one_name(tmp_path: Path) -> None:
    path = tmp_path / "mail.csv"
    path.write_text("제목,라벨, 제목\n가,나,다\n", encoding="utf-8")
    error = refused(path)
    assert (error.key, error.values["column"]) == ("data.two_columns", "제목")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mail.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100),
        ("mail.csv.gz", b"\x1f\x8b\x08\x00" + b"x" * 20),
        ("mail.xls", "<html><table><tr><td>제목</td></tr></table></html>".encode()),
        ("mail.md", "그냥 글입니다\n두 번째 줄".encode()),
    ],
)
def test_what_is_no_table_is_named_as_such(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refused(path).key == "data.unknown_format"


def test_a_pdf_is_a_source_and_not_training_data(tmp_path: Path) -> None:
    path = tmp_path / "mail.csv"
    path.write_bytes(b"%PDF-1.7 ...")
    assert refused(path).key == "data.is_pdf"


def test_another_zip_file_is_no_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "mail.hwpx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Contents/section0.xml", "<x/>")
    assert refused(path).key == "data.unknown_format"


@pytest.mark.parametrize("name", ["mail.parquet", "mail.xlsx"])
def test_a_parquet_or_xlsx_file_that_is_neither(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(bytes(range(256)) * 4)
    assert refused(path).key == "data.damaged"
    path.write_bytes(b"PK\x03\x04" + b"x" * 30)
    assert refused(path).key == "data.damaged"


def test_a_wrong_given_encoding(tmp_path: Path) -> None:
    path = tmp_path / "mail.csv"
    path.write_bytes(CSV.encode("cp949"))
    assert refused(path, encoding="utf-8").key == "data.encoding_wrong"


def test_a_broken_json_file_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mail.json"
    path.write_text('[\n{"a": 1},\n{"a": }\n]', encoding="utf-8")
    error = refused(path)
    assert (error.key, error.values["line"]) == ("data.json_broken", 3)


def test_a_cell_over_a_million_characters_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "mail.csv"
    path.write_text(f"제목,라벨\n가,스팸\n{'x' * 1_000_001},스팸\n", encoding="utf-8")
    table = read(path)
    assert len(table.rows) == 1
    assert [(row.number, row.reason, row.detail) for row in table.bad] == [(3, "huge_cell", "제목: 1,000,001")]
    assert len(table.bad[0].text) < 300


def test_a_huge_list_in_json_is_a_bad_row_too(tmp_path: Path) -> None:
    path = tmp_path / "mail.jsonl"
    path.write_text(JSONL + "\n" + json.dumps({"제목": "가", "라벨": ["y" * 1_000_001]}), encoding="utf-8")
    assert [(row.number, row.reason) for row in read(path).bad] == [(3, "huge_cell")]


def test_rows_of_nothing_but_commas_are_blank(tmp_path: Path) -> None:
    path = tmp_path / "mail.csv"
    path.write_text("제목,라벨\n가,스팸\n,\n , \n", encoding="utf-8")
    table = read(path)
    assert [(row.number, row.reason) for row in table.bad] == [(3, "blank_row"), (4, "blank_row")]
    assert table.num_rows == 3


def test_the_message_ends_with_what_to_do(tmp_path: Path) -> None:
    sentence = refused(tmp_path / "none.csv").in_language("ko")
    assert sentence.endswith("고치세요.")


@pytest.mark.parametrize(("name", "columns"), [("one.jsonl", ["id", "turns"]), ("one.json", ["speaker", "text"])])
def test_one_line_that_holds_a_list_is_what_its_name_says(tmp_path: Path, name: str, columns: list[str]) -> None:
    row = {"id": "1", "turns": [{"speaker": "가", "text": "안녕"}, {"speaker": "나", "text": "응"}]}
    (tmp_path / name).write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    assert read_source(Source(path=str(tmp_path / name))).columns == columns
