from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadeum.core.errors import DataError
from dadeum.data.reading.text_tables import find_delimiter, read_csv, read_json, read_json_lines

PATH = Path("mail.csv")


def test_csv_rows_carry_the_line_they_begin_on() -> None:
    text = '제목,라벨\r\n첫째,스팸\r\n\r\n"두\n줄",정상\r\n셋째,정상\r\n'
    columns, numbers, rows, bad = read_csv(text, PATH)
    assert columns == ["제목", "라벨"]
    assert numbers == [2, 4, 6]
    assert rows == [["첫째", "스팸"], ["두\n줄", "정상"], ["셋째", "정상"]]
    assert bad == []


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=2, max_size=2)))
def test_what_python_writes_as_csv_is_read_back(rows: list[list[str]]) -> None:
    import io

    buffer = io.StringIO()
    csv.writer(buffer).writerows([["a", "b"], *rows])
    assert read_csv(buffer.getvalue(), PATH)[2] == rows


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_the_one_that_cuts_evenly(delimiter: str) -> None:
    lines = [["제목", "라벨"], ["안내, 확인", "스팸"], ["가; 나", "정상"]]
    text = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    assert find_delimiter(text) == delimiter


def test_a_ragged_row_is_bad_with_line_and_cell_counts() -> None:
    _, numbers, _, bad = read_csv("제목,라벨\n안내, 확인,스팸\n둘째,정상\n짧다\n", PATH)
    assert numbers == [3]
    assert [(row.number, row.reason, row.detail) for row in bad] == [
        (2, "ragged_row", "3 ≠ 2"),
        (4, "ragged_row", "1 ≠ 2"),
    ]


def test_a_stray_quote_is_a_bad_row_and_reading_goes_on() -> None:
    _, numbers, rows, bad = read_csv('a,b\n"x"y,1\nz,2\n', PATH)
    assert [(row.number, row.reason, row.text) for row in bad] == [(2, "broken_quote", '"x"y,1')]
    assert (numbers, rows) == ([3], [["z", "2"]])


def test_an_open_quote_is_an_error_that_names_its_line() -> None:
    with pytest.raises(DataError) as caught:
        read_csv('a,b\nx,1\n"y,2\nz,3\n', PATH)
    assert caught.value.key == "data.open_quote"
    assert caught.value.values["line"] == 3


def test_reading_csv_leaves_the_csv_module_as_it_was() -> None:
    before = csv.field_size_limit()
    _, _, rows, _ = read_csv("a,b\n" + "x" * 300_000 + ",1\n", PATH)
    assert len(rows[0][0]) == 300_000
    assert csv.field_size_limit() == before


def test_an_unnamed_column_is_called_by_its_position() -> None:
    assert read_csv("제목,,\n가,나,다\n", PATH)[0] == ["제목", "(2)", "(3)"]


def test_json_lines_give_all_keys_and_line_numbers() -> None:
    text = '{"제목": "가"}\n\n{"제목": "나", "라벨": 1}\r\n'
    columns, numbers, rows, bad = read_json_lines(text)
    assert (columns, numbers, rows, bad) == (["제목", "라벨"], [1, 3], [["가", None], ["나", 1]], [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"a": 1', "broken_json"),
        ('{"a": 1} x', "broken_json"),
        ("[1, 2]", "not_an_object"),
        ('"text"', "not_an_object"),
        ('{"a": 1, "a": 2}', "duplicate_key"),
        ('{"a": "\\ud83d"}', "broken_json"),
        ('{"a": ' + "[" * 100_000, "broken_json"),
        ('{"a": ' + "9" * 10_000 + "}", "broken_json"),
    ],
)
def test_a_bad_json_line_is_listed_with_its_number(line: str, reason: str) -> None:
    _, numbers, _, bad = read_json_lines(f'{{"a": 0}}\n{line}\n{{"a": 3}}')
    assert numbers == [1, 3]
    assert [(row.number, row.reason) for row in bad] == [(2, reason)]


def test_an_emoji_written_as_two_escapes_is_fine() -> None:
    assert read_json_lines('{"a": "\\ud83d\\ude00"}')[2] == [["😀"]]


def test_a_separator_inside_a_json_string_does_not_end_the_line() -> None:
    assert read_json_lines('{"a": "x\u2028y"}')[2] == [["x\u2028y"]]


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"version": 1, "data": rows}])
def test_json_arrays_and_objects_around_one(wrap: object) -> None:
    text = json.dumps(wrap([{"a": 1}, {"b": 2}]), indent=1)  # type: ignore[operator]
    columns, numbers, rows, bad = read_json(text, PATH)
    assert (columns, numbers, rows, bad) == (["a", "b"], [1, 2], [[1, None], [None, 2]], [])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[{"a": 1},\n {"a": 2,}\n]', "data.json_broken"),
        ('{"a": 1, "b": "x"}', "data.json_not_rows"),
        ('{"a": [{"x": 1}], "b": [{"x": 2}]}', "data.json_not_rows"),
        ('[{"a": 1, "a": 2}]', "data.json_two_keys"),
        ("[" * 100_000, "data.json_broken"),
        ("3", "data.json_not_rows"),
    ],
)
def test_json_that_holds_no_rows_is_one_error(text: str, key: str) -> None:
    with pytest.raises(DataError) as caught:
        read_json(text, PATH)
    assert caught.value.key == key


def test_broken_json_names_the_line() -> None:
    with pytest.raises(DataError) as caught:
        read_json('[{"a": 1},\n {"a" 2}\n]', PATH)
    assert caught.value.values["line"] == 2


def test_an_array_item_that_is_no_object_is_a_bad_row() -> None:
    _, numbers, _, bad = read_json('[{"a": 1}, 5, {"a": 2}]', PATH)
    assert numbers == [1, 3]
    assert [(row.number, row.reason, row.detail) for row in bad] == [(2, "not_an_object", "int")]
