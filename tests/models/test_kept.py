"""What trainings in one process share: kept weights never change, and nothing comes out otherwise than without."""

from __future__ import annotations

import json
import logging
from hashlib import sha256

import pytest
import torch

from dadeum.core.model import Lora, Model, NoAdapter, QLora
from dadeum.core.run import Run
from dadeum.evaluation.evaluate import evaluate
from dadeum.models import kept, load
from dadeum.models.exaone import Published
from dadeum.models.kept import keeping
from dadeum.models.layout import laid_for_few_rows
from dadeum.models.load import add_adapter, load_base, load_tokenizer, prepared
from dadeum.models.precision import Precision
from dadeum.models.render import Renderer
from dadeum.training import choices, rows
from dadeum.training.train import train
from tests.models.exaone_reference import save_exaone
from tests.tiny import decide_recipe, save_llama, write_splits
from tests.training.preferences import judged_files

FP32 = Precision("fp32", "train.precision.asked", {}, None)
IDS = torch.tensor([[5, 9, 17, 33, 41, 8, 300, 12]])


def lora(base, **changes):
    return Model(base=str(base), adapter=Lora(type="lora"), **changes)


def of_bits(base, bits):
    return Model(base=str(base), adapter=QLora(type="qlora", bits=bits))


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


def digest(model):
    """Of all weights and buffers, by name."""
    return {name: sha256(one.detach().contiguous().numpy()).hexdigest() for name, one in model.state_dict().items()}


def places(model):
    return {name: one.data_ptr() for name, one in model.named_parameters()}


# -- weights ------------------------------------------------------------------------------------------
def test_a_second_model_takes_no_memory_and_computes_the_same(tiny_llama):
    with keeping():
        one, other = load_base(lora(tiny_llama), FP32), load_base(lora(tiny_llama), FP32, trainable=True)
        assert places(one) == places(other)
        assert one.model.layers[0] is not other.model.layers[0] and one.config is not other.config
        assert other.lm_head.weight is other.model.embed_tokens.weight
    alone = load_base(lora(tiny_llama), FP32)
    assert torch.equal(logits(one), logits(other)) and torch.equal(logits(one), logits(alone))
    assert not set(places(alone).values()) & set(places(one).values())


def test_what_is_done_to_a_model_is_not_done_to_the_next(tiny_llama):
    fresh = load_base(lora(tiny_llama), FP32)
    with keeping():
        model = load_base(lora(tiny_llama), FP32)
        model.requires_grad_(False)
        model.model.norm.weight.data = model.model.norm.weight.data.bfloat16()
        model.enable_input_require_grads()
        model.activation_checkpointing_enable()
        model.train()
        model.config.use_cache = False
        model.generation_config.max_length = 7
        model.model.rotary_emb.inv_freq.zero_()
        model.forward = None
        model.model.layers[0]._compiled_call_impl = print  # as `compile` leaves it
        model.set_attn_implementation("eager")
        laid_for_few_rows(model)
        add_adapter(model, Lora(type="lora"), False)
        model.resize_token_embeddings(9)
        after = load_base(lora(tiny_llama), FP32)
    assert digest(after) == digest(fresh)
    assert [name for name, _ in after.named_modules()] == [name for name, _ in fresh.named_modules()]
    for ours, theirs in zip(after.parameters(), fresh.parameters(), strict=True):
        assert (ours.requires_grad, ours.dtype, ours.stride()) == (theirs.requires_grad, theirs.dtype, theirs.stride())
    assert after.config.to_dict() == fresh.config.to_dict() and "forward" not in vars(after)
    assert after.config._attn_implementation == fresh.config._attn_implementation
    assert after.generation_config.to_dict() == fresh.generation_config.to_dict()
    assert not after.is_gradient_checkpointing and not after.training
    assert all(layer._compiled_call_impl is None for layer in after.modules())
    assert not after.get_input_embeddings()._forward_hooks
    assert torch.equal(logits(after), logits(fresh))


def test_weights_that_somebody_wrote_to_are_read_anew(tiny_llama, caplog):
    expected = digest(load_base(lora(tiny_llama), FP32))
    with keeping(), caplog.at_level(logging.INFO):
        model = load_base(lora(tiny_llama), FP32)
        with torch.no_grad():
            model.model.norm.weight += 1
        assert digest(load_base(lora(tiny_llama), FP32)) == expected
        assert digest(model) != expected
    assert "made anew" in caplog.text


def test_full_weights_are_nobody_elses(tiny_llama):
    model = Model(base=str(tiny_llama), adapter=NoAdapter(type="none"))
    with keeping():
        one, other = load_base(model, FP32, trainable=True), load_base(model, FP32, trainable=True)
        assert not set(places(one).values()) & set(places(other).values())


def test_other_files_under_the_same_name_are_another_base(tmp_path):
    with keeping():
        before = digest(load_base(lora(save_llama(tmp_path)), FP32))
        assert digest(load_base(lora(save_llama(tmp_path, seed=1)), FP32)) != before


def test_one_base_is_kept_and_after_the_last_with_none(tiny_llama, tmp_path, monkeypatch):
    read = []
    real = load._read_base
    monkeypatch.setattr(load, "_read_base", lambda model, *rest: read.append(model.base) or real(model, *rest))
    one, other = lora(tiny_llama), lora(save_llama(tmp_path))
    with keeping():
        with keeping():
            load_base(one, FP32)
        load_base(one, FP32)
        assert len(read) == 1
        load_base(other, FP32)
        assert len(kept._store.things["base"]) == 1
        load_base(one, FP32)
        assert len(read) == 3
    assert not kept._store.things
    load_base(one, FP32)
    load_base(one, FP32)
    assert len(read) == 5


def test_a_base_that_draws_random_numbers_is_read_every_time(tiny_llama):
    def drawing():
        torch.rand(1)
        return load._read_base(lora(tiny_llama), FP32, False)

    with keeping():
        torch.manual_seed(0)
        kept.shared_base(lambda: "x", drawing)
        kept.shared_base(lambda: "x", drawing)
        found = torch.rand(1)
    torch.manual_seed(0)
    torch.rand(2)
    assert torch.equal(found, torch.rand(1))


def test_weights_made_without_gradients_are_not_kept_for_training(tiny_llama):
    with keeping():
        with torch.inference_mode():
            load_base(lora(tiny_llama), FP32)
        model = add_adapter(load_base(lora(tiny_llama), FP32), Lora(type="lora"), False)
        model(input_ids=IDS).logits.sum().backward()


def test_exaone_keeps_the_names_it_was_published_with(tmp_path):
    save_exaone(tmp_path / "EXAONE")
    with keeping():
        load_base(lora(tmp_path / "EXAONE"), FP32)
        model = load_base(lora(tmp_path / "EXAONE"), FP32)
    assert isinstance(model.published, Published) and model._weight_conversions == []


def test_four_bits_are_quantised_once_and_stay_what_they_are(tiny_llama):
    pytest.importorskip("bitsandbytes")
    alone = load_base(of_bits(tiny_llama, 4), FP32)
    with keeping():
        first = load_base(of_bits(tiny_llama, 4), FP32)
        found = logits(first.eval())  # a CPU repacks the weights here
        prepared(first, of_bits(tiny_llama, 4).adapter, True)
        other = load_base(of_bits(tiny_llama, 4), FP32)
        name = "model.layers.0.mlp.up_proj"
        layers = [model.get_submodule(name) for model in (other, load_base(of_bits(tiny_llama, 4), FP32))]
        assert len({layer.weight.data_ptr() for layer in layers}) == 1
        assert layers[0].weight.quant_state is not layers[1].weight.quant_state
    assert other.model.norm.weight.dtype == alone.model.norm.weight.dtype
    # accelerate's hooks belong to the copy: they would move the kept model's weights.
    assert all(getattr(part, "_old_forward", part.forward).__self__ is part for part in other.modules())
    assert torch.equal(found, logits(alone.eval())) and torch.equal(found, logits(other.eval()))


def test_eight_bits_are_quantised_every_time(tiny_llama):
    pytest.importorskip("bitsandbytes")
    with keeping():
        one, other = (load_base(of_bits(tiny_llama, 8), FP32) for _ in range(2))
        assert "base" not in kept._store.things
        assert torch.equal(logits(one), logits(other))


# -- tokenizers ---------------------------------------------------------------------------------------
def test_a_tokenizer_is_read_once_and_again_when_it_was_changed(tiny_llama):
    with keeping():
        one = load_tokenizer(lora(tiny_llama))
        one("안녕" * 900, truncation=True, max_length=5, padding=True)
        assert load_tokenizer(lora(tiny_llama)) is one
        template, one.chat_template = one.chat_template, "other"
        assert load_tokenizer(lora(tiny_llama)).chat_template == template
        load_tokenizer(lora(tiny_llama)).pad_token = "<|im_start|>"
        assert load_tokenizer(lora(tiny_llama)).pad_token == "<|endoftext|>"
    assert load_tokenizer(lora(tiny_llama)) is not load_tokenizer(lora(tiny_llama))


# -- trainings ----------------------------------------------------------------------------------------
def trial(base, folder, evaluated=True, **changes):
    """A run of one stage, trained; (bytes of its weights, scores, what was chosen)."""
    stage = {"name": "sft", "method": "sft", "epochs": 1, "batch_size": 4, "learning_rate": 5e-3} | changes
    adapter = stage.pop("adapter", {"type": "lora", "r": 4, "alpha": 8, "dropout": 0.1})
    model = {"base": str(base), "adapter": adapter, "precision": "fp32"}
    recipe = decide_recipe(base, stages=[stage], model=model)
    run = Run.create(recipe, folder)
    write_splits(run)
    result = train(recipe, run)["sft"]
    scores = evaluate(recipe, run).model_dump_json() if evaluated else ""
    files = sorted(run.adapter_folder(recipe).glob("*.safetensors"))
    chosen = {key: value for key, value in result.choices.items() if key != "expected_s"}
    return [file.read_bytes() for file in files], _without_times(scores), chosen


def _without_times(scores):
    found = json.loads(scores or "{}")
    for system in found.get("systems", {}).values():
        del system["seconds"]
    return found


def test_trials_come_out_as_in_a_process_of_their_own(tiny_llama, tmp_path):
    alone = trial(tiny_llama, tmp_path / "alone")
    with keeping():
        weights = digest(load_base(lora(tiny_llama), FP32))
        for name in ("first", "second"):
            assert trial(tiny_llama, tmp_path / name) == alone
            # The adapter was added to a model's weights for the evaluation.
            assert digest(load_base(lora(tiny_llama), FP32)) == weights


def test_full_tuning_comes_out_the_same_and_changes_nobody_elses(tiny_llama, tmp_path):
    full = {"adapter": {"type": "none"}, "evaluated": False, "epochs": 0.5}
    alone = trial(tiny_llama, tmp_path / "alone", **full)
    with keeping():
        weights = digest(load_base(lora(tiny_llama), FP32))
        trial(tiny_llama, tmp_path / "first", **full | {"learning_rate": 1e-3})
        assert trial(tiny_llama, tmp_path / "second", **full) == alone
        assert digest(load_base(lora(tiny_llama), FP32)) == weights


def test_preferences_leave_the_kept_weights_alone(tiny_llama, tmp_path):
    path = judged_files.write_jsonl(
        tmp_path / "pairs.jsonl",
        [{"prompt": f"밥 {i}", "chosen": f"밥 {i}입니다", "rejected": f"밥 {i}이야"} for i in range(8)],
    )
    stages = [judged_files.stage(method, method, path=str(path)) for method in ("dpo", "reward")]
    recipe = judged_files.recipe(tiny_llama, stages=stages, data={"sources": [{"path": "x"}]})
    run = Run.create(recipe, tmp_path / "run")
    judged_files.write_run(run.folder)
    with keeping():
        weights = digest(load_base(recipe.model, FP32))
        train(recipe, run)
        assert "base" in kept._store.things
        assert digest(load_base(recipe.model, FP32)) == weights


def test_rows_become_tokens_once(tiny_llama, tmp_path, monkeypatch):
    rendered = []
    real = Renderer.render
    monkeypatch.setattr(Renderer, "render", lambda self, row: rendered.append(row.id) or real(self, row))
    with keeping():
        trial(tiny_llama, tmp_path / "one", evaluated=False)
        first = len(rendered)
        assert first == 24
        before = json.dumps([thing for thing, _ in kept._store.things["rows"].values()], default=str)
        trial(tiny_llama, tmp_path / "two", evaluated=False, learning_rate=1e-3, batch_size=8)
        assert len(rendered) == first
        assert json.dumps([thing for thing, _ in kept._store.things["rows"].values()], default=str) == before


def test_the_shared_prefix_is_tried_once_per_beginning(tiny_llama, tmp_path, monkeypatch):
    tried = []
    real = choices._try
    monkeypatch.setattr(choices, "_try", lambda *args: tried.append(1) or real(*args))

    def chosen(name, **changes):
        return trial(tiny_llama, tmp_path / name, evaluated=False, **changes)[2]

    with keeping():
        first = chosen("one")
        assert first["prefix_shared"]
        assert chosen("two", learning_rate=1e-3) == first
        assert len(tried) == 1
        assert not chosen("three", share_prefix=False, adapter={"type": "lora", "r": 2})["prefix_shared"]
        assert len(tried) == 2
        # Compiled layers are compared with gradients that only trying makes.
        monkeypatch.setattr(choices, "COMPILE_PAYS_FROM_S", 0.0)
        monkeypatch.setattr(choices.shutil, "which", lambda name: name)
        monkeypatch.setattr(choices, "_compile", lambda *args: (bool(args[3]), "pays"))
        assert chosen("four")["compiled"] and len(tried) == 3


def test_unlike_files_and_weights_are_unlike_rows(tiny_llama, tmp_path):
    recipe = decide_recipe(tiny_llama)
    heavier = recipe.stages[0].model_copy(update={"label_weight": 3.0})
    made = [tmp_path / name for name in ("a", "b")]
    for file in made:
        file.write_text(file.name)
    with keeping():
        found = [rows.once_per_split(recipe, recipe.stages[0], file, lambda file=file: [file]) for file in made]
        again = rows.once_per_split(recipe, recipe.stages[0], made[0], lambda: pytest.fail("made twice"))
        assert rows.once_per_split(recipe, heavier, made[0], lambda: "other") == "other"
    assert found == [[made[0]], [made[1]]] and again is found[0]
