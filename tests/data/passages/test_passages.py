"""Documents and ready chunks → Passages, with everything that is odd about them told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dadeum.core.errors import DataError, Problems
from dadeum.core.recipe import Corpus
from dadeum.data.lengths.question_tokens import QuestionCounter
from dadeum.data.passages.corpus import Passages, read_passages
from dadeum.documents.chunks import chunks, whole
from dadeum.documents.texts import read_documents
from tests.corpora import RETRIEVE, recipe_on, save_embedder
from tests.data.passages.builders import corpus_file, lines


def read(*paths: Path, size: int | None = None) -> Passages:
    return read_passages(Corpus(sources=tuple(map(str, paths)), size_tokens=size, overlap_tokens=8), len)


def test_a_document_is_one_chunk_or_several(tmp_path: Path) -> None:
    path = corpus_file(tmp_path)
    assert read(path).facts.chunks == 10
    cut = read(path, size=32)
    assert cut.facts.documents == 10 and cut.facts.chunks > 10
    assert cut.facts.longest_tokens <= 32
    assert cut.found("doc-01") == "doc-01" and read(path).found("doc-01") == read(path).chunks[0].id


def test_a_whole_document_has_the_id_that_a_large_size_gives_it(tmp_path: Path) -> None:
    for document in read_documents(corpus_file(tmp_path)):
        assert whole(document, len) == chunks(document, len, 10**6, 0)


def test_ready_chunks_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = [
        {
            "chunk_id": "chunk_001",
            "content": "인공지능은 사람의 지능을 흉내 내는 기술입니다.",
            "page": 3,
            "document": "ai.pdf",
        },
        {
            "chunk_id": "chunk_002",
            "content": "흉내 내는 기술입니다. 기계 학습은 그 한 갈래입니다.",
            "page": 4,
            "document": "ai.pdf",
        },
    ]
    found = read(lines(tmp_path / "chunks.jsonl", rows))
    first, second = found.chunks
    assert (first.id, first.document, first.first_page, first.num_tokens) == ("chunk_001", "ai.pdf", 3, len(first.text))
    assert second.text[: second.repeated] == "흉내 내는 기술입니다."
    (tmp_path / "chunks.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    assert read(tmp_path / "chunks.json").chunks == found.chunks


def test_documents_go_by_their_file_name_too(tmp_path: Path) -> None:
    (tmp_path / "휴가 규정.txt").write_text("휴가는 열다섯 날입니다.", encoding="utf-8")
    found = read(tmp_path / "휴가 규정.txt")
    assert found.found("휴가 규정.txt") == found.chunks[0].id


def test_odd_documents_are_told(tmp_path: Path) -> None:
    path = corpus_file(tmp_path, {"a": "같은 글입니다.", "b": "같은  글입니다!", "c": "", "d": "다른 글입니다."})
    found = read(path)
    assert found.facts.same_text == 1 and found.first_of["b"] == "a"
    assert {note.key for note in found.notes} >= {"data.passages.same_text", "data.passages.silent_documents"}
    bare_chunks = lines(tmp_path / "c.jsonl", [{"id": "x", "text": "글"}])
    assert "data.passages.no_documents" in {note.key for note in read(bare_chunks).notes}


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ([{"id": "a", "text": "글"}, {"id": "a", "text": "다른 글"}], "data.passages.two_chunks"),
        ([{"id": "a", "text": ""}], "data.passages.empty_chunk"),
        ([{"question": "무엇?", "answer": "그것"}], "data.passages.no_column"),
    ],
)
def test_files_that_are_no_chunks_say_why(tmp_path: Path, rows: list[dict[str, str]], key: str) -> None:
    with pytest.raises(DataError) as caught:
        read(lines(tmp_path / "c.jsonl", rows))
    assert caught.value.key == key


def test_every_source_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"a": "글",', encoding="utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(Problems) as caught:
        read(tmp_path / "corpsu.json", broken, empty)
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["data.passages.no_file", "documents.broken_json", "documents.no_documents"]


def test_two_sources_with_one_document(tmp_path: Path) -> None:
    first, second = corpus_file(tmp_path, {"a": "글"}), tmp_path / "more.json"
    second.write_text('{"a": "다른 글"}', encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read(first, second)
    assert caught.value.key == "data.passages.two_documents"


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(corpus_file(tmp_path, {"a": " "}))
    assert caught.value.key == "data.passages.no_text"


def test_chunks_over_the_models_limit_are_counted(tmp_path: Path) -> None:
    made = recipe_on(tmp_path, save_embedder(tmp_path / "model"), RETRIEVE)
    made = made.model_copy(update={"task": made.task.model_copy(update={"max_seq_length": 8})})
    counter = QuestionCounter(made)
    found = read_passages(made.data.corpus, counter.count)  # type: ignore[arg-type]
    (note,) = counter.look_at(found)
    assert note.key == "data.passages.over_limit"
    assert found.facts.over_limit == 12 and found.facts.limit_tokens == 8
    assert 0.5 < float(str(note.values["lost"])) < 1
