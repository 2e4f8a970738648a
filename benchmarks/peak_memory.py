"""Peak memory of this process: resident memory on a CPU, what torch allocated on CUDA; MiB."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_BEFORE = {"peak": 0.0}


def reset_peak() -> float:
    """MiB in use now; from here on `peak_training` counts anew."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return float(torch.cuda.memory_allocated()) / 2**20
    now = _status("VmRSS")
    _BEFORE["peak"] = _peak()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        print("peak memory cannot be counted anew: `peak_training` includes loading", file=sys.stderr)
    return now


def memory() -> dict[str, float]:
    """MiB: `peak` of the whole process (on CUDA what torch allocated), `peak_training` without loading the model."""
    import torch

    if torch.cuda.is_available():
        peak = float(torch.cuda.max_memory_allocated()) / 2**20
        return {"peak": peak, "peak_training": peak}
    now = _peak()
    return {"peak": max(now, _BEFORE["peak"]), "peak_training": now}


def _peak() -> float:
    # ru_maxrss of a child begins at its parent's memory, VmHWM at nothing.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _status(name: str) -> float:
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)
