"""Tiny encoder-decoders with tokenizers, saved where from_pretrained finds them: random weights, no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

DIALOGUES = [
    ("#Person1#: 회의는 두 시에 합니다.\n#Person2#: 네, 알겠습니다.", "#Person1#는 두 시 회의를 알립니다."),
    ("#Person1#: 오늘 점심 어때요?\n#Person2#: 좋아요, 김밥 먹어요.", "두 사람은 김밥을 먹기로 합니다."),
    ("#Person1#: 숨쉬기가 힘들어요.\n#Person2#: 병원에 가 보세요.", "#Person2#는 병원에 가라고 합니다."),
    ("#Person1#: 번호가 #PhoneNumber# 맞나요?\n#Person2#: 네.", "#Person1#는 번호 #PhoneNumber#를 확인합니다."),
]
_LETTERS = sorted({letter for pair in DIALOGUES for text in pair for letter in text} - {" "})
SIZES: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 128,
}  # fmt: skip


def save_bart(folder: Path, dropout: float = 0.0) -> Path:
    """KoBART's shape: its tokenizer adds neither bos nor eos. Letters as pieces."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

    pieces = ["<pad>", "</s>", "<s>", "<unk>", "▁", *_LETTERS]
    core = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, [], unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(tokenizer), bos_token_id=2, eos_token_id=1, pad_token_id=0, decoder_start_token_id=1,
        forced_eos_token_id=1, dropout=dropout, **SIZES,
    )  # fmt: skip
    BartForConditionalGeneration(config).save_pretrained(str(folder))
    return folder


def save_t5(folder: Path) -> Path:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in _LETTERS)]
    tokenizer = T5Tokenizer(vocab=words, extra_ids=0)
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2, pad_token_id=0,
        eos_token_id=1, decoder_start_token_id=0, dropout_rate=0.0,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(str(folder))
    return folder


def save_mbart(folder: Path) -> Path:
    import torch
    from transformers import MBartConfig, MBartForConditionalGeneration, MBartTokenizer

    words = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    tokenizer = MBartTokenizer(vocab=words + [(letter, -3.0) for letter in _LETTERS])
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(0)
    config = MBartConfig(vocab_size=len(tokenizer), pad_token_id=1, eos_token_id=2, dropout=0.0, **SIZES)
    MBartForConditionalGeneration(config).save_pretrained(str(folder))
    return folder


def summary_example(number: int, dialogue: str | None = None, summary: str | None = None, instruction: str = "") -> Any:
    from dadeum.core.examples import Example

    known = DIALOGUES[number % len(DIALOGUES)]
    dialogue, summary = dialogue or known[0], summary or known[1]
    return Example(
        id=f"talk:{number}", source="talk", origin="talk", group=str(number), text=dialogue,
        prompt=[{"role": "user", "content": f"{instruction}\n\n{dialogue}" if instruction else dialogue}],
        completion=[{"role": "assistant", "content": summary}],
        label="",
    )  # fmt: skip


def summary_recipe(base: Path | str, adapter: dict[str, Any] | None = None, **changes: Any) -> Any:
    """A small recipe that summarises with an encoder-decoder; `changes` replace whole sections."""
    from dadeum.core.recipe import Recipe

    raw: dict[str, Any] = {
        "name": "talk",
        "task": {"type": "summarize", "instruction": ""},
        "model": {"base": str(base), "adapter": adapter or {"type": "none"}, "precision": "fp32"},
        "data": {"sources": [{"path": "unused.csv"}]},
        "render": {"max_length_tokens": 128},
        "stages": [{"name": "tune", "method": "seq2seq", "epochs": 2, "batch_size": 2, "learning_rate": 5e-3}],
        "evaluate": {"bootstrap_samples": 100, "generate_rows": 4, "batch_size": 4},
    }
    return Recipe.model_validate(raw | changes)


def write_summaries(run: Any, sizes: tuple[int, int, int] = (8, 4, 4), instruction: str = "") -> None:
    """train, validation and test parquet files of the dialogues above."""
    import pyarrow.parquet as pq

    from dadeum.core.examples import SPLITS, to_table

    number = 0
    for split, size in zip(SPLITS, sizes, strict=True):
        run.split_path(split).parent.mkdir(parents=True, exist_ok=True)
        rows = [summary_example(number + i, instruction=instruction) for i in range(size)]
        number += size
        pq.write_table(to_table(rows), run.split_path(split))
