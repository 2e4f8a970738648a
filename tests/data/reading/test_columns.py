from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dadeum.core.errors import DataError
from dadeum.core.messages import LANGUAGES, Message
from dadeum.core.recipe import Source
from dadeum.core.task import Decide
from dadeum.data.reading.columns import FieldMap, as_yaml, find_columns, is_list_field
from dadeum.data.rows import Table


def table(columns: list[str], *rows: list[Any]) -> Table:
    return Table("mail", Path("mail.csv"), "csv", "utf-8", columns, list(range(2, 2 + len(rows))), list(rows))


def find(found: Table, task: Decide, **source: Any) -> FieldMap:
    return find_columns(found, Source.model_validate({"path": "mail.csv", **source}), task)


@pytest.fixture
def mail_task(task: Decide) -> Decide:
    return task.model_copy(update={"input_fields": ("subject", "attachments")})


POSTAL = table(
    ["수신일자", "수신시간", "메일 종류", "제목", "첨부"],
    ["2024-01-01", "00:20:30", "스팸", "(광고) 안내", "a.docx (16.4 K), b.png (3 K)"],
    ["2024-01-01", "00:33:03", "스팸", "Offer", ""],
)


def test_a_public_list_is_understood_without_a_mapping(mail_task: Decide) -> None:
    found = find(POSTAL, mail_task)
    assert found.guessed
    assert found.columns == {"subject": "제목", "attachments": "첨부", "label": "메일 종류"}
    assert found.label_values == {"스팸": "BLOCK"}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["title", "action"], {"subject": "title", "label": "action"}),
        (["메일 제목", "분류"], {"subject": "메일 제목", "label": "분류"}),
        (["Subject", "Label", "Board"], {"subject": "Subject", "label": "Label", "origin": "Board"}),
        (["title", "subject", "label"], {"subject": "subject", "label": "label"}),
        (["subject", "y"], {"subject": "subject", "label": "y"}),
    ],
)
def test_names_and_content_give_the_column(columns: list[str], expected: dict[str, str], task: Decide) -> None:
    row = ["BLOCK" if column == expected["label"] else "안내 메일" for column in columns]
    assert find(table(columns, row), task).columns == expected


def test_content_decides_between_two_columns_that_could_be_the_label(task: Decide) -> None:
    found = find(table(["제목", "구분", "분류"], ["가", "내부", "BLOCK"], ["나", "외부", "ALLOW"]), task)
    assert found.columns["label"] == "분류"


def test_a_source_with_one_label_needs_no_label_column(task: Decide) -> None:
    assert find(table(["title"], ["가"]), task, label="ALLOW").columns == {"subject": "title"}


def test_the_recipes_mapping_is_taken_as_it_is(task: Decide) -> None:
    found = find(POSTAL, task, map={"subject": "제목", "label": "메일 종류"}, label_values={"스팸": "BLOCK"})
    assert found == FieldMap({"subject": "제목", "label": "메일 종류"}, {"스팸": "BLOCK"}, guessed=False)


def test_values_that_mean_nothing_known_are_left_for_the_label_error(task: Decide) -> None:
    found = find(table(["제목", "분류"], ["가", "1"], ["나", "0"]), task)
    assert found.label_values == {}


def test_a_missing_column_gets_the_nearest_one(task: Decide) -> None:
    with pytest.raises(DataError) as caught:
        find(POSTAL, task, map={"subject": "제묵", "label": "메일 종류"})
    assert caught.value.key == "data.missing_column"
    assert caught.value.values["near"] == Message("data.nearest", {"near": "제목"})
    assert caught.value.values["field"] == "subject"


def test_an_unmapped_field_comes_with_a_mapping_to_paste(mail_task: Decide) -> None:
    with pytest.raises(DataError) as caught:
        find(POSTAL, mail_task, map={"subject": "제목"})
    assert caught.value.key == "data.unmapped_field"
    assert caught.value.values["fields"] == "attachments, label"
    pasted = yaml.safe_load(str(caught.value.values["yaml"]))
    assert pasted == {"map": {"subject": "제목", "attachments": "첨부", "label": "메일 종류"}}


def test_a_guess_that_fails_offers_what_it_has(mail_task: Decide) -> None:
    with pytest.raises(DataError) as caught:
        find(table(["제목", "xyz"], ["가", "나"]), mail_task)
    assert caught.value.key == "data.no_guess"
    assert yaml.safe_load(str(caught.value.values["yaml"])) == {
        "map": {"subject": "제목", "attachments": "?", "label": "?"}
    }
    for language in LANGUAGES:
        assert "xyz" in caught.value.in_language(language)


def test_the_reason_field_is_mapped_too(task: Decide) -> None:
    with_reason = task.model_copy(update={"reason_field": "reason"})
    found = find(table(["제목", "분류", "사유"], ["가", "BLOCK", "광고"]), with_reason)
    assert found.columns == {"subject": "제목", "label": "분류", "reason": "사유"}


def test_yaml_to_paste_reads_back_whatever_the_names_are() -> None:
    mapping = {"subject": "제목: 메일", "label": "no", "origin": 'a "b"', "x": "1 열", "y": "메일 종류"}
    assert yaml.safe_load(as_yaml("map", mapping)) == {"map": mapping}


def test_attachments_are_lists_under_any_of_their_names() -> None:
    assert is_list_field("attachments")
    assert is_list_field("첨부파일")
    assert not is_list_field("subject")
