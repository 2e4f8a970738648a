"""Memory of the machine, read from files that a kernel would have written, and of this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dadeum.models.memory import left_mb, peak_mb, start_peak, used_mb

MB = 2**20


def machine(tmp_path: Path, cgroup: str, **files: str) -> Path:
    """A file tree like /, with 1,000 MiB available; `files` stand under /sys/fs/cgroup, `__` for a slash."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 2048000 kB\nMemAvailable:  1024000 kB\n")
    (tmp_path / "proc/self/cgroup").write_text(cgroup)
    for name, content in files.items():
        path = tmp_path / "sys/fs/cgroup" / name.replace("__", "/").replace("-", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_without_a_container_it_is_what_the_machine_has_left(tmp_path):
    assert left_mb(machine(tmp_path, "0::/\n")) == 1000


def test_a_container_that_allows_less_counts(tmp_path):
    """cgroup v2: 512 MiB allowed, 200 used, of which 50 are files that can be dropped."""
    files = {
        "job__memory-max": f"{512 * MB}\n",
        "job__memory-current": f"{200 * MB}\n",
        "job__memory-stat": f"anon {150 * MB}\ninactive_file {50 * MB}\n",
    }
    assert left_mb(machine(tmp_path, "0::/job\n", **files)) == 512 - 200 + 50


def test_a_limit_of_the_group_above_counts_too(tmp_path):
    files = {
        "a__memory-max": f"{300 * MB}", "a__memory-current": f"{100 * MB}",
        "a__b__memory-max": "max", "a__b__memory-current": f"{100 * MB}",
    }  # fmt: skip
    assert left_mb(machine(tmp_path, "0::/a/b\n", **files)) == 200


def test_the_older_kind_of_container(tmp_path):
    """cgroup v1; a process inside a container sees its own group at the top, whatever its path says."""
    files = {
        "memory__memory-limit_in_bytes": f"{700 * MB}",
        "memory__memory-usage_in_bytes": f"{100 * MB}",
        "memory__memory-stat": f"total_inactive_file {20 * MB}\n",
    }
    root = machine(tmp_path, "5:cpu:/x\n4:memory:/docker/abc\n", **files)
    assert left_mb(root) == 620
    (root / "sys/fs/cgroup/memory/memory.limit_in_bytes").write_text(str(2**63 - 4096))
    assert left_mb(root) == 1000


def test_a_system_that_says_nothing(tmp_path):
    assert left_mb(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_peak_counts_anew_from_its_start():
    import torch

    start_peak()
    before = used_mb()
    large = torch.ones(64 * MB)
    assert peak_mb() - before == pytest.approx(256, rel=0.1)
    del large
    start_peak()
    assert peak_mb() - before < 128


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA is Linux's")
def test_the_fence_turns_a_kill_into_an_error_that_training_survives():
    """In a process of its own, where 600 MiB are said to be left: 2 GiB fail, 100 MiB do not, and later all is open."""
    program = """
import torch
from dadeum.models import memory
from dadeum.training.out_of_memory import is_out_of_memory
memory.left_mb = lambda: 600.0
with memory.fenced():
    try:
        torch.ones(2**29)
    except (RuntimeError, MemoryError) as error:
        assert is_out_of_memory(error), error
    else:
        raise SystemExit("no fence")
    torch.ones(100 * 2**18)
assert torch.empty(2**29).numel() == 2**29
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
