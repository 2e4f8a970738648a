from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dadeum import cli_ask
from dadeum.asking import Citation, Result
from dadeum.cli import app
from dadeum.core.errors import DataError, ModelError, RecipeError
from dadeum.core.messages import Message
from dadeum.core.run import read_jsonl
from dadeum.retrieval.index import Index
from dadeum.retrieval.searching import Hit
from tests.corpora import ANSWER, built_run, chunks_of_corpus, recipe_on
from tests.retrieval.test_rerank import save_cross_encoder
from tests.tiny import save_llama

runner = CliRunner()
QUESTION = "박물관 입장료가 얼마예요?"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DADEUM_LANG", "en")
    monkeypatch.setattr(cli_ask, "prepare_models", lambda: None)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    index = Index.create(tmp_path / "index")
    index.add(chunks_of_corpus())
    index.save()
    return tmp_path / "index"


def invoke(place: Path, *arguments: object, typed: str | None = None) -> str:
    result = runner.invoke(app, ["ask", "--index", str(place), *map(str, arguments)], input=typed)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_the_best_chunks_are_shown_with_their_sentence_marked(place: Path) -> None:
    said = invoke(place, QUESTION, "-k", 2)
    assert "1. doc-08 · p.1 · BM25" in said
    assert "«박물관 입장료는 8천 원입니다.»" in said
    assert "2. doc-" in said and "3. doc-" not in said


def test_json_is_one_line_a_question_and_nothing_else(place: Path) -> None:
    [line] = invoke(place, QUESTION, "--json", "-k", 1).splitlines()
    found = json.loads(line)
    assert found["hits"][0]["match"] == "박물관 입장료는 8천 원입니다."
    assert found["hits"][0]["document"] == "doc-08"
    assert "answer" not in found


def test_questions_come_from_a_file_or_from_standard_input(place: Path, tmp_path: Path) -> None:
    lines, rows = tmp_path / "asked.txt", tmp_path / "asked.jsonl"
    lines.write_text("\ufeff수영장 입장료\n\n박물관 입장료\n", encoding="utf-8")
    rows.write_text('{"question": "수영장 입장료", "id": 1}\n{"question": "zzz"}\n', encoding="utf-8")
    said = invoke(place, "--questions", lines, "-k", 1)
    assert said.index("doc-02") < said.index("doc-08")
    assert "Question: 수영장 입장료" in said
    assert "doc-08" in invoke(place, "--questions", "-", typed="박물관 입장료\n")
    said = invoke(place, "--questions", rows, "--out", tmp_path / "out.jsonl")
    assert "2 questions" in said and "1 with something to note" in said
    first, second = read_jsonl(tmp_path / "out.jsonl")
    assert first["hits"][0]["document"] == "doc-02"
    assert second["warnings"][0]["key"] == "retrieval.ask.nothing_found"


@pytest.mark.parametrize(
    "content", ['{"frage": "x"}\n', '{"question": 3}\n', "{broken\n", '["x"]\n', '{"question": " "}']
)
def test_a_line_without_a_question_is_named(place: Path, tmp_path: Path, content: str) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text('{"question": "x"}\n' + content)
    with pytest.raises(DataError, match="line 2"):
        invoke(place, "--questions", path)


def test_wrong_use_is_told(place: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    for wrong in ((), (QUESTION, "--questions", "-"), (QUESTION, "--by", "luck"), (QUESTION, "--base")):
        with pytest.raises(RecipeError):
            invoke(place, *wrong)
    with pytest.raises(DataError, match="empty"):
        invoke(place, "--questions", tmp_path / "empty.txt")
    with pytest.raises(DataError):
        invoke(place, "  ")
    with pytest.raises(ModelError, match="no vectors"):
        invoke(place, QUESTION, "--by", "both")


def test_a_cross_encoder_reorders_what_was_found(place: Path, tmp_path: Path) -> None:
    said = invoke(place, QUESTION, "--rerank", save_cross_encoder(tmp_path / "model"), "-k", 3)
    assert said.count("reranked") == 3


def test_an_answer_is_written_by_a_run(place: Path, tmp_path: Path) -> None:
    generation = {"max_new_tokens": 4}
    base = save_llama(tmp_path / "base")
    run = built_run(recipe_on(tmp_path / "files", base, ANSWER, generation=generation), tmp_path / "run")
    save_llama(run.adapter_folder(run.recipe()), seed=1)
    said = invoke(place, QUESTION, "--answer", run.folder, "-k", 2)
    assert "Answer: " in said
    assert "Chunk shown [1] doc-08 · p.1" in said
    assert "cut off at its limit (4 tokens)" in said
    [line] = invoke(place, QUESTION, "--answer", run.folder, "--base", "--json").splitlines()
    found = json.loads(line)
    assert (found["refused"], found["citations"], len(found["hits"])) == (False, [], 3)


def test_answers_show_their_sources_and_doubts(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hit = Hit("c", "규정-ab", 3, 4, 1.0, "휴가는 15일.\x1b[31m")
    told = [Message("retrieval.ask.no_such_citation", {"number": 7, "num": 1})]
    cited = [Citation(1, "c", "규정-ab", 3, 4, "휴가는\n15일.")]
    result = Result("질문", [hit], [None], "15일입니다.", cited, False, told)
    monkeypatch.setattr("dadeum.asking.ask_all", lambda *_, **__: [result])
    said = invoke(place, QUESTION)
    assert "Answer: 15일입니다." in said
    assert "Source [1] 규정-ab · p.3-4: “휴가는 15일.”" in said
    assert "Note: The answer rests on [7]" in said
    refused: Any = Result("질문", [hit], [None], "없습니다.", refused=True)
    monkeypatch.setattr("dadeum.asking.ask_all", lambda *_, **__: [refused])
    assert "hold no answer" in invoke(place, QUESTION)
    found = Result("질문", [hit], [None])
    monkeypatch.setattr("dadeum.asking.ask_all", lambda *_, **__: [found])
    assert "\x1b" not in invoke(place, QUESTION)  # what a document holds must not turn the terminal red
