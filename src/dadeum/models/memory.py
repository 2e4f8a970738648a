"""Memory of this process and of the machine: what is used, the most there was, what is left, and a fence before it.

Linux kills a process that takes more memory than there is, without a word. `fenced` makes the same request fail
inside the process instead, where training can make its passes smaller.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ROOT = Path("/")
_M_MMAP_THRESHOLD = -3
"""malloc.h"""
_KEPT_FREE = 0.05
"""Share of what is left that stays outside the fence: page tables, other processes, small change."""
_UNLIMITED_MB = 2.0**40
"""cgroup v1 writes a number near 2^63 bytes for "no limit"."""


def return_freed() -> None:
    """From here on tensors of a mebibyte and more get pages of their own, which go back when they are freed (glibc).

    For when memory is short: a training step then took 4.7 GiB instead of 6.4 and 23 s instead of 14, because every
    page has to be made anew (docs/lab-log.md).
    """
    if (libc := _glibc()) is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, 2**20)
        libc.malloc_trim(0)


def _glibc() -> Any:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "malloc_trim") else None


def used_mb() -> float:
    """MiB that this process holds now: on CUDA what torch has allocated, else resident memory."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.memory_allocated()) / 2**20
    return _status("VmRSS") or _largest_mb()


def start_peak() -> None:
    """From here on `peak_mb` counts anew, without what earlier steps have freed.

    Where a kernel does not allow that, it goes on from before.
    """
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_mb() -> float:
    """Most MiB held since `start_peak`: of the GPU when there is one, else of this process."""
    import torch

    if torch.cuda.is_available():
        return round(float(torch.cuda.max_memory_allocated()) / 2**20, 1)
    return round(_status("VmHWM") or _largest_mb(), 1)


def left_mb(root: Path = _ROOT) -> float | None:
    """MiB that this process can still take: of the GPU when there is one, else of the machine and its container."""
    import torch

    if torch.cuda.is_available():
        # What torch keeps without using it is left as well.
        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return float(torch.cuda.mem_get_info()[0] + kept) / 2**20
    found = [size for size in (_machine_mb(root), *_container_mb(root)) if size is not None]
    return min(found, default=None)


@contextmanager
def fenced() -> Iterator[None]:
    """Inside, asking for more than is left fails with an error instead of killing the process (Linux, CPU)."""
    import torch

    left, held = left_mb(), _status("VmData")
    before = resource.getrlimit(resource.RLIMIT_DATA)
    if torch.cuda.is_available() or left is None or not held or before[0] != resource.RLIM_INFINITY:
        yield
        return
    fence = int((held + left * (1 - _KEPT_FREE)) * 2**20)
    resource.setrlimit(resource.RLIMIT_DATA, (fence, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _machine_mb(root: Path) -> float | None:
    path = root / "proc/meminfo"
    if not path.exists():
        return None
    for line in path.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return float(line.split()[1]) / 2**10
    return None


def _container_mb(root: Path) -> list[float]:
    """What each control group above this process leaves it, v2 and v1."""
    path = root / "proc/self/cgroup"
    if not path.exists():
        return []
    left = []
    for line in path.read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
        inside = Path(group.lstrip("/"))
        # Inside a container the group's own path may not exist; the top is then the container's.
        for part in (inside, *inside.parents):
            left += _group_mb(top / part, *names)
    return left


def _group_mb(folder: Path, limit_name: str, usage_name: str) -> list[float]:
    try:
        limit = (folder / limit_name).read_text().strip()
        usage = float((folder / usage_name).read_text()) / 2**20
        stat = (folder / "memory.stat").read_text() if (folder / "memory.stat").exists() else ""
    except OSError:
        return []
    if limit == "max" or float(limit) / 2**20 > _UNLIMITED_MB:
        return []
    # Files read but not in use are given back when memory is short.
    counted = dict(line.split() for line in stat.splitlines())
    files = float(counted.get("total_inactive_file", counted.get("inactive_file", 0))) / 2**20
    return [max(0.0, float(limit) / 2**20 - usage + files)]


def _status(name: str) -> float:
    """A figure of /proc/self/status in MiB; 0 where there is none."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)


def _largest_mb() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
