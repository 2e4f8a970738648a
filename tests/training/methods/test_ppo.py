from __future__ import annotations

import pytest
import torch

from dadeum.core.plugins import find
from tests.tiny import save_llama
from tests.training import tiny_online


@pytest.fixture
def base(tmp_path):
    return save_llama(tmp_path / "model")


@pytest.fixture(autouse=True)
def rewards(monkeypatch):
    tiny_online.use_rewards(monkeypatch, letters=tiny_online.letters)


def test_a_checkable_reward_rises_from_a_known_start(base, tmp_path) -> None:
    stage = {"adapter": "none", "learning_rate": 1e-2, "beta": 0.01, "epochs": 5, "save_steps": 20}
    tiny_online.check_that_the_reward_rises(tiny_online.work_for(base, tmp_path, "ppo", **stage), steps=20)


def test_an_adapter_is_continued_against_itself_and_saved_alone(base, tmp_path) -> None:
    tiny_online.check_that_an_adapter_is_continued(base, tmp_path, "ppo")


def test_a_resumed_stage_ends_where_an_uninterrupted_one_does(base, tmp_path) -> None:
    whole = tiny_online.check_resuming(base, tmp_path, "ppo")
    assert whole["value_head.weight"].abs().sum() > 0


@pytest.mark.parametrize("batch, steps", [(2, 4), (4, 2)])
def test_cutting_a_rollout_into_passes_does_not_change_the_gradient(batch, steps, base, tmp_path, monkeypatch) -> None:
    answers = [[20, 21, 22], [23], [24, 25, 26, 27], [28, 29]] * 2
    monkeypatch.setattr("dadeum.training.ppo.rollout.write", lambda *given: answers)
    tiny_online.use_rewards(monkeypatch, letters=lambda work, rows, answers: list(range(len(answers))))

    def gradients(folder, batch_size, accumulation_steps):
        work = tiny_online.work_for(
            base, folder, "ppo", adapter="none", batch_size=batch_size, accumulation_steps=accumulation_steps
        )
        with find("training.methods", "ppo").ready(work) as ready:
            trainer = ready.trainer
            trainer._gradients(trainer.model, trainer._collect([0, 1]))
            return {name: one.grad for name, one in trainer.model.named_parameters() if one.grad is not None}

    whole, cut = gradients(tmp_path / "a", 8, 1), gradients(tmp_path / "b", batch, steps)
    assert whole.keys() == cut.keys()
    assert sum(float(one.abs().sum()) for one in whole.values()) > 0
    for name, value in whole.items():
        torch.testing.assert_close(cut[name], value, atol=1e-6, rtol=1e-4, msg=name)
