"""EXAONE 3.0 and 3.5 without the Python of their repository: a Llama under other names.

`transformers` has no class for `model_type: exaone`; its own code is remote code. Layers, norms, rotary embedding and
head compute what Llama's do, so config and tensors are renamed on loading, and back when something is saved. Sources:
vLLM `vllm/model_executor/models/exaone.py` (names, q/k/v and c_fc_0/c_fc_1 packed), llama.cpp `ExaoneForCausalLM` in
its converter (llama3 frequencies, silu), TensorRT-LLM's port of LG's `modeling_exaone.py` (order, defaults).
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dadeum.core.errors import ModelError

_PARTS = (
    ("transformer.wte", "model.embed_tokens"),
    ("transformer.ln_f", "model.norm"),
    ("transformer.h.", "model.layers."),
    (".attn.attention.out_proj", ".self_attn.o_proj"),
    (".attn.attention.", ".self_attn."),
    (".ln_1", ".input_layernorm"),
    (".ln_2", ".post_attention_layernorm"),
    (".mlp.c_fc_0", ".mlp.gate_proj"),
    (".mlp.c_fc_1", ".mlp.up_proj"),
    (".mlp.c_proj", ".mlp.down_proj"),
)
"""EXAONE's part of a tensor's name, Llama's. In this order both ways: `out_proj` before the rest of attention."""

_LAST = {
    "wte": "embed_tokens",
    "out_proj": "o_proj",
    "c_fc_0": "gate_proj",
    "c_fc_1": "up_proj",
    "c_proj": "down_proj",
    "ln_1": "input_layernorm",
    "ln_2": "post_attention_layernorm",
    "ln_f": "norm",
}
"""Names of single modules, as adapter targets are written; q_proj, k_proj, v_proj and lm_head are called the same."""

KEY_MAPPING = {
    ("^" if theirs.startswith("transformer") else "") + theirs.replace(".", r"\."): ours for theirs, ours in _PARTS
}
"""For `from_pretrained`: regular expression → replacement. Sharded files, bitsandbytes and offloading come after it."""

_FIELDS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "intermediate_size": "intermediate_size",
    "num_layers": "num_hidden_layers",
    "num_attention_heads": "num_attention_heads",
    "num_key_value_heads": "num_key_value_heads",
    "max_position_embeddings": "max_position_embeddings",
}
_OPTIONAL = {
    "activation_function": ("hidden_act", "silu"),
    "layer_norm_epsilon": ("rms_norm_eps", 1e-5),
    "initializer_range": ("initializer_range", 0.02),
    "attention_dropout": ("attention_dropout", 0.0),
    "attention_bias": ("attention_bias", False),
    "mlp_bias": ("mlp_bias", False),
    "head_dim": ("head_dim", None),
    "use_cache": ("use_cache", True),
    "bos_token_id": ("bos_token_id", 0),
    "eos_token_id": ("eos_token_id", 2),
    "pad_token_id": ("pad_token_id", None),
    # Absent means tied: files saved by transformers 4 leave out what was its default (the tuned 2.4B on the hub do).
    "tie_word_embeddings": ("tie_word_embeddings", True),
}
"""What LG's ExaoneConfig takes when a field is absent."""
_LORA_PATTERNS = ("rank_pattern", "alpha_pattern")
_LORA_LISTS = ("target_modules", "exclude_modules", "modules_to_save")


@dataclass(frozen=True)
class Published:
    """How a model stands on the hub, kept on the loaded model so that it is saved in the same form."""

    config: dict[str, Any]
    base: str
    """Hub id or folder that the config was read from."""


def is_exaone(config: dict[str, Any]) -> bool:
    """Whether a config.json is of EXAONE 3.0 or 3.5; 4.0 is `exaone4` and has a class of its own."""
    return config.get("model_type") == "exaone"


def is_exaone_base(base: str) -> bool:
    """The same of a recipe's base, without asking a hub: by LG's name of it, or by the config of a local folder."""
    config = Path(base) / "config.json"
    if config.is_file():
        return is_exaone(json.loads(config.read_text(encoding="utf-8")))
    return base.lower().startswith("lgai-exaone/exaone-3")


def llama_config(config: dict[str, Any], base: str) -> Any:
    """The LlamaConfig that computes what an EXAONE config.json describes."""
    from transformers import LlamaConfig

    # peft reads the base's config as a Llama's whenever it saves; that the types differ is what we want here.
    logging.getLogger("transformers.configuration_utils").addFilter(_not_about_types)
    missing = [name for name in _FIELDS if config.get(name) is None]
    if missing:
        raise ModelError("models.load.exaone_fields", base=base, missing=", ".join(missing))
    if config.get("embed_dropout"):
        raise ModelError("models.load.exaone_dropout", base=base, value=config["embed_dropout"])
    fields = {ours: config[theirs] for theirs, ours in _FIELDS.items()}
    fields |= {ours: config.get(theirs, default) for theirs, (ours, default) in _OPTIONAL.items()}
    return LlamaConfig(**fields, rope_parameters=_rope(config), dtype=config.get("dtype", config.get("torch_dtype")))


def _not_about_types(record: logging.LogRecord) -> bool:
    return "model of type `exaone`" not in record.getMessage()


def _rope(config: dict[str, Any]) -> dict[str, Any]:
    scaling = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    kind = scaling.pop("rope_type", None) or scaling.pop("type", None) or "default"
    return {"rope_theta": config.get("rope_theta", 10000.0)} | scaling | {"rope_type": kind}


def to_llama(name: str) -> str:
    """Llama's name of an EXAONE tensor or module; a name of neither is unchanged."""
    for theirs, ours in _PARTS:
        name = name.replace(theirs, ours)
    return _LAST.get(name, name)


def to_exaone(name: str) -> str:
    """EXAONE's name of a Llama tensor or module."""
    for theirs, ours in _PARTS:
        name = name.replace(ours, theirs)
    return {ours: theirs for theirs, ours in _LAST.items()}.get(name, name)


def save_weights(model: Any, published: Published, folder: Path) -> None:
    """All weights of a Llama as an EXAONE checkpoint: vLLM, llama.cpp's converter and remote code can load it."""
    from huggingface_hub import save_torch_state_dict

    tensors = {to_exaone(name): tensor for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        tensors.pop("lm_head.weight", None)
    if any(tensor.is_meta for tensor in tensors.values()):
        raise ModelError("models.load.offloaded_save", base=published.base)
    folder.mkdir(parents=True, exist_ok=True)
    save_torch_state_dict(tensors, folder)
    dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    config = published.config | {"torch_dtype": dtype} | _code_of(published, folder)
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    model.generation_config.save_pretrained(str(folder))


def _code_of(published: Published, folder: Path) -> dict[str, Any]:
    """`auto_map` that still finds the remote code from another folder: by hub id, or by a copy of local files."""
    places: dict[str, str] = published.config.get("auto_map") or {}
    source = Path(published.base)
    if not places:
        return {}
    if source.is_dir():
        for module in {place.partition(".")[0] for place in places.values() if "--" not in place}:
            if (source / f"{module}.py").exists():
                shutil.copyfile(source / f"{module}.py", folder / f"{module}.py")
        return {}
    full = {name: place if "--" in place else f"{published.base}--{place}" for name, place in places.items()}
    return {"auto_map": full}


def rename_adapter(folder: Path, rename: Any) -> None:
    """Rewrite a saved adapter in place: keys of its tensors, targets of its config."""
    from safetensors.torch import load_file, save_file

    weights, settings = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    save_file({rename(key): tensor for key, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    config = json.loads(settings.read_text(encoding="utf-8"))
    for name in _LORA_LISTS:
        if isinstance(config.get(name), list):
            config[name] = sorted(rename(one) for one in config[name])
    for name in _LORA_PATTERNS:
        config[name] = {rename(key): value for key, value in (config.get(name) or {}).items()}
    settings.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def has_exaone_names(folder: Path) -> bool:
    """Whether an adapter was written under EXAONE's names: by us, or by training on the remote code."""
    from safetensors import safe_open

    weights = folder / "adapter_model.safetensors"
    if not weights.exists():
        return False
    with safe_open(weights, framework="pt") as tensors:
        return any(".transformer." in key for key in tensors.keys())  # noqa: SIM118  not a dict


@contextmanager
def adapter_for_llama(folder: Path) -> Iterator[Path]:
    """The adapter under Llama's names, in a folder that is gone afterwards; itself when it has them already."""
    if not has_exaone_names(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for name in ("adapter_model.safetensors", "adapter_config.json"):
            shutil.copyfile(folder / name, copy / name)
        rename_adapter(copy, to_llama)
        yield copy
