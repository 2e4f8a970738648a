"""What an encoder-decoder writes and how probable it finds what people wrote, whatever the batch."""

from __future__ import annotations

import math

import pytest
import torch

from dadeum.core.examples import answer_of
from dadeum.core.generation import Generation
from dadeum.models.engines import load_engine
from dadeum.models.load import add_adapter, load_base
from dadeum.models.precision import Precision
from dadeum.models.seq2seq_engine import Seq2SeqEngine
from tests.models.tiny_seq2seq import (
    DIALOGUES,
    save_bart,
    save_mbart,
    save_t5,
    summary_example,
    summary_recipe,
)  # fmt: skip

FAMILIES = {"bart": save_bart, "t5": save_t5, "mbart": save_mbart}
ROWS = [summary_example(number) for number in range(len(DIALOGUES))]
PROMPTS = [row.prompt for row in ROWS]


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """Each taught the four dialogues until it knows them."""
    folder = tmp_path_factory.mktemp("engines")
    return {name: taught(load_engine(summary_recipe(save(folder / name)), None)) for name, save in FAMILIES.items()}


def taught(engine):
    batch = engine.renderer.training_batch([engine.renderer.row(row) for row in ROWS])
    labels = batch.pop("labels")
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(engine.model.parameters(), lr=5e-3)
    for _ in range(120):
        optimizer.zero_grad()
        logits = engine.model(**batch).logits
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100).backward()
        optimizer.step()
    return engine


@pytest.mark.parametrize("name", FAMILIES)
def test_what_was_learnt_is_written_with_its_masks_and_ends(engines, name):
    written = engines[name].write(PROMPTS, 60, batch_size=3)
    assert [one.text for one in written] == [answer_of(row) for row in ROWS]
    assert all(one.finished for one in written)
    assert engines[name].generate(PROMPTS[1:2], 60, batch_size=1) == [written[1].text]


def test_an_answer_that_the_limit_cuts_off_is_not_finished(engines):
    (one,) = engines["bart"].write(PROMPTS[:1], 3, batch_size=1)
    assert not one.finished and answer_of(ROWS[0]).startswith(one.text)


@pytest.mark.parametrize("name", FAMILIES)
def test_log_likelihoods_equal_a_sum_over_one_row_at_a_time(engines, name):
    engine, counted = engines[name], []
    found = engine.log_likelihoods(ROWS, batch_size=2, progress=counted.append)
    for row, one in zip(ROWS, found, strict=True):
        source, target = engine.renderer.prompt_ids(row.prompt), engine.renderer.answer_ids(answer_of(row))
        with torch.inference_mode():
            read = torch.tensor([[engine.renderer.start_id, *target[:-1]]])
            log_probs = engine.model(torch.tensor([source]), decoder_input_ids=read).logits[0].double().log_softmax(-1)
        assert one.num_tokens == len(target)
        wanted = sum(float(log_probs[place, token]) for place, token in enumerate(target))
        assert one.log_prob == pytest.approx(wanted, abs=1e-3)
    assert sum(counted) == len(ROWS)


def test_beams_find_an_answer_at_least_as_likely_and_the_likeliest_comes_first(engines):
    engine = engines["bart"]
    asked = [summary_example(0, dialogue="#Person1#: 점심 번호 두 시 병원.")]
    prompts = [asked[0].prompt]

    def likely(text):
        (found,) = engine.log_likelihoods([summary_example(0, asked[0].prompt[0]["content"], text)], 1)
        return found.log_prob

    beams = engine.write_candidates(prompts, 3, 60, 1, generation=Generation(beams=3, length_penalty=0.0))[0]
    greedy = engine.write(prompts, 60, 1)[0]
    assert len({one.text for one in beams}) == 3
    values = [likely(one.text) for one in beams if one.finished]
    assert values[0] == max(values) >= likely(greedy.text) - 1e-3


def test_what_is_drawn_hangs_on_the_seed_and_not_on_the_batch(engines):
    engine, warm = engines["t5"], Generation(temperature=2.0, top_p=0.95)
    counted = []
    first = engine.write_candidates(PROMPTS, 3, 12, 8, counted.append, warm, 1)
    assert first == engine.write_candidates(PROMPTS, 3, 12, 1, None, warm, 1)
    assert first != engine.write_candidates(PROMPTS, 3, 12, 8, None, warm, 2)
    assert [len(answers) for answers in first] == [3] * 4 and sum(counted) == 4
    assert len({one.text for one in first[0]}) > 1


def test_no_sequence_comes_twice_where_the_recipe_says_so(engines):
    engine = engines["bart"]
    with torch.inference_mode():
        kept = engine.model.final_logits_bias.clone()
        engine.model.final_logits_bias[0, engine.renderer.tokenizer.convert_tokens_to_ids("두")] += 1e4
    try:
        plain, varied = (
            engine.write(PROMPTS[:1], 10, 1, generation=Generation(no_repeat_ngram=number))[0].text for number in (0, 2)
        )
    finally:
        engine.model.final_logits_bias.copy_(kept)
    assert "두두두" in plain and "두두두" not in varied


def test_the_models_own_generation_settings_take_no_part(tmp_path):
    from transformers import GenerationConfig

    base = save_bart(tmp_path / "bart")
    plain = load_engine(summary_recipe(base), None).write(PROMPTS, 12, 2)
    GenerationConfig(
        num_beams=4, min_length=12, forced_bos_token_id=6, forced_eos_token_id=1, decoder_start_token_id=1,
        eos_token_id=1, pad_token_id=0, early_stopping=True,
    ).save_pretrained(base)  # fmt: skip
    assert load_engine(summary_recipe(base), None).write(PROMPTS, 12, 2) == plain


def test_a_trained_adapter_is_loaded_and_changes_what_is_written(tmp_path):
    recipe = summary_recipe(save_t5(tmp_path / "t5"), {"type": "lora", "r": 4, "alpha": 8})
    precision = Precision("fp32", "train.precision.asked", {}, None)
    adapted = add_adapter(load_base(recipe.model, precision), recipe.model.adapter, gradient_checkpointing=False)
    assert adapted.peft_config["default"].task_type == "SEQ_2_SEQ_LM"
    for key, weight in adapted.named_parameters():
        if "lora_B" in key:
            torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))
    adapted.save_pretrained(str(tmp_path / "adapter"))
    engine = load_engine(recipe, tmp_path / "adapter")
    assert isinstance(engine, Seq2SeqEngine)
    before, after = (one.log_likelihoods(ROWS, 4) for one in (load_engine(recipe, None), engine))
    assert all(not math.isclose(a.log_prob, b.log_prob, rel_tol=1e-3) for a, b in zip(before, after, strict=True))
