from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from dadeum.models.load import load_trained
from dadeum.training.reference import NAME, Reference, policy_saver, without_dropout
from dadeum.training.work import trainable_model
from tests.tiny import save_llama, work_on
from tests.training import tiny_online

IDS = torch.tensor([[5, 6, 7, 8]])


def moved(model) -> None:
    """As if trained a little."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=IDS).logits


@pytest.fixture
def base(tmp_path):
    return save_llama(tmp_path / "model")


@pytest.fixture
def earlier(base, tmp_path):
    """The adapter of a stage before, which is not the untuned model."""
    model = trainable_model(work_on(tiny_online.recipe(base, "ppo"), tmp_path / "one"))
    moved(model)
    model.save_pretrained(str(tmp_path / "earlier"))
    return tmp_path / "earlier"


@pytest.mark.parametrize("kind", ["new", "continued", "full"])
def test_the_reference_stays_where_the_stage_began(kind, base, earlier, tmp_path) -> None:
    recipe = tiny_online.recipe(base, "ppo", adapter="none" if kind == "full" else "lora")
    work = work_on(recipe, tmp_path / "stage", before=earlier if kind == "continued" else None)
    model = trainable_model(work)
    began = logits(model)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    reference = Reference(model, is_new_adapter=work.before is None)
    torch.testing.assert_close(logits(model), began)
    moved(model)
    now = logits(model)
    assert (now - began).abs().max() > 1e-2
    with reference.model() as before:
        torch.testing.assert_close(logits(before), began)
    torch.testing.assert_close(logits(model), now)
    # The copy never learns, and what learnt before still does.
    assert [name for name, parameter in model.named_parameters() if parameter.requires_grad] == names
    assert (NAME in getattr(model, "peft_config", {})) == (kind == "continued")


def test_a_continued_adapter_switched_off_is_not_where_the_stage_began(base, earlier, tmp_path) -> None:
    model = trainable_model(work_on(tiny_online.recipe(base, "ppo"), tmp_path / "stage", before=earlier))
    with model.disable_adapter():
        off = logits(model)
    assert (logits(model) - off).abs().max() > 1e-2


def test_only_the_policy_is_saved(base, earlier, tmp_path) -> None:
    recipe = tiny_online.recipe(base, "ppo")
    work = work_on(recipe, tmp_path / "stage", before=earlier)
    model = trainable_model(work)
    Reference(model, is_new_adapter=False)
    model.value_head = torch.nn.Linear(64, 1)
    moved(model)
    wanted = logits(model)
    trainer = SimpleNamespace(model=model, accelerator=SimpleNamespace(unwrap_model=lambda one: one))
    (tmp_path / "out").mkdir()
    policy_saver(trainer)(tmp_path / "out")
    assert not any(path.is_dir() for path in (tmp_path / "out").iterdir())
    again = load_trained(recipe.model, work.precision, tmp_path / "out", trainable=True)
    torch.testing.assert_close(logits(again), wanted)
    assert any(parameter.requires_grad for parameter in again.parameters())


def test_without_dropout_answers_and_updates_see_the_same_model(base, tmp_path) -> None:
    recipe = tiny_online.recipe(base, "ppo")
    adapter = recipe.model.adapter.model_copy(update={"dropout": 0.5})
    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"adapter": adapter})})
    model = trainable_model(work_on(recipe, tmp_path / "stage"))
    moved(model)
    model.train()
    assert not torch.equal(model(input_ids=IDS).logits, model(input_ids=IDS).logits)
    without_dropout(model)
    assert torch.equal(model.train()(input_ids=IDS).logits, logits(model))
