"""Gemma-3 as GGUF: pieces with scores instead of merges, norms around one, five sliding layers to one full layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, PreTrainedTokenizerFast

from dadeum.core.errors import ExportError
from dadeum.serving.gguf_file import write_gguf
from dadeum.serving.gguf_sentencepiece import BYTE, CONTROL, UNKNOWN
from dadeum.serving.gguf_vocabulary import PROBES, rebuilt

SIZES: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 7, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 16,
    "max_position_embeddings": 512,
}  # fmt: skip
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'] | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """Built as Gemma's is: spaces replaced, merged over the whole text, bytes for the unknown, <bos> before a text."""
    core = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    core.normalizer = normalizers.Replace(" ", "▁")  # type: ignore[assignment]
    core.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL, show_progress=False)
    # The last probe stays unseen: its characters must fall back on bytes.
    core.train_from_iterator([*PROBES[:5]] * 4, trainer)
    spec = json.loads(core.to_str())
    for byte in range(256):
        spec["model"]["vocab"].setdefault(f"<0x{byte:02X}>", len(spec["model"]["vocab"]))
    core = Tokenizer.from_str(json.dumps(spec))
    core.add_tokens([AddedToken("\n\n", normalized=False)])
    core.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", 2)]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def tiny(tokenizer: Any, **changes: Any) -> Any:
    torch.manual_seed(0)
    model = Gemma3ForCausalLM(Gemma3TextConfig(vocab_size=len(tokenizer) + 3, **SIZES | changes)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.3)
            elif "embed" not in name:
                weight.mul_(4)
    return model


def test_a_file_answers_like_its_model(tokenizer: Any, tmp_path: Path) -> None:
    assert write_gguf(tiny(tokenizer), tokenizer, tmp_path / "tiny.gguf", "tiny", "f32") < 1e-5
    fields = GGUFReader(tmp_path / "tiny.gguf").fields
    assert fields["general.architecture"].contents() == "gemma3"
    assert fields["gemma3.attention.sliding_window"].contents() == 16
    assert fields["gemma3.rope.freq_base"].contents() == 1_000_000.0
    assert fields["tokenizer.ggml.model"].contents() == "llama"
    assert fields["tokenizer.ggml.add_bos_token"].contents() is True
    assert fields["tokenizer.ggml.add_space_prefix"].contents() is False
    kinds = fields["tokenizer.ggml.token_type"].contents()
    assert (kinds[4], kinds[3], kinds.count(BYTE)) == (CONTROL, UNKNOWN, 256)


def test_the_file_alone_cuts_korean_alike(tokenizer: Any, tmp_path: Path) -> None:
    write_gguf(tiny(tokenizer), tokenizer, tmp_path / "tiny.gguf", "tiny", "f32")
    again = rebuilt(tmp_path / "tiny.gguf")
    for text in (
        "안녕하세요?  진로 상담 2024년",
        "한\n\n두 줄\n끝",
        "<start_of_turn>user\n뷁 ﷽ 😀<end_of_turn>",
        " 앞 공백",
    ):
        assert again(text) == tokenizer(text, add_special_tokens=False).input_ids


def test_scores_follow_the_order_of_merges(tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores turned upside down cut otherwise, and that is noticed."""
    from dadeum.serving import gguf_sentencepiece

    right = gguf_sentencepiece._scores
    monkeypatch.setattr(gguf_sentencepiece, "_scores", lambda merges: {k: -v for k, v in right(merges).items()})
    with pytest.raises(ExportError) as caught:
        write_gguf(tiny(tokenizer), tokenizer, tmp_path / "tiny.gguf", "tiny", "f32")
    assert caught.value.key == "export.gguf.cuts_differently"


@pytest.mark.parametrize(
    "changes",
    [{"query_pre_attn_scalar": 64}, {"layer_types": ["full_attention"] * 7}, {"final_logit_softcapping": 30.0}],
    ids=["scale", "layers", "cap"],
)
def test_what_llama_cpp_fixes_otherwise_is_refused(changes: dict[str, Any], tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught:
        write_gguf(tiny(tokenizer, **changes), tokenizer, tmp_path / "tiny.gguf", "tiny", "f32")
    assert caught.value.key == "export.gguf.gemma"


def test_a_prefix_space_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    spec["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, spec["normalizer"]]}
    llama2 = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(spec)), bos_token="<bos>")
    with pytest.raises(ExportError) as caught:
        write_gguf(tiny(tokenizer), llama2, tmp_path / "tiny.gguf", "tiny", "f32")
    assert caught.value.values["found"] == "normalizer"
