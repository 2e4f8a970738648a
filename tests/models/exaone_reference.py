"""A tiny checkpoint in EXAONE's published layout, and what it must compute, in plain torch.

The forward is written from the published modelling code (LG's modeling_exaone.py as ported by TensorRT-LLM, and vLLM's
exaone.py), not through transformers' Llama: it would be no check of ours otherwise.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

CONFIG = {
    "activation_function": "silu",
    "architectures": ["ExaoneForCausalLM"],
    "attention_dropout": 0.0,
    "auto_map": {
        "AutoConfig": "configuration_exaone.ExaoneConfig",
        "AutoModelForCausalLM": "modeling_exaone.ExaoneForCausalLM",
    },
    "bos_token_id": 1,
    "embed_dropout": 0.0,
    "eos_token_id": 2,
    "head_dim": 16,  # 48 / 4 would be 12
    "hidden_size": 48,
    "initializer_range": 0.02,
    "intermediate_size": 80,
    "layer_norm_epsilon": 1e-05,
    "max_position_embeddings": 256,
    "model_type": "exaone",
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_layers": 2,
    "pad_token_id": 0,
    "rope_scaling": {
        "factor": 8.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 32,
        "rope_type": "llama3",
    },
    "rope_theta": 1000000,
    "torch_dtype": "float32",
    "transformers_version": "4.46.3",
    "use_cache": True,
}


def save_exaone(folder: Path, shards: int = 1, **changes: Any) -> dict[str, torch.Tensor]:
    """Write tokenizer, config.json and weights; returns the tensors. `tie_word_embeddings` is in no default config."""
    from safetensors.torch import save_file

    from tests.tiny import save_tokenizer

    tokenizer = save_tokenizer(folder)
    config = CONFIG | {"vocab_size": len(tokenizer)} | changes
    (folder / "config.json").write_text(json.dumps(config))
    for module in ("configuration_exaone", "modeling_exaone"):
        (folder / f"{module}.py").write_text("raise RuntimeError('remote code was executed')\n")
    tensors = random_tensors(config)
    names = sorted(tensors)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        return tensors
    places = {name: f"model-{index % shards + 1:05d}-of-{shards:05d}.safetensors" for index, name in enumerate(names)}
    for file in set(places.values()):
        save_file({name: tensors[name] for name in names if places[name] == file}, folder / file, {"format": "pt"})
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return tensors


def random_tensors(config: dict[str, Any]) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    hidden, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    shapes = {"transformer.wte.weight": (config["vocab_size"], hidden), "transformer.ln_f.weight": (hidden,)}
    for layer in range(config["num_layers"]):
        block = f"transformer.h.{layer}"
        shapes |= {
            f"{block}.ln_1.weight": (hidden,),
            f"{block}.attn.attention.q_proj.weight": (queries, hidden),
            f"{block}.attn.attention.k_proj.weight": (keys, hidden),
            f"{block}.attn.attention.v_proj.weight": (keys, hidden),
            f"{block}.attn.attention.out_proj.weight": (hidden, queries),
            f"{block}.ln_2.weight": (hidden,),
            f"{block}.mlp.c_fc_0.weight": (inner, hidden),
            f"{block}.mlp.c_fc_1.weight": (inner, hidden),
            f"{block}.mlp.c_proj.weight": (hidden, inner),
        }
    if config.get("tie_word_embeddings") is False:
        shapes["lm_head.weight"] = (config["vocab_size"], hidden)
    return {
        name: 1 + 0.1 * torch.randn(shape) if len(shape) == 1 else 0.2 * torch.randn(shape)
        for name, shape in shapes.items()
    }


def reference_logits(tensors: dict[str, torch.Tensor], config: dict[str, Any], ids: torch.Tensor) -> torch.Tensor:
    """Logits of EXAONE, shape (tokens, vocabulary), of one row of ids."""
    x = tensors["transformer.wte.weight"][ids]
    cos, sin = rotation(config, len(ids))
    for layer in range(config["num_layers"]):
        block = f"transformer.h.{layer}"
        normed = rms(x, tensors[f"{block}.ln_1.weight"], config)
        x = x + attention(normed, tensors, f"{block}.attn.attention", config, cos, sin)
        normed = rms(x, tensors[f"{block}.ln_2.weight"], config)
        gate = F.silu(normed @ tensors[f"{block}.mlp.c_fc_0.weight"].T)
        x = x + (gate * (normed @ tensors[f"{block}.mlp.c_fc_1.weight"].T)) @ tensors[f"{block}.mlp.c_proj.weight"].T
    head = tensors.get("lm_head.weight", tensors["transformer.wte.weight"])
    return rms(x, tensors["transformer.ln_f.weight"], config) @ head.T


def rms(x: torch.Tensor, weight: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    return weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + config["layer_norm_epsilon"])


def attention(
    x: torch.Tensor, tensors: dict[str, Any], name: str, config: dict[str, Any], cos: torch.Tensor, sin: torch.Tensor
) -> torch.Tensor:
    head = config["head_dim"]

    def heads(part: str) -> torch.Tensor:
        return (x @ tensors[f"{name}.{part}.weight"].T).view(len(x), -1, head).transpose(0, 1)

    query, key, value = heads("q_proj"), heads("k_proj"), heads("v_proj")
    query, key = turn(query, cos, sin), turn(key, cos, sin)
    groups = config["num_attention_heads"] // config["num_key_value_heads"]
    key, value = key.repeat_interleave(groups, 0), value.repeat_interleave(groups, 0)
    scores = query @ key.transpose(1, 2) / math.sqrt(head)
    scores = scores.masked_fill(torch.ones(len(x), len(x)).triu(1).bool(), float("-inf"))
    mixed = (scores.softmax(-1) @ value).transpose(0, 1).reshape(len(x), -1)
    return mixed @ tensors[f"{name}.out_proj.weight"].T


def turn(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def rotation(config: dict[str, Any], num_tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    head, scaling = config["head_dim"], config["rope_scaling"]
    frequencies = [config["rope_theta"] ** (-2 * index / head) for index in range(head // 2)]
    if scaling:
        frequencies = [stretched(frequency, scaling) for frequency in frequencies]
    angles = torch.arange(num_tokens)[:, None].float() * torch.tensor(frequencies)[None, :]
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def stretched(frequency: float, scaling: dict[str, Any]) -> float:
    """Llama 3.1: long waves slowed by `factor`, short ones kept, those between mixed."""
    turns = scaling["original_max_position_embeddings"] * frequency / (2 * math.pi)
    low, high, factor = scaling["low_freq_factor"], scaling["high_freq_factor"], scaling["factor"]
    if turns < low:
        return frequency / factor
    if turns > high:
        return frequency
    share = (turns - low) / (high - low)
    return (1 - share) * frequency / factor + share * frequency
