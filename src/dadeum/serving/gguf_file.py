"""A merged model as one GGUF file for llama.cpp and Ollama, written with the `gguf` package and read back.

No converter package on PyPI is kept well (llama.cpp's own script is not published), so the few architectures that can
be exact are written here; any other is refused with llama.cpp's own command. Facts: convert_hf_to_gguf.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.errors import ExportError
from dadeum.serving.gguf_vocabulary import PROBES, Vocabulary, check_vocabulary, read_vocabulary

LIMITS = {"f32": 1e-4, "f16": 5e-3, "bf16": 3e-2, "q8_0": 5e-2}
"""Largest allowed error of the logits, relative to their size, after reading the file back."""
_BLOCK = 32
"""Columns of a Q8_0 block; rows that do not divide by it are kept in f16, as llama.cpp does."""


@dataclass(frozen=True)
class Architecture:
    """What llama.cpp calls a transformers architecture and how its tensors differ."""

    name: str
    permuted: bool = False
    """Query and key rows stand in pairs of the rotary embedding instead of halves."""
    norms_from_zero: bool = False
    """transformers keeps norm weights around 0, llama.cpp around 1."""


ARCHITECTURES = {
    "llama": Architecture("llama", permuted=True),
    "qwen2": Architecture("qwen2"),
    "qwen3": Architecture("qwen3"),
    "gemma3_text": Architecture("gemma3", norms_from_zero=True),
}
"""By transformers' model_type. `llama` also holds SmolLM2, Solar, Kanana and EXAONE-3.5 under Llama's names."""


def write_gguf(model: Any, tokenizer: Any, file: Path, name: str, quantization: str) -> float:
    """Write, read back, compare; the largest difference of a logit. ExportError where it could not be exact."""
    from gguf import GGUFWriter

    config = model.config
    architecture, frequencies = check_architecture(config, quantization)
    vocabulary = read_vocabulary(tokenizer, model.get_input_embeddings().weight.shape[0], name)
    writer = GGUFWriter(str(file), architecture.name, use_temp_file=True)
    _write_facts(writer, config, name, quantization)
    _write_vocabulary(writer, vocabulary, tokenizer)
    if frequencies is not None:
        writer.add_tensor("rope_freqs.weight", frequencies)
    for tensor_name, tensor in _tensors(model, architecture):
        data, kind = _quantised(tensor, quantization)
        writer.add_tensor(tensor_name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    check_vocabulary(file, tokenizer, name)
    return _compare(model, tokenizer, file, quantization)


def check_architecture(config: Any, quantization: str) -> tuple[Architecture, np.ndarray | None]:
    """What llama.cpp calls this and its stretched frequencies; ExportError for what cannot be written exactly."""
    architecture = ARCHITECTURES.get(config.model_type)
    if architecture is None:
        known = ", ".join(ARCHITECTURES)
        raise ExportError("export.gguf.architecture", found=config.model_type, known=known, quantization=quantization)
    return architecture, _rope_frequencies(config)


# -- what the header says -----------------------------------------------------------------------
def _write_facts(writer: Any, config: Any, name: str, quantization: str) -> None:
    from gguf import LlamaFileType

    heads = config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    kinds = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}
    writer.add_name(name)
    writer.add_file_type(LlamaFileType[kinds[quantization]])
    writer.add_quantization_version(2)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(head_size)
    if config.model_type == "gemma3_text":
        writer.add_sliding_window(config.sliding_window)
    rope = _rope(config)
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        from gguf import RopeScalingType

        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])


def _rope(config: Any) -> dict[str, Any]:
    """The rotary embedding; of Gemma-3 that of its layers with full attention, if the rest is what is fixed there."""
    rope: dict[str, Any] = config.rope_parameters
    if config.model_type != "gemma3_text":
        return rope
    numbers = range(1, config.num_hidden_layers + 1)
    fixed = (
        (config.layer_types, ["sliding_attention" if number % 6 else "full_attention" for number in numbers]),
        (rope["sliding_attention"], {"rope_type": "default", "rope_theta": 10_000.0}),
        (config.query_pre_attn_scalar, config.head_dim),
        (config.final_logit_softcapping or config.attn_logit_softcapping, None),
    )
    for found, wanted in fixed:
        if found != wanted:
            raise ExportError("export.gguf.gemma", found=str(found)[:120], wanted=str(wanted)[:120])
    return dict(rope["full_attention"])


def _rope_frequencies(config: Any) -> np.ndarray | None:
    """Llama-3's stretched rotary frequencies as divisors, one per pair; None where nothing is stretched."""
    rope = _rope(config)
    kind = rope.get("rope_type", "default")
    if kind in ("default", "linear"):
        return None
    if kind != "llama3":
        raise ExportError("export.gguf.rope", found=kind)
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    context = rope["original_max_position_embeddings"]
    divisors = []
    for pair in range(0, head_size, 2):
        wavelength = 2 * math.pi * rope["rope_theta"] ** (pair / head_size)
        # 0 at the longest wavelength that is stretched in full, 1 at the shortest that is left alone.
        smooth = min(1.0, max(0.0, (context / wavelength - low) / (high - low)))
        divisors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(divisors, dtype=np.float32)


def _write_vocabulary(writer: Any, vocabulary: Vocabulary, tokenizer: Any) -> None:
    writer.add_tokenizer_model("gpt2" if vocabulary.rule else "llama")
    writer.add_tokenizer_pre(vocabulary.rule.name if vocabulary.rule else "default")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.kinds)
    if vocabulary.rule:
        writer.add_token_merges(list(vocabulary.merges))
    else:
        writer.add_token_scores(list(vocabulary.scores))
        writer.add_add_space_prefix(False)
    writer.add_add_bos_token(vocabulary.adds_bos)
    writer.add_add_eos_token(False)
    named = (
        (tokenizer.bos_token_id, writer.add_bos_token_id),
        (tokenizer.eos_token_id, writer.add_eos_token_id),
        (tokenizer.pad_token_id, writer.add_pad_token_id),
        (tokenizer.unk_token_id, writer.add_unk_token_id),
    )
    for number, write in named:
        if number is not None:
            write(number)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


# -- tensors ------------------------------------------------------------------------------------
def _tensors(model: Any, architecture: Architecture) -> Iterator[tuple[str, np.ndarray]]:
    """Names and fp32 values as llama.cpp has them, one at a time; a tied head is left out, as it reads that itself."""
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    config = model.config
    [number] = [number for number, named in MODEL_ARCH_NAMES.items() if named == architecture.name]
    names = get_tensor_name_map(number, config.num_hidden_layers)
    tied = config.tie_word_embeddings
    for full_name, tensor in model.state_dict().items():
        if tied and full_name == "lm_head.weight":
            continue
        stem, _, kind = full_name.rpartition(".")
        written = names.get_name(stem)
        if written is None:
            raise ExportError("export.gguf.tensor", found=full_name, architecture=architecture.name)
        values = tensor.detach().float().cpu().numpy()
        if architecture.permuted and stem.endswith((".q_proj", ".k_proj")):
            heads = config.num_attention_heads if stem.endswith(".q_proj") else config.num_key_value_heads
            values = _in_pairs(values, heads)
        if architecture.norms_from_zero and stem.endswith("norm"):
            values = values + 1
        yield f"{written}.{kind}", values


def _in_pairs(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head from halves (0 1 2 | 0' 1' 2') to pairs (0 0' 1 1' 2 2'): two ways to write one rotation."""
    half = values.shape[0] // heads // 2
    return values.reshape(heads, 2, half, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def _quantised(values: np.ndarray, quantization: str) -> tuple[np.ndarray, Any]:
    """Matrices in the wanted format; norms and biases stay fp32, as everywhere in llama.cpp."""
    from gguf import GGMLQuantizationType, quants

    wanted = "f32" if values.ndim == 1 else quantization
    if wanted == "q8_0" and values.shape[-1] % _BLOCK:
        wanted = "f16"
    kind = GGMLQuantizationType[wanted.upper()]
    return quants.quantize(np.ascontiguousarray(values), kind), kind


# -- read back ----------------------------------------------------------------------------------
def _compare(model: Any, tokenizer: Any, file: Path, quantization: str) -> float:
    """transformers reads the file on its own; its logits on a Korean text must be the model's, but for rounding."""
    import torch
    from transformers import AutoModelForCausalLM

    ids = torch.tensor([tokenizer(PROBES[1]).input_ids], device=model.device)
    with torch.inference_mode():
        expected = model(input_ids=ids).logits[0].float().cpu()
    # With our config: what transformers knows of a GGUF header leaves out head sizes and stretched frequencies.
    again = AutoModelForCausalLM.from_pretrained(
        str(file.parent), gguf_file=file.name, config=model.config, dtype=torch.float32
    ).eval()
    with torch.inference_mode():
        found = again(input_ids=ids.cpu()).logits[0].float()
    difference = float((expected - found).abs().max())
    error = float((expected - found).norm() / expected.norm())
    limit = LIMITS[quantization]
    if not error <= limit:
        raise ExportError("export.gguf.differs", error=f"{error:.3g}", limit=limit, quantization=quantization)
    return difference
