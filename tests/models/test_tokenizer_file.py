"""Text is split as tokenizer.json says, whatever class the repository names."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from dadeum.models import load
from tests.models.exaone_reference import CONFIG, save_exaone
from tests.tiny import decide_recipe, save_llama

TEXTS = ["2024년 1월 15일 매출 1234만 원", "2024 2024 1234 1234 15", "안녕하세요"]


def save_digits(folder, **config):
    """A byte-level tokenizer that takes digits one by one, as EXAONE's and Granite's do, declared as GPT2Tokenizer."""
    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.NFC()
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    core.decoder = decoders.ByteLevel()
    special = ["[PAD]", "[BOS]", "[|endofturn|]"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(TEXTS * 5, trainer)
    # The merge of two digits stands in the vocabulary (bytes do), so a lost splitting shows as other tokens.
    saved = json.loads(core.to_str())
    saved["model"]["vocab"]["20"] = len(saved["model"]["vocab"])
    saved["model"]["merges"].insert(0, ["2", "0"])
    (folder / "tokenizer.json").write_text(json.dumps(saved))
    settings = {"tokenizer_class": "GPT2Tokenizer", "bos_token": "[BOS]", "eos_token": "[|endofturn|]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"pad_token": "[PAD]"} | config))
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def settings(folder):
    return decide_recipe(folder).model


@pytest.mark.parametrize("family", ["llama", "exaone"])
def test_digits_are_split_as_the_file_says(tmp_path, family):
    if family == "llama":
        save_llama(tmp_path)
    else:
        save_exaone(tmp_path)
    file = save_digits(tmp_path)
    tokenizer = load.load_tokenizer(settings(tmp_path))
    for text in TEXTS:
        assert tokenizer(text).input_ids == file.encode(text).ids
    assert file.token_to_id("20") not in tokenizer("2024").input_ids
    assert set(tokenizer("2024")) == {"input_ids", "attention_mask"}
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("[BOS]", "[|endofturn|]", "[PAD]")


def test_transformers_alone_would_lose_the_splitting(tmp_path):
    """The reason for all this: when it fails, transformers reads the file and tokenizer_file.py can go."""
    from transformers import AutoTokenizer

    save_llama(tmp_path)
    file = save_digits(tmp_path)
    assert file.token_to_id("20") in AutoTokenizer.from_pretrained(tmp_path)("2024").input_ids


def test_what_is_saved_splits_the_same(tmp_path):
    from transformers import AutoTokenizer

    save_exaone(tmp_path)
    file = save_digits(tmp_path)
    load.load_tokenizer(settings(tmp_path)).save_pretrained(str(tmp_path / "saved"))
    again = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert again(TEXTS[0]).input_ids == file.encode(TEXTS[0]).ids
    assert set(again("2024")) == {"input_ids", "attention_mask"}


def test_exaone_needs_no_class_of_its_own_and_runs_no_code(tmp_path, caplog):
    save_exaone(tmp_path)
    tokenizer = load.load_tokenizer(settings(tmp_path))
    assert tokenizer("안녕").input_ids
    assert CONFIG["auto_map"]
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_a_tokenizer_may_stand_alone(tmp_path):
    save_llama(tmp_path)
    (tmp_path / "config.json").unlink()
    assert load.load_tokenizer(settings(tmp_path))("안녕").input_ids
