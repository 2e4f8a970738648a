"""Bytes of tensors that are alive, counted operation by operation under a torch dispatch mode."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

HEAP_BYTES = 32 * 2**20
"""glibc gives larger tensors pages of their own (DEFAULT_MMAP_THRESHOLD_MAX in malloc.c)."""


class LiveBytes(TorchDispatchMode):
    """Bytes of the storages that operations made inside and that are still alive, and the most there ever were.

    `heap_slack`: what a storage that lies in the heap takes there for every byte of its own.
    """

    def __init__(self, heap_slack: float = 1.0) -> None:
        super().__init__()
        self.heap_slack = heap_slack
        self.now = 0.0
        self.peak = 0.0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._count, out)
        return out

    def ignore(self, tensor: torch.Tensor) -> None:
        """What was there before is not counted when an operation returns it."""
        self._known.add(tensor.untyped_storage())

    def _count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        self._known.add(storage)
        size = storage.nbytes() * (self.heap_slack if storage.nbytes() < HEAP_BYTES else 1.0)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, size)

    def _free(self, size: float) -> None:
        self.now -= size
