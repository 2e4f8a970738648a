"""Do ppo, rloo and grpo raise a reward that can be checked? SmolLM2-135M is to answer as briefly as it was taught to.

    python benchmarks/ppo_reward.py [--methods ppo rloo grpo] [--steps 16] [--json figures.json]

Every method begins with the untuned model and sees the same 16 questions; the reward is `length` (usual: 15 to 40
characters, of which the untuned model writes 70). The table shows the reward and length of greedy answers to 8 other
questions before and after, and the sampled reward of the first and the last three steps. A few minutes on a CPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from dadeum.core.examples import Example, to_table
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl

THINGS = (
    "rain", "a bridge", "bread", "the moon", "a clock", "glass", "a river", "paper", "salt", "a violin", "snow", "ink",
    "a lamp", "wool", "a harbour", "honey", "a forest", "copper", "a letter", "smoke", "a garden", "coal", "a sail",
    "tea",
)  # fmt: skip
ANSWERS = ("It is a common thing.", "People know it well and use it daily.", "It is useful.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["ppo", "rloo", "grpo"])
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = []
    for method in given.methods:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(method, given.base, given.steps, Path(folder) / "run"))
        print(line(found[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps({"base": given.base, "steps": given.steps, "results": found}, indent=2))


def measure(method: str, base: str, steps: int, folder: Path) -> dict[str, Any]:
    """One stage of one method through the product's own spine."""
    from dadeum.training.train import train

    recipe = recipe_of(method, base, steps)
    run = Run.create(recipe, folder)
    write_splits(run)
    started = time.perf_counter()
    result = train(recipe, run)["rl"]
    rewards = [row["reward"] for row in read_jsonl(run.metrics_path) if "reward" in row]
    return {
        "method": method,
        "steps": result.steps,
        "seconds": round(time.perf_counter() - started, 1),
        "sampled_first": sum(rewards[:3]) / len(rewards[:3]),
        "sampled_last": sum(rewards[-3:]) / len(rewards[-3:]),
        **result.figures,
    }


def line(found: dict[str, Any]) -> str:
    return (
        f"{found['method']:>5}: greedy reward {found['reward_before']:.3f} -> {found['reward_after']:.3f}, "
        f"characters {found['characters_before']:.0f} -> {found['characters_after']:.0f}, "
        f"sampled reward {found['sampled_first']:.3f} -> {found['sampled_last']:.3f}, "
        f"KL {found.get('kl', float('nan')):.3f}, {found['steps']} steps, {found['seconds']} s"
    )


def recipe_of(method: str, base: str, steps: int) -> Recipe:
    """A step answers two prompts four times; eight steps are an epoch of the 16 questions."""
    stage = {
        "name": "rl", "method": method, "rewards": {"length": 1.0}, "epochs": steps / 8, "batch_size": 8,
        "generations": 4, "max_new_tokens": 16, "learning_rate": 5e-4, "scheduler": "constant", "warmup": 0,
        "beta": 0.02,
    }  # fmt: skip
    return Recipe.model_validate(
        {
            "name": "ppo-reward",
            "task": {"type": "chat"},
            "model": {"base": base, "adapter": {"type": "lora", "r": 8, "alpha": 16}, "precision": "fp32"},
            "data": {"sources": [{"path": "unused.csv"}]},
            "render": {"max_length_tokens": 256},
            "stages": [stage],
        }
    )


def write_splits(run: Run) -> None:
    import pyarrow.parquet as pq

    rows = [row(number, thing) for number, thing in enumerate(THINGS)]
    for split, part in (("train", rows[:16]), ("validation", rows[16:]), ("test", rows[16:])):
        run.split_path(split).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table(part), run.split_path(split))


def row(number: int, thing: str) -> Example:
    return Example(
        id=f"things:{number}",
        source="things",
        origin="things",
        group=str(number),
        text=thing,
        prompt=[{"role": "user", "content": f"What is {thing}?"}],
        completion=[{"role": "assistant", "content": ANSWERS[number % len(ANSWERS)]}],
        label="",
    )


if __name__ == "__main__":
    main()
