"""A stage of an encoder-decoder from beginning to end: every family, killed and resumed, stopped, refused."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from dadeum.core.errors import DataError
from dadeum.core.run import Run, read_jsonl
from dadeum.models.load import load_config, load_tokenizer
from dadeum.models.seq2seq_render import KOREAN, Seq2SeqRenderer
from dadeum.training.arguments import check_stages
from dadeum.training.seq2seq import AnswerSeq2SeqTrainer
from dadeum.training.train import train
from tests.models.tiny_seq2seq import (
    save_bart,
    save_mbart,
    save_t5,
    summary_example,
    summary_recipe,
    write_summaries,
)  # fmt: skip

FAMILIES = {"bart": save_bart, "t5": save_t5, "mbart": save_mbart}
LORA = {"type": "lora", "r": 4, "alpha": 8}


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


@pytest.mark.parametrize("adapter", [{"type": "none"}, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_learns_and_leaves_what_it_learnt(bases, tmp_path, name, adapter):
    recipe = summary_recipe(bases[name], adapter, stages=stage(epochs=6, learning_rate=2e-2))
    run = new_run(tmp_path, recipe)
    result = train(recipe, run)["tune"]
    losses = [row["loss"] for row in read_jsonl(run.metrics_path) if "loss" in row]
    assert result.steps == len(losses) == 24
    assert sum(losses[-4:]) < 0.97 * sum(losses[:4])
    file = "model.safetensors" if adapter["type"] == "none" else "adapter_model.safetensors"
    assert (run.adapter_folder(recipe) / file).is_file()
    assert (result.num_trainable < result.num_parameters) == (adapter is LORA)
    rows = [renderer_of(recipe).row(summary_example(number)) for number in range(8)]
    assert result.tokens == 6 * sum(len(row.input_ids) + len(row.labels) for row in rows)
    assert result.tokens_computed >= result.tokens


def test_resume_after_a_kill_gives_the_result_of_an_uninterrupted_run(tmp_path, monkeypatch):
    base = save_bart(tmp_path / "base", dropout=0.1)
    recipe = summary_recipe(base, stages=stage(epochs=3, eval_steps=2, save_steps=2))
    straight, killed = (new_run(tmp_path, recipe, name) for name in ("straight", "killed"))
    train(recipe, straight)

    class Killed(BaseException):
        pass

    step = AnswerSeq2SeqTrainer.training_step

    def dies(self, *args, **kwargs):
        if self.state.global_step == 5:
            raise Killed
        return step(self, *args, **kwargs)

    monkeypatch.setattr(AnswerSeq2SeqTrainer, "training_step", dies)
    with pytest.raises(Killed):
        train(recipe, killed)
    monkeypatch.setattr(AnswerSeq2SeqTrainer, "training_step", step)
    train(recipe, killed)
    a, b = (load_file(run.adapter_folder(recipe) / "model.safetensors") for run in (straight, killed))
    assert all(torch.equal(a[name], b[name]) for name in a)
    steps = [row["step"] for row in read_jsonl(killed.metrics_path) if "loss" in row]
    assert steps == list(range(1, 13))


def test_the_best_step_is_kept_and_training_stops_when_it_gets_worse(bases, tmp_path):
    recipe = summary_recipe(
        bases["bart"], stages=stage(epochs=10, learning_rate=5e-2, early_stopping={"patience": 1}, eval_steps=2)
    )
    run = new_run(tmp_path, recipe)
    result = train(recipe, run)["tune"]
    validated = {row["step"]: row["eval_loss"] for row in read_jsonl(run.metrics_path) if "eval_loss" in row}
    assert result.stopped_early and result.best_step == min(validated, key=validated.get)


def test_gradient_checkpointing_changes_no_weight(bases, tmp_path):
    kept = []
    for name, on in (("plain", False), ("again", True)):
        recipe = summary_recipe(bases["bart"], LORA, stages=stage(gradient_checkpointing=on))
        run = new_run(tmp_path, recipe, name)
        train(recipe, run)
        kept.append(load_file(run.adapter_folder(recipe) / "adapter_model.safetensors"))
    assert kept[0].keys() == kept[1].keys()
    for name, one in kept[0].items():
        torch.testing.assert_close(one, kept[1][name])


def test_a_stage_goes_on_from_what_the_one_before_trained(bases, tmp_path):
    stages = [*stage(), stage(name="more", learning_rate=1e-9, epochs=1)[0]]
    recipe = summary_recipe(bases["t5"], LORA, stages=stages)
    run = new_run(tmp_path, recipe)
    train(recipe, run)
    first, second = (
        load_file(run.stage_folder(index, stages[index]["name"]) / "adapter" / "adapter_model.safetensors")
        for index in (0, 1)
    )
    for name, one in first.items():
        torch.testing.assert_close(one, second[name], rtol=0, atol=1e-6)


def test_a_row_over_the_limit_is_an_error_and_not_cut(bases, tmp_path):
    recipe = summary_recipe(bases["bart"], render={"max_length_tokens": 8})
    run = new_run(tmp_path, recipe)
    with pytest.raises(DataError) as caught:
        train(recipe, run)
    assert caught.value.key == "train.row_too_long"


def test_an_encoder_decoder_under_sft_and_a_decoder_under_seq2seq_are_told_the_right_method(bases, tiny_llama):
    wrong = summary_recipe(bases["bart"], stages=stage(method="sft"))
    (problem,) = check_stages(wrong)
    assert problem.key == "models.seq2seq.needs_seq2seq" and "seq2seq" in str(problem)
    (problem,) = check_stages(summary_recipe(tiny_llama))
    assert problem.key == "models.seq2seq.needs_decoder_method" and "sft" in str(problem)
    assert check_stages(summary_recipe(bases["t5"])) == []


def test_a_decision_is_no_job_for_an_encoder_decoder(bases):
    task = {"type": "decide", "instruction": "?", "labels": ["A", "B"], "input_fields": ["text"]}
    (problem,) = check_stages(summary_recipe(bases["bart"], task=task))
    assert problem.key == "models.seq2seq.no_decisions"


@pytest.mark.parametrize(("augment", "steps"), [("sample", 8), ("copy", 16)])
def test_rows_are_asked_in_the_ways_that_the_stage_names(bases, tmp_path, augment, steps):
    task = {"type": "summarize", "instruction": "두 사람"}
    ways = ["두 사람", "오늘 점심"]
    recipe = summary_recipe(bases["bart"], task=task, stages=stage(instructions=ways, augment=augment))
    run = Run.create(recipe, tmp_path / "run")
    write_summaries(run, instruction="두 사람")
    seen = set()
    call = Seq2SeqRenderer.training_batch

    def watched(self, rows):
        seen.update(self.decode(row.input_ids).split("\n")[0] for row in rows)
        return call(self, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Seq2SeqRenderer, "training_batch", watched)
        result = train(recipe, run)["tune"]
    assert result.steps == steps and seen == set(ways)
