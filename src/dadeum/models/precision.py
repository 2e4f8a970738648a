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
def rate(dtype):
    a, b = torch.randn(512, 576, dtype=dtype), torch.randn(576, 1536, dtype=dtype)
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        for _ in range(4):
            a @ b
        best = min(best, time.perf_counter() - start)
    return 4 * 2 * 512 * 576 * 1536 / best / 1e9
x = torch.randn(2, 4, 64, 64, dtype=torch.bfloat16, requires_grad=True)
torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True).sum().backward()
print(json.dumps({"bf16": rate(torch.bfloat16), "fp32": rate(torch.float32)}))
"""


@dataclass(frozen=True)
class Precision:
    """The chosen arithmetic, and why, in GFLOP/s measured here."""

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

    Returns {"bf16": GFLOP/s, "fp32": GFLOP/s, "isa_limit": str | None}; {} where no CPU bf16 is worth a try.
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
    identity = [sys.version, " ".join(sorted(flags)), boot.read_text() if boot.exists() else ""]
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
    rates = {name: round(float(measured[name])) for name in ("bf16", "fp32") if name in measured}
    limit = measured.get("isa_limit")
    if asked != "auto":
        return Precision(asked, "train.precision.asked", rates, limit)  # type: ignore[arg-type]
    # Below a quarter more, the casts around bf16 eat what the matrix product saves.
    if rates and rates["bf16"] > 1.25 * rates["fp32"]:
        return Precision("bf16", "train.precision.cpu_bf16", rates, limit)
    return Precision("fp32", "train.precision.cpu_fp32", rates, limit)
