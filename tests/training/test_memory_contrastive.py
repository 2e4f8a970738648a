"""Bytes of a batch of questions and chunks, counted without contents, against the loss and model that train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dadeum.core.model import Model
from dadeum.core.stages import Contrastive
from dadeum.models.render import Fitted
from dadeum.training import fit as fitting
from dadeum.training.fit import fit
from dadeum.training.live_bytes import LiveBytes
from dadeum.training.memory_contrastive import Questions
from dadeum.training.memory_trace import EmptyModel
from dadeum.training.question_amounts import contrastive_amount
from tests.corpora import RETRIEVE, recipe_on, save_embedder


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_embedder(tmp_path_factory.mktemp("embedder"))


def stage(**changes: Any) -> Contrastive:
    return Contrastive.model_validate({"name": "only", "method": "contrastive", "batch_size": 8} | changes)


def model(embedder: Path, adapter: dict[str, Any]) -> Model:
    return Model.model_validate({"base": str(embedder), "adapter": adapter})


@pytest.mark.parametrize("adapter", [{"type": "none"}, {"type": "lora", "r": 4}], ids=["full", "lora"])
def test_counted_bytes_are_those_of_the_loss_that_trains(embedder: Path, adapter: dict[str, Any]) -> None:
    from sentence_transformers import SentenceTransformer

    from dadeum.training.contrastive.losses import EmbeddingLoss
    from dadeum.training.contrastive.weights import add_lora

    described, made = model(embedder, adapter), stage()
    counted = Questions(20, 60, 60, 0).peak(EmptyModel(described, made, "fp32"), made, 1).training

    real = SentenceTransformer(str(embedder), device="cpu")
    if adapter["type"] == "lora":
        add_lora(real, described.adapter)  # type: ignore[arg-type]
    real.train()
    loss = EmbeddingLoss(real, made, [[row] for row in range(8)])
    columns = [{"input_ids": torch.full((8, width), 7), "attention_mask": torch.ones(8, width, dtype=torch.long)}
               for width in (20, 60, 60)]  # fmt: skip
    labels = torch.tensor([[row, row, 8 + row] for row in range(8)])
    live = LiveBytes()
    for tensor in [*real.parameters(), *real.buffers()]:
        live.ignore(tensor)
    with live:
        loss(columns, labels).backward()
    assert counted == pytest.approx(live.peak, rel=0.1)


def test_checkpointing_negatives_and_batch_size_change_what_is_held(embedder: Path) -> None:
    def bytes_of(**changes: Any) -> int:
        made = stage(**changes)
        described = EmptyModel(model(embedder, {"type": "none"}), made, "fp32")
        return Questions(20, 60, 60, 0).peak(described, made, 1).training

    plain = bytes_of()
    assert bytes_of(gradient_checkpointing=True) < 0.8 * plain
    assert bytes_of(batch_size=16) > 1.6 * plain
    assert bytes_of(negatives={"number": 3}) > 1.5 * plain
    # On pairs a negative is a row of its own.
    assert bytes_of(loss="cosine") < plain


def test_amounts_follow_the_loss(tmp_path: Path, embedder: Path) -> None:
    recipe = recipe_on(tmp_path, embedder, RETRIEVE)

    class Counter:
        limit = 50

    rows = {"train": [Fitted(None, 10, 80)] * 16, "validation": [Fitted(None, 10, 80)] * 4}
    ranked = contrastive_amount(recipe, stage(epochs=2), rows, [80] * 30, Counter())
    assert ranked.steps == 4
    assert ranked.tokens == 2 * 16 * (10 + 50 + 50)
    paired = contrastive_amount(recipe, stage(epochs=2, loss="cosent"), rows, [80] * 30, Counter())
    assert paired.steps == 8
    assert paired.tokens == 2 * 16 * (10 + 10 + 50 + 50)
    alone = contrastive_amount(recipe, stage(epochs=2, negatives={"number": 0}), rows, [80] * 30, Counter())
    assert alone.tokens == 2 * 16 * (10 + 50)
    assert alone.computed < ranked.computed


def test_what_fits_keeps_the_batch_where_it_can(
    tmp_path: Path, embedder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, made = recipe_on(tmp_path, embedder, RETRIEVE), stage(batch_size=32)
    rows = Questions(60, 120, 120, 0)
    whole = fit(recipe, made, "fp32", rows).need
    saved = fit(recipe, made.model_copy(update={"gradient_checkpointing": True}), "fp32", rows).need
    assert whole is not None
    assert saved is not None
    assert saved.total < whole.total
    room = (whole.total + saved.total) / 2
    monkeypatch.setattr(fitting, "left_mb", lambda: room / fitting._ROOM - fitting.used_mb())
    found = fit(recipe, made, "fp32", rows)
    assert found.changes == {"stages": {"only": {"gradient_checkpointing": True}}}
    assert found.needs_whole_batch
