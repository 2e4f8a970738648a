"""Questions as files bring them → rows that name chunks, or a clear reason why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import DataError
from dadeum.data.prepare import prepare
from dadeum.tasks import retrieve
from tests.data.passages.builders import (
    ANSWERING,
    RETRIEVING,
    TOPICS,
    Letters,
    asked,
    corpus_file,
    lines,
    prepared,
    recipe,
)


def test_a_document_of_one_chunk_is_that_chunk(tmp_path: Path) -> None:
    found = prepared(tmp_path, RETRIEVING)
    assert found.passages is not None
    rows = [row for rows in found.examples.values() for row in rows]
    assert len(rows) == 20
    for row in rows:
        (name,) = retrieve.relevant(row)
        assert found.passages.by_id[name].document == row.origin
        assert row.prompt == [{"role": "user", "content": row.text}]


def test_no_document_is_asked_about_in_two_splits(tmp_path: Path) -> None:
    found = prepared(tmp_path, RETRIEVING)
    documents = {split: {row.origin for row in rows} for split, rows in found.examples.items()}
    assert all(documents.values())
    assert not documents["train"] & documents["test"]
    assert not documents["train"] & documents["validation"]
    assert not documents["validation"] & documents["test"]


def test_the_same_files_give_the_same_rows(tmp_path: Path) -> None:
    assert prepared(tmp_path, ANSWERING).examples == prepared(tmp_path, ANSWERING).examples


def test_two_documents_of_one_text_stay_together(tmp_path: Path) -> None:
    texts = {f"doc-{number}": f"{topic} 안내문입니다." for number, topic in enumerate(TOPICS)}
    texts["copy"] = texts["doc-3"]
    rows = [
        {"question": f"{topic} 질문 하나", "relevant_chunks": f"doc-{number}"} for number, topic in enumerate(TOPICS)
    ]
    rows.append({"question": "전혀 다르게 적은 물음입니다", "relevant_chunks": "copy"})
    source = {"path": str(lines(tmp_path / "q.jsonl", rows))}
    found = prepare(recipe(RETRIEVING, {"sources": [str(corpus_file(tmp_path, texts))]}, source), Letters())
    group_of = {row.origin: row.group for rows in found.examples.values() for row in rows}
    assert group_of["copy"] == group_of["doc-3"]
    assert found.passages is not None and found.passages.facts.same_text == 1


def test_few_documents_are_split_by_chunk_and_it_is_said(tmp_path: Path) -> None:
    rows = [row for row in asked() if row["relevant_chunks"][0] <= "doc-04"]
    found = prepared(tmp_path, RETRIEVING, rows)
    assert "4" in next(note for note in found.notes if "조각째" in note)


def test_ids_may_stand_in_a_list_a_line_or_between_commas(tmp_path: Path) -> None:
    cells: list[Any] = [
        ["doc-01", "doc-02"],
        "doc-01\ndoc-02",
        "doc-01, doc-02",
        "doc-01;doc-02",
        '["doc-01", "doc-02"]',
    ]
    rows = [{"question": f"{topic} 물음", "relevant_chunks": cell} for topic, cell in zip(TOPICS, cells, strict=False)]
    found = prepared(tmp_path, RETRIEVING, rows + asked())
    named = [retrieve.relevant(row) for rows in found.examples.values() for row in rows if row.text.endswith(" 물음")]
    assert len(named) == 5
    assert len({tuple(ids) for ids in named}) == 1 and len(named[0]) == 2


def test_an_unknown_id_names_the_nearest_one(tmp_path: Path) -> None:
    rows = asked()
    rows[3]["relevant_chunks"] = ["doc-99"]
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, RETRIEVING, rows)
    assert caught.value.key == "data.bad_rows.missing_chunk"
    assert "doc-99 (≈ doc-" in str(caught.value)


def test_bad_rows_are_listed_where_the_recipe_drops_them(tmp_path: Path) -> None:
    rows = asked()
    rows[0]["relevant_chunks"] = ["doc-99"]
    rows[2]["relevant_chunks"] = []
    rows[4]["answer"] = ""
    source = {"path": str(lines(tmp_path / "q.jsonl", rows)), "on_bad_rows": "drop"}
    made = recipe(ANSWERING, {"sources": [str(corpus_file(tmp_path))]}, source)
    assert prepare(made, Letters()).removed_by_reason == {"missing_chunk": 1, "no_chunk": 1, "no_gold_answer": 1}


def test_chunks_that_were_cut_otherwise_are_told_from_another_corpus(tmp_path: Path) -> None:
    rows = asked()
    for row in rows:
        row["relevant_chunks"] = [f"{row['relevant_chunks'][0]}#p1-001-00000000"]
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, RETRIEVING, rows)
    assert caught.value.key == "data.passages.cut_otherwise"
    for number, row in enumerate(rows):
        row["relevant_chunks"] = [f"chunk_{number:03d}"]
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, RETRIEVING, rows)
    assert caught.value.key == "data.passages.other_corpus"


def test_what_no_document_answers_is_no_row_of_a_retriever(tmp_path: Path) -> None:
    rows = [*asked(), {"question": "오늘 날씨는 어떤가요?", "answer": "", "relevant_chunks": []}]
    found = prepared(tmp_path, RETRIEVING, rows)
    assert found.removed_by_reason == {"nothing_to_find": 1}
    assert any("removed.parquet" in note for note in found.notes)


def test_the_same_question_has_all_that_answers_it(tmp_path: Path) -> None:
    rows = asked()
    rows[3]["question"] = rows[0]["question"]
    found = prepared(tmp_path, RETRIEVING, rows)
    (row,) = [row for split in found.examples.values() for row in split if row.text == rows[0]["question"]]
    assert len(retrieve.relevant(row)) == 2
    assert found.removed_by_reason == {"exact_duplicate": 1}


def test_questions_by_id_with_a_file_of_what_answers_them(tmp_path: Path) -> None:
    rows = asked()
    queries = {f"q{number}": row["question"] for number, row in enumerate(rows)}
    links = {f"q{number}": row["relevant_chunks"] for number, row in enumerate(rows)}
    for name, content in (("queries", queries), ("links", links)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    corpus = {"sources": [str(corpus_file(tmp_path))]}
    source = {"path": str(tmp_path / "queries.json"), "relevant": str(tmp_path / "links.json")}
    found = prepare(recipe(RETRIEVING, corpus, source), Letters())
    assert sum(found.used.values()) == 20
    del links["q0"]
    (tmp_path / "links.json").write_text(json.dumps(links), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        prepare(recipe(RETRIEVING, corpus, source), Letters())
    assert caught.value.key == "data.bad_rows.no_chunk"


def test_a_table_with_ids_is_joined_with_that_file_too(tmp_path: Path) -> None:
    rows = [{"id": f"q{number}", "question": row["question"]} for number, row in enumerate(asked())]
    links = {f"q{number}": row["relevant_chunks"] for number, row in enumerate(asked())}
    (tmp_path / "links.json").write_text(json.dumps(links), encoding="utf-8")
    source = {"path": str(lines(tmp_path / "q.jsonl", rows)), "relevant": str(tmp_path / "links.json")}
    found = prepare(recipe(RETRIEVING, {"sources": [str(corpus_file(tmp_path))]}, source), Letters())
    assert sum(found.used.values()) == 20


def test_a_file_without_a_column_of_chunks_says_what_to_paste(tmp_path: Path) -> None:
    rows = [{"question": row["question"], "근거": row["relevant_chunks"][0]} for row in asked()]
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, RETRIEVING, rows)
    assert caught.value.key == "data.passages.no_relevant_chunks"
    source = {"path": str(tmp_path / "questions.jsonl"), "map": {"question": "question", "relevant_chunks": "근거"}}
    found = prepare(recipe(RETRIEVING, {"sources": [str(corpus_file(tmp_path))]}, source), Letters())
    assert len({row.origin for rows in found.examples.values() for row in rows}) == 10
