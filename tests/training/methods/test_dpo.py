"""DPO against where the stage begins: equal to trl, raises the margin, survives a kill."""

from __future__ import annotations

import logging
import shutil

import pytest
import torch

from dadeum.core.run import Run, read_json, read_jsonl
from dadeum.models.load import add_adapter, load_base
from dadeum.models.precision import Precision
from dadeum.training.methods import dpo
from dadeum.training.preferences.packed import gradients
from dadeum.training.prefix import relative_difference
from dadeum.training.train import train
from tests.tiny import work_on
from tests.training.preferences.judged_files import recipe, stage, write_jsonl, write_run

FP32 = Precision("fp32", "train.precision.asked", {}, None)


def polite(folder, number=24):
    """Polite answers win over blunt ones, whatever was asked."""
    asked = ["밥", "물", "책", "집", "길", "꽃"]
    rows = [
        {"prompt": f"{asked[i % 6]} {i}", "chosen": f"{asked[i % 6]}입니다", "rejected": f"{asked[i % 6]}이야"}
        for i in range(number)
    ]
    return str(write_jsonl(folder / "polite.jsonl", rows))


def trained_adapter(made, folder):
    """An adapter that changes much, as a stage before would have left it."""
    model = add_adapter(load_base(made.model, FP32), made.model.adapter, False)
    torch.manual_seed(9)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data = 0.3 * torch.randn_like(parameter)
    model.save_pretrained(str(folder))
    return folder


def work(tiny_llama, folder, before=False, **changes):
    settings = stage("dpo", path=polite(folder)) | changes
    made = recipe(tiny_llama, stages=[settings], data={"sources": [{"path": "x"}], "split": {"validation": 0.25}})
    write_run(folder / "run")
    given = {"before": trained_adapter(made, folder / "sft")} if before else {}
    return work_on(made, folder / "stage", **given)


def moved(model):
    torch.manual_seed(5)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.2 * torch.randn_like(parameter)


def test_the_reference_is_the_chained_adapter_not_the_base(tiny_llama, tmp_path):
    with dpo.ready(work(tiny_llama, tmp_path, before=True)) as ready:
        trainer, pairs = ready.trainer, list(ready.trainer.train_dataset)
        kept = torch.tensor([[pair["ref_chosen_logps"], pair["ref_rejected_logps"]] for pair in pairs])
        now = torch.tensor(trainer.log_probs(pairs), dtype=torch.float)
        torch.testing.assert_close(now, kept, rtol=0, atol=1e-5)
        with trainer.model.disable_adapter():
            base = torch.tensor(trainer.log_probs(pairs), dtype=torch.float)
        assert (base - kept).abs().mean() > 0.3
        assert list(trainer.model.peft_config) == ["default"]  # trl's copy would go into every checkpoint
        batch = trainer.data_collator(pairs[:4])
        trainer.model.eval()
        assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(0.693147, abs=1e-5)


@pytest.mark.parametrize("adapter", [{"type": "lora", "r": 4, "alpha": 8}, {"type": "none"}])
def test_loss_and_gradients_equal_those_of_trl(tiny_llama, tmp_path, adapter):
    made = work(tiny_llama, tmp_path)
    model = made.recipe.model.model_validate(made.recipe.model.model_dump() | {"adapter": adapter})
    made = work_on(made.recipe.model_copy(update={"model": model}), made.folder)
    with dpo.ready(made) as ready:
        trainer = ready.trainer
        assert trainer.data_collator.packed
        pairs = list(trainer.train_dataset)[:4]
        moved(trainer.model)
        packed = gradients(trainer, lambda: trainer.packed_loss(trainer.model, pairs))
        ours = trainer.packed_loss(trainer.model.eval(), pairs).item()
    # Outside, the model has its own attention back.
    batch = trainer._prepare_inputs(trainer.data_collator.plain(pairs))
    assert trainer.compute_loss(trainer.model.eval(), dict(batch)).item() == pytest.approx(ours, abs=1e-5)
    assert ours != pytest.approx(0.6931, abs=0.01)
    theirs = gradients(trainer, lambda: trainer.compute_loss(trainer.model, dict(batch)))
    assert relative_difference(theirs, packed) < 1e-3


def test_another_loss_of_trl_takes_trls_path_and_says_so(tiny_llama, tmp_path, caplog):
    made = work(tiny_llama, tmp_path, before=True, trainer_args={"loss_type": ["ipo"]})
    with caplog.at_level(logging.WARNING), dpo.ready(made) as ready:
        trainer = ready.trainer
        assert not trainer.data_collator.packed
        assert "loss_type" in caplog.text
        pairs = list(trainer.train_dataset)[:4]
        # (0 - 1 / (2 β))² where nothing was learnt yet
        loss = trainer.compute_loss(trainer.model.eval(), trainer._prepare_inputs(trainer.data_collator(pairs)))
        assert loss.item() == pytest.approx(25.0, abs=1e-2)


def run_of(tiny_llama, folder, adapter, **changes):
    path = polite(folder)
    settings = stage("dpo", path=path) | {"epochs": 4, "learning_rate": 1e-2} | changes
    made = recipe(
        tiny_llama,
        stages=[settings],
        model={"base": str(tiny_llama), "adapter": adapter, "precision": "fp32"},
        data={"sources": [{"path": "x"}], "split": {"validation": 0.25}},
    )
    run = Run.create(made, folder / "run")
    write_run(run.folder)
    return made, run


@pytest.mark.parametrize("adapter", [{"type": "lora", "r": 4, "alpha": 8}, {"type": "none"}])
def test_learns_to_prefer_the_chosen_answers(tiny_llama, tmp_path, adapter):
    rate = 1e-2 if adapter["type"] == "lora" else 2e-3
    made, run = run_of(tiny_llama, tmp_path, adapter, learning_rate=rate)
    result = train(made, run)["prefer"]
    figures = result.figures
    assert figures["pairs_read"] == figures["pairs_used"] == 24
    assert figures["pairs_validation"] == figures["measured_pairs"] == 6
    assert figures["accuracy"] == 1.0
    assert figures["margin"] > 0.2
    assert figures["chosen_likelier"] == 1.0
    gained = figures["chosen_log_prob"] - figures["chosen_log_prob_before"]
    assert gained > figures["rejected_log_prob"] - figures["rejected_log_prob_before"]
    assert result.best_eval_loss < 0.69
    assert result.tokens > result.tokens_computed > 0
    logged = [line for line in read_jsonl(run.metrics_path) if "rewards/margins" in line]
    assert logged[-1]["rewards/margins"] > logged[0]["rewards/margins"]
    folder = run.stage_folder(0, "prefer")
    assert not (folder / "adapter" / "ref").exists()
    assert read_json(run.manifest_path)["training"]["prefer"]["choices"]["prefix_shared"] is True


def test_a_killed_stage_ends_as_one_that_was_not(tiny_llama, tmp_path, monkeypatch):
    """Sampled pairs: a second sampling would cost minutes and might draw others."""
    settings = {"pairs": {"sampled": 2}, "epochs": 2, "batch_size": 1, "save_steps": 2, "eval_steps": 1}
    adapter = {"type": "lora", "r": 4, "alpha": 8}
    whole_recipe, whole = run_of(tiny_llama, tmp_path, adapter, **settings)
    expected = train(whole_recipe, whole)["prefer"]
    folder = whole.stage_folder(0, "prefer")
    shutil.rmtree(folder / "adapter")
    for later in sorted((folder / "checkpoints").glob("checkpoint-*"))[1:]:
        shutil.rmtree(later)
    monkeypatch.setattr("dadeum.training.preferences.build.sampled_pairs", None)
    found = train(whole_recipe, whole)["prefer"]
    assert found.steps == expected.steps
    assert found.train_loss != 0
    assert found.figures == pytest.approx(expected.figures, abs=1e-4)
    assert [event["event"] for event in read_jsonl(whole.folder / "events.jsonl")].count("stage_resumed") == 1
