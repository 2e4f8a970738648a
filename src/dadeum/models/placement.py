"""Where a model's weights lie and in how many bits: one device or all of them, 16, 8 or 4 bits.

Decides the arguments of `from_pretrained` and refuses what is known not to work, before anything is downloaded.
"""

from __future__ import annotations

import logging
import os
from functools import partial
from importlib.util import find_spec
from typing import Any

from dadeum.core.errors import MissingExtra, ModelError
from dadeum.core.messages import text
from dadeum.core.model import Model, NoAdapter, QLora
from dadeum.models.precision import cache_folder

log = logging.getLogger(__name__)
_said: set[str] = set()


def placement(model: Model, dtype: Any) -> dict[str, Any]:
    """`device_map`, offload folder and quantisation for `from_pretrained`."""
    import torch

    arguments: dict[str, Any] = {}
    if isinstance(model.adapter, QLora):
        arguments["quantization_config"] = quantisation(model.adapter, dtype)
    if model.device_map == "auto":
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ModelError("models.load.auto_distributed")
        arguments |= {"device_map": "auto", "offload_folder": str(cache_folder() / "offload")}
    elif arguments or torch.cuda.is_available():
        arguments["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0")) if torch.cuda.is_available() else "cpu"}
    return arguments


def quantisation(adapter: QLora, compute_dtype: Any) -> Any:
    """4 bits: NF4 with double quantisation (Dettmers et al. 2023). 8 bits: LLM.int8() (Dettmers et al. 2022)."""
    if find_spec("bitsandbytes") is None:
        raise MissingExtra("train.missing_package", requirement="bitsandbytes")
    from transformers import BitsAndBytesConfig

    if adapter.bits == 8:
        # It computes in fp16 whatever the base is in, and would say so for every layer of every pass.
        logging.getLogger("bitsandbytes.autograd._functions").addFilter(_first_of_its_kind)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
    )


def _first_of_its_kind(record: logging.LogRecord) -> bool:
    new = record.msg not in _said
    _said.add(record.msg)
    return new


def offloaded(loaded: Any) -> list[str]:
    """Weights that are fetched from CPU memory or disk whenever they are needed."""
    return [name for name, weight in loaded.named_parameters() if weight.is_meta]


def check_offloading(model: Model, loaded: Any, trainable: bool) -> None:
    """Say aloud that layers are fetched at every pass; refuse what cannot work that way."""
    away = offloaded(loaded)
    if not away:
        return
    if trainable and isinstance(model.adapter, NoAdapter):
        raise ModelError("models.load.full_offloaded", base=model.base, num=len(away))
    if loaded.get_input_embeddings().weight.is_meta:
        # Nothing is left on a device then, and where the inputs belong cannot be told.
        raise ModelError("models.load.no_room", base=model.base)
    log.warning(text("models.load.offloaded", num=len(away), total=len(list(loaded.parameters()))))


def place_adapter(adapted: Any) -> None:
    """Real weights for adapters of offloaded layers: peft puts them where the layer's weight is, which is nowhere.

    Afterwards such a layer trains like any other: its frozen weight comes for a pass and goes, the adapter stays.
    """
    from peft.tuners.lora import LoraLayer

    if not offloaded(adapted):
        return
    for layer in adapted.modules():
        if not isinstance(layer, LoraLayer):
            continue
        for name in layer.lora_A:
            if layer.lora_A[name].weight.is_meta:
                device = layer.get_base_layer()._hf_hook.execution_device
                layer.lora_A[name].to_empty(device=device)
                layer.lora_B[name].to_empty(device=device)
                layer.reset_lora_parameters(name, True)
    # The Trainer loads its best checkpoint with this method, which would place the whole model anew and fail.
    adapted.load_adapter = partial(fill_adapter, adapted)


def fill_adapter(adapted: Any, folder: str, name: str = "default", **_: Any) -> Any:
    """Load saved weights into an adapter that is there already."""
    from peft import set_peft_model_state_dict
    from peft.utils import load_peft_weights

    return set_peft_model_state_dict(adapted, load_peft_weights(folder, device="cpu"), adapter_name=name)
