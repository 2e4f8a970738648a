from __future__ import annotations

import os

import pytest
import torch

from dadeum.models import threads


@pytest.mark.parametrize(("content", "cores"), [("max 100000\n", None), ("200000 100000\n", 2.0), ("150000", 1.5)])
def test_the_quota_of_a_container_is_read(content, cores):
    assert threads._quota(content) == cores


def test_a_container_with_two_cores_of_many_gets_two(tmp_path, monkeypatch):
    limit = tmp_path / "cpu.max"
    monkeypatch.setattr(threads, "_CGROUP", limit)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(threads, "_core_of", lambda cpu: ("0", str(cpu // 2)))
    assert threads.num_cores() == 32
    limit.write_text("200000 100000")
    assert threads.num_cores() == 2
    limit.write_text("50000 100000")
    assert threads.num_cores() == 1


def test_omp_num_threads_has_the_last_word(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "num_cores", lambda: before + 3)
    monkeypatch.setenv("OMP_NUM_THREADS", str(before))
    assert threads.use_threads() == before
    monkeypatch.delenv("OMP_NUM_THREADS")
    try:
        assert threads.use_threads() == before + 3
    finally:
        torch.set_num_threads(before)
