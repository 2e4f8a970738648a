"""Encoder-decoders: what is read and written ends where it should, and a model trained on it learns to stop."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    LlamaConfig,
    MBart50Tokenizer,
    MBartConfig,
    MBartForConditionalGeneration,
    MBartTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from dadeum.core.errors import ModelError
from dadeum.core.recipe import Render
from dadeum.models.families.base import recognise
from dadeum.models.seq2seq_render import Seq2SeqRenderer
from tests.models.tiny_seq2seq import summary_example

SOURCE, TARGET = "회의는 두 시에 합니다", "두 시 회의"
LETTERS = sorted(set("회의는 두 시에 합니다 세 네 </s>#Person1") - {" "})
SIZES = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2}
SIZES |= {"decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "dropout": 0.0}


def kobart(version):
    """Letters as pieces, no post-processor: encode adds neither bos nor eos, and makes token_type_ids."""
    pieces = ["<pad>", "</s>", "<s>", "<unk>", "▁", *LETTERS]
    core = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, [], unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    bos = "<s>" if version == 1 else "</s>"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=bos, eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip
    config = BartConfig(
        vocab_size=len(tokenizer), max_position_embeddings=64, bos_token_id=tokenizer.bos_token_id, eos_token_id=1,
        pad_token_id=0, decoder_start_token_id=1, forced_eos_token_id=None, **SIZES,
    )  # fmt: skip
    return tokenizer, config


def t5():
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in LETTERS)]
    tokenizer = T5Tokenizer(vocab=words, extra_ids=0)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2, pad_token_id=0,
        eos_token_id=1, decoder_start_token_id=0, dropout_rate=0.0,
    )  # fmt: skip
    return tokenizer, config


def mbart(kind=MBartTokenizer):
    words = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    words += [(letter, -3.0) for letter in LETTERS]
    tokenizer = kind(vocab=words)
    config = MBartConfig(vocab_size=len(tokenizer), max_position_embeddings=64, pad_token_id=1, eos_token_id=2, **SIZES)
    return tokenizer, config


@pytest.mark.parametrize("version", [1, 2])
def test_kobart_gets_the_begin_and_end_that_its_tokenizer_leaves_out(version):
    tokenizer, config = kobart(version)
    plain = tokenizer(SOURCE)
    assert plain.input_ids[0] != tokenizer.bos_token_id and plain.input_ids[-1] != tokenizer.eos_token_id
    assert "token_type_ids" in plain
    row = Seq2SeqRenderer(tokenizer, config).render(SOURCE, TARGET)
    bos = tokenizer.convert_tokens_to_ids("<s>" if version == 1 else "</s>")
    assert row.input_ids == [bos, *plain.input_ids, tokenizer.convert_tokens_to_ids("</s>")]
    assert row.labels == [*tokenizer(TARGET).input_ids, tokenizer.eos_token_id]
    assert set(Seq2SeqRenderer(tokenizer, config).batch([row])) == {"input_ids", "attention_mask", "labels"}


def test_t5_ends_both_sides_and_begins_neither():
    tokenizer, config = t5()
    row = Seq2SeqRenderer(tokenizer, config).render(SOURCE, TARGET)
    assert row.input_ids == tokenizer(SOURCE).input_ids
    assert row.labels == tokenizer(text_target=TARGET).input_ids
    assert row.labels[-1] == tokenizer.eos_token_id != row.labels[-2]


@pytest.mark.parametrize("kind", [MBartTokenizer, MBart50Tokenizer])
def test_mbart_marks_the_languages_as_its_own_tokenizer_does(kind):
    tokenizer, config = mbart(kind)
    renderer = Seq2SeqRenderer(tokenizer, config, ("ko_KR", "en_XX"))
    row = renderer.render(SOURCE, TARGET)
    tokenizer.src_lang, tokenizer.tgt_lang = "ko_KR", "en_XX"
    assert row.input_ids == tokenizer(SOURCE).input_ids
    assert row.labels == tokenizer(text_target=TARGET).input_ids
    english = tokenizer.convert_tokens_to_ids("en_XX")
    model = MBartForConditionalGeneration(config)
    read = model.prepare_decoder_input_ids_from_labels(torch.tensor([row.labels]))[0].tolist()
    assert read[0] == renderer.start_id
    if kind is MBartTokenizer:
        assert row.labels[-2:] == [tokenizer.eos_token_id, english] and renderer.start_id == english
        assert "forced_bos_token_id" not in renderer.generation
    else:
        assert row.labels[0] == english and renderer.start_id == tokenizer.eos_token_id
        assert renderer.generation["forced_bos_token_id"] == english


def test_an_unknown_language_is_refused_with_those_that_are_known():
    tokenizer, config = mbart()
    for languages in (None, ("ko_KR", "ko")):
        with pytest.raises(ModelError) as caught:
            Seq2SeqRenderer(tokenizer, config, languages)
        assert caught.value.key == "models.families.no_language"
        assert "ko_KR" in str(caught.value)


def test_a_decoder_alone_is_refused_and_so_is_a_model_without_a_start():
    tokenizer, config = kobart(1)
    with pytest.raises(ModelError) as caught:
        Seq2SeqRenderer(tokenizer, LlamaConfig())
    assert caught.value.key == "models.families.no_seq2seq"
    config.decoder_start_token_id = None
    with pytest.raises(ModelError) as caught:
        Seq2SeqRenderer(tokenizer, config)
    assert caught.value.key == "models.families.no_pad"


@pytest.mark.parametrize("made", [lambda: kobart(2), t5])
def test_an_end_token_inside_a_text_is_letters_and_a_speakers_tag_stays_a_tag(made):
    tokenizer, config = made()
    tokenizer.add_special_tokens({"additional_special_tokens": ["#Person1#"]})
    tag = tokenizer.convert_tokens_to_ids("#Person1#")
    renderer = Seq2SeqRenderer(tokenizer, config)
    ids = renderer.source_ids("#Person1# 회의</s> 두 시")
    assert ids.count(tag) == 1
    assert tokenizer.eos_token_id not in ids[1:-1]
    assert renderer.decode(renderer.target_ids("#Person1# 회의")) == "#Person1# 회의"


def test_padding_hides_no_end_even_where_pad_is_eos():
    tokenizer, config = kobart(2)
    tokenizer.pad_token = "</s>"
    renderer = Seq2SeqRenderer(tokenizer, config)
    batch = renderer.batch([renderer.render(SOURCE, TARGET), renderer.render("두 시", "두 시 회의 합니다")])
    short = batch["labels"][0]
    assert short[short != -100].tolist() == renderer.target_ids(TARGET)
    assert batch["attention_mask"].sum(1).tolist() == [
        len(renderer.source_ids(SOURCE)),
        len(renderer.source_ids("두 시")),
    ]


FAMILIES = {
    "kobart-v1": (lambda: kobart(1), BartForConditionalGeneration, None),
    "kobart-v2": (lambda: kobart(2), BartForConditionalGeneration, None),
    "t5": (t5, T5ForConditionalGeneration, None),
    "mbart": (mbart, MBartForConditionalGeneration, ("ko_KR", "ko_KR")),
    "mbart-50": (lambda: mbart(MBart50Tokenizer), MBartForConditionalGeneration, ("ko_KR", "ko_KR")),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_trained_on_it_writes_the_answer_and_stops(name):
    made, kind, languages = FAMILIES[name]
    tokenizer, config = made()
    renderer = Seq2SeqRenderer(tokenizer, config, languages)
    pairs = [("회의는 두 시에 합니다", "두 시 회의"), ("세 세 세 세", "세 시"), ("네 합니다 네 네 네 네", "네")]
    torch.manual_seed(0)
    model = kind(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rows = [renderer.render(*pair) for pair in pairs]
    batch = renderer.batch(rows)
    for _ in range(150):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
    written = model.eval().generate(**inputs, max_new_tokens=24, do_sample=False, num_beams=1, **renderer.generation)
    assert [renderer.decode(line) for line in written] == [target for _, target in pairs]
    for line, row in zip(written.tolist(), rows, strict=True):
        stop = line.index(renderer.stop_ids[0], 1)  # the decoder may start from eos
        assert line[1 : stop + 1] == row.labels[: row.labels.index(renderer.stop_ids[0]) + 1]
        assert set(line[stop + 1 :]) <= {renderer.pad_id}


def test_the_family_of_an_encoder_decoder_is_its_architecture():
    assert recognise(kobart(1)[0], "bart").name == "BART"
    assert recognise(t5()[0], "mt5").name == "T5"


def fitted(truncation, dialogue, summary, limit=20):
    tokenizer, config = kobart(1)
    settings = Render(max_length_tokens=limit, truncation=truncation)
    renderer = Seq2SeqRenderer(tokenizer, config, settings=settings)
    return renderer, renderer.fit(summary_example(0, dialogue, summary))


def test_the_limit_holds_for_source_and_target_each():
    renderer, found = fitted("raise", "두 시 회의 합니다", "두 시 회의 합니다")
    assert found.example and found.prompt_tokens + found.answer_tokens > renderer.limit
    assert max(found.prompt_tokens, found.answer_tokens) <= renderer.limit


def test_a_longer_row_goes_is_refused_or_loses_the_end_of_its_source():
    long = "두 시 회의 " * 8
    assert fitted("drop", long, TARGET)[1].example is None
    with pytest.raises(ModelError) as caught:
        fitted("raise", long, TARGET)
    assert caught.value.key == "models.seq2seq.too_long" and "talk:0" in str(caught.value)
    renderer, found = fitted("cut_input", long, TARGET)
    kept = found.example.prompt[0]["content"]
    assert found.was_cut and long.startswith(kept) and found.prompt_tokens == len(renderer.source_ids(kept)) == 20
    assert found.example.completion[0]["content"] == TARGET
    assert fitted("cut_input", "두 시", long)[1].example is None


def test_the_models_own_places_bound_the_limit():
    tokenizer, config = kobart(1)
    renderer = Seq2SeqRenderer(tokenizer, config, settings=Render(max_length_tokens=512))
    assert renderer.limit == config.max_position_embeddings == 64
    assert [note.key for note in renderer.notes] == ["models.seq2seq.fewer_positions"]
    tokenizer, config = t5()
    assert Seq2SeqRenderer(tokenizer, config, settings=Render(max_length_tokens=512)).limit == 512


def test_turns_of_a_conversation_are_read_as_one_text():
    tokenizer, config = t5()
    renderer = Seq2SeqRenderer(tokenizer, config)
    turns = [{"role": "user", "content": "두 시"}, {"role": "assistant", "content": "네"}]
    assert renderer.prompt_ids(turns) == renderer.source_ids("두 시\n\n네")
