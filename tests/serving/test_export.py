from __future__ import annotations

import json

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from dadeum.core.errors import ExportError
from dadeum.core.run import Run
from dadeum.models.licences import licence_of
from dadeum.models.load import load_trained
from dadeum.models.precision import Precision
from dadeum.serving.export import export, export_name
from dadeum.training.train import train
from tests.tiny import decide_recipe, write_splits

FP32 = Precision("fp32", "train.precision.asked", {}, None)


@pytest.fixture(scope="module")
def trained(tiny_llama, tmp_path_factory):
    recipe = decide_recipe(tiny_llama)
    run = Run.create(recipe, tmp_path_factory.mktemp("export") / "run")
    write_splits(run)
    train(recipe, run)
    return recipe, run


def logits(model, tokenizer):
    ids = tokenizer("회의 일정 안내", return_tensors="pt").input_ids
    with torch.inference_mode():
        return model.eval()(input_ids=ids).logits


def test_exported_adapter_loaded_by_plain_peft_gives_the_same_logits(trained, tiny_llama):
    recipe, run = trained
    exported = export(recipe, run, "adapter")
    tokenizer = AutoTokenizer.from_pretrained(exported.folder)
    ours = load_trained(recipe.model, FP32, run.adapter_folder(recipe))
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_llama), exported.folder)
    torch.testing.assert_close(logits(plain, tokenizer), logits(ours, tokenizer), atol=0, rtol=0)
    untuned = AutoModelForCausalLM.from_pretrained(tiny_llama)
    assert (logits(untuned, tokenizer) - logits(ours, tokenizer)).abs().max() > 1e-3
    assert exported.largest_logit_difference == 0


def test_merged_model_needs_no_peft_and_gives_the_same_logits(trained):
    recipe, run = trained
    exported = export(recipe, run, "merged")
    tokenizer = AutoTokenizer.from_pretrained(exported.folder)
    merged = AutoModelForCausalLM.from_pretrained(exported.folder)
    ours = load_trained(recipe.model, FP32, run.adapter_folder(recipe))
    torch.testing.assert_close(logits(merged, tokenizer), logits(ours, tokenizer), atol=1e-4, rtol=1e-4)
    assert not (exported.folder / "adapter_config.json").exists()


def test_adapter_folder_holds_card_config_and_tokenizer(trained):
    recipe, run = trained
    folder = export(recipe, run, "adapter").folder
    files = {file.name for file in folder.iterdir()}
    assert files >= {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "README.md"}
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "BLOCK, ALLOW" in card
    assert "not evaluated" in card
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 4


def test_qlora_is_not_merged_into_four_bits(trained, tiny_llama):
    _, run = trained
    quantised = decide_recipe(tiny_llama, model={"base": str(tiny_llama), "adapter": {"type": "qlora", "r": 4}})
    with pytest.raises(ExportError) as caught:
        export(quantised, run, "merged")
    assert caught.value.key == "export.merge_quantised"


def test_exaone_licence_decides_the_name():
    model = {"base": "LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct", "adapter": {"type": "lora"}}
    assert export_name(decide_recipe("x", model=model)) == "EXAONE-tiny"
    with pytest.raises(ExportError) as caught:
        export_name(decide_recipe("x", model=model, export={"name": "my-spam-agent"}))
    assert caught.value.values["prefix"] == "EXAONE"
    assert licence_of("LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct").commercial is False
    assert licence_of("someone/unknown") is None
