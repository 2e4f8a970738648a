"""Encoder-decoders: the loss of a step is the mean over its answer tokens, whatever the batches and the model do."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForSeq2SeqLM, Seq2SeqTrainer

from dadeum.core.run import Run
from dadeum.models.load import load_config, load_tokenizer
from dadeum.models.seq2seq_render import KOREAN, Seq2SeqRenderer
from dadeum.training.methods import seq2seq
from dadeum.training.seq2seq import AnswerSeq2SeqTrainer
from tests.models.tiny_seq2seq import (
    save_bart,
    save_mbart,
    save_t5,
    summary_example,
    summary_recipe,
    write_summaries,
)  # fmt: skip
from tests.tiny import work_on

FAMILIES = {"bart": save_bart, "t5": save_t5, "mbart": save_mbart}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    return {name: save(folder / name) for name, save in FAMILIES.items()}


def stage(**changes):
    return [{"name": "tune", "method": "seq2seq", "epochs": 2, "batch_size": 2, "learning_rate": 5e-3} | changes]


def new_run(tmp_path, recipe, name="run", sizes=(8, 4, 4)):
    run = Run.create(recipe, tmp_path / name)
    write_summaries(run, sizes)
    return run


def renderer_of(recipe):
    return Seq2SeqRenderer(load_tokenizer(recipe.model), load_config(recipe.model), KOREAN, recipe.render)


def by_hand(model, renderer, rows):
    """Cross-entropy summed over one row at a time, without padding, and the number of answer tokens."""
    total, count = torch.zeros(()), 0
    for row in rows:
        out = model(
            input_ids=torch.tensor([row.input_ids]), decoder_input_ids=torch.tensor([renderer.decoder_ids(row)])
        )
        total = total + functional.cross_entropy(out.logits[0], torch.tensor(row.labels), reduction="sum")
        count += len(row.labels)
    return total, count


def one_step(recipe, tmp_path, kind=AnswerSeq2SeqTrainer):
    """(gradients of the first optimizer step, its logged loss, the model before it, renderer, its rows)."""
    run = new_run(tmp_path, recipe)
    with seq2seq.ready(work_on(recipe, tmp_path / "stage", run=run)) as ready:
        trainer = ready.trainer
        before = AutoModelForSeq2SeqLM.from_pretrained(recipe.model.base)
        gradients = {}

        def keep(*args, **kwargs):
            gradients.update({name: one.grad.clone() for name, one in trainer.model.named_parameters()})

        trainer.create_optimizer()
        trainer.optimizer.register_step_pre_hook(keep)
        if kind is Seq2SeqTrainer:
            trainer.compute_loss = Seq2SeqTrainer.compute_loss.__get__(trainer)
            trainer.loss_is_scaled_for_ga = None
        trainer.train()
        return gradients, trainer.state.log_history[0]["loss"], before, renderer_of(recipe), trainer.train_dataset


@pytest.mark.parametrize("name", FAMILIES)
def test_a_step_is_the_mean_over_its_answer_tokens_with_accumulation(bases, tmp_path, name):
    recipe = summary_recipe(
        bases[name],
        stages=stage(epochs=1, accumulation_steps=4, max_grad_norm=1e9, warmup=0, trainer_args={"max_steps": 1}),
    )
    found, logged, before, renderer, rows = one_step(recipe, tmp_path)
    total, count = by_hand(before, renderer, rows)
    (total / count).backward()
    assert logged == pytest.approx(float(total / count), rel=1e-5)
    for key, one in before.named_parameters():
        torch.testing.assert_close(found[key], one.grad, rtol=1e-4, atol=1e-6)


def test_without_our_loss_transformers_would_add_the_means_of_the_batches_up(bases, tmp_path):
    """The reason for compute_loss; where this fails, transformers has been mended and ours may go."""
    recipe = summary_recipe(
        bases["bart"],
        stages=stage(epochs=1, accumulation_steps=4, max_grad_norm=1e9, warmup=0, trainer_args={"max_steps": 1}),
    )
    _, logged, before, renderer, rows = one_step(recipe, tmp_path, Seq2SeqTrainer)
    total, count = by_hand(before, renderer, rows)
    assert logged > 3 * float(total / count)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_decoder_reads_what_the_model_itself_would_make_of_the_labels(bases, name):
    recipe = summary_recipe(bases[name])
    renderer = renderer_of(recipe)
    batch = renderer.training_batch([renderer.row(summary_example(number)) for number in range(3)])
    model = AutoModelForSeq2SeqLM.from_pretrained(recipe.model.base)
    theirs = model.prepare_decoder_input_ids_from_labels(batch["labels"].clone())
    seen = batch["labels"] != -100
    assert torch.equal(batch["decoder_input_ids"][seen], theirs[seen])


def test_validation_loss_is_the_mean_over_all_answer_tokens(bases, tmp_path):
    recipe = summary_recipe(bases["bart"])
    run = new_run(tmp_path, recipe, sizes=(4, 3, 1))
    with seq2seq.ready(work_on(recipe, tmp_path / "stage", run=run)) as ready:
        found = ready.trainer.evaluate()["eval_loss"]
        total, count = by_hand(ready.trainer.model.eval(), renderer_of(recipe), ready.trainer.eval_dataset)
    assert found == pytest.approx(float(total / count), rel=1e-5)
