from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dadeum.core.examples import SCHEMA, Example, asked_hash, iterate, read_examples, to_table


def example(number: int, label: str = "BLOCK") -> Example:
    return Example(
        id=f"mails:{number}",
        source="mails",
        origin="게시판",
        group=f"g{number}",
        text="(광고) 보험료 ㅋㅋ\n첨부.docx",
        prompt=[{"role": "system", "content": "판단"}, {"role": "user", "content": '{"subject": "(광고)"}'}],
        completion=[{"role": "assistant", "content": '{"action": "BLOCK"}'}],
        label=label,
    )


def test_the_schema_has_the_fields_of_an_example_in_order() -> None:
    assert SCHEMA.names == [field.name for field in fields(Example)]


@pytest.mark.parametrize("num_rows", [0, 1, 3])
def test_examples_come_back_from_parquet_as_they_were(tmp_path: Path, num_rows: int) -> None:
    examples = [example(number, label="" if number == 2 else "BLOCK") for number in range(num_rows)]
    pq.write_table(to_table(examples), tmp_path / "train.parquet")
    assert read_examples(tmp_path / "train.parquet") == examples
    assert list(iterate(to_table(examples))) == examples


def test_what_is_asked_does_not_hang_on_how_it_is_put() -> None:
    """KoBART and an LLM read other prompts of one dialogue: the rows are the same. Another answer makes others."""
    rows = [example(1), example(2)]
    otherwise = [replace(row, prompt=[{"role": "user", "content": "짧게"}]) for row in rows]
    assert asked_hash(rows) == asked_hash(otherwise)
    for changed in (
        {"text": "다른 대화"},
        {"completion": [{"role": "assistant", "content": "다른 답"}]},
        {"extra": {"references": '["둘째"]'}},
    ):
        assert asked_hash([rows[0], replace(rows[1], **changed)]) != asked_hash(rows)
    assert asked_hash(rows[::-1]) != asked_hash(rows)
