"""One set of weights with all adapters that were trained on it: every row of a batch goes through its own.

peft's mixed batch gathers and scatters rows in each of hundreds of layers; here rows of one adapter stand together, so
that a slice does. What is not plain LoRA on linear layers gets weights of its own instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from dadeum.core.errors import ModelError, first_line
from dadeum.core.model import QLora
from dadeum.core.recipe import Recipe
from dadeum.gateway.catalogue import ServedModel
from dadeum.models import exaone
from dadeum.models.layout import laid_for_few_rows
from dadeum.models.load import is_seq2seq, load_base, load_trained
from dadeum.models.placement import offloaded
from dadeum.models.precision import choose_precision

BASE = "__base__"
_LINEAR = {"Linear", "Linear4bit", "Linear8bitLt"}
_CONFIG = "adapter_config.json"
_NOT_PLAIN = ("modules_to_save", "trainable_token_indices", "use_dora", "alora_invocation_tokens", "target_parameters")


class NotRows(RuntimeError):
    """A layer sees tokens without their rows."""


class Switch:
    """Adds to every layer what the adapters of the rows add, while peft believes them off."""

    def __init__(self) -> None:
        self._segments: Sequence[tuple[str, int, int]] = ()
        self._rows = 0
        self._hooked: set[int] = set()

    def watch(self, model: Any) -> None:
        """Call it again after an adapter came."""
        for layer in lora_layers(model):
            layer.enable_adapters(False)
            if id(layer) not in self._hooked:
                self._hooked.add(id(layer))
                layer.register_forward_hook(self._add)

    @contextmanager
    def through(self, adapters: Sequence[str]) -> Iterator[None]:
        """Inside, row n of a pass goes through `adapters[n]`; rows of one adapter stand together."""
        self._segments, self._rows = _segments(adapters), len(adapters)
        try:
            yield
        finally:
            self._segments = ()

    def _add(self, layer: Any, args: tuple[torch.Tensor, ...], result: torch.Tensor) -> torch.Tensor:
        x = args[0]
        # Experts see tokens of any row: so many as there are rows would be chance.
        if len(self._segments) > 1 and (x.dim() != 3 or x.shape[0] != self._rows):
            raise NotRows(f"{type(layer).__name__} does not see rows: {tuple(x.shape)} of {self._rows}")
        for name, start, stop in self._segments:
            if name not in layer.lora_A:
                continue
            part, own = (x, result) if len(self._segments) == 1 else (x[start:stop], result[start:stop])
            down = layer.lora_A[name]
            more = layer.lora_B[name](down(part.to(down.weight.dtype))) * layer.scaling[name]
            own += more.to(result.dtype)
        return result


def _segments(adapters: Sequence[str]) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    for place, name in enumerate(adapters):
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1], place + 1)
        else:
            found.append((name, place, place + 1))
    return found


def lora_layers(model: Any) -> list[Any]:
    from peft.tuners.lora import LoraLayer

    return [layer for layer in model.modules() if isinstance(layer, LoraLayer)]


def shares(model: ServedModel) -> bool:
    """Whether these weights can stand beside others on one base."""
    if model.weights is None:
        return True
    if not (model.weights / _CONFIG).exists():
        return False
    config = json.loads((model.weights / _CONFIG).read_text(encoding="utf-8"))
    return str(config.get("peft_type")) == "LORA" and not any(config.get(name) for name in _NOT_PLAIN)


def weights_key(model: ServedModel) -> str:
    """Versions with one key share a set of weights."""
    described = model.recipe.model.model_dump(mode="json", exclude={"adapter", "start"})
    if isinstance(model.recipe.model.adapter, QLora):
        described["bits"] = model.recipe.model.adapter.bits
    if not shares(model):
        described["own"] = model.version
    return json.dumps(described, sort_keys=True)


class Held:
    """Loaded weights. Everything but the constructor's reading belongs to the worker's thread."""

    def __init__(self, recipe: Recipe, own: Path | None = None) -> None:
        """`own`: weights that cannot be shared, full ones or an adapter of another kind, which is always on."""
        self.recipe = recipe
        precision = choose_precision(recipe.model.precision)
        loaded = load_base(recipe.model, precision) if own is None else load_trained(recipe.model, precision, own)
        self.model = laid_for_few_rows(loaded.eval())
        self._peft: Any = None
        self._names: dict[str, str] = {}
        self._counted = 0
        self.switch = Switch()
        self.is_seq2seq = is_seq2seq(self.model.config)
        self.takes_trees: bool | None = None
        """Whether packed decisions are exact here; None: not tried yet."""
        self.mixes = True
        """Whether rows of several adapters can be told apart in every layer."""

    @property
    def versions(self) -> list[str]:
        return list(self._names)

    @property
    def vocabulary_size(self) -> int:
        return int(self.model.config.get_text_config().vocab_size)

    def adapter(self, version: str) -> str:
        return self._names[version]

    def add(self, model: ServedModel) -> None:
        """ModelError where the adapter does not fit these weights."""
        if model.version in self._names:
            return
        if model.weights is None or not shares(model):
            self._names[model.version] = BASE
            return
        if offloaded(self.model):
            raise ModelError("gateway.engine.offloaded", version=model.version)
        # A name of our own: peft takes no dots in one.
        self._counted += 1
        name = f"v{self._counted}"
        try:
            self._open(model.weights, name)
        except (RuntimeError, ValueError, KeyError, TypeError, OSError) as error:
            self._close(name)
            detail = first_line(error)
            raise ModelError("gateway.engine.unfit", version=model.version, detail=detail) from error
        if odd := next((one for one in lora_layers(self.model) if _is_odd(one, name)), None):
            self._close(name)
            kind = type(odd).__name__
            raise ModelError("gateway.engine.odd_layer", version=model.version, kind=kind)
        self.switch.watch(self.model)
        self._names[model.version] = name
        self.mixes = self.mixes and (self.is_seq2seq or self._tells_rows_apart(name))

    def _tells_rows_apart(self, name: str) -> bool:
        ids = torch.ones(2, 3, dtype=torch.long, device=self.model.device)
        try:
            with torch.inference_mode(), self.switch.through([BASE, name]):
                self.model(input_ids=ids, use_cache=False)
        except NotRows:
            return False
        return True

    def remove(self, version: str) -> None:
        name = self._names.pop(version)
        if name != BASE:
            self._close(name)

    def _open(self, folder: Path, name: str) -> None:
        from peft import PeftConfig, get_peft_model

        renamed = exaone.adapter_for_llama(folder) if hasattr(self.model, "published") else nullcontext(folder)
        with renamed as readable:
            if self._peft is None:
                config = PeftConfig.from_pretrained(str(readable))
                config.inference_mode = True
                self._peft = get_peft_model(self.model, config, adapter_name=name)
            found = self._peft.load_adapter(str(readable), adapter_name=name)
        self._peft.eval()
        # peft only warns of weights that are absent: they would stay as they were drawn.
        if wrong := [key for key in found.missing_keys if f".{name}." in key] + list(found.unexpected_keys):
            raise ValueError(", ".join(wrong[:3]))

    def _close(self, name: str) -> None:
        """Also of what came half: peft leaves it in the layers."""
        if self._peft is None:
            return
        for layer in lora_layers(self.model):
            layer.delete_adapter(name)
        left = self._peft.peft_config
        left.pop(name, None)
        if left:  # peft asks for one that is active whenever another comes
            self._peft.active_adapter = next(iter(left))
            self.switch.watch(self.model)
        else:
            self._peft.unload()
            self._peft, self.switch = None, Switch()


def _is_odd(layer: Any, name: str) -> bool:
    """An embedding or convolution with this adapter, or arithmetic that a slice does not do."""
    holds = any(name in getattr(layer, part) for part in layer.adapter_layer_names)
    return holds and (type(layer).__name__ not in _LINEAR or name in layer.lora_variant)
