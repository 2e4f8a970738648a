"""Supervised fine-tuning of an encoder-decoder with transformers' Seq2SeqTrainer, its loss per answer token."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.examples import Example, read_examples
from dadeum.core.messages import text
from dadeum.models.load import load_config, load_tokenizer
from dadeum.models.memory import fenced
from dadeum.models.seq2seq_render import KOREAN, Seq2SeqRenderer, Seq2SeqRow
from dadeum.training.arguments import base_arguments
from dadeum.training.instructions import Ways, ways
from dadeum.training.rows import once_per_split
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
    train, validation = (run.split_path(split) for split in ("train", "validation"))

    def asked_rows() -> tuple[Ways, list[Seq2SeqRow]]:
        asked = ways(recipe, work.stage, read_examples(train), renderer.fit)
        return asked, encode(renderer, asked.examples, train)

    asked, rows = once_per_split(recipe, work.stage, train, asked_rows)
    if not rows:
        raise DataError("train.no_rows", path=train)
    with fenced():
        with enough_memory(work.stage):
            validated = once_per_split(
                recipe, work.stage, validation, lambda: encode(renderer, read_examples(validation), validation)
            )
            trainer = build(work, trainable_model(work), renderer, rows, validated, asked.drawn_from)

        def told() -> Told:
            return Told(trainer.tokens_seen, trainer.tokens_computed, figures=asked.figures)

        yield Ready(trainer, tokenizer, asked.num_rows, told)


def encode(renderer: Seq2SeqRenderer, examples: list[Example], path: Path) -> list[Seq2SeqRow]:
    """Rows of one split as token ids; DataError when one is over the limit."""
    rows: list[Seq2SeqRow] = []
    escaped: list[tuple[str, str]] = []
    for example in examples:
        row = renderer.row(example)
        if not renderer.has_room(row):
            raise DataError("train.row_too_long", id=example.id, limit=renderer.limit)
        escaped += [(example.id, token) for token in renderer.control_tokens(example)[:1]]
        rows.append(row)
    if escaped:
        row_id, token = escaped[0]
        log.warning(text("models.families.escaped", path=path, rows=len(escaped), id=row_id, token=token))
    return rows


def build(
    work: Work,
    model: Any,
    renderer: Seq2SeqRenderer,
    rows: list[Seq2SeqRow],
    validation: list[Seq2SeqRow],
    drawn_from: list[list[int]] | None = None,
) -> Any:
    """The trainer on rows that are already token ids; with `drawn_from` an epoch takes one of each row's places."""
    from transformers import Seq2SeqTrainingArguments

    from dadeum.training.seq2seq import AnswerSeq2SeqTrainer

    stage = work.stage
    ours = base_arguments(work, len(drawn_from or rows), bool(validation)) | {
        # The reentrant kind finds no gradient behind a frozen embedding.
        "activation_checkpointing_kwargs": {"use_reentrant": False} if stage.gradient_checkpointing else None,
    }
    trainer = AnswerSeq2SeqTrainer(
        model=model,
        args=Seq2SeqTrainingArguments(**(ours | stage.trainer_args)),
        train_dataset=rows,
        # Padding in validation is pure waste and its order means nothing: sorted once.
        eval_dataset=sorted(validation, key=lambda row: len(row.input_ids)) or None,
        data_collator=renderer.training_batch,
        callbacks=stopping(stage, bool(validation)),
    )
    trainer.ways = drawn_from
    return trainer
