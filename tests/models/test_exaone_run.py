"""A whole run on EXAONE's layout: trained, resumed, exported; what comes out stands in EXAONE's names."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from dadeum.core.run import Run
from dadeum.models.engines import load_engine
from dadeum.models.exaone import is_exaone
from dadeum.serving.export import export
from dadeum.training.train import train
from tests.models.exaone_reference import CONFIG, reference_logits, save_exaone
from tests.tiny import decide_recipe, example, write_splits

IDS = torch.tensor([5, 9, 17, 33, 41, 8, 300, 12])


def make_run(tmp_path, **model):
    folder = tmp_path / "EXAONE-tiny"
    tensors = save_exaone(folder)
    stage = {"name": "sft", "method": "sft", "epochs": 2, "batch_size": 4, "learning_rate": 5e-3, "compile": "off"}
    adapter = {"type": "lora", "r": 4, "alpha": 8}
    section = {"base": str(folder), "adapter": adapter, "precision": "fp32"} | model
    recipe = decide_recipe(folder, model=section, stages=[stage])
    run = Run.create(recipe, tmp_path / "run")
    write_splits(run)
    return recipe, run, tensors


def logits_of(recipe, run):
    model = load_engine(recipe, run.adapter_folder(recipe)).model
    with torch.no_grad():
        return model(input_ids=IDS[None]).logits[0]


def test_an_adapter_is_trained_answers_and_is_exported_in_both_forms(tmp_path):
    recipe, run, tensors = make_run(tmp_path)
    # Remote code could not share prefixes: it does not ask transformers which attention to use.
    assert train(recipe, run)["sft"].choices["prefix_shared"]
    saved = load_file(run.adapter_folder(recipe) / "adapter_model.safetensors")
    assert all(key.startswith("base_model.model.transformer.h.") for key in saved)
    engine = load_engine(recipe, run.adapter_folder(recipe))
    labels = ['{"action": "BLOCK"}', '{"action": "ALLOW"}']
    scores = engine.score([example(1, "BLOCK").prompt, example(2, "ALLOW").prompt], labels, batch_size=2)
    assert scores.shape == (2, 2) and (scores < 0).all()
    expected = logits_of(recipe, run)
    assert (expected - reference_logits(tensors, CONFIG, IDS)).abs().max() > 0.1
    merged = export(recipe, run, "merged").folder
    assert is_exaone(json.loads((merged / "config.json").read_text()))
    found = reference_logits(load_file(merged / "model.safetensors"), CONFIG, IDS)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    adapter = export(recipe, run, "adapter").folder
    exported = load_file(adapter / "adapter_model.safetensors")
    assert all(torch.equal(exported[key], saved[key]) for key in saved)
    assert "EXAONE" in (adapter / "README.md").read_text(encoding="utf-8")


def test_full_weights_are_trained_resumed_and_published(tmp_path, monkeypatch):
    from dadeum.training import train as module

    recipe, run, tensors = make_run(tmp_path, adapter={"type": "none"})

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_weights", killed)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, run)
    checkpoints = sorted(run.stage_folder(0, "sft").glob("checkpoints/checkpoint-*"))
    newest = load_file(checkpoints[-1] / "model.safetensors")
    assert "model.layers.0.self_attn.q_proj.weight" in newest
    train(recipe, run)  # goes on from the last checkpoint: nothing is left but to save
    saved = load_file(run.adapter_folder(recipe) / "model.safetensors")
    assert saved.keys() == tensors.keys()
    name = "transformer.h.0.attn.attention.q_proj.weight"
    best = [load_file(folder / "model.safetensors")["model.layers.0.self_attn.q_proj.weight"] for folder in checkpoints]
    assert any(torch.equal(saved[name], weight) for weight in best)
    assert not torch.equal(saved[name], tensors[name])
    torch.testing.assert_close(reference_logits(saved, CONFIG, IDS), logits_of(recipe, run), atol=1e-5, rtol=0)


def test_layers_on_disk_train_through_the_trainer(tmp_path, monkeypatch):
    import transformers.integrations.accelerate as places

    recipe, run, tensors = make_run(tmp_path, device_map="auto")
    num_bytes = sum(tensor.numel() * 4 for tensor in tensors.values())
    monkeypatch.setattr(places, "get_max_memory", lambda max_memory=None: {"cpu": int(0.9 * num_bytes)})
    result = train(recipe, run)["sft"]
    assert result.train_loss < 6
    saved = load_file(run.adapter_folder(recipe) / "adapter_model.safetensors")
    assert all(tensor.abs().sum() > 0 for key, tensor in saved.items() if "lora_B" in key)
