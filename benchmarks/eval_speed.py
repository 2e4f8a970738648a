"""Deciding 1,000 mails: dadeum's candidate scores against a `model.generate` loop, the way most people do it.

Both read the same prompts with the same weights (SmolLM2-135M with a small LoRA that this script trains first), take
turns in one process, and are compared on the same rows: speed, accuracy, agreement, memory, share of peak.
Run: python benchmarks/eval_speed.py [--rows 1000] [--rival-rows 40] [--answer decision|full]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from eval_mails import DATA, INSTRUCTION, example, mails

from dadeum.core.examples import Example, to_table
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.models import memory
from dadeum.models.engines import Engine, load_engine
from dadeum.models.load import load_tokenizer, load_trained
from dadeum.models.precision import choose_precision
from dadeum.models.render import Renderer
from dadeum.tasks import decide
from dadeum.training.train import train

ROUNDS = 4
BATCH = 16
LOOP = 1
"""Place of the row-by-row loop among the contestants."""
MAX_NEW_TOKENS = {"decision": 24, "full": 96}


# -- the model ------------------------------------------------------------------------------------
def make_recipe(arguments: argparse.Namespace) -> Recipe:
    stage = {"name": "sft", "method": "sft", "epochs": 1, "learning_rate": 1e-3, "batch_size": 8, "label_weight": 2}
    task = {"type": "decide", "labels": ["BLOCK", "ALLOW"], "input_fields": ["subject", "attachments", "received_at"]}
    lora = {"type": "lora", "r": 16, "alpha": 32, "targets": "all-linear"}
    return Recipe.model_validate(
        {
            "name": "eval-speed",
            "task": task | {"instruction": INSTRUCTION},
            "model": {"base": "smollm2-135m", "adapter": lora, "precision": arguments.precision},
            "data": {"sources": [{"path": "unused.csv"}]},
            "render": {"max_length_tokens": 2048},
            "stages": [stage],
        }
    )


def adapter(recipe: Recipe, arguments: argparse.Namespace, rows: list[Example]) -> Path:
    """A LoRA that has learnt the answer's format, or `generate` would never write JSON; kept for the next run."""
    if arguments.adapter:
        return Path(arguments.adapter)
    folder = Path(tempfile.gettempdir()) / "dadeum-eval-speed" / f"{arguments.answer}-{len(rows)}-{arguments.precision}"
    run = Run.open(folder) if folder.exists() else Run.create(recipe, folder)
    for split, part in (("train", rows[8:]), ("validation", rows[:8])):
        run.split_path(split).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table(part), run.split_path(split))
    train(recipe, run, lambda stage, done, total: print(f"\r{stage} {done}/{total}", end="", file=sys.stderr))
    return run.adapter_folder(recipe)


# -- contestants ----------------------------------------------------------------------------------
@dataclass
class Contestant:
    """What one way of deciding did, round by round; an answer is a label or None."""

    name: str
    decide: Callable[[list[Example]], list[str | None]]
    rows_a_round: int
    seconds: list[float] = field(default_factory=list)
    answers: dict[str, str | None] = field(default_factory=dict)
    gflop_a_row: float = 0.0

    def take_turn(self, rows: list[Example], turn: int) -> None:
        mine = rows[turn * self.rows_a_round : (turn + 1) * self.rows_a_round]
        started = time.perf_counter()
        found = self.decide(mine)
        self.seconds.append(time.perf_counter() - started)
        self.answers |= {row.id: label for row, label in zip(mine, found, strict=True)}

    @property
    def rates(self) -> list[float]:
        return [self.rows_a_round / seconds for seconds in self.seconds]


def contestants(recipe: Recipe, engine: Engine, weights: Path, arguments: argparse.Namespace) -> list[Contestant]:
    """The loop runs on the adapter as peft loads it; the batched rival gets our engine's model (merged in fp32)."""
    task, longest = recipe.task, MAX_NEW_TOKENS[arguments.answer]

    def scores(rows: list[Example]) -> list[str | None]:
        found = engine.score([row.prompt for row in rows], decide.candidates(task), BATCH)
        return [task.labels[index] for index in found.argmax(1)]

    def free(rows: list[Example]) -> list[str | None]:
        found = engine.generate([row.prompt for row in rows], longest, BATCH)
        return [decide.parse(task, answer).label for answer in found]

    @cache
    def adapted() -> Any:
        if arguments.only is not None:
            return engine.model
        return load_trained(recipe.model, choose_precision(arguments.precision), weights).eval()

    def loop(rows: list[Example], batch: int = 1, model: Any = None) -> list[str | None]:
        parts = [rows[start : start + batch] for start in range(0, len(rows), batch)]
        found = [answer for part in parts for answer in generate(model or adapted(), engine.renderer, part, longest)]
        return [decide.parse(task, answer).label for answer in found]

    few, many = max(1, arguments.rival_rows // ROUNDS), max(1, arguments.rows // ROUNDS)
    full_batch = max(few, min(BATCH, many))
    return [
        Contestant("dadeum scores", scores, many),
        Contestant("generate, row by row", loop, few),
        Contestant(f"generate, merged, {BATCH} rows", lambda rows: loop(rows, BATCH, engine.model), full_batch),
        Contestant("dadeum generate", free, full_batch),
    ]


def unmerged_engine(recipe: Recipe, weights: Path) -> Engine:
    """What the loop loads, and nothing beside it: for its peak memory."""
    model = load_trained(recipe.model, choose_precision(recipe.model.precision), weights)
    return Engine(model, Renderer(load_tokenizer(recipe.model), recipe.render))


def generate(model: Any, renderer: Renderer, rows: list[Example], longest: int) -> list[str]:
    """Greedy answers of one padded batch, the textbook way."""
    import torch

    tokenizer, texts = renderer.tokenizer, [renderer.prompt_text(row.prompt) for row in rows]
    inputs = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
    settings = {"do_sample": False, "eos_token_id": renderer.end_id, "pad_token_id": tokenizer.pad_token_id}
    with torch.inference_mode():
        out = model.generate(**inputs.to(model.device), max_new_tokens=longest, **settings)
    answers: list[str] = tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return answers


def count_gflop(contestant: Contestant, rows: list[Example]) -> None:
    """Matrix products of one turn, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        contestant.decide(rows)
    contestant.gflop_a_row = counter.get_total_flops() / 1e9 / len(rows)


def peak_gflops(model: Any) -> float:
    """Best of several large matrix products in the model's number format."""
    import torch

    a = torch.randn(2048, 2048, device=model.device).to(model.dtype)
    best = 0.0
    for _ in range(6):
        started = time.perf_counter()
        (a @ a)[0, 0].item()
        best = max(best, 2 * 2048**3 / (time.perf_counter() - started) / 1e9)
    return best


# -- memory ---------------------------------------------------------------------------------------
def peak_mb(arguments: argparse.Namespace, weights: Path, number: int) -> float:
    """Peak memory of a process that loads the model and does nothing but this contestant's first turn."""
    command = [sys.executable, __file__, "--only", str(number), "--adapter", str(weights)]
    for name in ("rows", "rival_rows", "train_rows", "answer", "precision"):
        command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def own_peak_mb() -> float:
    import torch

    status = Path("/proc/self/status")
    if torch.cuda.is_available() or not status.exists():
        return memory.peak_mb()
    # ru_maxrss of a child begins with its parent's; this one is the process's own.
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


# -- report ---------------------------------------------------------------------------------------
def report(them: list[Contestant], rows: list[Example], peak: float, memory: list[float]) -> None:
    gold = {row.id: row.label for row in rows}
    ours, loop = them[0], them[LOOP]
    same = [row for row in loop.answers if row in ours.answers]
    titles = ("rows/s", "ratio", "accuracy", "agrees", "unusable", "GFLOP/row", "of peak", "peak MB")
    print(f"\n{'':26}" + "".join(f"{title:>11}" for title in titles))
    for one, megabytes in zip(them, memory, strict=True):
        rate = statistics.median(one.rates)
        ratio = statistics.median(a / b for a, b in zip(one.rates, loop.rates, strict=True))
        accuracy = statistics.mean(one.answers[row] == gold[row] for row in same)
        agrees = statistics.mean(one.answers[row] == loop.answers[row] for row in same)
        unusable = sum(one.answers[row] is None for row in same)
        cells = (f"{rate:.2f}", f"{ratio:.1f}x", f"{accuracy:.3f}", f"{agrees:.3f}", unusable)
        cells += (f"{one.gflop_a_row:.1f}", f"{rate * one.gflop_a_row / peak:.0%}", f"{megabytes:.0f}")
        print(f"{one.name:26}" + "".join(f"{cell:>11}" for cell in cells))
    everything = statistics.mean(label == gold[row] for row, label in ours.answers.items())
    print(f"accuracy, agreement with the loop and unusable answers: on the same {len(same)} rows")
    print(f"accuracy of dadeum scores on all {len(ours.answers)} rows: {everything:.3f}")
    for one in (ours, loop):
        print(f"rows/s in each round, {one.name}: {', '.join(f'{rate:.2f}' for rate in one.rates)}")
    print(f"goal: 15x the row-by-row loop; peak of a matrix product in this run: {peak:.0f} GFLOP/s")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000, help="decisions by dadeum")
    parser.add_argument("--rival-rows", type=int, default=40, help="the first rows, decided by everyone else too")
    parser.add_argument(
        "--answer", choices=list(MAX_NEW_TOKENS), default="decision", help="what the model learnt to say"
    )
    parser.add_argument("--train-rows", type=int, default=320)
    parser.add_argument("--adapter", help="a folder from an earlier run: nothing is trained")
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16", "fp16"])
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def describe(engine: Engine, rows: list[Example]) -> None:
    prompts = [len(engine.renderer.prompt_ids(row.prompt)) for row in rows]
    answers = [len(engine.renderer.answer_ids(row.completion[0]["content"])) for row in rows]
    source = "real" if DATA.is_dir() else "synthetic"
    print(f"\n{engine.model.dtype} on {engine.model.device}; {source} mail, instruction included: prompts of")
    print(f"{statistics.mean(prompts):.0f} tokens (longest {max(prompts)}), answers of {statistics.mean(answers):.0f}")


def main() -> None:
    arguments = parse_arguments()
    recipe = make_recipe(arguments)
    made = mails(arguments.rows + arguments.train_rows, seed=0)
    rows = [example(recipe, number, label, fields, arguments.answer) for number, (label, fields) in enumerate(made)]
    rows, to_learn = rows[: arguments.rows], rows[arguments.rows :]
    weights = adapter(recipe, arguments, to_learn)
    engine = unmerged_engine(recipe, weights) if arguments.only == LOOP else load_engine(recipe, weights)
    them = contestants(recipe, engine, weights, arguments)
    if arguments.only is not None:
        them[arguments.only].take_turn(rows, 0)
        print(own_peak_mb())
        return
    describe(engine, rows)
    for one in them:
        count_gflop(one, rows[: one.rows_a_round])  # also warms up
    peak = peak_gflops(engine.model)
    for turn in range(ROUNDS):
        for one in them:
            one.take_turn(rows, turn)
        print(f"\rround {turn + 1}/{ROUNDS}", end="", file=sys.stderr)
    peak = max(peak, peak_gflops(engine.model))
    engine.close()
    report(them, rows, peak, [peak_mb(arguments, weights, number) for number in range(len(them))])


if __name__ == "__main__":
    main()
