"""What `plan` says a stage will need against what the run then measures: peak memory, over shapes and settings.

Every row is one child process that plans, builds its data and trains a few steps through the real pipeline, as
`dadeum run` does. The row marked * gave the one measured constant of training/memory.py; the others were held out.
Run: python benchmarks/memory_plan.py [--only NAME …] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import string
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LIMIT = 0.15
SHAPES: dict[str, dict[str, Any]] = {
    "llama-30m": {
        "model_type": "llama", "vocab_size": 32_000, "hidden_size": 512, "num_hidden_layers": 8,
        "num_attention_heads": 8, "num_key_value_heads": 4, "intermediate_size": 1408,
    },
    "llama-110m": {
        "model_type": "llama", "vocab_size": 32_000, "hidden_size": 768, "num_hidden_layers": 14,
        "num_attention_heads": 12, "num_key_value_heads": 4, "intermediate_size": 2048,
    },
    "qwen2-90m": {
        "model_type": "qwen2", "vocab_size": 151_936, "hidden_size": 448, "num_hidden_layers": 10,
        "num_attention_heads": 7, "num_key_value_heads": 1, "intermediate_size": 1792,
    },
    "gemma3-130m": {
        "model_type": "gemma3_text", "vocab_size": 262_144, "hidden_size": 384, "num_hidden_layers": 12,
        "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 128, "intermediate_size": 1536,
        "sliding_window": 256,
    },
}  # fmt: skip
LORA, FULL = {"type": "lora"}, {"type": "none"}
QLORA = {"type": "qlora"}


def rows() -> list[dict[str, Any]]:
    """name, shape, adapter, precision, checkpointing, batch × accumulation, prompt and answer tokens, looked at."""
    written = [
        ("llama-30m", LORA, "fp32", False, (1, 1), (64, 10), True),
        ("llama-30m", LORA, "fp32", False, (8, 1), (256, 10), False),
        ("llama-30m", FULL, "fp32", False, (8, 1), (256, 10), False),
        ("llama-30m", LORA, "fp32", False, (4, 2), (600, 200), False),
        ("llama-30m", FULL, "bf16", False, (4, 2), (256, 20), False),
        ("llama-110m", QLORA, "fp32", False, (4, 1), (128, 20), False),
        ("llama-110m", QLORA, "bf16", True, (4, 4), (256, 20), False),
        ("llama-110m", LORA, "fp32", False, (4, 1), (256, 20), False),
        ("llama-110m", LORA, "fp32", True, (4, 1), (512, 20), False),
        ("llama-110m", LORA, "bf16", False, (4, 1), (256, 20), False),
        ("llama-110m", FULL, "fp32", False, (4, 1), (128, 20), False),
        ("qwen2-90m", LORA, "fp32", False, (8, 1), (128, 20), False),
        ("qwen2-90m", LORA, "fp32", False, (2, 4), (100, 400), False),
        ("qwen2-90m", FULL, "fp32", True, (4, 1), (128, 100), False),
        ("gemma3-130m", LORA, "fp32", False, (4, 1), (400, 20), False),
        ("gemma3-130m", LORA, "bf16", False, (2, 1), (400, 50), False),
        ("gemma3-130m", FULL, "fp32", False, (2, 1), (128, 20), False),
        ("smollm2-135m", LORA, "fp32", False, (8, 1), (150, 8), False),
        ("smollm2-135m", LORA, "fp32", True, (4, 4), (300, 60), False),
        ("smollm2-135m", QLORA, "fp32", False, (4, 2), (200, 60), False),
        ("smollm2-135m", LORA, "fp32", False, (16, 1), (64, 8), False),
    ]
    names = ("shape", "adapter", "precision", "checkpointing", "batch", "tokens", "looked_at")
    found = [dict(zip(names, row, strict=True)) for row in written]
    for row in found:
        (batch, accumulation), (prompt, answer) = row["batch"], row["tokens"]
        kind, checkpointing = row["adapter"]["type"], ", checkpointing" if row["checkpointing"] else ""
        row["name"] = (
            f"{row['shape']} {kind} {row['precision']}{checkpointing} {batch}x{accumulation} {prompt}+{answer}"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="rows whose name holds one of these")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(json.loads(arguments.child))))
        return
    found = []
    print(f"{'':<58} {'plan':>7} {'run':>7} {'error':>7}   MiB")
    for row in rows():
        if any(word in row["name"] for word in arguments.only):
            found.append(row | run_child(row))
            print(line(found[-1]), flush=True)
    errors = [abs(row["planned"] / row["measured"] - 1) for row in found if row["measured"]]
    print(
        f"largest error {max(errors):.1%}; {sum(error > LIMIT for error in errors)} of {len(errors)} over {LIMIT:.0%}"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


def line(row: dict[str, Any]) -> str:
    name = f"{'*' if row['looked_at'] else ' '} {row['name']}"
    if not row["measured"]:
        return f"{name:<58} failed: {row['failure']}"
    error = row["planned"] / row["measured"] - 1
    return f"{name:<58} {row['planned']:7.0f} {row['measured']:7.0f} {error:+7.1%}  {row.get('parts', '')}"


def run_child(row: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", json.dumps(row)]
    child = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": f"{ROOT}/src"})
    if child.returncode:
        return {"planned": None, "measured": None, "failure": child.stderr.strip().splitlines()[-1][:200]}
    found: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return found


def measure(row: dict[str, Any]) -> dict[str, Any]:
    """Plan and run one row in this process."""
    from dadeum import pipeline
    from dadeum.core.run import Run
    from dadeum.models.precision import prepare_cpu
    from dadeum.planning import plan

    prepare_cpu()
    with tempfile.TemporaryDirectory() as folder:
        recipe = make_recipe(row, Path(folder))
        planned = plan(recipe)
        if planned.problems:
            raise planned.problems[0]
        run = Run.create(recipe, Path(folder) / "run")
        pipeline.build_and_check(recipe, run)
        pipeline.train(recipe, run)
        result = run.manifest()["training"]["sft"]
        need = planned.stages[0].memory.need
        parts = {name: round(value) for name, value in asdict(need).items()}
        return {"planned": need.total, "measured": result["peak_memory_mb"], "parts": parts}


def make_recipe(row: dict[str, Any], folder: Path) -> Any:
    from dadeum.core.recipe import Recipe

    (batch, accumulation), (prompt, answer) = row["batch"], row["tokens"]
    base = row["shape"]
    if base in SHAPES:
        # In a process of its own: what it leaves behind is not this one's.
        child = multiprocessing.get_context("spawn").Process(target=save_model, args=(SHAPES[base], folder / "model"))
        child.start()
        child.join()
        base = str(folder / "model")
    chance = random.Random(0)
    path = folder / "mail.jsonl"
    letters = [
        {"subject": text(chance, prompt), "why": text(chance, answer - 8), "label": ("BLOCK", "ALLOW")[number % 2]}
        for number in range(max(24, 3 * batch * accumulation))
    ]
    path.write_text("".join(json.dumps(letter) + "\n" for letter in letters))
    columns = {"subject": "subject", "label": "label"} | ({"why": "why"} if answer > 20 else {})
    return Recipe.model_validate(
        {
            "name": "memory",
            "task": {
                "type": "decide", "instruction": "Is this mail spam? Answer BLOCK or ALLOW as JSON.",
                "labels": ["BLOCK", "ALLOW"], "input_fields": ["subject"],
                "reason_field": "why" if answer > 20 else None,
            },
            "model": {"base": base, "adapter": row["adapter"], "precision": row["precision"]},
            "data": {"sources": [{"path": str(path), "map": columns}], "clean": ["nfc"], "split": {"group": "none"}},
            "checks": {"block_on": []},
            "render": {"max_length_tokens": 4096},
            "stages": [
                {
                    "name": "sft", "method": "sft", "epochs": 1,
                    "batch_size": batch, "accumulation_steps": accumulation,
                    "gradient_checkpointing": row["checkpointing"], "trainer_args": {"max_steps": 2},
                }
            ],
        }
    )  # fmt: skip


def text(chance: random.Random, length: int) -> str:
    """About `length` tokens of letters that no merge of the tokenizer joins often; a tenth longer or shorter."""
    return "".join(chance.choices(string.ascii_lowercase, k=max(1, round(length * chance.uniform(0.9, 1.1)))))


def save_model(shape: dict[str, Any], folder: Path) -> None:
    """Random weights in the published layout, with the tests' byte-level tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    sys.path.insert(0, str(ROOT))
    from tests.tiny import save_tokenizer

    tokenizer = save_tokenizer(folder)
    torch.manual_seed(0)
    ids = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id}
    config = AutoConfig.for_model(
        **shape, **ids, eos_token_id=tokenizer.eos_token_id, tie_word_embeddings=True, max_position_embeddings=8192
    )
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)


if __name__ == "__main__":
    main()
