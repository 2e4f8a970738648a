"""What an encoder-decoder holds while it trains: counted without contents, as the real pass allocates it."""

from __future__ import annotations

import pytest
import torch

from dadeum.models.load import load_base
from dadeum.models.precision import Precision
from dadeum.models.seq2seq_render import load_renderer
from dadeum.training.fit import fit
from dadeum.training.memory import PairRows
from dadeum.training.memory_trace import EmptyModel, LiveBytes
from tests.models.tiny_seq2seq import save_bart, save_mbart, save_t5, summary_example, summary_recipe

FAMILIES = {"bart": save_bart, "t5": save_t5, "mbart": save_mbart}
ROWS = [summary_example(number) for number in range(8)]
FP32 = Precision("fp32", "train.precision.asked", {}, None)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_counted_pass_holds_what_the_real_one_does(tmp_path, name):
    recipe = summary_recipe(FAMILIES[name](tmp_path / name))
    renderer = load_renderer(recipe)
    batch = renderer.training_batch([renderer.row(row) for row in ROWS[:4]])
    counted = EmptyModel(recipe.model, recipe.stages[0], "fp32").pass_bytes(batch, gradients_exist=False)
    model = load_base(recipe.model, FP32, trainable=True).train()
    live = LiveBytes()
    for tensor in [*model.parameters(), *model.buffers()]:
        live.ignore(tensor)
    with live:
        given = dict(batch)
        labels = given.pop("labels")
        logits = model(**given).logits.float()
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum"
        )
        del logits, given
        loss.backward()
    assert counted == pytest.approx(live.peak, rel=0.05)


def test_the_pass_with_the_most_padded_tokens_is_looked_at():
    recipe = summary_recipe("unused", stages=[
        {"name": "tune", "method": "seq2seq", "batch_size": 2, "accumulation_steps": 2, "learning_rate": 1e-3}
    ])  # fmt: skip
    lengths = [(10, 3), (11, 3), (50, 4), (49, 9), (20, 2), (21, 2), (22, 2), (5, 1)]
    rows, passes = PairRows(lengths, lambda indices: {"rows": sorted(indices)}).largest_pass(recipe.stages[0], seed=1)
    assert rows == {"rows": [2, 3]} and passes == 2


def test_a_stage_that_does_not_fit_is_told_a_smaller_batch_of_the_same_effective_size(tmp_path, monkeypatch):
    recipe = summary_recipe(save_bart(tmp_path / "bart"), stages=[
        {"name": "tune", "method": "seq2seq", "batch_size": 8, "learning_rate": 1e-3}
    ])  # fmt: skip
    renderer = load_renderer(recipe)
    rows = [renderer.row(row) for row in ROWS]

    def batch(indices):
        return renderer.training_batch([rows[index] for index in indices])

    pairs = PairRows([(len(row.input_ids), len(row.labels)) for row in rows], batch)
    stage = recipe.stages[0]
    fits = fit(recipe, stage, "fp32", pairs)
    assert fits.fits and fits.need.computing > 0
    monkeypatch.setattr("dadeum.training.fit.left_mb", lambda: 0.0)
    monkeypatch.setattr("dadeum.training.fit.used_mb", lambda: (fits.need.total - fits.need.computing * 0.3) / 0.95)
    smaller = fit(recipe, stage, "fp32", pairs)
    settings = smaller.changes["stages"]["tune"]
    assert settings["batch_size"] * settings["accumulation_steps"] == 8 and settings["batch_size"] < 8
