"""Merged adapters against sums of their updates made by hand, on a tiny Llama."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from dadeum.core.model import Model
from dadeum.models.load import load_trained
from dadeum.models.merging import Merged, merge_adapters
from dadeum.models.precision import Precision

FP32 = Precision("fp32", "train.precision.asked", {}, None)
IDS = torch.arange(3, 23)[None]


def save_adapter(
    base: Path, folder: Path, seed: int, rank: int = 4, targets: tuple[str, ...] = ("q_proj", "down_proj")
) -> Path:
    """An adapter whose update is not zero, as if it had been trained."""
    torch.manual_seed(seed)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(targets), task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(str(folder))
    return folder


def updates(base: Path, folder: Path) -> dict[str, torch.Tensor]:
    """What an adapter adds to each layer's weight."""
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(folder))
    return {
        name: layer.get_delta_weight("default").detach()
        for name, layer in model.named_modules()
        if hasattr(layer, "get_delta_weight")
    }


def recipe_model(base: Path) -> Model:
    return Model.model_validate({"base": str(base), "adapter": {"type": "lora", "r": 4}, "precision": "fp32"})


def merge(base: Path, adapters: list[Path], target: Path, how: Any = "linear", **more: Any) -> Merged:
    shares = more.pop("shares", [1 / len(adapters)] * len(adapters))
    return merge_adapters(recipe_model(base), FP32, adapters, target, how, shares, **more)


def logits(base: Path, adapter: Path) -> torch.Tensor:
    with torch.no_grad():
        return load_trained(recipe_model(base), FP32, adapter).eval()(IDS).logits


@pytest.fixture
def two(tiny_llama: Path, tmp_path: Path) -> list[Path]:
    return [save_adapter(tiny_llama, tmp_path / f"adapter-{seed}", seed) for seed in (1, 2)]


@pytest.mark.parametrize("how", ["linear", "ties", "dare_ties"])
def test_an_adapter_merged_with_itself_stays_itself(
    tiny_llama: Path, tmp_path: Path, two: list[Path], how: str
) -> None:
    merge(tiny_llama, [two[0], two[0]], tmp_path / "merged", how, density=1.0)
    torch.testing.assert_close(
        logits(tiny_llama, tmp_path / "merged"), logits(tiny_llama, two[0]), atol=1e-4, rtol=1e-4
    )
    assert not torch.allclose(logits(tiny_llama, tmp_path / "merged"), logits(tiny_llama, two[1]), atol=1e-2)


def test_linear_is_the_exact_weighted_mean_of_the_updates(tiny_llama: Path, tmp_path: Path, two: list[Path]) -> None:
    found = merge(tiny_llama, two, tmp_path / "merged", shares=[0.7, 0.3])
    first, second, merged = (updates(tiny_llama, folder) for folder in (*two, tmp_path / "merged"))
    assert merged.keys() == first.keys()
    for name, update in merged.items():
        torch.testing.assert_close(update, 0.7 * first[name] + 0.3 * second[name])
    assert found.rank == 8
    # Per layer (in + out) × 8: q_proj 64 → 64 and down_proj 128 → 64, in two layers.
    assert found.num_trainable == 2 * 8 * (64 + 64 + 128 + 64)
    assert found.num_parameters > 10 * found.num_trainable


def test_ranks_and_layers_may_differ(tiny_llama: Path, tmp_path: Path, two: list[Path]) -> None:
    other = save_adapter(tiny_llama, tmp_path / "other", 3, rank=2, targets=("q_proj", "v_proj"))
    assert merge(tiny_llama, [two[0], other], tmp_path / "merged").rank == 6
    first, second, merged = (updates(tiny_llama, folder) for folder in (two[0], other, tmp_path / "merged"))
    assert merged.keys() == first.keys() | second.keys()
    for name, update in merged.items():
        parts = [0.5 * found[name] for found in (first, second) if name in found]
        torch.testing.assert_close(update, torch.stack(parts).sum(0))
    assert merge(tiny_llama, [two[0], other], tmp_path / "ties", "ties").rank == 6


@pytest.mark.parametrize("how", ["linear", "ties"])
def test_the_order_of_members_does_not_matter(tiny_llama: Path, tmp_path: Path, two: list[Path], how: str) -> None:
    merge(tiny_llama, two, tmp_path / "one", how)
    merge(tiny_llama, two[::-1], tmp_path / "other", how)
    one, other = (updates(tiny_llama, tmp_path / name) for name in ("one", "other"))
    for name, update in one.items():
        torch.testing.assert_close(update, other[name], atol=1e-5, rtol=1e-3)


def test_ties_keeps_the_sign_that_weighs_more(tiny_llama: Path, tmp_path: Path, two: list[Path]) -> None:
    """By hand on a full update: an entry of 3 against −1 is 3, of 3 with 1 is their mean 2."""
    merge(tiny_llama, two, tmp_path / "merged", "ties", density=1.0)
    first, second, merged = (updates(tiny_llama, folder) for folder in (*two, tmp_path / "merged"))
    name = next(name for name in merged if "q_proj" in name)
    one, other = first[name], second[name]
    agree = one.sign() == other.sign()
    larger = torch.where(one.abs() > other.abs(), one, other)
    expected = torch.where(agree, (one + other) / 2, larger)
    # Rank 8 of 64 holds only the largest directions of that: it must be the nearest matrix of that rank.
    left, values, right = torch.linalg.svd(expected)
    torch.testing.assert_close(merged[name], left[:, :8] @ torch.diag(values[:8]) @ right[:8], atol=1e-4, rtol=1e-3)


def test_dare_is_drawn_with_the_seed_and_leaves_the_other_draws_alone(
    tiny_llama: Path, tmp_path: Path, two: list[Path]
) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    merge(tiny_llama, two, tmp_path / "one", "dare_ties", seed=5)
    assert torch.equal(torch.rand(3), expected)
    merge(tiny_llama, two, tmp_path / "again", "dare_ties", seed=5)
    merge(tiny_llama, two, tmp_path / "other", "dare_ties", seed=6)
    one, again, other = (updates(tiny_llama, tmp_path / name) for name in ("one", "again", "other"))
    name = next(iter(one))
    assert torch.equal(one[name], again[name])
    assert not torch.allclose(one[name], other[name], atol=1e-3)


def test_the_folder_is_an_adapter_like_any_other(tiny_llama: Path, tmp_path: Path, two: list[Path]) -> None:
    merge(tiny_llama, two, tmp_path / "merged")
    names = {path.name for path in (tmp_path / "merged").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= names
    assert not any((tmp_path / "merged" / name).is_dir() for name in names)
