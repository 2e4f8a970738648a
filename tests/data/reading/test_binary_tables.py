from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dadeum.core.errors import DataError
from dadeum.data.reading.binary_tables import read_parquet, read_xlsx


def xlsx(path: Path, **sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["mail.parquet", "메일[1]*.parquet", "no-extension"])
def test_parquet_rows_are_numbered_from_one_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    pq.write_table(pa.table({"제목": ["가", None], "첨부": [["a.pdf"], []], "수": [1, 2]}), path)
    columns, numbers, rows, bad = read_parquet(path)
    assert (columns, numbers, bad) == (["제목", "첨부", "수"], [1, 2], [])
    assert rows == [["가", ["a.pdf"], 1], [None, [], 2]]


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"PAR1" + b"x" * 40 + b"PAR1"])
def test_a_damaged_parquet_file_is_one_error(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "mail.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(DataError) as caught:
        read_parquet(path)
    assert caught.value.key == "data.damaged"


def test_xlsx_rows_are_numbered_as_in_the_sheet(tmp_path: Path) -> None:
    path = tmp_path / "mail.xlsx"
    content = xlsx(path, 메일=[[], ["제목", "라벨", "날짜"], ["가", "스팸", date(2024, 1, 2)], ["나"]], 빈시트=[])
    columns, numbers, rows, bad = read_xlsx(content, path)
    assert columns == ["제목", "라벨", "날짜"]
    assert numbers == [3, 4]
    assert rows[0][:2] == ["가", "스팸"]
    assert rows[1] == ["나", None, None]
    assert bad == []


def test_an_xlsx_row_wider_than_its_header_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "mail.xlsx"
    _, numbers, _, bad = read_xlsx(xlsx(path, a=[["제목"], ["가", "스팸"], ["나"]]), path)
    assert numbers == [3]
    assert [(row.number, row.reason) for row in bad] == [(2, "ragged_row")]


def test_two_sheets_with_rows_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mail.xlsx"
    with pytest.raises(DataError) as caught:
        read_xlsx(xlsx(path, 일월=[["a"], [1]], 이월=[["a"], [2]]), path)
    assert caught.value.key == "data.many_sheets"
    assert caught.value.values["sheets"] == "일월, 이월"


def test_a_damaged_xlsx_file_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "mail.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<broken")
        archive.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(DataError) as caught:
        read_xlsx(path.read_bytes(), path)
    assert caught.value.key == "data.damaged"
