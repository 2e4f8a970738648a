"""A tiny base with adapters that answer differently, as a catalogue serves them, and the answers of one row alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dadeum.gateway.catalogue import Catalogue, ServedModel
from dadeum.gateway.engine.local import LocalEngine
from dadeum.gateway.engine.work import Ask, Ended, Piece, Sampling
from dadeum.gateway.settings import Limits
from dadeum.models.load import load_base, load_trained
from dadeum.models.precision import Precision
from tests.tiny import decide_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)


TARGETS = ("q_proj", "v_proj", "down_proj")


def lively(base: Path) -> Path:
    """Weights so large that every token before counts: a random model else says one thing for ever."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(str(base))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "proj" in name:
                weight.mul_(8)
    model.save_pretrained(str(base))
    return base


def save_adapter(base: Path, folder: Path, seed: int, targets: Sequence[str] = TARGETS) -> Path:
    """LoRA with large random weights: every adapter writes something else."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=list(targets), task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(str(base)), config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.3)
    model.save_pretrained(str(folder))
    return folder


def catalogue_on(base: Path, folder: Path, num_adapters: int = 3, **changes: Any) -> Catalogue:
    recipe = decide_recipe(base, **changes)
    found = Catalogue()
    found.add(ServedModel("base", "base", recipe, None, None, None))
    for number in range(num_adapters):
        found.add(tuned(recipe, save_adapter(base, folder / f"a{number}", seed=number + 1), f"tuned{number}"))
    return found


def tuned(recipe: Any, weights: Path, name: str) -> ServedModel:
    return ServedModel(name, f"{name}@0.{name[-1]}", recipe, None, weights, "base")


def ask(model: ServedModel, ids: Sequence[int], most: int = 12, **changes: Any) -> Ask:
    seconds = changes.pop("seconds", None)
    return Ask(f"r{len(ids)}", model, tuple(ids), most, Sampling(**changes), seconds)


def prompt(length: int, seed: int = 0) -> list[int]:
    return torch.randint(3, 300, (length,), generator=torch.Generator().manual_seed(seed * 1000 + length)).tolist()


async def answered(engine: LocalEngine, asked: Ask) -> tuple[str, Ended]:
    text = ""
    async for event in engine.submit(asked):
        if isinstance(event, Ended):
            return text, event
        text += event.text
    raise AssertionError("an answer without an end")


async def first_piece(engine: LocalEngine, asked: Ask) -> tuple[Any, Piece | Ended]:
    answer = engine.submit(asked)
    return answer, await anext(answer)


class Alone:
    """Greedy answers of one row on one adapter: whole passes, no cache, peft's own arithmetic."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.models = {model.version: self._load(model).eval() for model in catalogue}

    def _load(self, model: ServedModel) -> Any:
        if model.weights is None:
            return load_base(model.recipe.model, FP32)
        return load_trained(model.recipe.model, FP32, model.weights)

    def logits(self, model: ServedModel, ids: Sequence[int]) -> torch.Tensor:
        with torch.inference_mode():
            return self.models[model.version](input_ids=torch.tensor([list(ids)])).logits[0, -1]

    def tokens(self, model: ServedModel, ids: Sequence[int], most: int, stop_ids: Sequence[int]) -> list[int]:
        written: list[int] = []
        while len(written) < most and not (written and written[-1] in stop_ids):
            written.append(int(self.logits(model, [*ids, *written]).argmax()))
        return written

    def text(self, engine: LocalEngine, asked: Ask) -> str:
        voice = engine._known(asked.model)
        tokens = self.tokens(asked.model, asked.prompt_ids, asked.max_new_tokens, voice.stop_ids)
        shown = [one for one in tokens if one not in voice.stop_ids]
        return str(voice.tokenizer.decode(shown, skip_special_tokens=True))


def run_with(catalogue: Catalogue, work: Any, limits: Limits | None = None, **changes: Any) -> Any:
    """`work(engine)` in an event loop of its own, on an engine that is drained afterwards."""

    async def all_of_it() -> Any:
        engine = LocalEngine(catalogue, limits or Limits(**changes))
        await engine.start()
        try:
            return await asyncio.wait_for(work(engine), 20)
        finally:
            await engine.drain(0)

    return asyncio.run(all_of_it())
