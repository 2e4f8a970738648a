"""How many threads torch may use: cores of its own, not the hyperthreads or the neighbours of a container."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/cpu.max")


def num_cores() -> int:
    """Physical cores that this process may use: of its affinity, and at most the quota of its container.

    torch takes every core that it sees; in a container limited to two of sixty-four cores it is then many times slower.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = {_core_of(cpu) for cpu in allowed}
    quota = _quota(_CGROUP.read_text()) if _CGROUP.exists() else None
    return max(1, len(cores) if quota is None else min(len(cores), int(quota)))


def _core_of(cpu: int) -> tuple[str, str]:
    """(socket, core): two hyperthreads of one core have the same."""
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
    if not (topology / "core_id").exists():
        return "0", str(cpu)
    return (topology / "physical_package_id").read_text().strip(), (topology / "core_id").read_text().strip()


def _quota(cpu_max: str) -> float | None:
    """Cores of cgroup v2's `cpu.max` ("200000 100000" is two), None for "max 100000"."""
    allowed, _, period = cpu_max.strip().partition(" ")
    return None if allowed == "max" else float(allowed) / float(period or 100_000)


def use_threads() -> int:
    """Set torch's threads, unless OMP_NUM_THREADS says how many; returns the number in use."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() != num_cores():
        torch.set_num_threads(num_cores())
    threads: int = torch.get_num_threads()
    return threads
