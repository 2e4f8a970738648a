from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import DataError
from dadeum.core.examples import Example
from dadeum.core.messages import LANGUAGES, text
from dadeum.core.plugins import names
from dadeum.data.corpus import Corpus, Given, read_corpus, source_names, split_in
from dadeum.data.formats._recognise import formats

PAIR = {"prompt": "질문", "completion": "대답"}


def write(path: Path, *rows: Any) -> Given:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return Given(path)


def every(corpus: Corpus) -> list[Example]:
    return [example for examples in corpus.splits.values() for example in examples]


# -- splits ---------------------------------------------------------------------------------------
def test_one_file_is_for_training(tmp_path: Path) -> None:
    corpus = read_corpus([write(tmp_path / "test.jsonl", PAIR)])
    assert {split: len(rows) for split, rows in corpus.splits.items()} == {"train": 1, "validation": 0, "test": 0}


def test_several_files_are_told_apart_by_name(tmp_path: Path) -> None:
    files = [write(tmp_path / f"mail_{name}.jsonl", PAIR) for name in ("train", "dev", "시험", "more")]
    corpus = read_corpus(files)
    assert {split: len(rows) for split, rows in corpus.splits.items()} == {"train": 2, "validation": 1, "test": 1}
    assert {note.key for note in corpus.notes} >= {"data.note.read", "data.note.split_by_name"}


def test_the_user_knows_best(tmp_path: Path) -> None:
    given = write(tmp_path / "train.jsonl", PAIR)
    corpus = read_corpus([Given(given.path, split="test"), write(tmp_path / "b.jsonl", PAIR)])
    assert [example.source for example in corpus.splits["test"]] == ["train"]


@pytest.mark.parametrize("column", ["split", "분할", "Partition"])
def test_a_column_tells_the_split(tmp_path: Path, column: str) -> None:
    words = ("train", "학습", "VALID", "검증", "dev", "test", "평가", "기타")
    corpus = read_corpus([write(tmp_path / "a.jsonl", *(PAIR | {column: word} for word in words))])
    assert {split: len(rows) for split, rows in corpus.splits.items()} == {"train": 2, "validation": 3, "test": 2}
    assert [(row.reason, row.detail) for row in corpus.unread] == [("unknown_split", "기타")]
    assert every(corpus)[0].extra == {}


def test_a_column_split_with_other_words_is_a_fact_like_any(tmp_path: Path) -> None:
    corpus = read_corpus([write(tmp_path / "a.jsonl", PAIR | {"split": "가"}, PAIR | {"split": "나"})])
    assert [example.extra for example in corpus.splits["train"]] == [{"split": "가"}, {"split": "나"}]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("dev.csv", "validation"),
        ("a-Test.jsonl", "test"),
        ("latest.csv", None),
        ("학습_1.csv", "train"),
        ("x.csv", None),
    ],
)
def test_words_in_a_name(name: str, split: str | None) -> None:
    assert split_in(Path(name)) == split


# -- facts beside the row -------------------------------------------------------------------------
def test_known_facts_have_one_name(tmp_path: Path) -> None:
    row = PAIR | {
        "fname": "dev_0", "문서": "안내.pdf", "화자": "김", "작성일": "2024-01-01", "게시판": "복지", "topic": "연금",
        "점수": 3.0, "없음": None, "빈칸": "", "긴글": "가" * 2001, "목록": ["ㄱ", "ㄴ"],
    }  # fmt: skip
    corpus = read_corpus([write(tmp_path / "a.jsonl", row)])
    (example,) = every(corpus)
    assert example.origin == "복지"
    assert example.extra == {
        "id": "dev_0", "document": "안내.pdf", "speaker": "김", "time": "2024-01-01", "origin": "복지", "topic": "연금",
        "점수": "3", "목록": "ㄱ\nㄴ",
    }  # fmt: skip
    (skipped,) = [note for note in corpus.notes if note.key == "data.note.long_values"]
    assert skipped.values == {"source": "a", "column": "긴글", "count": 1}


# -- files ----------------------------------------------------------------------------------------
def test_facts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('질문,답변\n"안녕, 하세요",네\n하나\n'.encode("cp949"))
    corpus = read_corpus([Given(path)])
    (facts,) = corpus.files
    assert (facts.name, facts.path, facts.format) == ("a", str(path), "question_answer")
    assert (facts.container, facts.encoding) == ("csv", "cp949")
    assert (facts.num_rows, facts.num_unread) == (2, 1)
    assert len(facts.sha256) == 64
    assert facts.columns == {"question": "질문", "answer": "답변"}
    assert facts.before == '질문,답변\n"안녕, 하세요",네'
    assert facts.after == every(corpus)[0]
    assert [(row.id, row.reason) for row in corpus.unread] == [("a:3", "ragged_row")]


def test_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "가", "completion": "나"}\n{"prompt": 1}\n{\n[1]\n{"prompt": "", "completion": ""}\n')
    corpus = read_corpus([Given(path)])
    assert len(every(corpus)) + len(corpus.unread) == corpus.files[0].num_rows == 5
    assert all(row.original for row in corpus.unread)
    for language in LANGUAGES:
        assert all(text(f"data.reason.{row.reason}", language) for row in corpus.unread)
        assert all(text(note.key, language, **note.values) for note in corpus.notes)


def test_sources_have_different_names() -> None:
    assert source_names([Given(Path(name)) for name in ("a/x.csv", "b/x.csv", "x-2.csv")]) == ["x", "x-2", "x-2-2"]


@pytest.mark.parametrize("rows", [['{"a', '{"b'], ['{"prompt": "가", "completion": 1}']])
def test_a_file_without_a_readable_row_is_refused(tmp_path: Path, rows: list[str]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(rows))
    with pytest.raises(DataError) as raised:
        read_corpus([Given(path)])
    assert raised.value.key == "data.nothing_read"
    assert raised.value.values["detail"] not in ("", "-")


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "mail.jsonl", PAIR)
    with pytest.raises(DataError, match=r"mail\.jsonl"):
        read_corpus([Given(tmp_path / "mial.jsonl")])


def test_different_tasks_are_not_mixed(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.jsonl", PAIR), write(tmp_path / "b.jsonl", {"question": "가", "answer": "나"})]
    with pytest.raises(DataError, match=r"'chat'.*'answer'") as raised:
        read_corpus(files)
    assert raised.value.key == "data.two_tasks"
    assert len(every(read_corpus(files, "chat"))) == 2


def test_an_unknown_shape_names_columns_shapes_and_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        read_corpus([write(tmp_path / "a.jsonl", {"prompt": "가", "chosen": "나"})])
    for language in LANGUAGES:
        message = raised.value.in_language(language)
        assert "prompt, chosen" in message and "rejected" in message and "question/answer" in message


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    read_corpus([write(tmp_path / "a.jsonl", PAIR)], progress=lambda *step: told.append(step))
    assert told == [("data.progress.read", 1, 1)]


def test_every_format_has_a_rank_of_its_own_and_a_name() -> None:
    ranks = [module.RANK for _, module in formats()]
    assert len(set(ranks)) == len(names("data.formats"))
    for name, _ in formats():
        assert all(text(f"data.format.{name}", language) for language in LANGUAGES)


# -- real files -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "kind", "task", "num_rows"),
    [
        ("chat/ChatbotData.csv", "question_answer", "answer", 11_823),
        ("dialogsum_ko/dev.csv", "dialogue_summary", "summarize", 300),
        ("dialogsum_ko/dev_sample.csv", "dialogue_summary", "summarize", 300),
        ("korean_sft/korean_sft_correction.jsonl", "messages", "chat", 3_500),
        ("korean_sft/korean_sft_train.jsonl", "messages", "chat", 128),
        ("spam/notice_allow_titles.jsonl", "table", "text", 2_504),
        ("spam/postal_block_list.csv", "table", "decide", 22_113),
        ("pdf_qa/welfare_train_corpus.json", "table", "text", 464),
        ("pdf_qa/welfare_test_queries.json", "table", "text", 1_910),
    ],
)
def test_real_files_are_recognised(shared_data: Path, name: str, kind: str, task: str, num_rows: int) -> None:
    corpus = read_corpus([Given(shared_data / name)])
    assert (corpus.files[0].format, corpus.task, len(every(corpus)), corpus.unread) == (kind, task, num_rows, [])


def test_real_retrieval_data_is_joined(shared_data: Path) -> None:
    parts = ("test_queries", "test_relevant_docs", "train_corpus", "train_queries", "train_relevant_docs")
    corpus = read_corpus([Given(shared_data / "pdf_qa" / f"welfare_{part}.json") for part in parts])
    assert {split: len(rows) for split, rows in corpus.splits.items()} == {"train": 7637, "validation": 0, "test": 1910}
    assert all(example.completion and example.extra["document"] for example in every(corpus))


def test_a_name_that_macos_took_apart_is_found(tmp_path: Path) -> None:
    write(tmp_path / unicodedata.normalize("NFD", "한글.jsonl"), PAIR)
    corpus = read_corpus([Given(tmp_path / "한글.jsonl")])
    assert every(corpus)[0].id == "한글:1"


def test_a_link_that_leads_nowhere_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "gone.jsonl")
    with pytest.raises(DataError, match=r"gone\.jsonl") as raised:
        read_corpus([Given(tmp_path / "a.jsonl")])
    assert raised.value.key == "data.dead_link"


def test_of_many_columns_the_first_are_told_on_one_line(tmp_path: Path) -> None:
    row = PAIR | {f"c\n{number}": "값" for number in range(50)}
    [note] = [note for note in read_corpus([write(tmp_path / "a.jsonl", row)]).notes if note.key == "data.note.read"]
    assert note.values["columns"].endswith("c 8, c 9, … +40")
    assert "\n" not in note.values["columns"]
