"""Supervised fine-tuning of an encoder-decoder with transformers' Seq2SeqTrainer, its loss per answer token."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.examples import read_examples
from dadeum.core.messages import text
from dadeum.models.load import load_config, load_tokenizer
from dadeum.models.memory import fenced
from dadeum.models.seq2seq_render import KOREAN, Seq2SeqRenderer, Seq2SeqRow
from dadeum.training.arguments import base_arguments
from dadeum.training.stopping import stopping
from dadeum.training.work import Ready, Told, Work, enough_memory, trainable_model

CONFIG = ("transformers", "Seq2SeqTrainingArguments")

log = logging.getLogger(__name__)


@contextmanager
def ready(work: Work) -> Iterator[Ready]:
    """DataError for a split without rows, ModelError for a model that is no encoder-decoder or does not fit."""
    recipe, run = work.recipe, work.run
    tokenizer = load_tokenizer(recipe.model)
    renderer = Seq2SeqRenderer(tokenizer, load_config(recipe.model), KOREAN, recipe.render)
    rows = encode(renderer, run.split_path("train"))
    validation = encode(renderer, run.split_path("validation"))
    if not rows:
        raise DataError("train.no_rows", path=run.split_path("train"))
    with fenced():
        with enough_memory(work.stage):
            trainer = build(work, trainable_model(work), renderer, rows, validation)
        yield Ready(trainer, tokenizer, len(rows), lambda: Told(trainer.tokens_seen, trainer.tokens_computed))


def encode(renderer: Seq2SeqRenderer, path: Path) -> list[Seq2SeqRow]:
    """Rows of one split as token ids; DataError when one is over the limit."""
    rows: list[Seq2SeqRow] = []
    escaped: list[tuple[str, str]] = []
    for example in read_examples(path):
        row = renderer.row(example)
        if max(len(row.input_ids), len(row.labels)) > renderer.limit:
            raise DataError("train.row_too_long", id=example.id, limit=renderer.limit)
        escaped += [(example.id, token) for token in renderer.control_tokens(example)[:1]]
        rows.append(row)
    if escaped:
        row_id, token = escaped[0]
        log.warning(text("models.families.escaped", path=path, rows=len(escaped), id=row_id, token=token))
    return rows


def build(
    work: Work, model: Any, renderer: Seq2SeqRenderer, rows: list[Seq2SeqRow], validation: list[Seq2SeqRow]
) -> Any:
    """The trainer on rows that are already token ids."""
    from transformers import Seq2SeqTrainingArguments

    from dadeum.training.seq2seq import AnswerSeq2SeqTrainer

    stage = work.stage
    ours = base_arguments(work, len(rows), bool(validation)) | {
        # The reentrant kind finds no gradient behind a frozen embedding.
        "activation_checkpointing": stage.gradient_checkpointing,
        "activation_checkpointing_kwargs": {"use_reentrant": False} if stage.gradient_checkpointing else None,
    }
    del ours["gradient_checkpointing"]
    return AnswerSeq2SeqTrainer(
        model=model,
        args=Seq2SeqTrainingArguments(**(ours | stage.trainer_args)),
        train_dataset=rows,
        # Padding in validation is pure waste and its order means nothing: sorted once.
        eval_dataset=sorted(validation, key=lambda row: len(row.input_ids)) or None,
        data_collator=renderer.training_batch,
        callbacks=stopping(stage, bool(validation)),
    )
