"""Supervised fine-tuning on one GPU: dadeum against trl and Liger; tokens/s, peak memory, share of the fastest product.

Shapes of EXAONE-2.4B, Qwen2.5-1.5B and Gemma-3-1B with random weights made on the device, bf16, LoRA r16 on all linear
layers. One contestant after the other, each in its own process because each needs the memory, `--rounds` times.
Run: python benchmarks/gpu_sft.py [--shapes qwen2.5-1.5b] [--json FILE]; --tiny: shrunken shapes on a CPU, no figures.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from sft_report import Result, disagreeing
from sft_speed import peak, race, started
from sft_workloads import ALL_LINEAR, Workload, answer_tokens, random_rows

SHAPES: dict[str, dict[str, Any]] = {
    "exaone-2.4b": {
        "model_type": "llama", "vocab_size": 102_400, "hidden_size": 2560, "num_hidden_layers": 30,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 80, "intermediate_size": 7168,
        "tie_word_embeddings": True, "max_position_embeddings": 32_768,
    },
    "qwen2.5-1.5b": {
        "model_type": "qwen2", "vocab_size": 151_936, "hidden_size": 1536, "num_hidden_layers": 28,
        "num_attention_heads": 12, "num_key_value_heads": 2, "intermediate_size": 8960,
        "tie_word_embeddings": True, "max_position_embeddings": 32_768,
    },
    "gemma-3-1b": {
        "model_type": "gemma3_text", "vocab_size": 262_144, "hidden_size": 1152, "num_hidden_layers": 26,
        "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "intermediate_size": 6912,
        "sliding_window": 512, "tie_word_embeddings": True, "max_position_embeddings": 32_768,
    },
}  # fmt: skip
SMALL = {
    "vocab_size": 1024, "hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 16, "intermediate_size": 128,
}  # fmt: skip
DATA = {"decisions": (400, (20, 80), (4, 48)), "chat": (0, (40, 600), (40, 400))}
"""Shared prompt tokens, own prompt tokens, answer tokens: an instruction before every row, and none."""


def main() -> None:
    arguments = read_arguments()
    if arguments.tiny:
        # No figures, but every line of this script: on the CPU even where there is a GPU.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif not _device():
        print("not run: no CUDA device")
        return
    peaks = peak(0.1 if arguments.tiny else 2.0)
    print(
        f"{'no device, tiny shapes' if arguments.tiny else _device()}; fastest product: {_in_words(peaks)}", flush=True
    )
    figures = []
    for shape in arguments.shapes:
        for data in arguments.data:
            workload = make(shape, data, (arguments.steps + 1) * arguments.batch_size, arguments.tiny)
            print(f"\n{shape}, {data}: {workload.describe()}", flush=True)
            results = rounds(workload, contestants(arguments.tiny), arguments)
            print("\n".join(table(results, workload, arguments.batch_size, peaks)), flush=True)
            figures.append(
                {"shape": shape, "data": data, "peak_gflops": peaks, "results": [asdict(r) for r in results]}
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--steps", type=int, default=10, help="timed optimizer steps of a round")
    parser.add_argument("--rounds", type=int, default=2, help="times that every contestant runs")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    if arguments.tiny:
        arguments.steps, arguments.rounds, arguments.batch_size = 2, 1, 4
    return arguments


def _device() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def contestants(tiny: bool) -> list[str]:
    """What is installed; flash attention and Liger need a GPU even to be tried."""
    names = ["dadeum", "gpu_trl", "gpu_trl_grouped", "gpu_trl_free"]
    if not tiny:
        names.insert(1, "dadeum_checkpointing")
    if not tiny and find_spec("flash_attn"):
        names.append("gpu_trl_flash")
    if not tiny and find_spec("liger_kernel"):
        names += ["gpu_liger", "gpu_trl_liger"]
    return names


def make(shape: str, data: str, num_rows: int, tiny: bool) -> Workload:
    config = SHAPES[shape] | (SMALL if tiny else {})
    if tiny and "sliding_window" in config:
        config["sliding_window"] = 16
    shared, own, answer = DATA[data]
    if tiny:
        shared, own, answer = shared // 16, (4, 20), (2, 6)
    rows = random_rows(num_rows, config["vocab_size"], shared, own, answer)
    return Workload(f"{shape} {data}", rows, ALL_LINEAR, "random ids", config=config)


def rounds(workload: Workload, names: list[str], arguments: argparse.Namespace) -> list[Result]:
    """One contestant at a time; the order turns around every round, against a device that grows hot."""
    results: dict[str, Result] = {}
    for number in range(arguments.rounds):
        for name in names if number % 2 == 0 else reversed(names):
            result = race(workload, [name], arguments.batch_size, say=lambda line: None)[0]
            print(started(result) if result.died or number == 0 else f"{result.title}: again", flush=True)
            if name in results and not result.died:
                result.steps = results[name].steps + result.steps
                result.rows += results[name].rows
            if name not in results or not result.died:
                results[name] = result
    return list(results.values())


def table(results: list[Result], workload: Workload, batch_size: int, peaks: dict[str, float]) -> list[str]:
    """tokens/s count the data's tokens, each prompt as often as it stands in a row; of peak: what dadeum computed."""
    timed = workload.rows[batch_size:]
    tokens_per_row = sum(len(row["input_ids"]) for row in timed) / len(timed)
    finished = sorted((one for one in results if not one.died), key=lambda one: -one.step_s)
    ours = next((one for one in finished if one.is_ours), None)
    wrong = {one.name for one in disagreeing(results)}
    lines = [
        f"{'contestant':32} {'tokens/s':>10} {'s/step':>8} {'dadeum is':>10} {'peak GB':>8} {'ours/its':>8} "
        f"{'TFLOP/s':>8} {'of peak':>8} {'loss':>8} {'norm':>8}"
    ]
    for one in finished:
        useful = ours.flops(sum(map(answer_tokens, timed))) / len(timed) if ours else 0.0
        rate = useful * one.rows / sum(one.steps) / 1e9
        lines.append(
            f"{one.title:32} {one.rows_per_s * tokens_per_row:10.0f} {median(one.steps):8.3f} "
            f"{one.step_s / ours.step_s if ours else 0:9.2f}x {one.totals['peak'] / 1024:8.2f} "
            f"{ours.totals['peak'] / one.totals['peak'] if ours else 0:8.2f} {rate / 1e3:8.2f} "
            f"{rate / peaks[one.ready['precision']]:8.1%} {one.ready['first_loss']:8.4f} {one.ready['first_norm']:8.4f}"
            f"{'  NOT COUNTED: another loss or gradient' if one.name in wrong else ''}"
        )
    return lines + [f"{one.title:32} no result: {one.died}" for one in results if one.died]


def _in_words(peaks: dict[str, float]) -> str:
    return ", ".join(f"{name} {value / 1e3:.2f} TFLOP/s" for name, value in peaks.items())


if __name__ == "__main__":
    main()
