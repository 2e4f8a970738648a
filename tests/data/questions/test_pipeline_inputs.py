"""What makes a run read its documents again, what a run keeps, and which like questions are no leak."""

from __future__ import annotations

from pathlib import Path

from dadeum import pipeline
from dadeum.core.examples import SPLITS
from dadeum.core.run import Run
from dadeum.data.build import build_data
from dadeum.data.checks._leaks import find_leaks
from dadeum.data.lengths.question_tokens import QuestionCounter
from dadeum.data.lengths.tokens import counter_of
from dadeum.data.prepare import prepare
from dadeum.data.similar.fingerprints import Memory
from dadeum.data.similar.pairs import pairs_of
from dadeum.documents.stored import read_chunks
from dadeum.tasks import retrieve
from tests.corpora import RETRIEVE, recipe_on, save_embedder
from tests.data.passages.builders import RETRIEVING, Letters, asked, corpus_file, lines, recipe


def test_another_text_of_a_document_is_another_input(tmp_path: Path) -> None:
    corpus = corpus_file(tmp_path)
    source = {"path": str(lines(tmp_path / "q.jsonl", asked()))}
    made = recipe(RETRIEVING, {"sources": [str(corpus)]}, source)
    before = pipeline.data_inputs(made)
    assert pipeline.data_inputs(made) == before
    corpus.write_text(corpus.read_text(encoding="utf-8").replace("1천", "9천"), encoding="utf-8")
    assert pipeline.data_inputs(made) != before


def test_a_run_keeps_its_chunks_and_what_is_said_of_them(tmp_path: Path) -> None:
    made = recipe(
        RETRIEVING,
        {"sources": [str(corpus_file(tmp_path))]},
        {"path": str(lines(tmp_path / "q.jsonl", asked()))},
    )
    run = Run.create(made, tmp_path / "run")
    build_data(made, run, fits=Letters())
    assert len(read_chunks(run.split_path("chunks"))) == 10
    record = run.manifest()["data"]
    assert record["corpus"]["documents"] == 10
    assert set(record["sha256"]) == {*SPLITS, "removed", "chunks"}
    hashes = pipeline.data_hashes(run)
    run.split_path("chunks").write_bytes(b"other")
    assert pipeline.data_hashes(run) != hashes


def test_a_retriever_counts_questions_and_chunks(tmp_path: Path) -> None:
    made = recipe_on(tmp_path / "files", save_embedder(tmp_path / "model"), RETRIEVE)
    counter = counter_of(made)
    assert isinstance(counter, QuestionCounter)
    found = prepare(made, counter)
    assert found.limited is not None
    (row, *_) = found.limited.fitted["train"]
    assert row.example is not None
    # Every letter is a token, and the model puts a mark before and behind.
    assert row.prompt_tokens == len(row.example.text.replace(" ", "")) + 2
    (gold,) = retrieve.relevant(row.example)
    assert found.passages is not None
    assert row.answer_tokens == found.passages.by_id[gold].num_tokens + 2


def test_one_pattern_over_many_documents_is_no_leak(tmp_path: Path) -> None:
    made = recipe_on(tmp_path / "files", "nobody", RETRIEVE)
    found = prepare(made, Letters())
    assert any("말투" in note for note in found.notes)
    rows = [row for split in SPLITS for row in found.examples[split]]
    train = list(range(len(found.examples["train"])))
    rest = list(range(len(train), len(rows)))
    assert rest and not find_leaks(rows, pairs_of(rows), rest, train, Memory())
