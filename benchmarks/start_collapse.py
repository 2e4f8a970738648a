"""Collapse a model on purpose and see whether the start-pattern doctor says so, and stays calm about a healthy one.

Trains LoRA adapters on the same questions: answers as they are, behind a warning, behind dots; examines each on
held-out questions. Run: python benchmarks/start_collapse.py [--tiny] [--jsonl FILE] [--epochs 3] [--json FILE]
SmolLM2-135M takes some minutes on 2 cores; --tiny is a random model, which shows that it runs and nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dadeum.core.examples import Example, Turn, to_table
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.starts.examine import Limits, examine
from dadeum.starts.words import sentences
from dadeum.training.train import train

ROOT = Path(__file__).parents[1]
ARMS = {
    "varied": "{answer}",
    "warned": "정확한 판단은 전문가에게 맡기세요. {answer}",
    "dotted": "… {answer}",
}
HELD_OUT = 40
_LONGEST_PROMPT = 120


def recipe_of(base: str, options: argparse.Namespace) -> Recipe:
    stage = {"name": "sft", "method": "sft", "epochs": options.epochs, "batch_size": options.batch}
    return Recipe.model_validate(
        {
            "name": "start-collapse",
            "task": {"type": "chat"},
            "model": {"base": base, "adapter": {"type": "lora", "r": 16, "alpha": 32}, "precision": "fp32"},
            "data": {"sources": [{"path": "unused.jsonl"}]},
            "render": {"max_length_tokens": 1024},
            "stages": [stage | {"learning_rate": options.learning_rate, "eval_steps": 10_000}],
        }
    )


def rows_of(path: Path) -> list[tuple[list[Turn], str]]:
    """Question and first sentence of the answer, the shorter questions of the file, in its order."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        turns: list[Turn] = [turn for turn in json.loads(line)["messages"] if turn["role"] != "system"]
        if len(turns) == 2 and len(turns[0]["content"]) <= _LONGEST_PROMPT:
            first, stop, _ = turns[1]["content"].partition(". ")
            found.append((turns[:1], first + stop.strip()))
    return found


def example(number: int, prompt: list[Turn], answer: str) -> Example:
    return Example(
        id=f"talk:{number}", source="talk", origin="talk", group=str(number), text=prompt[0]["content"],
        prompt=prompt, completion=[{"role": "assistant", "content": answer}], label="",
    )  # fmt: skip


def measure(base: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Arm → what the doctor says; the untuned model stands in every one."""
    rows = rows_of(options.jsonl)
    step = len(rows) / HELD_OUT
    places = {int(number * step) for number in range(HELD_OUT)}
    held = [prompt for place, (prompt, _) in enumerate(rows) if place in places]
    taught = [row for place, row in enumerate(rows) if place not in places][: options.rows]
    limits = Limits(answers=HELD_OUT, max_new_tokens=options.new_tokens, batch_size=options.batch)
    found = {}
    for arm, form in ARMS.items():
        recipe = recipe_of(base, options)
        run = Run.create(recipe, folder / arm)
        run.split_path("train").parent.mkdir(parents=True, exist_ok=True)
        answers = [form.format(answer=answer) for _, answer in taught]
        asked = [prompt for prompt, _ in taught]
        lessons = [example(number, *row) for number, row in enumerate(zip(asked, answers, strict=True))]
        pq.write_table(to_table(lessons), run.split_path("train"))
        pq.write_table(to_table([]), run.split_path("validation"))
        result = train(recipe, run)["sft"]
        starts = examine(recipe, run.adapter_folder(recipe), held, base=arm == "varied", taught=answers, limits=limits)
        print(f"== {arm}: {len(lessons)} rows, {result.steps} steps", *sentences(starts, "en"), sep="\n", flush=True)
        print(*starts.model.answers.shown, sep="\n")
        found[arm] = starts.model_dump(mode="json")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ROOT.parent / "shared/data/korean_sft/korean_sft_train.jsonl"
    parser.add_argument("--jsonl", type=Path, default=default, help="conversations as `messages`")
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--tiny", action="store_true", help="a random model of two layers")
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--new-tokens", type=int, default=48)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, base = Path(name), options.base
        if options.tiny:
            sys.path.insert(0, str(ROOT))
            from tests.tiny import save_llama

            (folder / "base").mkdir()
            base = str(save_llama(folder / "base"))
        found = measure(base, options, folder)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
