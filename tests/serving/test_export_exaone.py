"""An EXAONE checkpoint through every format: its own names for peft and vLLM, Llama's inside a GGUF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from dadeum.core.run import Run
from dadeum.models import load
from dadeum.models.precision import Precision
from dadeum.models.save import save_model
from dadeum.serving.export import export
from dadeum.serving.preflight import export_problems
from tests.models.exaone_reference import CONFIG, save_exaone
from tests.tiny import decide_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Run, Any]:
    """Recipe, run and the model that the run trained; its update is not zero."""
    folder = tmp_path_factory.mktemp("exaone")
    base = folder / "EXAONE-tiny"
    save_exaone(base)
    model = {"base": str(base), "adapter": {"type": "lora", "r": 4, "alpha": 8}, "precision": "fp32"}
    recipe = decide_recipe(base, model=model, export={"name": "EXAONE-mails", "quantization": "f32"})
    run = Run.create(recipe, folder / "run")
    tuned = load.add_adapter(load.load_base(recipe.model, FP32), recipe.model.adapter, gradient_checkpointing=False)
    torch.manual_seed(1)
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    save_model(tuned, run.adapter_folder(recipe))
    return recipe, run, tuned.eval()


def test_every_format_of_exaone_answers_like_the_run(adapted: tuple[Any, Run, Any]) -> None:
    recipe, run, tuned = adapted
    for format in ("adapter", "merged", "gguf"):
        assert (
            export_problems(recipe.model_copy(update={"export": recipe.export.model_copy(update={"format": format})}))
            == []
        )
        assert export(recipe, run, format).largest_logit_difference < 1e-3
    merged = load_file(run.export_folder / "merged" / "model.safetensors")
    assert "transformer.h.0.attn.attention.q_proj.weight" in merged
    file = run.export_folder / "gguf" / "EXAONE-mails-f32.gguf"
    assert GGUFReader(file).fields["general.architecture"].contents() == "llama"
    again = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, config=tuned.config)
    ids = torch.arange(5, 60)[None]
    with torch.inference_mode():
        torch.testing.assert_close(again(ids).logits, tuned(ids).logits, atol=1e-4, rtol=0)


def test_its_stretched_rotation_is_in_the_file(adapted: tuple[Any, Run, Any]) -> None:
    recipe, run, _ = adapted
    assert CONFIG["rope_scaling"]["rope_type"] == "llama3"
    folder: Path = export(recipe, run, "gguf").folder
    assert any(tensor.name == "rope_freqs.weight" for tensor in GGUFReader(next(folder.glob("*.gguf"))).tensors)
