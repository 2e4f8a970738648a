from __future__ import annotations

import json
from pathlib import Path

import pytest

from dadeum.core.errors import DataError, ModelError, RunError
from dadeum.core.run import Run, write_json
from dadeum.indexing import (
    LETTERS,
    add_documents,
    attach_model,
    build_index,
    making_of,
    making_of_model,
    making_of_run,
    opened,
)
from dadeum.retrieval.encoder import encoder_of
from dadeum.retrieval.places import open_index
from tests.corpora import ANSWER, RETRIEVE, built_run, chunks_of_corpus, recipe_on, save_embedder


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_embedder(tmp_path_factory.mktemp("embedder"))


def written(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.txt").write_text(content, encoding="utf-8")
    return folder


def retriever_run(folder: Path, embedder: Path, **scores: object) -> Run:
    """A run whose stage saved `embedder`, with prefixes; evaluated where scores are given."""
    task = RETRIEVE | {"query_prefix": "query: ", "chunk_prefix": "passage: "}
    run = built_run(recipe_on(folder / "files", embedder, task), folder / "run")
    target = run.adapter_folder(run.recipe())
    target.parent.mkdir(parents=True)
    target.symlink_to(embedder)
    if scores:
        write_json(run.scores_path, scores)
    return run


# -- words only ---------------------------------------------------------------------------------
def test_documents_become_an_index_of_words_which_says_why(tmp_path: Path) -> None:
    folder = written(tmp_path / "docs", 도서관="도서관 입장료는 3천 원입니다.", 수영장="수영장은 오전 6시에 엽니다.")
    making = making_of_model(None)
    assert [note.key for note in making.notes] == ["retrieval.ask.by_words_only"]
    change = build_index(tmp_path / "index", making, [folder])
    assert (change.documents, change.chunks, change.notes) == (2, 2, ())
    with opened(tmp_path / "index") as index:
        [[hit]] = index.search(["수영장은 몇 시에 여나요?"], 1)
        assert hit.document.startswith("수영장-")
        assert making_of(index) == making
        assert making_of(index).cutting.tokens_of == LETTERS
    with pytest.raises(ModelError, match="meaning"), opened(tmp_path / "index", "meaning"):
        pass
    with pytest.raises(RunError, match="index"):
        build_index(tmp_path / "index", making, [folder])


def test_sizes_are_kept_and_used_again_for_what_is_added(tmp_path: Path) -> None:
    sentence = "도서관은 월요일에 쉽니다. "
    folder = written(tmp_path / "docs", 하나=sentence * 20)
    build_index(tmp_path / "index", making_of_model(None, size=40, overlap=0), [folder])
    build_index(tmp_path / "whole", making_of_model(None, size=0), [folder])
    assert len(open_index(tmp_path / "whole")) == 1
    index = open_index(tmp_path / "index")
    before = len(index)
    assert before >= 10
    change = add_documents(index, [written(tmp_path / "more", 둘=sentence * 20)])
    assert (change.documents, change.chunks, len(index)) == (1, before, 2 * before)


def test_what_a_reader_should_know_about_its_documents_is_handed_on(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text(json.dumps({"a": "도서관 안내", "b": "  "}, ensure_ascii=False))
    change = build_index(tmp_path / "index", making_of_model(None), [tmp_path / "empty.json"])
    assert change.documents == 1
    assert any("b" in str(note) for note in change.notes)


def test_nothing_is_left_of_an_index_that_could_not_be_built(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        build_index(tmp_path / "index", making_of_model(None), [tmp_path / "nothing.pdf"])
    assert not (tmp_path / "index").exists()


# -- adding -------------------------------------------------------------------------------------
def test_the_same_document_is_left_as_it_is_and_a_newer_one_must_be_said(tmp_path: Path) -> None:
    folder = written(tmp_path / "docs", 규정="휴가는 15일입니다.", 안내="문은 9시에 엽니다.")
    build_index(tmp_path / "index", making_of_model(None), [folder])
    index = open_index(tmp_path / "index")
    change = add_documents(index, [folder])
    assert (change.documents, len(change.same), len(index)) == (0, 2, 2)
    newer = written(tmp_path / "newer", 규정="휴가는 20일입니다.", 새글="점심은 12시입니다.")
    with pytest.raises(DataError, match="규정-") as caught:
        add_documents(index, [newer])
    assert "--replace" in str(caught.value)
    assert len(index) == 2
    change = add_documents(index, [newer], replace=True)
    assert (change.documents, len(change.replaced), len(index)) == (2, 1, 3)
    assert "20일" in index.search(["휴가"], 1)[0][0].text
    assert len(index.search(["휴가"], 5)[0]) == 1


def test_a_file_of_the_same_name_may_stand_beside(tmp_path: Path) -> None:
    build_index(tmp_path / "index", making_of_model(None), [written(tmp_path / "a", 규정="휴가는 15일입니다.")])
    index = open_index(tmp_path / "index")
    add_documents(index, [written(tmp_path / "b", 규정="휴가는 20일입니다.")], beside=True)
    assert len(index.search(["휴가"], 5)[0]) == 2


def test_keys_of_a_corpus_are_compared_by_what_they_hold(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.json"
    texts = {"doc-00000001": "휴가는 15일입니다.", "doc-00000002": "문은 9시에 엽니다."}  # look like hashes, are none
    corpus.write_text(json.dumps(texts, ensure_ascii=False))
    build_index(tmp_path / "index", making_of_model(None), [corpus])
    index = open_index(tmp_path / "index")
    corpus.write_text(json.dumps({"doc-00000003": "점심은 12시입니다."}, ensure_ascii=False))
    assert add_documents(index, [corpus]).documents == 1
    corpus.write_text(json.dumps(texts | {"doc-00000001": "휴가는 20일입니다."}, ensure_ascii=False))
    with pytest.raises(DataError, match="doc-00000001"):
        add_documents(index, [corpus])
    change = add_documents(index, [corpus], replace=True)
    assert (change.replaced, change.same, len(index)) == (("doc-00000001",), ("doc-00000002",), 3)


# -- a model ------------------------------------------------------------------------------------
def test_an_index_with_a_model_finds_it_again_by_itself(tmp_path: Path, embedder: Path) -> None:
    corpus = {chunk.document: chunk.text for chunk in chunks_of_corpus()}
    (tmp_path / "corpus.json").write_text(json.dumps(corpus, ensure_ascii=False))
    making = making_of_model(str(embedder), size=64, overlap=0)
    assert [note.key for note in making.notes] == ["retrieval.ask.not_validated"]
    told: list[tuple[str, int, int]] = []
    build_index(tmp_path / "index", making, [tmp_path / "corpus.json"], progress=lambda *step: told.append(step))
    with opened(tmp_path / "index") as index:
        assert (index.encoder, index.way()) == (None, "words")
        num = len(index)
    assert ("retrieval.vectors", num, num) in told
    with opened(tmp_path / "index", "meaning") as index:
        text = index.search(["입장료"], 1, "words")[0][0].text
        assert index.search([text], 1, "meaning")[0][0].text == text


def test_a_model_that_moved_is_asked_for_and_another_one_refused(tmp_path: Path, embedder: Path) -> None:
    import shutil

    first = tmp_path / "first"
    shutil.copytree(embedder, first)
    docs = written(tmp_path / "docs", 하나="도서관 안내")
    build_index(tmp_path / "index", making_of_model(str(first)), [docs])
    first.rename(tmp_path / "second")
    index = open_index(tmp_path / "index")
    with pytest.raises(RunError, match="first"):
        attach_model(index)
    attach_model(index, str(tmp_path / "second"))
    assert index.encoder is not None
    other = save_embedder(tmp_path / "other", seed=1)
    with pytest.raises(ModelError, match="sha256"):
        attach_model(index, str(other))


# -- a run --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("served", "weight", "by"),
    [("tuned_hybrid", 0.3, "both"), ("tuned", 0.3, "meaning"), ("tuned_hybrid", 0.0, "words")],
)
def test_a_run_brings_its_model_its_mixture_and_its_chunks(
    tmp_path: Path, embedder: Path, served: str, weight: float, by: str
) -> None:
    run = retriever_run(tmp_path, embedder, served=served, hybrid_weight=weight, hybrid_method="scores")
    making = making_of_run(run.folder)
    assert (making.by, making.meaning_weight, making.method) == (by, weight, "scores")
    assert [note.key for note in making.notes] == [f"retrieval.ask.chosen.{by}"]
    assert making.cutting.size_tokens is None
    assert making.model is not None
    recipe = run.recipe()
    assert making.model.encoder().revision == encoder_of(recipe, run.adapter_folder(recipe)).revision
    build_index(tmp_path / "index", making, run=run.folder)
    with opened(tmp_path / "index", by) as index:  # type: ignore[arg-type]
        assert len(index) == len(chunks_of_corpus())
        assert index.preferred == by
        if by != "words":
            question = "도서관 입장료는 얼마인가요?"
            vector = encoder_of(recipe, run.adapter_folder(recipe)).encode_questions([question])
            assert index.encoder is not None
            assert (index.encoder.encode_questions([question]) == vector).all()


def test_a_run_that_was_not_evaluated_says_so_and_words_stay(tmp_path: Path, embedder: Path) -> None:
    making = making_of_run(retriever_run(tmp_path, embedder).folder)
    assert [note.key for note in making.notes] == ["retrieval.ask.not_evaluated"]
    assert making.by is None
    assert making.model is not None


def test_an_answering_run_brings_the_retriever_that_it_was_judged_with(tmp_path: Path, embedder: Path) -> None:
    retriever = retriever_run(tmp_path, embedder, served="tuned", hybrid_weight=1.0, hybrid_method="ranks")
    plain = built_run(recipe_on(tmp_path / "a", "base", ANSWER), tmp_path / "plain")
    assert making_of_run(plain.folder).model is None
    task = ANSWER | {"retriever": str(retriever.folder)}
    tuned = built_run(recipe_on(tmp_path / "b", "base", task), tmp_path / "tuned")
    assert making_of_run(tuned.folder).model == making_of_run(retriever.folder).model
    assert making_of_run(tuned.folder).by == "meaning"


def test_a_run_of_another_task_or_one_that_is_not_trained_is_named(tmp_path: Path, embedder: Path) -> None:
    from tests.tiny import decide_recipe

    other = Run.create(
        decide_recipe("x", data={"sources": [{"path": str(tmp_path / "mails.csv")}]}), tmp_path / "other"
    )
    with pytest.raises(RunError, match="decide"):
        making_of_run(other.folder)
    bare = built_run(recipe_on(tmp_path / "files", embedder, RETRIEVE), tmp_path / "bare")
    with pytest.raises(RunError, match="train"):
        making_of_run(bare.folder)


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"served": "tuned", "hybrid_weight": 1.0, "hybrid_method": "ranks"},
        {"served": "tuned_hybrid", "hybrid_weight": 0.7, "hybrid_method": "scores"},
        {"served": "tuned_hybrid", "hybrid_weight": 0.0, "hybrid_method": "ranks"},
    ],
)
def test_chunks_are_found_as_for_the_test_questions_of_the_answering_run(
    tmp_path: Path, embedder: Path, scores: dict[str, object]
) -> None:
    from dadeum.data.passages.corpus import Facts, Passages
    from dadeum.data.questions.search import Search

    retriever = retriever_run(tmp_path, embedder, **scores)
    task = ANSWER | {"retriever": str(retriever.folder)}
    run = built_run(recipe_on(tmp_path / "a", "base", task), tmp_path / "answerer")
    build_index(tmp_path / "index", making_of_run(run.folder), run=run.folder)
    asked = ["박물관 입장료는 얼마인가요?", "수영장에 전화하려면요?", "zzz"]
    chunks = chunks_of_corpus()
    judged = Search(Passages(chunks, Facts()), retriever.folder).tested(asked, 3)
    with opened(tmp_path / "index") as index:
        found = index.search(asked, 3)
    assert [[hit.chunk for hit in hits] for hits in found] == [[chunks[at].id for at in row] for row in judged]
