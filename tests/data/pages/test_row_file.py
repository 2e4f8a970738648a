"""The row file: every hit with its row, for notebooks and for diffs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dadeum.core.examples import Example
from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context
from dadeum.data.pages import row_file
from dadeum.data.pages.row_file import SCHEMA, write_rows
from dadeum.data.rows import Removed


def context(num_rows: int = 4, answer: str = "네, 알겠습니다.") -> Context:
    rows = [
        Example(
            f"chat:{number}",
            "chat",
            "",
            "",
            f"질문 {number}",
            [{"role": "user", "content": f"질문 {number}"}],
            [{"role": "assistant", "content": answer}],
            "",
        )
        for number in range(num_rows)
    ]
    return Context({"train": rows[:-1], "test": rows[-1:]}, task="chat")


def read(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_every_hit_is_a_line_with_its_row(tmp_path: Path) -> None:
    made = context()
    hits = [Hit(0, "assistant.2", 3, 5, {"found": "zero_width"}), Hit(0, "assistant.2", 6, 7), Hit(3)]
    findings = [*made.finding("KO1", "one", "warn", hits), *made.finding("DA2", "two", "block", [Hit(1)])]
    assert write_rows(tmp_path / "rows.parquet", made, findings) == 4
    rows = read(tmp_path / "rows.parquet")
    assert [(row["code"], row["id"], row["split"], row["start"]) for row in rows] == [
        ("KO1", "chat:0", "train", 3),
        ("KO1", "chat:0", "train", 6),
        ("KO1", "chat:3", "test", 0),
        ("DA2", "chat:1", "train", 0),
    ]
    assert rows[0]["text"] == "네, 알겠습니다."
    assert json.loads(rows[0]["found"]) == {"found": "zero_width"}
    assert rows[1]["found"] is None
    assert rows[2]["text"] == "질문 3"
    assert rows[3]["severity"] == "block"


def test_no_hits_still_make_a_file_with_the_columns(tmp_path: Path) -> None:
    assert write_rows(tmp_path / "rows.parquet", context(), []) == 0
    assert pq.read_schema(tmp_path / "rows.parquet").names == SCHEMA.names


def test_a_long_text_is_cut_around_the_place(tmp_path: Path) -> None:
    made = context(2, "가" * 5000 + "나" + "다" * 5000)
    write_rows(tmp_path / "rows.parquet", made, made.finding("KO1", "one", "warn", [Hit(0, "assistant.2", 5000, 5001)]))
    (row,) = read(tmp_path / "rows.parquet")
    assert len(row["text"]) == 160
    assert row["text"][40] == "나"
    assert row["start"] == 5000


def test_half_a_surrogate_pair_does_not_break_the_file(tmp_path: Path) -> None:
    made = context(2, "\ud800 깨진 글자")
    write_rows(tmp_path / "rows.parquet", made, made.finding("KO1", "one", "warn", [Hit(0, "assistant.2", 0, 1)]))
    assert read(tmp_path / "rows.parquet")[0]["text"] == "? 깨진 글자"


def test_hits_beyond_one_batch_are_all_written_in_order(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(row_file, "_BATCH_LINES", 7)
    made = context(3)
    hits = [Hit(number % 3, "assistant.2", number % 5, number % 5 + 1) for number in range(50)]
    assert write_rows(tmp_path / "rows.parquet", made, made.finding("KO1", "one", "warn", hits)) == 50
    rows = read(tmp_path / "rows.parquet")
    assert [row["id"] for row in rows] == [f"chat:{number % 3}" for number in range(50)]


def test_rows_that_could_not_be_read_are_listed_with_their_reason(tmp_path: Path) -> None:
    unread = [Removed(f"chat:{number}", "chat", "", '{"a": ', "", "broken_json", "line 1") for number in range(9)]
    made = Context({"train": []}, task="chat", unread=unread)
    assert write_rows(tmp_path / "rows.parquet", made, [Finding("DA106", "unreadable_rows", "block", 9, 9)]) == 9
    rows = read(tmp_path / "rows.parquet")
    assert [row["id"] for row in rows] == [row.id for row in unread]
    assert json.loads(rows[0]["found"]) == {"reason": "broken_json", "detail": "line 1"}


def test_a_finding_read_back_from_disk_has_no_hits(tmp_path: Path) -> None:
    assert write_rows(tmp_path / "rows.parquet", context(), [Finding("KO1", "one", "warn", 3, 4)]) == 0
