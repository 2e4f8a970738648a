from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dadeum.core.errors import DataError, ModelError
from dadeum.core.examples import to_table
from dadeum.core.run import read_jsonl
from dadeum.documents.stored import write_chunks
from dadeum.evaluation.evaluate import evaluate, score_base
from dadeum.evaluation.retrieve.scores import RetrievalScores
from tests.corpora import RETRIEVE, built_run, recipe_on, save_embedder
from tests.evaluation.retrieve.conftest import KNOWN_BY_TUNED
from tests.evaluation.retrieve.made import NUM, SPLITS, WORDS, chunk, made_run, question, rows_of

Encoders = Callable[..., dict[str, Any]]


def value(scores: RetrievalScores, system: str, metric: str = "recall@1") -> float:
    return scores.systems[system].metrics[metric].value


def keys(scores: RetrievalScores) -> list[str]:
    return [notice.key.rpartition(".")[2] for notice in scores.warnings]


def test_words_find_half_meaning_another_half_both_more(tmp_path: Path, encoders: Encoders) -> None:
    encoders(KNOWN_BY_TUNED)
    scores = evaluate(*made_run(tmp_path / "run"))
    assert value(scores, "bm25") == 0.5
    assert value(scores, "tuned") == pytest.approx(0.5, abs=0.05)
    assert value(scores, "tuned_hybrid") == pytest.approx(0.75, abs=0.05)
    assert value(scores, "base_model") < 0.2
    assert (scores.served, scores.verdict) == ("tuned_hybrid", "better")
    assert scores.hybrid_weight > 0
    assert (scores.num_groups, scores.num_chunks, scores.judged_by) == (12, NUM, {"chunk": 24, "document": 0})


def test_differences_are_paired_and_drawn_over_documents(tmp_path: Path, encoders: Encoders) -> None:
    encoders(KNOWN_BY_TUNED)
    scores = evaluate(*made_run(tmp_path / "run"))
    pairs = {(one.system, one.baseline): one.differences for one in scores.comparisons}
    assert list(pairs) == [
        ("tuned", "bm25"), ("tuned_hybrid", "bm25"), ("tuned", "base_model"), ("tuned_hybrid", "base_hybrid"),
        ("tuned_hybrid", "tuned"),
    ]  # fmt: skip
    found = pairs[("tuned_hybrid", "bm25")]["recall@1"]
    assert found.value == pytest.approx(value(scores, "tuned_hybrid") - 0.5)
    assert found.outcome == "better"
    assert 0 < found.low <= found.value <= found.high
    # Every document has one easy and one hard question, so BM25 gets exactly half of any draw of documents.
    half = scores.systems["bm25"].metrics["recall@1"]
    assert (half.low, half.high) == (0.5, 0.5)


def test_the_fusion_is_chosen_without_test_questions(tmp_path: Path, encoders: Encoders) -> None:
    encoders(KNOWN_BY_TUNED)
    one = evaluate(*made_run(tmp_path / "one"))
    fewer = evaluate(*made_run(tmp_path / "two", splits={"test": rows_of(range(28, NUM))}))
    assert fewer.hybrids == one.hybrids
    assert one.hybrids["tuned_hybrid"].num_questions == 20


def test_a_model_that_knows_everything_is_served_alone(tmp_path: Path, encoders: Encoders) -> None:
    encoders()
    scores = evaluate(*made_run(tmp_path / "run", evaluate={"bootstrap_samples": 200, "baselines": ["bm25"]}))
    assert value(scores, "tuned") == 1.0
    assert set(scores.systems) == {"tuned", "tuned_hybrid", "bm25"}
    assert scores.verdict == "better"


def test_a_model_that_knows_nothing_leaves_bm25(tmp_path: Path, encoders: Encoders) -> None:
    encoders(tuned=())
    easy = {split: rows_of(numbers)[::2] for split, numbers in SPLITS.items()}
    recipe, run = made_run(tmp_path / "run", splits=easy)
    scores = evaluate(recipe, run)
    assert (scores.hybrid_weight, scores.served, scores.verdict) == (0.0, "tuned_hybrid", "as_good")
    assert scores.systems["tuned_hybrid"].metrics == scores.systems["bm25"].metrics
    assert scores.beside_bm25 == "tuned", "BM25 set against itself would differ nowhere"
    assert all(row["behind_bm25"] > 0 for row in read_jsonl(run.samples_path) if row["ranks"]["tuned"][0] != 1)


def test_without_bm25_there_is_no_verdict(tmp_path: Path, encoders: Encoders) -> None:
    encoders()
    settings = {"bootstrap_samples": 200, "baselines": ["base_model"]}
    scores = evaluate(*made_run(tmp_path / "run", evaluate=settings))
    assert (scores.verdict, "bm25" in scores.systems) == ("no_baseline", False)


def test_every_text_is_read_once_and_the_untuned_model_only_before(tmp_path: Path, encoders: Encoders) -> None:
    made = encoders(KNOWN_BY_TUNED)
    recipe, run = made_run(tmp_path / "run")
    score_base(recipe, run)
    once = NUM + 2 * (len(SPLITS["validation"]) + len(SPLITS["test"]))
    assert len(made["base"].read) == once
    first = evaluate(recipe, run)
    assert (len(made["base"].read), len(made["tuned"].read)) == (once, once)
    write_chunks(run.split_path("chunks"), [replace(chunk(0), text="다른 글"), *map(chunk, range(1, NUM))])
    changed = evaluate(recipe, run)
    assert len(made["base"].read) == 2 * once
    assert changed.corpus_hash != first.corpus_hash
    assert changed.asked_hash == first.asked_hash
    made["base"].revision = "2"
    evaluate(recipe, run)
    assert len(made["base"].read) == 3 * once


def test_twice_gives_the_same_figures(tmp_path: Path, encoders: Encoders) -> None:
    encoders(KNOWN_BY_TUNED)
    recipe, run = made_run(tmp_path / "run")
    first, again = (evaluate(recipe, run).model_dump() for _ in range(2))
    for found in (first, again):
        found["seconds_chunks"] = None
        for system in found["systems"].values():
            system["seconds"] = None
    assert first == again


def test_any_chunk_of_a_right_document_is_right(tmp_path: Path, encoders: Encoders) -> None:
    """Three chunks each; documents are ranked by their best chunk, so the second document has rank 2."""
    encoders()
    chunks = [chunk(number, part) for number in range(NUM) for part in (1, 2, 3)]
    splits = {split: rows_of(numbers, lambda number: [f"d{number:02d}"]) for split, numbers in SPLITS.items()}
    recipe, run = made_run(tmp_path / "run", chunks, splits)
    scores = evaluate(recipe, run)
    assert scores.judged_by == {"chunk": 0, "document": 24}
    assert "by_document" in keys(scores)
    assert value(scores, "tuned") == 1.0
    rows = read_jsonl(run.samples_path)
    hard = next(row for row in rows if row["difficulty"] == "hard")
    assert (hard["gold"], hard["judged_by"]) == ([hard["group"]], "document")
    assert {hard["chunks"][name]["document"] for name in hard["found"]["tuned"][:3]} == {hard["group"]}
    assert hard["ranks"]["tuned"] == [1], "three chunks of one document are one answer"


def test_several_right_chunks(tmp_path: Path, encoders: Encoders) -> None:
    encoders()
    both = rows_of(SPLITS["test"], lambda number: [chunk(number).id, chunk((number + 1) % NUM).id])
    scores = evaluate(*made_run(tmp_path / "run", splits={"test": both}))
    assert "several_gold" in keys(scores)
    assert value(scores, "tuned", "recall@1") == 0.5
    assert value(scores, "tuned", "hit@1") == 1.0


def test_questions_without_a_right_chunk_are_left_out_and_counted(tmp_path: Path, encoders: Encoders) -> None:
    encoders()
    none = question(25, WORDS, "none", [])
    recipe, run = made_run(tmp_path / "run", splits={"test": [*rows_of(SPLITS["test"]), none]})
    scores = evaluate(recipe, run)
    notice = next(one for one in scores.warnings if one.key.endswith("without_gold"))
    assert (notice.values["num"], notice.values["total"], scores.num_rows["test"]) == (1, 25, 25)
    assert len(read_jsonl(run.samples_path)) == 24


def test_what_cannot_be_judged_stops_with_a_name(tmp_path: Path, encoders: Encoders) -> None:
    encoders()
    recipe, run = made_run(tmp_path / "a", splits={"test": [question(25, WORDS, "easy", ["d25#old"])]})
    with pytest.raises(DataError, match="d25#old"):
        evaluate(recipe, run)
    with pytest.raises(DataError, match=r"test\.parquet"):
        evaluate(*made_run(tmp_path / "b", splits={"test": []}))
    with pytest.raises(DataError, match="relevant_chunks"):
        evaluate(*made_run(tmp_path / "c", splits={"test": [question(25, WORDS, "easy", [])]}))


def test_documents_seen_in_training_are_said_and_told_apart(tmp_path: Path, encoders: Encoders) -> None:
    encoders()
    scores = evaluate(*made_run(tmp_path / "run", splits={"test": rows_of([*range(4), *SPLITS["test"]])}))
    notice = next(one for one in scores.warnings if one.key.endswith("seen"))
    assert (notice.values["num"], notice.values["total"]) == (8, 32)
    assert scores.warnings[0] == notice
    assert {name: part.num_rows for name, part in scores.parts["seen"].items()} == {"seen": 8, "unseen": 24}


def test_parts_by_difficulty_have_their_own_difference(tmp_path: Path, encoders: Encoders) -> None:
    encoders(KNOWN_BY_TUNED)
    scores = evaluate(*made_run(tmp_path / "run"))
    hard, easy = scores.parts["difficulty"]["hard"], scores.parts["difficulty"]["easy"]
    assert (hard.num_rows, easy.num_rows) == (12, 12)
    assert (hard.systems["bm25"]["recall@1"], easy.systems["bm25"]["recall@1"]) == (0.0, 1.0)
    assert hard.difference is not None
    assert hard.difference.outcome == "better"
    assert len(scores.parts["origin"]) == 12
    assert "domain" not in scores.parts, "no question has one"


def test_twins_and_questions_that_are_asked_twice(tmp_path: Path, encoders: Encoders) -> None:
    encoders()
    twin = replace(chunk(3), text=chunk(25).text)
    chunks = [twin if number == 3 else chunk(number) for number in range(NUM)]
    other = replace(question(25, WORDS, "other", [chunk(26).id]), text=f"{WORDS[25]} 언제 여나요?")
    scores = evaluate(*made_run(tmp_path / "run", chunks, {"test": [*rows_of(SPLITS["test"]), other]}))
    found = {one.key.rpartition(".")[2]: one.values["num"] for one in scores.warnings}
    assert found["asked_twice"] == 2
    assert found["stands_twice"] == 2


def test_first_dimensions_alone(tmp_path: Path, encoders: Encoders) -> None:
    """The encoder has a dimension for every word: the first 16 know nothing of the test documents (20 to 31)."""
    encoders()
    scores = evaluate(*made_run(tmp_path / "run"))
    assert list(scores.matryoshka) == [4, 16]
    assert scores.matryoshka[16]["recall@1"].value < 0.3
    assert scores.dimensions == NUM


def test_without_validation_questions_nothing_is_chosen(tmp_path: Path, encoders: Encoders) -> None:
    encoders()
    scores = evaluate(*made_run(tmp_path / "run", splits={"validation": []}))
    assert (scores.served, scores.hybrid_method, scores.hybrid_weight) == ("tuned", "ranks", 1.0)
    assert "no_validation" in keys(scores)


def test_vectors_that_are_not_numbers(tmp_path: Path, encoders: Encoders, monkeypatch: pytest.MonkeyPatch) -> None:
    made = encoders()
    monkeypatch.setattr(made["tuned"], "encode_chunks", lambda texts, progress: np.full((len(texts), NUM), np.nan))
    with pytest.raises(ModelError, match="tuned"):
        evaluate(*made_run(tmp_path / "run"))


def test_samples_say_where_each_system_found_it(tmp_path: Path, encoders: Encoders) -> None:
    encoders(KNOWN_BY_TUNED)
    recipe, run = made_run(tmp_path / "run")
    evaluate(recipe, run)
    rows = {row["id"]: row for row in read_jsonl(run.samples_path)}
    hard = rows["q:21-hard"]
    assert hard["gold"] == [chunk(21).id]
    assert (hard["ranks"]["tuned"], hard["ranks"]["bm25"]) == ([1], [])
    assert hard["found"]["tuned"][0] == chunk(21).id
    assert len(hard["found"]["tuned"]) == 5
    assert hard["behind_bm25"] == -1.0
    shown = hard["chunks"][chunk(21).id]
    assert (shown["document"], shown["pages"]) == ("d21", [1, 1])
    assert shown["beginning"].startswith(WORDS[21])
    assert sorted(rows.values(), key=lambda row: -row["behind_bm25"])[0]["behind_bm25"] >= 0


def test_a_real_model_end_to_end(tmp_path: Path) -> None:
    base = save_embedder(tmp_path / "base")
    recipe = recipe_on(tmp_path / "files", base, RETRIEVE | {"max_seq_length": 24})
    run = built_run(recipe, tmp_path / "run")
    run.adapter_folder(recipe).parent.mkdir(parents=True)
    save_embedder(tmp_path / "tuned", seed=1).rename(run.adapter_folder(recipe))
    scores = evaluate(recipe, run)
    assert isinstance(scores, RetrievalScores)
    assert value(scores, "bm25") == 1.0
    assert scores.systems["tuned"].metrics != scores.systems["base_model"].metrics
    assert scores.model_revision.startswith("sha256:")
    assert scores.cut is not None
    assert (scores.cut.limit, scores.cut.chunks, scores.cut.gold) == (24, 12, 6)
    assert "cut" in keys(scores)
    assert scores.verdict == "undecided", "two documents decide nothing"
    assert json.loads(run.scores_path.read_text(encoding="utf-8"))["task"] == "retrieve"
    pq.write_table(to_table([]), run.split_path("test"))
    with pytest.raises(DataError):
        evaluate(recipe, run)
