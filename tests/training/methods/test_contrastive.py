from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dadeum.core.run import read_jsonl
from dadeum.retrieval.encoder import encoder_of
from dadeum.training.train import train
from tests.corpora import RETRIEVE, built_run, recipe_on, save_embedder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_embedder(tmp_path_factory.mktemp("embedder"))


def recipe(folder: Path, base: Path | str, task: dict[str, Any] | None = None, **stage: Any) -> Any:
    settings = {"name": "only", "method": "contrastive", "epochs": 2, "learning_rate": 2e-3, "batch_size": 8}
    adapter = stage.pop("adapter", {"type": "none"})
    model = {"base": str(base), "adapter": adapter, "precision": stage.pop("precision", "fp32")}
    return recipe_on(folder, base, RETRIEVE | (task or {}), stages=[settings | stage], model=model)


def trained(folder: Path, base: Path, task: dict[str, Any] | None = None, **stage: Any) -> tuple[Any, Any, Path]:
    """(result of the stage, recipe, weights)."""
    made = recipe(folder / "files", base, task, **stage)
    run = built_run(made, folder / "run")
    return train(made, run)["only"], made, run.stage_folder(0, "only") / "adapter"


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {str(path.relative_to(folder)): load_file(path) for path in folder.rglob("*.safetensors")}


def test_training_moves_questions_to_their_chunks(base: Path, tmp_path: Path) -> None:
    result, made, folder = trained(tmp_path, base, epochs=8)
    assert result.rows == 24
    assert result.steps == 24
    assert result.num_trainable == result.num_parameters > 0
    assert 0 < result.tokens < result.tokens_computed
    assert result.figures["pairs"] == result.figures["questions"] == 24
    assert result.figures["negatives_by_words"] + result.figures["negatives_short"] == 24
    assert result.figures["chunks_held_out"] == 4
    assert result.figures["mrr@10"] > result.figures["mrr@10_before"]
    logged = read_jsonl(folder.parents[2] / "metrics.jsonl")
    assert {"eval_loss", "eval_mrr@10"} <= {name for row in logged for name in row}
    best = min((row for row in logged if "eval_loss" in row), key=lambda row: row["eval_loss"])
    assert best["step"] == result.best_step
    assert result.figures["mrr@10"] == pytest.approx(best["eval_mrr@10"], abs=1e-6)
    before, after = encoder_of(made, None), encoder_of(made, folder)
    assert not np.allclose(before.encode_questions(["도서관"]), after.encode_questions(["도서관"]))


def test_what_was_taken_as_wrong_can_be_read(base: Path, tmp_path: Path) -> None:
    _, _, folder = trained(tmp_path, base, epochs=1, negatives={"by": ["words", "model"], "number": 2, "margin": 0})
    rows = read_jsonl(folder.parent / "negatives.jsonl")
    assert len(rows) == 30
    held_out = {f"doc-{number:02d}" for number in range(9, 13)}
    for row in rows[:24]:
        documents = {one.partition("#")[0] for one in row["negatives"]}
        assert not documents & held_out
        assert row["positive"] not in row["negatives"]
    assert any(row["negatives"] for row in rows)


@pytest.mark.parametrize("loss", ["cosent", "cosine"])
def test_losses_on_pairs(loss: str, base: Path, tmp_path: Path) -> None:
    negatives = {"number": 2, "margin": 0}
    result, _, _ = trained(tmp_path, base, loss=loss, negatives=negatives, matryoshka=[8, 16])
    taken = result.figures["negatives_by_words"]
    assert taken > 0
    assert result.rows == 24 + taken
    assert np.isfinite(result.best_eval_loss)


def test_a_low_rank_update_is_saved_in_the_weights(base: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    adapter = {"type": "lora", "r": 2, "targets": "attention"}
    result, made, folder = trained(tmp_path, base, adapter=adapter)
    assert 0 < result.num_trainable < result.num_parameters / 4
    assert not list(folder.rglob("adapter_*"))
    loaded = SentenceTransformer(str(folder), device="cpu")
    found = loaded.encode(["도서관 입장료"], normalize_embeddings=True)
    np.testing.assert_allclose(found, encoder_of(made, folder).encode_questions(["도서관 입장료"]), atol=1e-6)
    ours, theirs = weights(folder), weights(base)
    assert {name: set(one) for name, one in ours.items()} == {name: set(one) for name, one in theirs.items()}
    [after], [before] = ours.values(), theirs.values()
    changed = {name for name in after if not np.allclose(after[name], before[name])}
    assert changed
    assert all(".attention." in name for name in changed)


def test_the_saved_model_knows_its_prefixes_and_length(base: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    task = {"query_prefix": "질문 ", "chunk_prefix": "시장 ", "max_seq_length": 24}
    _, made, folder = trained(tmp_path, base, task, epochs=1)
    loaded = SentenceTransformer(str(folder), device="cpu")
    assert loaded.max_seq_length == 24
    ours = encoder_of(made, folder)
    text = "수영장 문은 몇 시에 여나요?"
    found = loaded.encode_query([text], normalize_embeddings=True)
    np.testing.assert_allclose(found, ours.encode_questions([text]), atol=1e-6)
    found = loaded.encode_document([text], normalize_embeddings=True)
    np.testing.assert_allclose(found, ours.encode_chunks([text]), atol=1e-6)
    assert not (folder / "README.md").exists()


def test_a_resumed_stage_ends_where_an_uninterrupted_one_does(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dadeum.training.contrastive.trainer import EmbeddingTrainer

    stage = {"epochs": 3, "save_steps": 2, "eval_steps": 2, "negatives": {"number": 1, "margin": 0}}
    _, _, whole = trained(tmp_path / "whole", base, **stage)
    made = recipe(tmp_path / "cut" / "files", base, **stage)
    run = built_run(made, tmp_path / "cut" / "run")
    steps = 0
    step = EmbeddingTrainer.training_step

    def killed(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 6:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    monkeypatch.setattr(EmbeddingTrainer, "training_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train(made, run)
    monkeypatch.undo()
    train(made, run)
    assert any(event["event"] == "stage_resumed" for event in read_jsonl(run.folder / "events.jsonl"))
    ours, theirs = weights(run.stage_folder(0, "only") / "adapter"), weights(whole)
    for name, tensors in theirs.items():
        for key, value in tensors.items():
            np.testing.assert_array_equal(ours[name][key], value, err_msg=key)


def test_checkpoints_hold_no_texts(base: Path, tmp_path: Path) -> None:
    _, _, folder = trained(tmp_path, base, epochs=1)
    [checkpoint] = (folder.parent / "checkpoints").glob("checkpoint-*")
    for path in checkpoint.rglob("*"):
        if path.is_file():
            assert "도서관".encode() not in path.read_bytes(), path


def test_a_second_stage_begins_with_the_first(base: Path, tmp_path: Path) -> None:
    stages = [
        {"name": name, "method": "contrastive", "epochs": 1, "learning_rate": rate, "batch_size": 8}
        for name, rate in (("first", 1e-3), ("second", 1e-9))
    ]
    adapter = {"type": "lora", "r": 2}
    made = recipe_on(
        tmp_path / "files", base, RETRIEVE, stages=stages,
        model={"base": str(base), "adapter": adapter, "precision": "fp32"},
    )  # fmt: skip
    run = built_run(made, tmp_path / "run")
    train(made, run)
    folders = [run.stage_folder(at, name) / "adapter" for at, name in enumerate(["first", "second"])]
    first, second = (encoder_of(made, folder) for folder in folders)
    text = ["공연장 입장료는 얼마인가요?"]
    np.testing.assert_allclose(first.encode_questions(text), second.encode_questions(text), atol=1e-4)
    untuned = encoder_of(made, None).encode_questions(text)
    assert not np.allclose(first.encode_questions(text), untuned, atol=1e-3)


def test_a_question_about_a_chunk_that_is_gone_is_named(base: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from dadeum.core.errors import DataError
    from dadeum.core.examples import read_examples, to_table

    made = recipe(tmp_path / "files", base)
    run = built_run(made, tmp_path / "run")
    examples = read_examples(run.split_path("train"))
    examples[0].extra["relevant"] = json.dumps(["doc-99"])
    pq.write_table(to_table(examples), run.split_path("train"))
    with pytest.raises(DataError, match="doc-99"):
        train(made, run)


def test_other_chunks_or_other_held_out_documents_are_trained_on_anew(base: Path, tmp_path: Path) -> None:
    from dadeum.documents.stored import read_chunks, write_chunks
    from dadeum.training.train import stage_inputs

    made = recipe(tmp_path / "files", base)
    run = built_run(made, tmp_path / "run")
    before = stage_inputs(made, run, 0)
    assert stage_inputs(made, run, 0) == before
    write_chunks(run.split_path("chunks"), read_chunks(run.split_path("chunks"))[1:])
    after = stage_inputs(made, run, 0)
    assert after != before
    run.split_path("test").unlink()
    assert stage_inputs(made, run, 0) != after


def test_half_precision_with_recomputed_activations(base: Path, tmp_path: Path) -> None:
    adapter = {"type": "lora", "r": 2}
    result, made, folder = trained(tmp_path, base, adapter=adapter, gradient_checkpointing=True, precision="bf16")
    assert result.precision == "bf16"
    assert np.isfinite(result.train_loss)
    text = ["시장 문은 몇 시에 여나요?"]
    untuned = encoder_of(made, None).encode_questions(text)
    assert not np.allclose(encoder_of(made, folder).encode_questions(text), untuned, atol=1e-3)
