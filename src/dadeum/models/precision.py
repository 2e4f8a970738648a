"""Which arithmetic this machine does right and fast, measured once per boot in a child process.

A CPU may announce AMX and still fault on it (virtual machines do): the process dies of SIGILL in the middle of a
run. So a child tries the very kernels first; when it dies, oneDNN is told to stay below AMX.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from dadeum.core.errors import ModelError
from dadeum.core.run import read_json, write_json

Dtype = Literal["fp32", "bf16", "fp16"]
_SAFE_ISA = "AVX512_CORE_FP16"

_PROBE = """
import json, time, torch
from torch.nn import functional as F
torch.manual_seed(0)
ROWS, TOKENS, WIDTH, INNER, HEADS = 8, 64, 576, 1536, 9
SHAPES = [(WIDTH, WIDTH)] * 4 + [(INNER, WIDTH)] * 2 + [(WIDTH, INNER)]
def rate(dtype):
    frozen = [torch.randn(shape).mul(0.02).to(dtype) for shape in SHAPES]
    low = [(torch.randn(16, i) * 0.02, torch.randn(o, 16) * 0.02) for o, i in SHAPES]
    for pair in low:
        for weight in pair:
            weight.requires_grad_()
    def linear(k, x):
        return F.linear(x, frozen[k]) + F.linear(F.linear(x.float(), low[k][0]), low[k][1])
    def layer(x):
        y = F.rms_norm(x.float(), (WIDTH,)).to(dtype)
        q, k, v = (linear(i, y).view(ROWS, TOKENS, HEADS, -1).transpose(1, 2) for i in range(3))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(ROWS, TOKENS, WIDTH)
        x = x + linear(3, a)
        y = F.rms_norm(x.float(), (WIDTH,)).to(dtype)
        return x + linear(6, F.silu(linear(4, y)) * linear(5, y))
    best = float("inf")
    for _ in range(4):
        x = torch.randn(ROWS, TOKENS, WIDTH).to(dtype).requires_grad_()
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = layer(layer(x)).float().square().mean()
        loss.backward()
        best = min(best, time.perf_counter() - start)
    return 2 * 4 * ROWS * TOKENS * sum(o * i for o, i in SHAPES) / best / 1e9
print(json.dumps({"bf16": rate(torch.bfloat16), "fp32": rate(torch.float32)}))
"""
"""A training step of two LoRA layers, not a bare matrix product: bf16 products may be twice as fast and the step
still half as fast, because of the casts around them (measured, docs/lab-log.md)."""


@dataclass(frozen=True)
class Precision:
    """The chosen arithmetic, and why: GFLOP/s of a training step measured here."""

    dtype: Dtype
    reason: str
    """Message key under `train.precision`."""
    gflops: dict[str, float]
    isa_limit: str | None
    """Value given to ONEDNN_MAX_CPU_ISA because the full instruction set faulted; None when it did not."""


def cache_folder() -> Path:
    """Where converted models and measurements are kept: DADEUM_CACHE, else ~/.cache/dadeum."""
    return Path(os.environ.get("DADEUM_CACHE", "~/.cache/dadeum")).expanduser()


def prepare_cpu() -> dict[str, Any]:
    """Measure once per boot, and keep oneDNN off instructions that fault. Call before the first torch operation.

    Returns {"bf16": GFLOP/s of a LoRA training step, "fp32": the same, "isa_limit": str | None}; {} where the CPU has
    no bf16 instructions.
    """
    flags = _cpu_flags()
    if not {"avx512_bf16", "amx_bf16"} & flags:
        return {}
    path = cache_folder() / f"cpu-{_machine_key(flags)}.json"
    measured: dict[str, Any] = read_json(path) if path.exists() else _measure()
    if not path.exists():
        write_json(path, measured)
    if measured.get("isa_limit"):
        os.environ.setdefault("ONEDNN_MAX_CPU_ISA", measured["isa_limit"])
    return measured


def _measure() -> dict[str, Any]:
    for limit in (None, _SAFE_ISA):
        rates = _try_kernels(limit)
        if rates:
            return rates | {"isa_limit": limit}
    return {"isa_limit": _SAFE_ISA}


def _try_kernels(isa_limit: str | None) -> dict[str, float]:
    """GFLOP/s by dtype, or {} when the child died."""
    environment = {key: value for key, value in os.environ.items() if key != "ONEDNN_MAX_CPU_ISA"}
    if isa_limit:
        environment["ONEDNN_MAX_CPU_ISA"] = isa_limit
    child = subprocess.run([sys.executable, "-c", _PROBE], env=environment, capture_output=True, text=True, timeout=300)
    if child.returncode:
        return {}
    rates: dict[str, float] = json.loads(child.stdout)
    return rates


def _cpu_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return set()
    for line in info.read_text().splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def _machine_key(flags: set[str]) -> str:
    """Same boot of the same machine: a virtual machine may wake up on another host."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    identity = [_PROBE, sys.version, " ".join(sorted(flags)), boot.read_text() if boot.exists() else ""]
    return sha256("\n".join(identity).encode()).hexdigest()[:16]


def choose_precision(asked: str) -> Precision:
    """Resolve `auto` to what is right and fastest here; refuse what this machine cannot do."""
    import torch

    if torch.cuda.is_available():
        if asked == "auto":
            asked = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
            return Precision(asked, "train.precision.gpu", {}, None)  # type: ignore[arg-type]
        return Precision(asked, "train.precision.asked", {}, None)  # type: ignore[arg-type]
    if asked == "fp16":
        raise ModelError("train.no_fp16_on_cpu")
    measured = prepare_cpu()
    rates: dict[str, float] = {name: round(measured[name], 1) for name in ("bf16", "fp32") if name in measured}
    limit = measured.get("isa_limit")
    if asked != "auto":
        return Precision(asked, "train.precision.asked", rates, limit)  # type: ignore[arg-type]
    # A tenth more would not pay for the lost digits.
    if rates and rates["bf16"] > 1.1 * rates["fp32"]:
        return Precision("bf16", "train.precision.cpu_bf16", rates, limit)
    return Precision("fp32", "train.precision.cpu_fp32", rates, limit)
