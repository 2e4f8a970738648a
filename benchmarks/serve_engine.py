"""16 chats at once: dadeum's engine against transformers' padded `generate` and its continuous batching.

All three get the same prompts of mixed lengths and write the same number of tokens per chat, greedily, past every end
token; they take turns in one process, and only what was asked for counts. `--equal` lets all chats write equally long,
which is what a padded batch likes best. Adapters: `--adapters 2` adds two LoRA runs that only our engine mixes.
Run: python benchmarks/serve_engine.py [--tiny] [--equal] [--rounds 5] [--adapters 0] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gemm_peak import peaks
from transformers import ContinuousBatchingConfig, GenerationConfig

from dadeum.core.recipe import Recipe
from dadeum.gateway.catalogue import Catalogue, ServedModel
from dadeum.gateway.engine import choosing
from dadeum.gateway.engine.local import LocalEngine
from dadeum.gateway.engine.work import Ask, Ended
from dadeum.gateway.settings import Limits
from dadeum.models.load import add_adapter, load_base
from dadeum.models.precision import choose_precision
from dadeum.models.threads import use_threads

GOALS = {"generate": 0.9, "continuous": 1.3}


class PastTheEnd:
    """Every chat writes what was asked for, so that all contestants do the same work."""

    @staticmethod
    def Chooser(ask: Ask, tokenizer: Any, stop_ids: Any, vocabulary_size: int) -> Any:
        return choosing.Chooser(ask, tokenizer, (), vocabulary_size)

    choose_all = staticmethod(choosing.choose_all)


@dataclass
class Chat:
    ids: list[int]
    most: int


def chats(number: int, vocabulary: int, equal: bool, tiny: bool) -> list[Chat]:
    """Prompts of 20 to 200 tokens, answers of 16 to 96."""
    drawn = random.Random(0)
    scale = 4 if tiny else 1
    found = []
    for _ in range(number):
        length, most = drawn.randint(20, 200) // scale, 64 if equal else drawn.choice((16, 32, 64, 96))
        found.append(Chat([drawn.randrange(10, vocabulary - 10) for _ in range(length)], most // scale))
    return found


# -- contestants ------------------------------------------------------------------------------------
class Ours:
    def __init__(self, catalogue: Catalogue, number: int) -> None:
        self.loop = asyncio.new_event_loop()
        limits = Limits(running=number, waiting_requests=4 * number)
        self.engine = LocalEngine(catalogue, limits, PastTheEnd)
        self.models = list(catalogue)
        self.loop.run_until_complete(self.engine.start())

    def __call__(self, them: list[Chat]) -> float:
        return self.loop.run_until_complete(self._all(them))

    async def _all(self, them: list[Chat]) -> float:
        started = time.perf_counter()
        await asyncio.gather(*(self._one(n, chat) for n, chat in enumerate(them)))
        return time.perf_counter() - started

    async def _one(self, number: int, chat: Chat) -> None:
        model = self.models[number % len(self.models)]
        async for event in self.engine.submit(Ask(f"r{number}", model, tuple(chat.ids), chat.most)):
            if isinstance(event, Ended):
                assert event.new_tokens == chat.most, event

    def close(self) -> None:
        self.loop.run_until_complete(self.engine.drain(0))


def padded(model: Any) -> Callable[[list[Chat]], float]:
    def run(them: list[Chat]) -> float:
        longest = max(len(chat.ids) for chat in them)
        ids = torch.tensor([[0] * (longest - len(chat.ids)) + chat.ids for chat in them])
        mask = torch.tensor([[0] * (longest - len(chat.ids)) + [1] * len(chat.ids) for chat in them])
        settings = GenerationConfig(max_new_tokens=max(chat.most for chat in them), do_sample=False, pad_token_id=0)
        started = time.perf_counter()
        with torch.inference_mode():
            lines = model.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
        took = time.perf_counter() - started
        assert lines.shape[1] == longest + settings.max_new_tokens
        return took

    return run


def continuous(model: Any) -> Callable[[list[Chat]], float]:
    """The manager is started before the clock: a server has one that runs. Left alone, it would fill the memory."""
    settings = GenerationConfig(do_sample=False, eos_token_id=-1, pad_token_id=0, max_new_tokens=96)

    def run(them: list[Chat]) -> float:
        room = ContinuousBatchingConfig(num_blocks=4 * len(them), max_batch_tokens=4096)
        with model.continuous_batching_context_manager(
            generation_config=settings, continuous_batching_config=room, timeout=5
        ) as manager:
            started = time.perf_counter()
            left = {manager.add_request(chat.ids, max_new_tokens=chat.most): chat.most for chat in them}
            while left:
                found = manager.get_result(timeout=1)
                if found is not None and found.is_finished():
                    assert found.error is None, found.error
                    assert len(found.generated_tokens) == left.pop(found.request_id)
                elif not manager.is_running():
                    raise RuntimeError("continuous batching has stopped")
            return time.perf_counter() - started

    return run


# -- models -----------------------------------------------------------------------------------------
def recipe_of(arguments: argparse.Namespace, folder: Path) -> Recipe:
    raw: dict[str, Any] = {
        "name": "serve",
        "task": {"type": "chat", "instruction": ""},
        "model": {
            "base": tiny_base(folder) if arguments.tiny else "smollm2-135m",
            "adapter": {"type": "lora", "r": 8, "alpha": 16},
            "precision": "fp32",
        },
        "data": {"sources": [{"path": "unused.jsonl"}]},
        "stages": [{"name": "sft", "method": "sft", "epochs": 1}],
    }
    return Recipe.model_validate(raw)


def tiny_base(folder: Path) -> str:
    """Two random layers under SmolLM2's tokenizer."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from dadeum.models.load import resolve_base

    base = resolve_base("smollm2-135m")
    config = AutoConfig.from_pretrained(base)
    config.num_hidden_layers, config.hidden_size, config.intermediate_size = 2, 64, 128
    config.num_attention_heads, config.num_key_value_heads, config.head_dim = 4, 2, 16
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(str(folder))
    AutoTokenizer.from_pretrained(base).save_pretrained(str(folder))
    return str(folder)


def catalogue_of(recipe: Recipe, adapters: int, folder: Path) -> Catalogue:
    """The base, and adapters that were not trained: what they cost is the same."""
    found = Catalogue()
    found.add(ServedModel("base", "base", recipe, None, None, None))
    for number in range(adapters):
        where = folder / f"adapter{number}"
        adapter = recipe.model.adapter
        assert adapter.type != "none"
        add_adapter(load_base(recipe.model, choose_precision("fp32")), adapter, False).save_pretrained(str(where))
        found.add(ServedModel(f"run{number}", f"run{number}@0", recipe, None, where, "base"))
    return found


def flops_per_token(model: Any) -> int:
    """Two per weight of every matrix, the head once; attention itself left out."""
    return 2 * sum(part.weight.numel() for part in model.modules() if isinstance(part, torch.nn.Linear))


# -- the race ---------------------------------------------------------------------------------------
def main() -> None:
    arguments = parse_arguments()
    use_threads()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe = recipe_of(arguments, folder / "base")
        precision = choose_precision("fp32")
        rivals = [load_base(recipe.model, precision).eval() for _ in range(2)]
        for model in rivals:
            model.generation_config = GenerationConfig(pad_token_id=0)
        them = chats(arguments.chats, rivals[0].config.vocab_size, arguments.equal, arguments.tiny)
        ours = Ours(catalogue_of(recipe, arguments.adapters, folder), arguments.chats)
        racers = {"dadeum": ours, "generate": padded(rivals[0]), "continuous": continuous(rivals[1])}
        times: dict[str, list[float]] = {name: [] for name in racers}
        for number in range(arguments.rounds + 1):
            order = list(racers) if number % 2 else list(racers)[::-1]
            for name in order:
                # Prompts of its own in every round: beginnings that are remembered would be no race.
                took = racers[name](renewed(them, number))
                if number:  # the first round warms up
                    times[name].append(took)
        ours.close()
        report(arguments, them, times, flops_per_token(rivals[0]))


def renewed(them: list[Chat], number: int) -> list[Chat]:
    return [Chat([1 + (one * 31 + number) % 900 for one in chat.ids], chat.most) for chat in them]


def report(arguments: argparse.Namespace, them: list[Chat], times: dict[str, list[float]], flops: int) -> None:
    tokens = sum(chat.most for chat in them)
    read = sum(len(chat.ids) for chat in them)
    peak = peaks(0.2 if arguments.tiny else 2.0)["fp32"]
    figures: dict[str, Any] = {"chats": len(them), "prompt_tokens": read, "new_tokens": tokens, "peak_gflops": peak}
    print(f"{len(them)} chats, {read} prompt tokens, {tokens} new tokens, {torch.get_num_threads()} threads")
    for name, took in times.items():
        rate, share = tokens / statistics.median(took), (read + tokens) * flops / statistics.median(took) / 1e9 / peak
        figures[name] = {"tokens_per_s": rate, "share_of_peak": share, "seconds": took}
        spread = f"{min(took):.2f}-{max(took):.2f} s"
        print(f"{name:<11} {rate:8.0f} tok/s   {share:6.1%} of {peak:.0f} GFLOP/s   {spread}")
    for rival, goal in GOALS.items():
        ratios = [theirs / ours for theirs, ours in zip(times[rival], times["dadeum"], strict=True)]
        ratio = statistics.median(ratios)
        figures[f"against_{rival}"] = ratio
        verdict = "reached" if ratio >= goal else "MISSED"
        print(f"dadeum / {rival}: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), goal {goal}: {verdict}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="random weights of two layers: does it run?")
    parser.add_argument("--equal", action="store_true", help="all answers equally long")
    parser.add_argument("--chats", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--adapters", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
