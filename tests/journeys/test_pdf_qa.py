"""From documents to `dadeum ask` through the real command line: retriever, answerer, index, answers, on tiny models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dadeum.core.examples import SPLITS, read_examples
from dadeum.core.recipe_file import load_recipe
from dadeum.core.run import Run
from dadeum.data.prepare import prepare
from dadeum.documents.stored import read_chunks
from dadeum.tasks import answer, retrieve
from tests.corpora import save_embedder, write_files

Dadeum = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def tiny_embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_embedder(tmp_path_factory.mktemp("tiny-embedder"))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with corpus.json and questions.jsonl."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    write_files(tmp_path)
    return tmp_path


def options(values: dict[str, object]) -> list[str]:
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def on_my_files(desk: Path) -> dict[str, object]:
    return {
        "data.corpus.sources": f"[{desk / 'corpus.json'}]",
        "data.corpus.size_tokens": "null",
        "model.precision": "fp32",
        "evaluate.bootstrap_samples": 100,
    }


def retriever(desk: Path, embedder: Path) -> list[str]:
    """The shipped recipe on the files of the desk, small."""
    smaller = {
        "model.base": embedder,
        "task.max_seq_length": 96,
        "stages.contrast.epochs": 2,
        "stages.contrast.learning_rate": 1e-3,
    }
    return ["pdf-qa-retriever", "--data", str(desk / "questions.jsonl"), *options(on_my_files(desk) | smaller)]


def answerer(desk: Path, llama: Path) -> list[str]:
    smaller = {
        "model.base": llama,
        "model.adapter.r": 4,
        "task.retriever": desk / "found",
        "task.chunks": 2,
        "stages.answer.epochs": 1,
        "stages.answer.learning_rate": 5e-3,
        "stages.answer.batch_size": 8,
        "stages.answer.accumulation_steps": 1,
        "generation.max_new_tokens": 6,
        "evaluate.generate_rows": 4,
        "evaluate.similarity_model": "null",
    }
    return ["pdf-qa-answerer", "--data", str(desk / "questions.jsonl"), *options(on_my_files(desk) | smaller)]


def test_from_documents_to_an_answer_with_its_sources(
    desk: Path, dadeum: Dadeum, tiny_embedder: Path, tiny_llama: Path
) -> None:
    code, out, err = dadeum("run", *retriever(desk, tiny_embedder), "--out", "found")
    assert (code, err) == (0, ""), out
    found = Run.open(desk / "found")
    scores = json.loads(found.scores_path.read_text(encoding="utf-8"))
    assert scores["task"] == "retrieve"
    assert {"tuned", "bm25", "base_model"} <= set(scores["systems"])
    assert "BM25" in (found.folder / "report.html").read_text(encoding="utf-8")
    of = {split: {row.origin for row in read_examples(found.split_path(split))} for split in SPLITS}
    assert not of["train"] & of["test"]

    code, out, err = dadeum("run", *answerer(desk, tiny_llama), "--out", "told")
    assert (code, err) == (0, ""), out
    told = Run.open(desk / "told")
    chunks = {chunk.id: chunk for chunk in read_chunks(told.split_path("chunks"))}
    for row in read_examples(told.split_path("train")):
        assert all(chunks[key].text in row.prompt[-1]["content"] for key in answer.shown(row))
        assert (answer.kind(row) == "answerable") == bool(set(retrieve.relevant(row)) & set(answer.shown(row)))
    assert (told.folder / "report.html").exists()

    code, out, err = dadeum("index", "build", "--index", "shelf", "--run", "found")
    assert code == 0, err
    code, out, err = dadeum("ask", "--index", "shelf", "수영장 입장료는 얼마인가요?", "--by", "words", "--json")
    assert code == 0, err
    assert "수영장 입장료는 2천 원입니다." in out
    code, out, err = dadeum("ask", "--index", "shelf", "수영장 입장료는 얼마인가요?", "--answer", "told")
    assert code == 0, err
    assert "doc-" in out


def test_both_recipes_are_copied_with_their_documents(desk: Path, dadeum: Dadeum) -> None:
    for name in ("pdf-qa-retriever", "pdf-qa-answerer"):
        assert dadeum("recipes", "copy", name, f"mine-{name}")[0] == 0
        loaded = load_recipe(desk / f"mine-{name}" / f"{name}.yaml")
        assert loaded.data.corpus is not None
        sources = [*loaded.data.corpus.sources, *(source.path for source in loaded.data.sources)]
        assert all(Path(path).is_relative_to(desk) and Path(path).exists() for path in sources)


def test_the_shipped_questions_need_no_repair(tiny_llama: Path) -> None:
    recipe = load_recipe("pdf-qa-answerer", overrides=(f"model.base={tiny_llama}",))
    prepared = prepare(recipe)
    assert sum(prepared.used.values()) == 294
    assert prepared.removed == []
