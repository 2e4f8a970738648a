"""GGUF files: every architecture, every number format, and tokenizers that llama.cpp must cut alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from transformers import (
    AutoTokenizer,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from dadeum.core.errors import ExportError
from dadeum.serving.gguf_file import write_gguf
from dadeum.serving.gguf_vocabulary import RULES, check_vocabulary, read_vocabulary, rebuilt
from tests.tiny import save_tokenizer

SIZES: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512,
}  # fmt: skip
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
ODD_WIDTHS = SIZES | {"hidden_size": 48, "intermediate_size": 100}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(folder)
    return AutoTokenizer.from_pretrained(folder)


def tiny(kind: str, tokenizer: Any) -> Any:
    """A random model whose norms and biases are not the ones and zeros that would hide a mistake."""
    rows = len(tokenizer) + 5
    models: dict[str, Any] = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(vocab_size=rows, tie_word_embeddings=True, **SIZES)),
        "llama-3": lambda: LlamaForCausalLM(LlamaConfig(vocab_size=rows, rope_parameters=LLAMA3_ROPE, **SIZES)),
        "odd": lambda: LlamaForCausalLM(LlamaConfig(vocab_size=rows, **ODD_WIDTHS)),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(vocab_size=rows, **SIZES)),
        "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(vocab_size=rows, head_dim=32, **SIZES)),
    }
    torch.manual_seed(0)
    model = models[kind]().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.3)
            elif "embed" not in name:
                weight.mul_(4)
    return model


@pytest.mark.parametrize("kind", ["llama", "llama-3", "odd", "qwen2", "qwen3"])
@pytest.mark.parametrize("quantization", ["f32", "q8_0"])
def test_a_file_answers_like_its_model(kind: str, quantization: str, tokenizer: Any, tmp_path: Path) -> None:
    difference = write_gguf(tiny(kind, tokenizer), tokenizer, tmp_path / "tiny.gguf", "tiny", quantization)
    assert difference < (1e-5 if quantization == "f32" else 0.2)
    if quantization == "q8_0":
        assert difference > 0


@pytest.mark.parametrize("quantization", ["f16", "bf16"])
def test_half_precision_is_half_the_size(quantization: str, tokenizer: Any, tmp_path: Path) -> None:
    model = tiny("llama", tokenizer)
    write_gguf(model, tokenizer, tmp_path / "f32.gguf", "tiny", "f32")
    write_gguf(model, tokenizer, tmp_path / "half.gguf", "tiny", quantization)
    sizes = [
        sum(tensor.n_bytes for tensor in GGUFReader(tmp_path / name).tensors) for name in ("f32.gguf", "half.gguf")
    ]
    assert sizes[1] < 0.52 * sizes[0]


def test_the_header_says_what_llama_cpp_has_to_know(tokenizer: Any, tmp_path: Path) -> None:
    write_gguf(tiny("qwen3", tokenizer), tokenizer, tmp_path / "tiny.gguf", "my-model", "f32")
    fields = GGUFReader(tmp_path / "tiny.gguf").fields
    said = {key: fields[key].contents() for key in fields if not key.startswith("tokenizer.ggml.t")}
    assert said["general.architecture"] == "qwen3" and said["general.name"] == "my-model"
    assert (said["qwen3.block_count"], said["qwen3.attention.head_count_kv"]) == (2, 2)
    assert (said["qwen3.attention.key_length"], said["qwen3.rope.freq_base"]) == (32, 10000.0)
    assert said["tokenizer.ggml.eos_token_id"] == tokenizer.eos_token_id
    assert said["tokenizer.chat_template"] == tokenizer.chat_template
    assert said["tokenizer.ggml.add_bos_token"] is False
    assert len(fields["tokenizer.ggml.tokens"].contents()) == len(tokenizer) + 5


def test_stretched_frequencies_are_those_of_transformers(tokenizer: Any, tmp_path: Path) -> None:
    model = tiny("llama-3", tokenizer)
    write_gguf(model, tokenizer, tmp_path / "tiny.gguf", "tiny", "f32")
    [divisors] = [t.data for t in GGUFReader(tmp_path / "tiny.gguf").tensors if t.name == "rope_freqs.weight"]
    plain = 1 / 500000.0 ** (np.arange(0, 16, 2) / 16)
    np.testing.assert_allclose(plain / divisors, model.model.rotary_emb.inv_freq.numpy(), rtol=1e-5)


def test_rows_that_no_block_divides_are_kept_in_half_precision(tokenizer: Any, tmp_path: Path) -> None:
    write_gguf(tiny("odd", tokenizer), tokenizer, tmp_path / "tiny.gguf", "tiny", "q8_0")
    kinds = {t.name: t.tensor_type.name for t in GGUFReader(tmp_path / "tiny.gguf").tensors}
    assert (kinds["blk.0.ffn_down.weight"], kinds["blk.0.attn_norm.weight"]) == ("F16", "F32")


def test_another_architecture_is_sent_to_llama_cpp(tokenizer: Any, tmp_path: Path) -> None:
    config = GPTNeoXConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    with pytest.raises(ExportError) as caught:
        write_gguf(GPTNeoXForCausalLM(config), tokenizer, tmp_path / "tiny.gguf", "tiny", "q8_0")
    assert "gpt_neox" in str(caught.value) and "convert_hf_to_gguf.py" in str(caught.value)
    assert not (tmp_path / "tiny.gguf").exists()


def test_a_wrong_tensor_is_noticed(tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dadeum.serving.gguf_file._in_pairs", lambda values, heads: values)
    with pytest.raises(ExportError) as caught:
        write_gguf(tiny("llama", tokenizer), tokenizer, tmp_path / "tiny.gguf", "tiny", "f32")
    assert caught.value.key == "export.gguf.differs"


# -- tokenizers ---------------------------------------------------------------------------------
def byte_level(use_regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def sequence(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(steps)}


# Written out as the tokenizer.json of each family has them, not taken from the rules that they are to match.
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
CUTS = {
    "gpt-2": (byte_level(True), False),
    "smollm": (sequence({"type": "Digits", "individual_digits": True}, byte_level(True)), False),
    "qwen2": (sequence(split(QWEN2), byte_level(False)), False),
    "llama-bpe": (sequence(split(LLAMA3), byte_level(False)), True),
    "smaug-bpe": (sequence(split(LLAMA3), byte_level(False)), False),
}


def with_cut(tokenizer: Any, cut: dict[str, Any], ignore_merges: bool = False, **changes: Any) -> Any:
    """The same vocabulary under another pre-tokenizer."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    spec = json.loads(tokenizer.backend_tokenizer.to_str()) | {"pre_tokenizer": cut} | changes
    spec["model"]["ignore_merges"] = ignore_merges
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(spec)), eos_token="<|im_end|>", bos_token="<|im_start|>",
        pad_token="<|endoftext|>",
    )  # fmt: skip


@pytest.mark.parametrize("name", CUTS)
def test_the_rule_is_found_by_structure_and_cuts_korean_alike(name: str, tokenizer: Any, tmp_path: Path) -> None:
    cut, ignore_merges = CUTS[name]
    theirs = with_cut(tokenizer, cut, ignore_merges)
    vocabulary = read_vocabulary(theirs, len(theirs), "tiny")
    assert vocabulary.rule.name == name
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(theirs), **SIZES)).eval()
    write_gguf(model, theirs, tmp_path / "tiny.gguf", "tiny", "f32")
    again = rebuilt(tmp_path / "tiny.gguf")
    for text in ("상담 2024년 1,234,567원", "I'll 갈게요  \n\n네!!", "<|im_start|>user\n안녕<|im_end|>"):
        assert again(text) == theirs(text, add_special_tokens=False).input_ids


def test_rules_differ_where_they_must() -> None:
    assert len({(rule.pattern, rule.digits_first, rule.ignore_merges) for rule in RULES}) == len(RULES)
    assert set(CUTS) == {rule.name for rule in RULES}


def test_a_file_under_the_wrong_rule_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer) + 1, **SIZES)).eval()
    file = tmp_path / "tiny.gguf"
    write_gguf(model, with_cut(tokenizer, CUTS["gpt-2"][0], model=grown(tokenizer, "20")), file, "tiny", "f32")
    digit_by_digit = with_cut(tokenizer, CUTS["smollm"][0], model=grown(tokenizer, "20"))
    with pytest.raises(ExportError) as caught:
        check_vocabulary(file, digit_by_digit, "tiny")
    assert caught.value.key == "export.gguf.cuts_differently" and "2024" in str(caught.value)


def grown(tokenizer: Any, token: str) -> dict[str, Any]:
    """The model section with one more merge, of two characters."""
    model: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    model["vocab"][token] = len(tokenizer)
    model["merges"].append(list(token))
    return model


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre_tokenizer"),
        ({"pre_tokenizer": byte_level(True) | {"add_prefix_space": True}}, "pre_tokenizer"),
        ({"pre_tokenizer": sequence(split(r"\w+"), byte_level(False))}, "pre_tokenizer"),
        ({"pre_tokenizer": None}, "pre_tokenizer"),
        ({"normalizer": {"type": "Lowercase"}}, "normalizer"),
    ],
)
def test_a_tokenizer_that_cannot_be_exact_is_refused(changes: dict[str, Any], found: str, tokenizer: Any) -> None:
    cut = changes.get("pre_tokenizer", byte_level(True))
    theirs = with_cut(tokenizer, cut, **{name: value for name, value in changes.items() if name != "pre_tokenizer"})
    with pytest.raises(ExportError) as caught:
        read_vocabulary(theirs, len(theirs), "tiny")
    assert caught.value.values["found"] == found


def test_the_real_llama_cpp_reads_it_alike(tokenizer: Any, tmp_path: Path) -> None:
    """Tokens of a Korean text and the next token's probability, by llama.cpp itself where its wheel is installed."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="xllamacpp (llama.cpp) is not installed")
    import urllib.request

    model = tiny("llama-3", tokenizer)
    write_gguf(model, tokenizer, tmp_path / "tiny.gguf", "tiny", "f32")
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.n_ctx, settings.warmup = str(tmp_path / "tiny.gguf"), 256, False
    settings.cpuparams.n_threads = 1
    server = xllamacpp.Server(settings)

    def asked(path: str, value: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(server.listening_address + path, json.dumps(value).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    text = "2024년 3월, 상담을 받고 싶어요! I'll go"
    ids = tokenizer(text).input_ids
    assert asked("/tokenize", {"content": text, "add_special": True})["tokens"] == ids
    wanted = {"prompt": ids, "n_predict": 1, "n_probs": 20, "temperature": -1, "ignore_eos": True}
    top = asked("/completion", wanted)["completion_probabilities"][0]["top_logprobs"]
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    assert max(abs(found["logprob"] - expected[found["id"]].item()) for found in top) < 0.01
