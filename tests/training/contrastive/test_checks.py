from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dadeum.training.arguments import check_stages
from tests.corpora import RETRIEVE, recipe_on, save_embedder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_embedder(tmp_path_factory.mktemp("embedder"))


def problems(folder: Path, base: Path | str, task: dict[str, Any] | None = None, **stage: Any) -> list[str]:
    model = {"base": str(base), "adapter": stage.pop("adapter", {"type": "none"})} | stage.pop("model", {})
    stages = [{"name": "only", "method": "contrastive"} | stage]
    recipe = recipe_on(folder, base, RETRIEVE | (task or {}), stages=stages, model=model)
    return [problem.key for problem in check_stages(recipe)]


def folder_of(tmp_path: Path, **config: Any) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def test_a_sentence_model_and_a_bare_encoder_will_do(base: Path, tmp_path: Path) -> None:
    assert problems(tmp_path, base) == []
    bare = folder_of(tmp_path, model_type="bert", architectures=["BertForMaskedLM"], max_position_embeddings=512)
    assert problems(tmp_path, bare) == []


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"]},
        {"model_type": "bart", "architectures": ["BartForConditionalGeneration"], "is_encoder_decoder": True},
        {"model_type": "homemade", "architectures": ["Homemade"]},
    ],
)
def test_models_that_write_are_refused(config: dict[str, Any], tmp_path: Path) -> None:
    assert problems(tmp_path, folder_of(tmp_path, **config)) == ["train.contrastive.no_embedder"]


def test_the_packaged_language_model_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "smollm2-135m") == ["train.contrastive.no_embedder"]


def test_settings_that_cannot_work(base: Path, tmp_path: Path) -> None:
    def found(**changes: Any) -> list[str]:
        return problems(tmp_path, base, **changes)

    assert found(adapter={"type": "qlora"}) == ["train.contrastive.qlora"]
    assert found(model={"trust_remote_code": True}) == ["train.contrastive.remote_code"]
    assert found(loss="cosent", negatives={"number": 0}) == ["train.contrastive.no_negatives"]
    assert found(batch_size=1, negatives={"number": 0}) == ["train.contrastive.alone"]
    assert found(matryoshka=[64]) == ["train.contrastive.matryoshka"]
    assert found(task={"max_seq_length": 129}) == ["models.embed.too_long"]
    assert found(trainer_args={"weigth_decay": 0.1}) == ["train.unknown_trainer_arg"]
    assert found(trainer_args={"weight_decay": 0.1}) == []
