"""An embedding model leaves as a folder that sentence-transformers loads, with a card, and nothing less."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from dadeum.core.errors import ExportError
from dadeum.core.run import Run
from dadeum.serving.card import model_card
from dadeum.serving.card_scores import read_figures
from dadeum.serving.export import current_export, export
from dadeum.serving.push import push
from tests.corpora import ANSWER, RETRIEVE, built_run, recipe_on, save_embedder
from tests.serving.hub_server import Hub

PREFIXED = {"type": "retrieve", "query_prefix": "query: ", "chunk_prefix": "passage: "}


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_embedder(tmp_path_factory.mktemp("embedder"), seed=3)


def trained(folder: Path, embedder: Path, task: dict[str, Any] = RETRIEVE, **changes: Any) -> tuple[Any, Run]:
    """A run whose stage saved `embedder`."""
    recipe = recipe_on(folder / "files", "acme/base", task, **changes)
    run = built_run(recipe, folder / "run")
    shutil.copytree(embedder, run.adapter_folder(recipe))
    return recipe, run


def measured(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def write_scores(run: Run) -> None:
    figures = {"mrr@10": measured(0.4), "recall@1": measured(0.3), "precision@5": measured(0.1)}
    systems = {name: {"metrics": figures, "seconds": 1.0} for name in ("bm25", "tuned", "tuned_hybrid", "base_model")}
    scores = {"task": "retrieve", "systems": systems, "served": "tuned_hybrid", "hybrid_weight": 0.5,
              "verdict": "worse", "gates": [], "warnings": []}  # fmt: skip
    run.scores_path.parent.mkdir(parents=True)
    run.scores_path.write_text(json.dumps(scores), encoding="utf-8")


@pytest.mark.parametrize("format", ["adapter", "merged"])
def test_the_folder_loads_by_its_name_and_gives_the_same_vectors(tmp_path: Path, embedder: Path, format: str) -> None:
    from sentence_transformers import SentenceTransformer

    from dadeum.retrieval.encoder import encoder_of

    recipe, run = trained(tmp_path, embedder, PREFIXED)
    exported = export(recipe, run, format)
    assert exported.largest_logit_difference < 1e-5
    asked = ["도서관 입장료는 얼마인가요?", "수영장 문은 몇 시에 여나요?"]
    plain = SentenceTransformer(str(exported.folder), device="cpu")
    found = plain.encode([f"query: {each}" for each in asked], normalize_embeddings=True)
    ours = encoder_of(recipe, run.adapter_folder(recipe)).encode_questions(asked)
    assert np.abs(found - ours).max() < 1e-5
    assert current_export(recipe, run, format) == exported.folder
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert card.count('SentenceTransformer("') == 2


def test_a_setting_that_did_not_travel_stops_the_export(tmp_path: Path, embedder: Path) -> None:
    recipe, run = trained(tmp_path, embedder, {"type": "retrieve", "max_seq_length": 64})
    settings = run.adapter_folder(recipe) / "sentence_bert_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"max_seq_length": 8}))
    tokenizer = run.adapter_folder(recipe) / "tokenizer_config.json"
    tokenizer.write_text(json.dumps(json.loads(tokenizer.read_text()) | {"model_max_length": 8}))
    with pytest.raises(ExportError) as refused:
        export(recipe, run)
    assert refused.value.key == "export.retrieve.differs"
    assert not any(run.export_folder.iterdir())


@pytest.mark.parametrize("format", ["gguf", "ollama"])
def test_a_file_of_llama_cpp_is_refused(tmp_path: Path, embedder: Path, format: str) -> None:
    recipe, run = trained(tmp_path, embedder)
    with pytest.raises(ExportError) as refused:
        export(recipe, run, format)
    assert refused.value.key == "export.retrieve.no_file"


def test_the_card_says_how_it_is_asked_and_whether_it_beats_bm25(tmp_path: Path, embedder: Path) -> None:
    stages = [{"name": "only", "method": "contrastive", "matryoshka": [16, 8]}]
    recipe, run = trained(tmp_path, embedder, PREFIXED | {"max_seq_length": 64}, stages=stages)
    write_scores(run)
    card = model_card(recipe, run, "somi/finder", "adapter")
    data = ModelCard(card).data
    assert (data.library_name, data.pipeline_tag) == ("sentence-transformers", "sentence-similarity")
    assert (data.base_model, data.base_model_relation) == ("acme/base", "finetune")
    korean, english = card.split("# finder (English)")
    for part in ("`query: `", "`passage: `", "64토큰", "앞 8, 16차원", "**시험 질문에서 BM25보다 못합니다.**"):
        assert part in korean
    for part in ("64 tokens", "first 8, 16 dimensions", "worse than BM25", "model.encode(['query: ' + "):
        assert part in english
    assert list(read_figures(run)["tuned"]) == ["mrr@10", "recall@1"]
    assert "render format" not in card


def test_the_card_of_an_answerer_has_prompt_refusal_and_citations(tmp_path: Path) -> None:
    recipe = recipe_on(tmp_path / "files", "acme/base", ANSWER)
    run = Run.create(recipe, tmp_path / "run")
    scores = {"task": "answer", "systems": {"tuned": {"metrics": {"faithfulness": measured(0.5)}}},
              "grounded": {"num_kinds": {"answerable": 7, "missed": 2}}}  # fmt: skip
    run.scores_path.parent.mkdir(parents=True)
    run.scores_path.write_text(json.dumps(scores), encoding="utf-8")
    card = model_card(recipe, run, "somi/answers", "merged")
    assert "| faithfulness | 0.500 (0.400 – 0.600) |" in card
    assert "찾지 못한 것 2" in card
    assert card.count(ANSWER["instruction"]) == 2
    assert card.count(ANSWER["refusal"]) == 2
    assert "`[2]`" in card
    assert "`[번호] 문서 p.쪽`" in card


def test_every_file_of_the_folder_goes_up_private(hub: Hub, tmp_path: Path, embedder: Path) -> None:
    recipe, run = trained(tmp_path, embedder)
    write_scores(run)
    pushed = push(recipe, run)
    assert pushed.private
    files = set(hub.repos[pushed.repo].files)
    assert {"modules.json", "model.safetensors", "config.json", "1_Pooling/config.json", "README.md"} <= files
    assert {"config_sentence_transformers.json", "sentence_bert_config.json"} & files
