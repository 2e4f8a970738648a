"""Where a stage began, kept beside the model that moves away: what the KL divergence is taken against.

A new adapter switched off is the untuned model. An adapter of an earlier stage is copied and frozen under a second
name: switched off, it would be the model before that stage. Without an adapter the whole model is copied.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from dadeum.models.save import save_model

NAME = "reference"
_NAMES = (NAME, "ref")
"""The copy's name here and in trl."""


class Reference:
    """`with reference.model() as model:` is the model as it was when this was made; no gradients inside."""

    def __init__(self, model: Any, is_new_adapter: bool) -> None:
        self.policy = model
        self.has_adapter = hasattr(model, "peft_config")
        self.copied_adapter = self.has_adapter and not is_new_adapter
        self.copied_model = None if self.has_adapter else frozen(model)
        if self.copied_adapter:
            copy_adapter(model)

    @contextmanager
    def model(self) -> Iterator[Any]:
        if self.copied_model is not None:
            yield self.copied_model
        elif self.copied_adapter:
            self.policy.set_adapter(NAME)
            try:
                yield self.policy
            finally:
                self.policy.set_adapter("default")
                freeze_adapter(self.policy)
        else:
            with self.policy.disable_adapter():
                yield self.policy


def frozen(model: Any) -> Any:
    """A copy that never learns."""
    return copy.deepcopy(model).eval().requires_grad_(False)


def copy_adapter(model: Any) -> None:
    """`default` once more as NAME, frozen; `default` stays the one that is used and learns."""
    model.add_adapter(NAME, model.peft_config["default"])
    with torch.no_grad():
        for name, parameter in list(model.named_parameters()):
            if ".default." in name:
                model.get_parameter(name.replace(".default.", f".{NAME}.")).copy_(parameter)
    model.set_adapter("default")
    freeze_adapter(model)


def freeze_adapter(model: Any) -> None:
    for name, parameter in model.named_parameters():
        if f".{NAME}." in name:
            parameter.requires_grad_(False)


def without_dropout(model: Any) -> None:
    """Answers are written without it; with it in the updates, every probability ratio would begin off 1."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def policy_saver(trainer: Any) -> Callable[[Path], None]:
    """For `Ready.save`: the policy alone, as a stage of any other method would leave it."""

    def save(folder: Path) -> None:
        model = trainer.accelerator.unwrap_model(trainer.model)
        for name in _NAMES:
            if name in getattr(model, "peft_config", {}):
                model.delete_adapter(name)
        if hasattr(model, "value_head"):
            del model.value_head
        save_model(model, folder)

    return save
