from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dadeum.cli import app
from dadeum.core.errors import DataError, RecipeError, RunError
from tests.corpora import RETRIEVE, built_run, documents, recipe_on, save_embedder

runner = CliRunner()


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DADEUM_LANG", "en")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.json"
    path.write_text(json.dumps(documents(), ensure_ascii=False))
    return path


def invoke(*arguments: object) -> str:
    result = runner.invoke(app, ["index", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_an_index_is_built_shown_checked_grown_and_shrunk(tmp_path: Path, corpus: Path) -> None:
    place = ("--index", tmp_path / "index")
    said = invoke("build", corpus, *place)
    assert "words (BM25) only" in said and "12 documents, 12 chunks" in said
    listed = invoke("list", *place)
    assert "words (BM25) only" in listed and "512 letters" in listed and listed.count("doc-") == 12
    assert "sound" in invoke("check", *place)
    assert "Removed 1 chunks. 11" in invoke("remove", "doc-03", *place)
    again = invoke("add", corpus, *place)
    assert "left as they are" in again and "Added 1 documents, 1 chunks. 12" in again
    corpus.write_text(json.dumps({"doc-03": "다른 글입니다."}, ensure_ascii=False))
    with pytest.raises(DataError, match="doc-03"):
        invoke("add", corpus, *place)
    assert "taken out for its new content: doc-03" in invoke("add", corpus, *place, "--replace")
    with pytest.raises(DataError, match="nothing"):
        invoke("remove", "nothing", *place)


def test_a_run_brings_model_and_chunks(tmp_path: Path) -> None:
    embedder = save_embedder(tmp_path / "embedder")
    run = built_run(recipe_on(tmp_path / "files", embedder, RETRIEVE), tmp_path / "run")
    target = run.adapter_folder(run.recipe())
    target.parent.mkdir(parents=True)
    target.symlink_to(embedder)
    said = invoke("build", "--run", run.folder, "--index", tmp_path / "index")
    assert "not evaluated yet" in said and "12 chunks" in said
    listed = invoke("list", "--index", tmp_path / "index").replace("\n", "")
    assert "32 dimensions" in listed and "searched by words" in listed and "one per document" in listed


def test_what_the_documents_have_to_say_is_shown(tmp_path: Path, corpus: Path) -> None:
    corpus.write_text(json.dumps({"a": "도서관 안내", "빈 문서": " "}, ensure_ascii=False))
    assert "빈 문서" in invoke("build", corpus, "--index", tmp_path / "index")


def test_wrong_use_is_told_before_any_work(tmp_path: Path, corpus: Path) -> None:
    place = ("--index", tmp_path / "index")
    for wrong in ((), (corpus, "--model", "a", "--run", tmp_path), ("--run", tmp_path, "--size-tokens", 9)):
        with pytest.raises(RecipeError):
            invoke("build", *wrong, *place)
    for command in ("list", "check"):
        with pytest.raises(RunError, match="index"):
            invoke(command, *place)
    with pytest.raises(NotADirectoryError):
        invoke("build", corpus, "--index", corpus)
    assert not (tmp_path / "index").exists()
