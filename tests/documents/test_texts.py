from __future__ import annotations

import json
import unicodedata

import pytest

from dadeum.core.errors import DataError
from dadeum.documents.texts import read_documents
from tests.documents.make import SENTENCES, Paper


def test_a_corpus_file_is_one_document_per_entry_under_its_own_id(tmp_path):
    path = tmp_path / "corpus.json"
    path.write_text(json.dumps({"a-1": "기초연금\n\n만 65세 이상입니다.", "b-2": SENTENCES[0]}), encoding="utf-8")
    first, second = read_documents(path)
    assert (first.id, second.id) == ("a-1", "b-2")
    assert [block.text for block in first.pages[0].blocks] == ["기초연금", "만 65세 이상입니다."]
    assert [page.number for page in second.pages] == [1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_a_text_file_is_read_in_its_encoding(tmp_path, encoding):
    path = tmp_path / "글.txt"
    path.write_bytes(f"{SENTENCES[0]}\r\n\r\n{SENTENCES[1]}".encode(encoding))
    [document] = read_documents(path)
    assert [block.text for block in document.pages[0].blocks] == [SENTENCES[0], SENTENCES[1]]


def test_what_is_mended_in_a_text_is_counted(tmp_path):
    path = tmp_path / "글.txt"
    text = unicodedata.normalize("NFD", "보험금") + "\u200b 지급\n\n뉴 진 스, 월 드 투 어 시 작"
    path.write_text(text, encoding="utf-8")
    [document] = read_documents(path)
    assert document.text.startswith("보험금 지급\n\n뉴진스, 월드")
    assert dict(document.changes) == {"composed": 1, "invisible": 1, "spaced_syllables": 1}


def test_an_enumeration_of_short_words_keeps_its_spaces(tmp_path):
    path = tmp_path / "글.txt"
    path.write_text("하루 한 끼, 두 끼, 세 끼 가운데 고릅니다.", encoding="utf-8")
    [document] = read_documents(path)
    assert document.text == "하루 한 끼, 두 끼, 세 끼 가운데 고릅니다."
    assert "spaced_syllables" not in document.changes


def test_a_folder_is_read_file_by_file_in_the_order_of_names(tmp_path):
    (tmp_path / "b.txt").write_text(SENTENCES[1], encoding="utf-8")
    (tmp_path / "notes.log").write_text("no document", encoding="utf-8")
    paper = Paper(tmp_path / "a.pdf")
    paper.lines([SENTENCES[0]], 60, 60)
    paper.save()
    assert [document.text for document in read_documents(tmp_path)] == [SENTENCES[0], SENTENCES[1]]


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("a.json", '{"a": "b",}', "broken_json"),
        ("a.json", '["a"]', "not_a_corpus"),
        ("a.json", '{"a": 3}', "not_a_text"),
        ("a.json", '{"a": "b", "a": "c"}', "two_keys"),
        ("a.txt", "  \n", "empty_file"),
        ("a.hwp", "text", "unknown_kind"),
    ],
)
def test_what_is_no_document_is_one_clear_error(tmp_path, name, content, key):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(read_documents(path))
    assert caught.value.key == f"documents.{key}"
    assert name in str(caught.value)


def test_bytes_of_no_encoding_and_the_same_file_twice_are_refused(tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"\xff\x00\x81\xff\xff")
    with pytest.raises(DataError) as caught:
        list(read_documents(tmp_path / "bad.txt"))
    assert caught.value.key == "documents.unknown_encoding"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text("글", encoding="utf-8")
    (tmp_path / "bad.txt").unlink()
    with pytest.raises(DataError) as caught:
        list(read_documents(tmp_path))
    assert caught.value.key == "documents.two_ids"
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError) as caught:
        list(read_documents(tmp_path / "none"))
    assert caught.value.key == "documents.no_documents"
