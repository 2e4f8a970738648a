"""The fastest matrix product this machine does, in GFLOP/s by dtype: what a share of peak is measured against.

Run: python benchmarks/gemm_peak.py [--seconds 2]
"""

from __future__ import annotations

import argparse
import json
import time

import torch

SIZES = {"cpu": (1024, 1536, 2048), "cuda": (4096, 8192)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each dtype and size")
    print(json.dumps(peaks(parser.parse_args().seconds)))


def peaks(seconds: float) -> dict[str, float]:
    """Best of all sizes and repetitions."""
    from dadeum.models.threads import use_threads

    use_threads()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sizes = SIZES[device] if seconds >= 0.5 else (512,)
    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
    return {name: max(_rate(size, dtype, device, seconds) for size in sizes) for name, dtype in kinds.items()}


def _rate(size: int, dtype: torch.dtype, device: str, seconds: float) -> float:
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    a @ b
    best, until = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < until:
        _wait(device)
        started = time.perf_counter()
        a @ b
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best / 1e9


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
