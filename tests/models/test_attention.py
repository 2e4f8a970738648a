"""flash-attention only where it can be used; everywhere else SDPA, and the reason is said."""

from __future__ import annotations

import logging
from importlib.machinery import ModuleSpec

import pytest
import torch

from dadeum.core.messages import LANGUAGES, text
from dadeum.core.run import Run, read_json, read_jsonl
from dadeum.models import attention
from dadeum.models.attention import FLASH, attention_arguments, attention_in_use, attention_notes, choose_attention
from dadeum.models.load import load_base, load_config
from dadeum.models.precision import Precision
from tests.tiny import decide_recipe, write_splits

BF16 = Precision("bf16", "train.precision.asked", {}, None)
FP32 = Precision("fp32", "train.precision.asked", {}, None)


def recipe_of(base, wanted="auto", adapter=None, **changes):
    adapter = adapter or {"type": "lora", "r": 4, "alpha": 8}
    model = {"base": str(base), "adapter": adapter, "precision": "fp32", "attention": wanted}
    return decide_recipe(base, model=model, **changes)


@pytest.fixture
def flash(monkeypatch):
    """A machine with the package and an Ampere GPU, as far as anyone can tell without computing."""
    monkeypatch.setattr(attention, "find_spec", lambda name: ModuleSpec(name, None))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    monkeypatch.setattr("transformers.utils.is_flash_attn_2_available", lambda: True)


def test_everything_there_gives_flash_attention(tiny_llama, flash):
    recipe = recipe_of(tiny_llama)
    assert choose_attention(recipe.model, BF16, load_config, trainable=True).implementation == FLASH
    assert attention_arguments(recipe.model, BF16, load_config) == {"attn_implementation": FLASH}


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (("find_spec", lambda name: None), "no_package"),
        (("cuda.is_available", lambda: False), "no_gpu"),
        (("cuda.get_device_capability", lambda: (7, 5)), "old_gpu"),
        (("version", lambda: False), "other_version"),
    ],
)
def test_whatever_the_machine_lacks_is_said_and_sdpa_computes(tiny_llama, flash, monkeypatch, missing, reason):
    name, answer = missing
    where = {"find_spec": (attention, "find_spec"), "version": ("transformers.utils.is_flash_attn_2_available",)}
    target = where.get(name) or (torch.cuda, name.partition(".")[2])
    monkeypatch.setattr(*target, answer)
    chosen = choose_attention(recipe_of(tiny_llama).model, BF16, load_config)
    assert chosen.implementation is None and chosen.reason == f"models.attention.{reason}"
    assert all("SDPA" in text(chosen.reason, language, **chosen.values) for language in LANGUAGES)


def test_arithmetic_that_it_does_not_know_is_said(tiny_llama, flash):
    assert choose_attention(recipe_of(tiny_llama).model, FP32, load_config).reason == "models.attention.fp32"
    whole = recipe_of(tiny_llama, adapter={"type": "none"}).model
    assert choose_attention(whole, BF16, load_config, trainable=True).reason == "models.attention.full"
    assert choose_attention(whole, BF16, load_config).implementation == FLASH, "evaluated in 16 bits"


def test_architectures_without_it_are_said(tmp_path, flash):
    from transformers import BloomConfig, GemmaConfig

    BloomConfig(n_layer=1, hidden_size=8, n_head=2).save_pretrained(tmp_path / "bloom")
    chosen = choose_attention(recipe_of(tmp_path / "bloom").model, BF16, load_config)
    assert chosen.reason == "models.attention.architecture" and "bloom" in str(chosen)
    GemmaConfig(num_hidden_layers=1, hidden_size=64, head_dim=512).save_pretrained(tmp_path / "gemma")
    chosen = choose_attention(recipe_of(tmp_path / "gemma").model, BF16, load_config)
    assert chosen.reason == "models.attention.wide" and "512" in str(chosen)


def test_this_machine_falls_back_and_the_model_answers(tiny_llama, caplog, monkeypatch):
    monkeypatch.setattr(attention, "find_spec", lambda name: None)
    attention._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        models = [load_base(recipe_of(tiny_llama).model, FP32) for _ in range(2)]
    assert [attention_in_use(model) for model in models] == ["sdpa", "sdpa"]
    said = [record.message for record in caplog.records if record.name == "dadeum.models.attention"]
    assert len(said) == 1 and "flash-attention 패키지가 없어 SDPA로 계산합니다" in said[0]


def test_a_package_without_a_gpu_falls_back(tiny_llama, monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("needs a machine without a GPU")
    monkeypatch.setattr(attention, "find_spec", lambda name: ModuleSpec(name, None))
    model = recipe_of(tiny_llama).model
    assert choose_attention(model, BF16, load_config).reason == "models.attention.no_gpu"
    assert attention_in_use(load_base(model, FP32)) == "sdpa"


def test_eager_is_what_the_model_computes_with(tiny_llama):
    assert attention_in_use(load_base(recipe_of(tiny_llama, "eager").model, FP32)) == "eager"
    assert attention_in_use(load_base(recipe_of(tiny_llama, "sdpa").model, FP32)) == "sdpa"


def test_an_engine_for_evaluation_makes_the_same_choice(tiny_llama):
    from contextlib import closing

    from dadeum.models.engines import load_engine

    with closing(load_engine(recipe_of(tiny_llama, "eager"), None)) as engine:
        assert attention_in_use(engine.model) == "eager"


def test_the_plan_says_the_choice_and_where_trees_keep_sdpa(tiny_llama, flash):
    stages = [{"name": "first", "method": "sft"}, {"name": "second", "method": "sft", "share_prefix": False}]
    chosen, trees = attention_notes(recipe_of(tiny_llama, stages=stages), BF16, load_config)
    assert "flash-attention 2" in chosen and "first" in trees and "second" not in trees
    assert attention_notes(recipe_of(tiny_llama, "sdpa"), BF16, load_config) == []
    assert len(attention_notes(recipe_of(tiny_llama), FP32, load_config)) == 1


def test_a_run_says_what_was_chosen_and_what_it_computed_with(tiny_llama, tmp_path, monkeypatch):
    from dadeum.training.train import train

    monkeypatch.setattr(attention, "find_spec", lambda name: None)
    stages = [
        {"name": "packed", "method": "sft", "epochs": 1, "batch_size": 8},
        {"name": "plain", "method": "sft", "epochs": 1, "batch_size": 8, "share_prefix": False},
    ]
    recipe = recipe_of(tiny_llama, stages=stages)
    run = Run.create(recipe, tmp_path / "run")
    write_splits(run)
    train(recipe, run)
    told = [row for row in read_jsonl(run.folder / "events.jsonl") if row["event"] == "attention_chosen"]
    assert [(row["stage"], row["attention"], row["reason"]) for row in told] == [
        ("packed", "sdpa", "models.attention.no_package"), ("plain", "sdpa", "models.attention.no_package"),
    ]  # fmt: skip
    stages = read_json(run.manifest_path)["training"]
    assert [stages[name]["choices"]["attention"] for name in ("packed", "plain")] == ["dadeum_tree", "sdpa"]
