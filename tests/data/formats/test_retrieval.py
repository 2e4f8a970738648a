from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import DataError
from dadeum.data.corpus import Corpus, Given, read_corpus

QUERIES = {"q1": "누가 받나요?", "q2": "얼마인가요?"}
LINKS = {"q1": ["d1"], "q2": ["d1", "d2"]}
DOCUMENTS = {"d1": "노인이 받는다.", "d2": "만 원이다.", "d3": "다른 글이다."}


def read(folder: Path, task: str | None = None, indent: int | None = 2, **files: Any) -> Corpus:
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False, indent=indent), encoding="utf-8")
    return read_corpus([Given(folder / f"{name}.json") for name in files], task)


@pytest.mark.parametrize("indent", [None, 2])
def test_queries_and_documents_are_joined_by_id(tmp_path: Path, indent: int | None) -> None:
    corpus = read(tmp_path, indent=indent, queries=QUERIES, corpus=DOCUMENTS, relevant_docs=LINKS)
    first, second = corpus.splits["train"]
    assert (corpus.task, corpus.files[0].format, corpus.files[0].num_rows) == ("retrieve", "retrieval", 2)
    assert (first.text, first.completion[0]["content"]) == ("누가 받나요?", "노인이 받는다.")
    assert second.extra == {"id": "q2", "document": "d1\nd2"}
    assert second.completion == [{"role": "assistant", "content": "노인이 받는다.\n\n만 원이다."}]


def test_without_a_corpus_there_is_no_answer(tmp_path: Path) -> None:
    corpus = read(tmp_path, queries=QUERIES, relevant_docs=LINKS)
    assert corpus.task == "retrieve"
    assert [example.completion for example in corpus.splits["train"]] == [[], []]
    assert corpus.splits["train"][0].extra["document"] == "d1"


def test_missing_documents_are_listed(tmp_path: Path) -> None:
    links = {"q1": ["d9"], "q2": ["d1", "d9"], "q8": ["d1"]}
    corpus = read(tmp_path, queries=QUERIES | {"q3": "왜?"}, corpus=DOCUMENTS, relevant_docs=links)
    assert [(row.id, row.reason, row.detail) for row in corpus.unread] == [
        ("queries:1", "missing_document", "q1 → d9"),
        ("queries:3", "missing_document", "q3 → -"),
    ]
    assert corpus.files[0].num_rows == 3 and corpus.files[0].num_unread == 2
    assert corpus.splits["train"][0].completion[0]["content"] == "노인이 받는다."
    notes = {note.key: note.values for note in corpus.notes}
    assert notes["data.note.documents_partly_missing"]["count"] == 1
    assert notes["data.note.links_without_query"]["count"] == 1


def test_splits_are_told_by_file_names(tmp_path: Path) -> None:
    corpus = read(
        tmp_path, train_queries={"q1": "가"}, train_relevant_docs={"q1": ["d1"]}, train_corpus=DOCUMENTS,
        test_queries={"q1": "나"}, test_relevant_docs={"q1": ["d2"]},
    )  # fmt: skip
    assert corpus.splits["train"][0].completion[0]["content"] == "노인이 받는다."
    assert corpus.splits["test"][0].completion[0]["content"] == "만 원이다."


def test_one_file_may_hold_all_three(tmp_path: Path) -> None:
    value = {"queries": QUERIES, "corpus": DOCUMENTS, "relevant_docs": LINKS, "mode": "text"}
    corpus = read(tmp_path, dataset=value)
    assert corpus.task == "retrieve" and len(corpus.splits["train"]) == 2


def test_names_that_say_nothing_are_told_apart_by_ids(tmp_path: Path) -> None:
    corpus = read(tmp_path, a=DOCUMENTS, b=LINKS, c=QUERIES)
    assert [example.text for example in corpus.splits["train"]] == list(QUERIES.values())


@pytest.mark.parametrize("indent", [None, 2])
def test_a_corpus_alone_is_text(tmp_path: Path, indent: int | None) -> None:
    corpus = read(tmp_path, indent=indent, corpus=DOCUMENTS | {"d4": 5})
    assert corpus.task == "text" and corpus.splits["train"][0].extra == {"id": "d1"}
    assert [(row.id, row.reason, row.detail) for row in corpus.unread] == [("corpus:4", "wrong_type", "d4: number")]


def test_titles_and_graded_relevance_are_understood(tmp_path: Path) -> None:
    corpus = read(
        tmp_path, queries={"q1": "누가?"}, corpus={"d1": {"title": "연금", "text": "노인"}, "d2": {"text": "청년"}},
        qrels={"q1": {"d1": 1, "d2": 0}},
    )  # fmt: skip
    assert corpus.splits["train"][0].completion[0]["content"] == "연금\n노인"


def test_links_without_queries_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        read(tmp_path, relevant_docs=LINKS)
    assert raised.value.key == "data.no_queries"
