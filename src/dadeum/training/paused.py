"""A model in the middle of its training, for a moment as it is when it answers; afterwards nothing has changed.

Dropout, packed trees, compiled layers, recomputing and random numbers belong to the training: each one comes back as
it was, so a training that is looked at has the weights of one that is not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch

from dadeum.models.tree_attention import own_attention


@contextmanager
def paused(model: Any) -> Iterator[None]:
    """Inside, `model` evaluates with its own attention, uncompiled, and keeps keys and values while it writes."""
    with ExitStack() as stack:
        stack.enter_context(_same_draws(model))
        stack.enter_context(own_attention(model))
        stack.enter_context(_uncompiled(model))
        stack.enter_context(_with_cache(model))
        stack.enter_context(_evaluating(model))
        yield


@contextmanager
def _same_draws(model: Any) -> Iterator[None]:
    """Whatever is drawn inside, the training draws on as if nothing had been."""
    devices = sorted({one.device.index for one in model.parameters() if one.device.type == "cuda"})
    ours, numpys = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            random.setstate(ours)
            np.random.set_state(numpys)


@contextmanager
def _uncompiled(model: Any) -> Iterator[None]:
    """Layers were compiled for packed trees: other inputs would compile them anew until torch gives up."""
    compiled = [(one, one._compiled_call_impl) for one in model.modules() if one._compiled_call_impl is not None]
    for module, _ in compiled:
        module._compiled_call_impl = None
    try:
        yield
    finally:
        for module, call in compiled:
            module._compiled_call_impl = call


@contextmanager
def _with_cache(model: Any) -> Iterator[None]:
    """The Trainer switches it off; without it every new token would compute its whole answer again."""
    config = model.config
    before = config.use_cache
    config.use_cache = True
    try:
        yield
    finally:
        config.use_cache = before


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Module by module: parts of a model may evaluate while the whole is training."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
