"""Tokenizers that carry a family's own tokens and template, and random models of its architecture; no download."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parents[2] / "fixtures" / "templates"
_TEXTS = [
    "안녕하세요. 진로 상담을 받고 싶습니다. 어떤 일이 잘 맞을까요?",
    "반갑습니다. 요즘 어떤 일을 할 때 즐거우신가요? 천천히 말씀해 주세요.",
    "system user assistant model tool_list ### Instruction: ### Input: ### Response: <think> </think>",
]


@dataclass(frozen=True)
class Spec:
    """What a family's tokenizer holds; `words` are added tokens that are not special."""

    special: tuple[str, ...]
    bos: str | None
    eos: str
    pad: str | None
    end: str
    """What an answer ends with, as text."""
    architecture: str = "Llama"
    words: tuple[str, ...] = ()
    sentencepiece: bool = False
    """Byte fallback and ▁ for spaces, as Llama 2 and Gemma; byte-level otherwise."""
    adds_space: bool = False
    trims: bool = False
    default_system: bool = False
    template: str | None = None
    """File name where it differs from the family's; `-` for none."""
    after_answer: str = ""
    """What the template leaves out and the renderer adds."""
    config: dict[str, Any] = field(default_factory=dict)


_CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_LLAMA3 = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
_GEMMA = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")
_EXAONE = ("[PAD]", "[BOS]", "[|endofturn|]", "[UNK]")
_ROLES = ("[|system|]", "[|user|]", "[|assistant|]", "[|tool|]")
_WINDOW = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 12}
_GEMMA_SPEC: dict[str, Any] = {"sentencepiece": True, "trims": True, "config": _WINDOW | {"head_dim": 8}}

SPECS = {
    "exaone3_5": Spec(_EXAONE, "[BOS]", "[|endofturn|]", "[PAD]", "[|endofturn|]", words=_ROLES),
    "exaone4": Spec(
        _EXAONE, "[BOS]", "[|endofturn|]", "[PAD]", "[|endofturn|]", "Exaone4", (*_ROLES, "<think>", "</think>"),
        config=_WINDOW,
    ),
    "qwen2_5": Spec(_CHATML, None, "<|im_end|>", "<|endoftext|>", "<|im_end|>", "Qwen2", default_system=True),
    "qwen3": Spec(
        _CHATML, None, "<|im_end|>", "<|endoftext|>", "<|im_end|>", "Qwen3",
        ("<think>", "</think>", "<tool_response>", "</tool_response>"), config={"head_dim": 12},
    ),
    "gemma2": Spec(_GEMMA, "<bos>", "<eos>", "<pad>", "<end_of_turn>", "Gemma2", **_GEMMA_SPEC),
    "gemma3": Spec(_GEMMA, "<bos>", "<eos>", "<pad>", "<end_of_turn>", "Gemma3", **_GEMMA_SPEC),
    "llama3": Spec(_LLAMA3, "<|begin_of_text|>", "<|eot_id|>", None, "<|eot_id|>", trims=True),
    "llama3_2": Spec((*_LLAMA3, "<|eom_id|>"), "<|begin_of_text|>", "<|eot_id|>", None, "<|eot_id|>", trims=True),
    "smollm2": Spec(_CHATML, "<|im_start|>", "<|im_end|>", "<|im_end|>", "<|im_end|>", default_system=True),
    "hyperclovax": Spec(
        (*_CHATML, "<|endofturn|>", "<|stop|>"), None, "<|endofturn|>", "<|endoftext|>", "<|im_end|><|endofturn|>",
        "HyperCLOVAX",
    ),
    "solar": Spec(
        ("<unk>", "<s>", "</s>"), "<s>", "</s>", None, "</s>", sentencepiece=True, adds_space=True, after_answer="</s>"
    ),
    "polyglot": Spec(
        ("<|endoftext|>", "<|sep|>", "<|acc|>", "<|rrn|>", "<|tell|>"), "<|endoftext|>", "<|endoftext|>", None,
        "<|endoftext|>", "GPTNeoX", template="-", config={"rotary_pct": 0.25, "tie_word_embeddings": False},
    ),
}  # fmt: skip
CHAT = [name for name, spec in SPECS.items() if spec.template != "-"]


def save_tokenizer(folder: Path, name: str) -> Path:
    """The family's tokenizer as `from_pretrained` reads it."""
    from transformers import AddedToken, PreTrainedTokenizerFast

    spec = SPECS[name]
    core = _sentencepiece(spec) if spec.sentencepiece else _byte_level(spec)
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in spec.special])
    core.add_tokens([AddedToken(token, special=False, normalized=False) for token in spec.words])
    roles = {"bos_token": spec.bos, "eos_token": spec.eos, "pad_token": spec.pad}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, **{key: one for key, one in roles.items() if one})
    if spec.template != "-":
        tokenizer.chat_template = (TEMPLATES / f"{spec.template or name}.jinja").read_text(encoding="utf-8")
    tokenizer.save_pretrained(str(folder))
    return folder


def _byte_level(spec: Spec) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=list(spec.special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_TEXTS * 3, trainer)
    return core


def _sentencepiece(spec: Spec) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers

    pieces = [*spec.special, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *map(chr, range(33, 127))]
    pieces += sorted({letter for text in _TEXTS for letter in text} - set(pieces) - {" "})
    merges = [(first, second) for first, second in (("▁", "a"), ("▁", "진"), ("다", "."))]
    pieces += [first + second for first, second in merges]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    core = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    space = normalizers.Replace(" ", "▁")
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), space]) if spec.adds_space else space
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    core.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if spec.adds_space else steps)
    return core


def save_model(folder: Path, name: str) -> Path:
    """Tokenizer and a two-layer model with random weights."""
    import torch
    import transformers
    from transformers import AutoTokenizer

    save_tokenizer(folder, name)
    spec, tokenizer = SPECS[name], AutoTokenizer.from_pretrained(str(folder))
    torch.manual_seed(0)
    common = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
    }
    name = "Gemma3Text" if spec.architecture == "Gemma3" else spec.architecture
    config = getattr(transformers, f"{name}Config")(**(common | spec.config))
    getattr(transformers, f"{spec.architecture}ForCausalLM")(config).save_pretrained(str(folder))
    return folder
