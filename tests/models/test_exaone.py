"""EXAONE loads without remote code, computes what the published model computes, and is saved as it was published."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from dadeum.core.errors import ModelError
from dadeum.models import exaone, load
from dadeum.models.precision import Precision
from dadeum.models.save import save_model
from dadeum.models.size import measure_size
from tests.models.exaone_reference import CONFIG, reference_logits, save_exaone
from tests.tiny import decide_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)
IDS = torch.tensor([5, 9, 17, 33, 41, 8, 300, 12] * 8)  # longer than the window that llama3 scaling starts from


def settings(folder, **changes):
    lora = {"type": "lora", "r": 4, "alpha": 8, "targets": "all-linear"}
    return decide_recipe(folder, model={"base": str(folder), "adapter": lora, "precision": "fp32"} | changes).model


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS[None]).logits[0]


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "EXAONE-tiny"
    return folder, save_exaone(folder)


@pytest.mark.parametrize(
    "changes",
    [{}, {"tie_word_embeddings": True}, {"tie_word_embeddings": False}, {"rope_scaling": None}, {"shards": 3}],
    ids=["as-published-2.4b", "tied", "untied", "exaone-3.0-rope", "sharded"],
)
def test_logits_are_those_of_the_published_forward(tmp_path, changes):
    tensors = save_exaone(tmp_path, **changes)
    config = CONFIG | {key: value for key, value in changes.items() if key != "shards"}
    loaded = load.load_base(settings(tmp_path), FP32)
    torch.testing.assert_close(logits(loaded), reference_logits(tensors, config, IDS), atol=1e-5, rtol=0)


def test_the_reference_notices_what_may_go_wrong(checkpoint):
    """Swapped gate and up, or unscaled rotation, must not hide under the tolerance."""
    _, tensors = checkpoint
    right = reference_logits(tensors, CONFIG, IDS)
    swap = {"c_fc_0": "c_fc_1", "c_fc_1": "c_fc_0"}
    parts = ((name.split("."), tensor) for name, tensor in tensors.items())
    swapped = {".".join(swap.get(part, part) for part in name): tensor for name, tensor in parts}
    assert (right - reference_logits(swapped, CONFIG, IDS)).abs().max() > 0.1
    assert (right - reference_logits(tensors, CONFIG | {"rope_scaling": None}, IDS)).abs().max() > 1e-3


def test_names_go_there_and_back(checkpoint):
    _, tensors = checkpoint
    for name in tensors:
        assert exaone.to_exaone(exaone.to_llama(name)) == name != exaone.to_llama(name)
    for name in ("q_proj", "k_proj", "v_proj", "out_proj", "c_fc_0", "c_fc_1", "c_proj", "lm_head"):
        assert exaone.to_exaone(exaone.to_llama(name)) == name
    assert exaone.to_llama("transformer.h.3.attn.attention.out_proj") == "model.layers.3.self_attn.o_proj"


def test_size_is_counted_from_the_configuration(checkpoint):
    folder, tensors = checkpoint
    size = measure_size(settings(folder))
    assert size.total == sum(tensor.numel() for tensor in tensors.values())
    assert (size.layers, size.hidden, size.intermediate) == (2, 48, 80)


def adapted(folder, targets="all-linear"):
    """A LoRA model whose update is not zero."""
    model = settings(folder)
    adapter = model.adapter.model_copy(update={"targets": targets})
    model = load.add_adapter(load.load_base(model, FP32), adapter, gradient_checkpointing=False)
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def test_an_adapter_is_saved_under_the_names_vllm_packs(checkpoint, tmp_path):
    folder, _ = checkpoint
    save_model(adapted(folder), tmp_path / "adapter")
    keys = load_file(tmp_path / "adapter" / "adapter_model.safetensors").keys()
    places = {key.partition(".lora_")[0] for key in keys}
    expected = {
        f"transformer.h.{layer}.attn.attention.{part}_proj" for layer in (0, 1) for part in ("q", "k", "v", "out")
    }
    expected |= {f"transformer.h.{layer}.mlp.{part}" for layer in (0, 1) for part in ("c_fc_0", "c_fc_1", "c_proj")}
    assert places == {f"base_model.model.{name}" for name in expected}
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["target_modules"] == ["c_fc_0", "c_fc_1", "c_proj", "k_proj", "out_proj", "q_proj", "v_proj"]
    assert config["base_model_name_or_path"] == str(folder)


def test_a_saved_adapter_is_read_back(checkpoint, tmp_path):
    folder, tensors = checkpoint
    model = adapted(folder)
    expected = logits(model)
    assert (expected - reference_logits(tensors, CONFIG, IDS)).abs().max() > 0.1
    save_model(model, tmp_path / "adapter")
    again = load.load_trained(settings(folder), FP32, tmp_path / "adapter", trainable=True)
    torch.testing.assert_close(logits(again.eval()), expected, atol=0, rtol=0)
    assert any(parameter.requires_grad for parameter in again.parameters())


def test_an_adapter_computes_the_same_on_the_published_layout(checkpoint, tmp_path):
    """What vLLM would do with the file: add scale · B @ A to the weight of that name."""
    folder, tensors = checkpoint
    model = adapted(folder)
    save_model(model, tmp_path / "adapter")
    saved = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    merged = dict(tensors)
    for key, low in saved.items():
        if ".lora_A." in key:
            name = key.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
            merged[name] = tensors[name] + 8 / 4 * saved[key.replace("lora_A", "lora_B")] @ low
    torch.testing.assert_close(logits(model), reference_logits(merged, CONFIG, IDS), atol=1e-4, rtol=0)


def test_an_adapter_in_llama_names_still_loads(checkpoint, tmp_path):
    folder, _ = checkpoint
    model = adapted(folder, targets=("q_proj", "o_proj"))
    model.save_pretrained(str(tmp_path / "adapter"))  # as the Trainer's checkpoints are
    again = load.load_trained(settings(folder), FP32, tmp_path / "adapter")
    torch.testing.assert_close(logits(again.eval()), logits(model), atol=0, rtol=0)


@pytest.mark.parametrize("tied", [True, False])
def test_full_weights_go_round_byte_by_byte(tmp_path, tied):
    folder = tmp_path / "base"
    tensors = save_exaone(folder, tie_word_embeddings=tied)
    model = load.load_base(settings(folder, adapter={"type": "none"}), FP32, trainable=True)
    save_model(model, tmp_path / "saved")
    saved = load_file(tmp_path / "saved" / "model.safetensors")
    assert saved.keys() == tensors.keys()
    assert all(torch.equal(saved[name], tensors[name]) for name in tensors)
    published = json.loads((folder / "config.json").read_text())
    assert json.loads((tmp_path / "saved" / "config.json").read_text()) == published
    assert (tmp_path / "saved" / "modeling_exaone.py").exists()
    again = load.load_trained(settings(folder, adapter={"type": "none"}), FP32, tmp_path / "saved")
    torch.testing.assert_close(logits(again), logits(model), atol=0, rtol=0)


def test_a_merged_adapter_is_a_published_checkpoint(checkpoint, tmp_path):
    folder, _ = checkpoint
    model = adapted(folder)
    expected = logits(model)
    save_model(model.merge_and_unload(), tmp_path / "merged")
    config = json.loads((tmp_path / "merged" / "config.json").read_text())
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    torch.testing.assert_close(reference_logits(merged, config, IDS), expected, atol=1e-4, rtol=0)


def test_code_of_a_hub_model_is_found_by_its_id(checkpoint, tmp_path):
    folder, _ = checkpoint
    model = load.load_base(settings(folder), FP32)
    model.published = exaone.Published(model.published.config, "LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct")
    save_model(model, tmp_path / "saved")
    places = json.loads((tmp_path / "saved" / "config.json").read_text())["auto_map"]
    assert places["AutoConfig"] == "LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct--configuration_exaone.ExaoneConfig"


def test_checkpoints_of_the_trainer_keep_the_names_it_loads(checkpoint, tmp_path):
    """Trainer resumes with load_state_dict(strict=False): other names would be skipped without a word."""
    folder, _ = checkpoint
    model = load.load_base(settings(folder, adapter={"type": "none"}), FP32, trainable=True)
    model.save_pretrained(str(tmp_path / "checkpoint-1"))
    saved = load_file(tmp_path / "checkpoint-1" / "model.safetensors")
    assert set(saved) <= set(model.state_dict())


def test_remote_code_is_refused_because_none_is_needed(checkpoint):
    folder, _ = checkpoint
    for what in (load.load_config, lambda model: load.load_base(model, FP32)):
        with pytest.raises(ModelError) as caught:
            what(settings(folder, trust_remote_code=True))
        assert caught.value.key == "models.load.remote_code_not_needed"
    assert load.remote_code_note(settings(folder, trust_remote_code=True)) is None


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"embed_dropout": 0.1}, "models.load.exaone_dropout"), ({"num_layers": None}, "models.load.exaone_fields")],
)
def test_a_config_that_cannot_be_carried_over_is_refused(checkpoint, changes, key):
    folder, _ = checkpoint
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError) as caught:
        load.load_config(settings(folder))
    assert caught.value.key == key
