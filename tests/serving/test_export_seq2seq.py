"""Encoder-decoders leave as transformers and peft load them, and never as files of llama.cpp."""

from __future__ import annotations

import pytest
import torch
from peft import AutoPeftModelForSeq2SeqLM
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from dadeum.core.errors import ExportError
from dadeum.core.run import Run
from dadeum.data.build import build_data
from dadeum.models import fresh
from dadeum.models.engines import load_engine
from dadeum.serving.export import current_export, export
from dadeum.serving.preflight import export_problems
from dadeum.training.train import train
from tests.models.tiny_seq2seq import (
    DIALOGUES,
    save_t5,
    summary_example,
    summary_recipe,
    write_summaries,
)  # fmt: skip

STAGES = [{"name": "tune", "method": "seq2seq", "epochs": 2, "batch_size": 4, "learning_rate": 2e-2}]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    recipe = summary_recipe(save_t5(folder / "t5"), {"type": "lora", "r": 4, "alpha": 8}, stages=STAGES)
    run = Run.create(recipe, folder / "run")
    write_summaries(run)
    train(recipe, run)
    return recipe, run


def likelihood(model, renderer):
    """Loss of one taught summary under a model that plain transformers or peft loaded."""
    batch = renderer.training_batch([renderer.row(summary_example(0))])
    labels = batch.pop("labels")
    with torch.inference_mode():
        logits = model.eval()(**batch).logits
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum"))


def test_adapter_and_merged_answer_as_the_run_does_when_others_load_them(trained):
    recipe, run = trained
    engine = load_engine(recipe, run.adapter_folder(recipe))
    (wanted,) = engine.log_likelihoods([summary_example(0)], 1)
    untuned = likelihood(AutoModelForSeq2SeqLM.from_pretrained(recipe.model.base), engine.renderer)
    assert abs(untuned + wanted.log_prob) > 1e-2
    for format, kind in (("adapter", AutoPeftModelForSeq2SeqLM), ("merged", AutoModelForSeq2SeqLM)):
        folder = export(recipe, run, format).folder
        assert likelihood(kind.from_pretrained(folder), engine.renderer) == pytest.approx(-wanted.log_prob, abs=1e-3)
        assert "Seq2SeqLM" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("format", ["gguf", "ollama"])
def test_a_file_for_llama_cpp_is_refused_before_training_and_after(trained, format):
    recipe, run = trained
    with pytest.raises(ExportError) as caught:
        export(recipe, run, format)
    assert caught.value.key == "export.no_seq2seq_file"
    asked = recipe.model_copy(update={"export": recipe.export.model_copy(update={"format": format})})
    assert [problem.key for problem in export_problems(asked)] == ["export.no_seq2seq_file"]


def test_weights_that_answer_otherwise_once_loaded_are_not_exported(trained, monkeypatch):
    recipe, run = trained

    def damaged(source, folder):
        folder.mkdir()
        for file in source.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        path = folder / "adapter_model.safetensors"
        weights = load_file(path)
        save_file({name: one + 1 if "decoder" in name else one for name, one in weights.items()}, path)

    monkeypatch.setattr("dadeum.serving.export.shutil.copytree", damaged)
    with pytest.raises(ExportError) as caught:
        export(recipe, run, "adapter")
    assert caught.value.key == "export.differs"


def test_a_model_made_in_the_run_names_no_folder_of_this_machine(tmp_path):
    data = tmp_path / "talks.csv"
    rows = [f'"#Person1#: 회의 {i}번은 {i}시입니다.","#Person1#는 {i}시라고 합니다."' for i in range(1, 13)]
    data.write_text("dialogue,summary\n" + "\n".join(rows) + "\n", encoding="utf-8")
    settings = {"sources": [{"path": str(data)}], "split": {"group": "none"}}
    recipe = summary_recipe(fresh.NAME, data=settings, stages=[STAGES[0] | {"epochs": 1, "learning_rate": 1e-3}])
    run = Run.create(recipe, tmp_path / "run")
    build_data(recipe, run)
    train(recipe, run)
    folder = export(recipe, run, "merged").folder
    assert current_export(recipe, run, "merged") == folder
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    engine = load_engine(fresh.in_run(recipe, run), run.adapter_folder(recipe))
    source = tokenizer(DIALOGUES[0][0], return_tensors="pt")
    assert source.input_ids[0].tolist() == engine.renderer.source_ids(DIALOGUES[0][0])
    line = model.generate(**source, max_new_tokens=8, do_sample=False)[0]
    prompt = [{"role": "user", "content": DIALOGUES[0][0]}]
    assert tokenizer.decode(line, skip_special_tokens=True).strip() == engine.generate([prompt], 8, 1)[0]
    for file in folder.iterdir():
        if file.suffix in (".json", ".md"):
            assert str(tmp_path) not in file.read_text(encoding="utf-8"), file.name
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "`fresh-bart`" in card and "base_model:" not in card
