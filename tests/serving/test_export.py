from __future__ import annotations

import json
import shutil

import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from dadeum.core.errors import ExportError
from dadeum.core.run import Run
from dadeum.models.licences import licence_of
from dadeum.models.load import load_trained
from dadeum.models.precision import Precision
from dadeum.serving.export import current_export, export, export_name
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
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 4
    assert current_export(recipe, run, "adapter") == folder


def test_the_licence_of_the_base_travels_with_the_export(trained, tiny_llama):
    recipe, run = trained
    (tiny_llama / "LICENSE").write_text("terms of the base")
    try:
        folder = export(recipe, run, "merged").folder
    finally:
        (tiny_llama / "LICENSE").unlink()
    assert (folder / "LICENSE").read_text() == "terms of the base"


def test_an_export_of_other_weights_is_not_current(trained):
    recipe, run = trained
    export(recipe, run, "adapter")
    weights = run.adapter_folder(recipe) / "adapter_model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept + b" ")
    try:
        assert current_export(recipe, run, "adapter") is None
    finally:
        weights.write_bytes(kept)
    assert current_export(recipe, run, "adapter") is not None


def test_three_lines_of_peft_load_the_exported_folder(trained, tmp_path):
    """Nothing of ours is imported: a fresh process of any user does the same."""
    recipe, run = trained
    folder = export(recipe, run, "adapter").folder
    moved = tmp_path / "downloaded"
    shutil.copytree(folder, moved)

    model = AutoPeftModelForCausalLM.from_pretrained(moved)
    tokenizer = AutoTokenizer.from_pretrained(moved)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "회의"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = model.generate(**prompt, max_new_tokens=4, do_sample=False)

    assert answer.shape[1] > prompt["input_ids"].shape[1]
    ours = load_trained(recipe.model, FP32, run.adapter_folder(recipe))
    torch.testing.assert_close(logits(model, tokenizer), logits(ours, tokenizer), atol=0, rtol=0)


def test_a_broken_export_leaves_the_last_good_one(trained, monkeypatch):
    recipe, run = trained
    folder = export(recipe, run, "adapter").folder
    before = sorted(file.name for file in folder.iterdir())
    monkeypatch.setattr("dadeum.serving.export._probe", lambda model, tokenizer: torch.full((1, 1), float("nan")))
    with pytest.raises(ExportError) as caught:
        export(recipe, run, "adapter")
    assert caught.value.key == "export.differs"
    assert sorted(file.name for file in folder.iterdir()) == before
    assert [path.name for path in run.export_folder.iterdir() if path.name.startswith(".")] == []


def test_an_unknown_format_is_named(trained):
    recipe, run = trained
    with pytest.raises(ExportError) as caught:
        export(recipe, run, "onnx")
    assert "gguf" in str(caught.value)


def test_gguf_and_ollama_are_one_file_that_answers_like_the_run(trained):
    recipe, run = trained
    exported = export(recipe, run, "ollama")
    files = {file.name for file in exported.folder.iterdir()}
    assert files == {"tiny-q8_0.gguf", "Modelfile", "README.md"}
    assert "FROM ./tiny-q8_0.gguf" in (exported.folder / "Modelfile").read_text()
    again = AutoModelForCausalLM.from_pretrained(exported.folder, gguf_file="tiny-q8_0.gguf")
    ours = load_trained(recipe.model, FP32, run.adapter_folder(recipe))
    tokenizer = AutoTokenizer.from_pretrained(recipe.model.base)
    untuned = AutoModelForCausalLM.from_pretrained(recipe.model.base)
    expected = logits(ours, tokenizer)
    assert (logits(again, tokenizer) - expected).norm() < 0.05 * expected.norm()
    assert (logits(again, tokenizer) - expected).norm() < 0.3 * (logits(untuned, tokenizer) - expected).norm()


def test_qlora_is_not_merged_into_four_bits(trained, tiny_llama):
    _, run = trained
    quantised = decide_recipe(tiny_llama, model={"base": str(tiny_llama), "adapter": {"type": "qlora", "r": 4}})
    for format in ("merged", "gguf", "ollama"):
        with pytest.raises(ExportError) as caught:
            export(quantised, run, format)
        assert caught.value.key == "export.merge_quantised"


def test_exaone_licence_decides_the_name():
    model = {"base": "LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct", "adapter": {"type": "lora"}}
    assert export_name(decide_recipe("x", model=model)) == "EXAONE-tiny"
    with pytest.raises(ExportError) as caught:
        export_name(decide_recipe("x", model=model, export={"name": "my-spam-agent"}))
    assert caught.value.values["prefix"] == "EXAONE"
    assert licence_of("LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct").commercial is False
    assert licence_of("someone/unknown") is None
