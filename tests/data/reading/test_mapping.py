from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import DataError
from dadeum.core.messages import LANGUAGES, Message
from dadeum.core.recipe import Source
from dadeum.core.task import Decide
from dadeum.data.reading.mapping import SourceRows, read_rows

NEAR_BLOCK = Message("data.nearest", {"near": "BLOCK"})
MailFile = Callable[..., Path]


def rows_of(path: Path, task: Decide, seed: int = 1, **source: Any) -> SourceRows:
    return read_rows(Source.model_validate({"path": str(path), **source}), task, seed)


def refused(path: Path, task: Decide, **source: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        rows_of(path, task, **source)
    for language in LANGUAGES:
        assert path.name in caught.value.in_language(language)
    return caught.value


def test_rows_have_ids_by_line_fields_label_and_text(mail_file: MailFile, task: Decide) -> None:
    found = rows_of(mail_file([("(광고) 안내", "BLOCK"), ("회의록", "ALLOW")]), task)
    assert [(row.id, row.fields, row.label, row.text) for row in found.rows] == [
        ("mail:2", {"subject": "(광고) 안내"}, "BLOCK", "(광고) 안내"),
        ("mail:3", {"subject": "회의록"}, "ALLOW", "회의록"),
    ]
    assert {row.origin for row in found.rows} == {"mail"}
    assert (found.num_rows, found.removed, found.file_name) == (2, [], "mail.csv")


def test_origin_attachments_and_reason_are_mapped(tmp_path: Path, task: Decide) -> None:
    path = tmp_path / "mail.jsonl"
    row = {"s": "안내", "f": "a.pdf (1 K), b.pdf", "w": " 수상함 ", "b": "총무팀 ", "y": "ALLOW"}
    path.write_text(json.dumps(row), encoding="utf-8")
    wide = task.model_copy(update={"input_fields": ("subject", "attachments"), "reason_field": "why"})
    mapping = {"subject": "s", "attachments": "f", "why": "w", "origin": "b", "label": "y"}
    (found,) = rows_of(path, wide, map=mapping, name="notes").rows
    assert found.fields == {"subject": "안내", "attachments": ["a.pdf", "b.pdf"]}
    assert (found.reason, found.origin, found.source, found.id) == (" 수상함 ", "총무팀", "notes", "notes:1")
    assert found.text == "안내\na.pdf, b.pdf"


def test_label_values_and_a_label_for_all(mail_file: MailFile, task: Decide) -> None:
    path = mail_file([("가", "1"), ("나", "0")])
    mapping = {"subject": "subject", "label": "label"}
    found = rows_of(path, task, map=mapping, label_values={"1": "BLOCK", "0": "ALLOW"})
    assert [row.label for row in found.rows] == ["BLOCK", "ALLOW"]
    same = rows_of(path, task, map={"subject": "subject"}, label="ALLOW")
    assert [row.label for row in same.rows] == ["ALLOW", "ALLOW"]


@pytest.mark.parametrize("empty", ["", "nan", "None", "N/A", "   "])
def test_an_empty_label_stops_or_is_listed(mail_file: MailFile, task: Decide, empty: str) -> None:
    path = mail_file([("가", "BLOCK"), ("나", empty), ("다", empty)])
    error = refused(path, task)
    assert error.key == "data.bad_rows.missing_label"
    assert (error.values["count"], error.values["total"], error.values["lines"]) == (2, 3, "3, 4")
    found = rows_of(path, task, on_bad_rows="drop")
    assert [(row.id, row.reason, row.text) for row in found.removed] == [
        ("mail:3", "missing_label", "나"),
        ("mail:4", "missing_label", "다"),
    ]
    assert found.num_rows == len(found.rows) + len(found.removed) == 3


def test_nan_as_json_label(tmp_path: Path, task: Decide) -> None:
    path = tmp_path / "mail.jsonl"
    path.write_text('{"subject": "가", "label": "BLOCK"}\n{"subject": "나", "label": NaN}\n', encoding="utf-8")
    assert refused(path, task).key == "data.bad_rows.missing_label"


def test_an_unknown_label_lists_what_was_found_and_the_nearest(mail_file: MailFile, task: Decide) -> None:
    path = mail_file([("가", "BLOCK"), ("나", "BLOK"), ("다", "BLOK"), ("라", "보류")])
    error = refused(path, task)
    assert error.key == "data.bad_rows.unknown_label"
    assert error.values["values"] == "'BLOK' (2), '보류' (1)"
    assert (error.values["near"], error.values["labels"]) == (NEAR_BLOCK, "BLOCK, ALLOW")
    assert 'label_values: {"BLOK": 라벨}' in error.in_language("ko")


def test_only_the_first_three_lines_are_named(mail_file: MailFile, task: Decide) -> None:
    error = refused(mail_file([("가", "BLOCK"), *[("나", "x")] * 9]), task)
    assert (error.values["count"], error.values["lines"]) == (9, "3, 4, 5, …")


def test_different_faults_are_one_error_with_counts(tmp_path: Path, task: Decide) -> None:
    path = tmp_path / "mail.csv"
    path.write_text("subject,label\n가,BLOCK\n나,x\n다,\n라,BLOCK,3\n", encoding="utf-8")
    error = refused(path, task)
    assert error.key == "data.bad_rows.several"
    assert error.values["lines"] == "3, 4, 5"
    assert error.values["count"] == 3
    assert set(str(error.values["reasons"]).split(", ")) == {"ragged_row 1", "unknown_label 1", "missing_label 1"}
    dropped = rows_of(path, task, on_bad_rows="drop")
    assert [row.reason for row in dropped.removed] == ["unknown_label", "missing_label", "ragged_row"]


@pytest.mark.parametrize(
    ("content", "reason", "lines"),
    [
        ("subject,label\n가,BLOCK\n나,둘,ALLOW\n", "ragged_row", "3"),
        ('subject,label\n가,BLOCK\n"나"둘,ALLOW\n', "broken_quote", "3"),
        (f"subject,label\n가,BLOCK\n{'x' * 1_000_001},ALLOW\n", "huge_cell", "3"),
        ('{"subject": "가", "label": "BLOCK"}\n{"subject": \n', "broken_json", "2"),
        ('{"subject": "가", "label": "BLOCK"}\n[1]\n{"subject": "나", "label": "ALLOW"}', "not_an_object", "2"),
        ('{"subject": "가", "label": "BLOCK"}\n{"label": "x", "label": "y"}', "duplicate_key", "2"),
    ],
)
def test_every_unreadable_row_stops_with_its_line(
    tmp_path: Path, task: Decide, content: str, reason: str, lines: str
) -> None:
    path = tmp_path / "mail.data"
    path.write_text(content, encoding="utf-8")
    error = refused(path, task)
    assert (error.key, error.values["lines"]) == (f"data.bad_rows.{reason}", lines)
    dropped = rows_of(path, task, on_bad_rows="drop")
    assert [row.reason for row in dropped.removed] == [reason]
    assert dropped.num_rows == len(dropped.rows) + 1


def test_blank_rows_are_listed_and_never_stop(tmp_path: Path, task: Decide) -> None:
    path = tmp_path / "mail.csv"
    path.write_text("subject,label\n가,BLOCK\n,\n", encoding="utf-8")
    found = rows_of(path, task)
    assert [(row.id, row.reason) for row in found.removed] == [("mail:3", "blank_row")]


def test_labels_of_the_recipe_itself_are_checked_first(mail_file: MailFile, task: Decide) -> None:
    path = mail_file([("가", "1")])
    error = refused(path, task, label="BLOK")
    assert (error.key, error.values["near"]) == ("data.recipe_label", NEAR_BLOCK)
    assert refused(path, task, label_values={"1": "SPAM"}).key == "data.recipe_label"


def test_a_sample_is_seeded_and_the_rest_is_listed(mail_file: MailFile, task: Decide) -> None:
    path = mail_file([(f"메일 {number}", "BLOCK") for number in range(50)])
    first, again, other = (rows_of(path, task, seed=seed, sample=10) for seed in (1, 1, 2))
    ids = [row.id for row in first.rows]
    assert ids == [row.id for row in again.rows] != [row.id for row in other.rows]
    assert ids == sorted(ids, key=lambda name: int(name.split(":")[1]))
    assert len(ids) == 10
    assert {row.reason for row in first.removed} == {"not_sampled"}
    assert {*ids, *(row.id for row in first.removed)} == {f"mail:{line}" for line in range(2, 52)}
    assert len(rows_of(path, task, sample=500).rows) == 50
