"""Ways to ask: one instruction, five sampled per epoch, five copied, at equal optimizer steps.

Trains on real dialogues and measures the validation loss under the task's own instruction and under one that no arm
was trained on. Run: python benchmarks/instruction_augmentation.py [--tiny] [--csv FILE] [--seeds 2] [--json FILE]
SmolLM2-135M takes some minutes on 2 cores; --tiny is a random model, which shows that it runs and nothing else.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pyarrow.parquet as pq

from dadeum.core.examples import Example, to_table
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.models.engines import load_engine
from dadeum.tasks import summarize
from dadeum.training.instructions import rows_per_epoch
from dadeum.training.train import train

ROOT = Path(__file__).parents[1]
OWN = "다음 대화를 한두 문장으로 요약하세요."
TRAINED = (
    OWN,
    "아래 대화의 핵심을 짧게 정리해 주세요.",
    "두 사람이 나눈 이야기를 요약문으로 써 주세요.",
    "대화를 읽고 무슨 일이 있었는지 간단히 적으세요.",
    "이 대화에서 중요한 내용만 골라 요약하세요.",
)
HELD_OUT = "누가 무엇을 하기로 했는지 대화에서 찾아 줄여 말해 보세요."
ARMS: dict[str, dict[str, Any]] = {
    "one": {},
    "sample": {"instructions": TRAINED, "augment": "sample"},
    "copy": {"instructions": TRAINED, "augment": "copy"},
}


def recipe_of(base: str, arm: str, epochs: float, seed: int, batch_size: int, num_rows: int) -> Recipe:
    """`epochs` are those of the arm without augmentation: an arm with copies gets as many steps."""
    stage = {"name": "sft", "method": "sft", "batch_size": batch_size, "learning_rate": 5e-4, **ARMS[arm]}
    raw = {
        "name": "instruction-augmentation",
        "task": {"type": "summarize", "instruction": OWN},
        "model": {"base": base, "adapter": {"type": "lora", "r": 16, "alpha": 32}, "precision": "fp32"},
        "data": {"sources": [{"path": "unused.csv"}]},
        "render": {"max_length_tokens": 2048},
        "stages": [stage | {"eval_steps": 10_000}],
        "seed": seed,
    }
    found = Recipe.model_validate(raw)
    shorter = epochs * num_rows / rows_per_epoch(found.stages[0], num_rows)
    return Recipe.model_validate(raw | {"stages": [stage | {"epochs": shorter, "eval_steps": 10_000}]})


def rows_of(path: Path, num: int) -> list[tuple[str, str]]:
    """The shortest dialogues with their summaries, so that many fit into the minutes."""
    with path.open(encoding="utf-8") as file:
        rows = [(row["dialogue"].strip(), row["summary"].strip()) for row in csv.DictReader(file)]
    return sorted(rows, key=lambda row: len(row[0]))[:num]


def examples(recipe: Recipe, rows: list[tuple[str, str]]) -> Iterator[Example]:
    for number, (dialogue, summary) in enumerate(rows):
        yield Example(
            id=f"talk:{number}", source="talk", origin="talk", group=str(number), text=dialogue,
            prompt=summarize.prompt(recipe.task, dialogue, recipe.render.format),  # type: ignore[arg-type]
            completion=summarize.completion(summary), label="",
        )  # fmt: skip


def loss(recipe: Recipe, run: Run | None, rows: list[Example], instruction: str) -> float:
    """Nats per answer token over all rows, asked in this way."""
    asked = [summarize.ask_otherwise(recipe.task, row, instruction) for row in rows]  # type: ignore[arg-type]
    with closing(load_engine(recipe, run.adapter_folder(recipe) if run else None)) as engine:
        found = engine.log_likelihoods(asked, 4)
    return -sum(one.log_prob for one in found) / sum(one.num_tokens for one in found)


def measure(options: argparse.Namespace, base: str, folder: Path) -> list[dict[str, Any]]:
    """Every arm with every seed; the order of rows and what is held out belong to the seed's number alone."""
    rows = rows_of(options.csv, options.rows + options.validation)
    train_rows = [row for place, row in enumerate(rows) if place % (len(rows) // options.validation)]
    held = [row for place, row in enumerate(rows) if place % (len(rows) // options.validation) == 0]
    plain = recipe_of(base, "one", options.epochs, 0, options.batch, len(train_rows))
    validation = list(examples(plain, held))
    before = {name: loss(plain, None, validation, way) for name, way in (("own", OWN), ("held_out", HELD_OUT))}
    found: list[dict[str, Any]] = [{"arm": "untrained", "seed": None, "steps": 0, "seconds": 0.0} | before]
    for seed in range(options.seeds):
        for arm in ARMS:
            recipe = recipe_of(base, arm, options.epochs, seed, options.batch, len(train_rows))
            run = Run.create(recipe, folder / f"{arm}-{seed}")
            run.split_path("train").parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(to_table(examples(recipe, train_rows)), run.split_path("train"))
            pq.write_table(to_table([]), run.split_path("validation"))
            result = train(recipe, run)["sft"]
            found.append(
                {"arm": arm, "seed": seed, "steps": result.steps, "seconds": result.seconds}
                | {name: loss(recipe, run, validation, way) for name, way in (("own", OWN), ("held_out", HELD_OUT))}
            )
            print(json.dumps(found[-1]), flush=True)
    return found


def table(found: list[dict[str, Any]]) -> str:
    lines = ["| arm | steps | loss, own instruction | loss, held-out instruction |", "|---|---:|---:|---:|"]
    for arm in ("untrained", *ARMS):
        rows = [row for row in found if row["arm"] == arm]
        cells = []
        for name in ("own", "held_out"):
            values = [row[name] for row in rows]
            spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
            cells.append(f"{mean(values):.4f}{spread}")
        lines.append(f"| {arm} | {rows[0]['steps']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, default=ROOT.parent / "shared/data/dialogsum_ko/dev.csv")
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--tiny", action="store_true", help="a random model of two layers")
    parser.add_argument("--rows", type=int, default=80, help="training rows, the shortest of the file")
    parser.add_argument("--validation", type=int, default=20)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, base = Path(name), options.base
        if options.tiny:
            import sys

            sys.path.insert(0, str(ROOT))
            from tests.tiny import save_llama

            (folder / "base").mkdir()
            base = str(longer(save_llama(folder / "base")))
        found = measure(options, base, folder)
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def longer(folder: Path) -> Path:
    """The tests' model with room for a whole dialogue in bytes."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {"max_position_embeddings": 4096}
    path.write_text(json.dumps(config))
    return folder


if __name__ == "__main__":
    main()
