"""`model.base: fresh-bart`: a small BART that knows nothing yet, with a tokenizer learnt from the training split.

Nothing is downloaded, so the whole road of an encoder-decoder can be walked anywhere in minutes. What such a model
writes says nothing about pretrained ones. `data build` leaves it in the run folder, every later step loads it there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dadeum.core.korean import MASK
from dadeum.core.model import Model
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run

NAME = "fresh-bart"
_VOCABULARY = 6000
"""Most tokens; a small data set gives fewer, because a merge must be seen twice."""
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_WIDTH, _LAYERS, _HEADS = 256, 4, 4
_LEAST_POSITIONS = 256


def is_fresh(model: Model) -> bool:
    """Whether the model is made in the run."""
    return model.base == NAME


def folder_in(run: Run) -> Path:
    """Where the run keeps it; the last part is its name, which cards and reports show."""
    return run.folder / "base" / NAME


def in_run(recipe: Recipe, run: Run) -> Recipe:
    """The recipe with the run's own base in place of the name; any other recipe as it is."""
    if not is_fresh(recipe.model):
        return recipe
    return placed(recipe, run.require(folder_in(run) / "config.json", "data build").parent)


def placed(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with a folder as its base."""
    model = recipe.model.model_copy(update={"base": str(folder.absolute()), "revision": None})
    return recipe.model_copy(update={"model": model})


def make(recipe: Recipe, texts: Iterable[str], folder: Path) -> None:
    """Tokenizer and weights in an empty folder: the same for the same texts and seed."""
    tokenizer = _tokenizer(list(texts))
    tokenizer.save_pretrained(str(folder))
    _model(recipe, tokenizer).save_pretrained(str(folder))


def _tokenizer(texts: list[str]) -> Any:
    """BPE inside words; what the texts never hold is written in bytes, so that no letter of any text is lost."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    # Particles follow a mask without a space, so none is put before a text; digits stand alone, so that any number
    # can be copied.
    cuts = [
        pre_tokenizers.Split(Regex(r"\n"), "isolated"),
        pre_tokenizers.Metaspace(prepend_scheme="never"),
        pre_tokenizers.Punctuation("isolated"),
        pre_tokenizers.Digits(individual_digits=True),
    ]
    core.pre_tokenizer = pre_tokenizers.Sequence(cuts)
    spaces = decoders.Metaspace(prepend_scheme="never")
    core.decoder = decoders.Sequence([decoders.ByteFallback(), spaces, decoders.Fuse()])
    masks = sorted({mask for text in texts for mask in MASK.findall(text)})
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        min_frequency=2,
        special_tokens=[*_SPECIAL, *_BYTES, *masks],
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    ends = [(token, core.token_to_id(token)) for token in ("<s>", "</s>")]
    core.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_with_plain_masks(core)),
        bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>", mask_token="<mask>",
        model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _with_plain_masks(core: Any) -> str:
    """Bytes are no tokens that a text could hold, and masks are a part of what is written: neither is special."""
    saved = json.loads(core.to_str())
    added = [token for token in saved["added_tokens"] if token["content"] not in _BYTES]
    saved["added_tokens"] = [token | {"special": token["content"] in _SPECIAL} for token in added]
    return json.dumps(saved)


def _model(recipe: Recipe, tokenizer: Any) -> Any:
    """About ten million weights; places for as many tokens as the recipe allows."""
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(
        vocab_size=len(tokenizer),
        d_model=_WIDTH,
        encoder_layers=_LAYERS,
        decoder_layers=_LAYERS,
        encoder_attention_heads=_HEADS,
        decoder_attention_heads=_HEADS,
        encoder_ffn_dim=4 * _WIDTH,
        decoder_ffn_dim=4 * _WIDTH,
        max_position_embeddings=max(_LEAST_POSITIONS, recipe.render.max_length_tokens),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
        forced_eos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return BartForConditionalGeneration(config)
