"""A reward model on the policy's layers: equal to trl, learns a rule that can be checked, is found by its folder."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from dadeum.core.errors import ModelError
from dadeum.core.run import Run
from dadeum.models.load import load_tokenizer, load_trained
from dadeum.models.render import Renderer
from dadeum.training.methods import reward
from dadeum.training.preferences.classifier import classifier_of, last_token_padding, trainable_reward_model
from dadeum.training.preferences.kept import read_pairs
from dadeum.training.preferences.packed import gradients
from dadeum.training.prefix import relative_difference
from dadeum.training.rewards import model as rewards
from dadeum.training.train import train
from tests.tiny import work_on
from tests.training.methods.test_dpo import FP32, moved, trained_adapter
from tests.training.preferences.judged_files import recipe, row, stage, write_jsonl, write_run

SIDES = ("chosen", "rejected")


def shorter(folder, number=60):
    """Of two answers the shorter one wins."""
    draw = random.Random(0)
    words = ["네", "비", "밥", "산", "강"]

    def answer(length):
        return " ".join(draw.choice(words) for _ in range(length))

    rows = []
    for index in range(number):
        few = draw.randint(1, 4)
        rows.append({"prompt": f"물음 {index}", "chosen": answer(few), "rejected": answer(few + draw.randint(3, 6))})
    return str(write_jsonl(folder / "shorter.jsonl", rows))


def recipes(tiny_llama, folder, adapter=None, **changes):
    adapter = adapter or {"type": "lora", "r": 8, "alpha": 16, "targets": "all-linear"}
    judge = stage("reward", "judge", path=shorter(folder)) | {"epochs": 3, "batch_size": 8} | changes
    after = stage("dpo", "after", path=shorter(folder))
    return recipe(
        tiny_llama,
        stages=[judge, after],
        model={"base": str(tiny_llama), "adapter": adapter, "precision": "fp32"},
        data={"sources": [{"path": "x"}], "split": {"validation": 0.2}},
    )


@pytest.mark.parametrize("chained", [False, True])
def test_loss_and_gradients_equal_those_of_trl(tiny_llama, tmp_path, chained):
    made = recipes(tiny_llama, tmp_path)
    write_run(tmp_path / "run")
    given = {"before": trained_adapter(made, tmp_path / "sft")} if chained else {}
    with reward.ready(work_on(made, tmp_path / "stage", **given)) as ready:
        trainer = ready.trainer
        assert trainer.data_collator.packed
        pairs = list(trainer.train_dataset)[:4]
        moved(trainer.model)
        packed = gradients(trainer, lambda: trainer.packed_loss(trainer.model, pairs))
        ours = trainer.packed_loss(trainer.model.eval(), pairs).item()
    batch = trainer._prepare_inputs(trainer.data_collator.plain(pairs))
    assert trainer.compute_loss(trainer.model.eval(), dict(batch)).item() == pytest.approx(ours, abs=1e-5)
    theirs = gradients(trainer, lambda: trainer.compute_loss(trainer.model, dict(batch)))
    assert relative_difference(theirs, packed) < 1e-3


def test_begins_with_the_policys_adapter_and_a_new_head(tiny_llama, tmp_path):
    made = recipes(tiny_llama, tmp_path)
    folder = trained_adapter(made, tmp_path / "sft")
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        policy = load_trained(made.model, FP32, folder).eval()
        expected = policy.get_base_model().base_model(ids).last_hidden_state
        judge = trainable_reward_model(made, FP32, folder, False).eval()
        found = judge.get_base_model().base_model(ids).last_hidden_state
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    trained = {name for name, parameter in judge.named_parameters() if parameter.requires_grad}
    assert any("score" in name for name in trained)
    assert all("score" in name or "lora" in name for name in trained)


@pytest.mark.parametrize("adapter", [None, {"type": "none"}])
def test_learns_that_shorter_is_better_and_rates_answers(tiny_llama, tmp_path, adapter):
    made = recipes(tiny_llama, tmp_path, adapter, learning_rate=5e-3 if adapter is None else 1e-3)
    run = Run.create(made, tmp_path / "run")
    write_run(run.folder)
    only = made.model_copy(update={"stages": made.stages[:1]})
    figures = train(only, run)["judge"].figures
    assert figures["measured_pairs"] == 12
    assert figures["accuracy"] > 0.9
    assert figures["accuracy_low"] <= figures["accuracy"] <= figures["accuracy_high"]
    folder = run.stage_folder(0, "judge") / "adapter"
    asking = work_on(made, tmp_path / "later", stage=1, reward_model=folder)
    rows = [row(number, f"새 물음 {number}", "") for number in range(9)]
    answers = ["네", "비 밥", "산 강 네 비 밥 산 강 네 비"] * 3
    rated = rewards.rate(asking, rows, answers)
    assert rated.shape == (9,)
    assert rated[0::3].mean() > rated[2::3].mean() + 0.5
    assert np.allclose(rewards.rate(asking, rows[:1], answers[:1]), rated[:1], atol=1e-4)  # batches change nothing
    learnt = read_pairs(run.stage_folder(0, "judge")).train
    asked = [row(0, pair.prompt[-1]["content"], "") for pair in learnt]
    both = np.stack([rewards.rate(asking, asked, [getattr(pair, side) for pair in learnt]) for side in SIDES])
    assert both.mean() == pytest.approx(0, abs=1e-3)
    assert both.std() == pytest.approx(1, abs=1e-3)


def test_without_a_reward_stage_the_reward_says_what_to_do(tiny_llama, tmp_path):
    made = recipes(tiny_llama, tmp_path)
    with pytest.raises(ModelError, match="method: reward"):
        rewards.rate(work_on(made, tmp_path / "x", stage=1), [row(0, "가", "")], ["나"])


def test_a_model_without_a_classifier_is_refused_by_name():
    from transformers import AutoModelForCausalLM, CpmAntConfig

    config = CpmAntConfig(
        vocab_size=40, hidden_size=16, num_attention_heads=2, dim_head=8, dim_ff=16, num_hidden_layers=1
    )
    with pytest.raises(ModelError, match="cpmant"):
        classifier_of(AutoModelForCausalLM.from_config(config), "some/base")


def test_padding_never_ends_an_answer(tiny_llama):
    known = load_renderer(tiny_llama)
    known.tokenizer.pad_token_id = known.end_ids[-1]
    assert last_token_padding(known) != known.end_ids[-1]
    known.tokenizer.pad_token_id = 9
    assert last_token_padding(known) == 9


def load_renderer(folder):
    made = recipe(folder)
    return Renderer(load_tokenizer(made.model), made.render)
