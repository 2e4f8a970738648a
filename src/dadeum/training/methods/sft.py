"""Supervised fine-tuning of a decoder: packed trees, the head at answers only, tried against the plain path first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.examples import read_examples
from dadeum.models.load import load_tokenizer
from dadeum.models.memory import fenced
from dadeum.models.render import Renderer, loss_on
from dadeum.training.arguments import base_arguments, tokens_per_pass
from dadeum.training.instructions import Ways, ways
from dadeum.training.rows import encode, encode_examples, once_per_split, prompt_groups
from dadeum.training.stopping import stopping
from dadeum.training.work import Ready, Told, Work, enough_memory, trainable_model, untrained

CONFIG = ("trl", "SFTConfig")

Rows = list[dict[str, Any]]


@contextmanager
def ready(work: Work) -> Iterator[Ready]:
    """DataError for a split without rows, ModelError for what this model cannot learn or this machine not hold."""
    from dadeum.training.choices import choose

    recipe, stage, run = work.recipe, work.stage, work.run
    tokenizer = load_tokenizer(recipe.model)
    renderer = Renderer(tokenizer, recipe.render, loss_on(recipe))
    taught, held_out = run.split_path("train"), run.split_path("validation")

    def asked_rows() -> tuple[Ways, Rows]:
        asked = ways(recipe, stage, read_examples(taught), renderer.fit)
        return asked, encode_examples(recipe, renderer, stage, asked.examples, taught)

    asked, rows = once_per_split(recipe, stage, taught, asked_rows)
    validation = once_per_split(recipe, stage, held_out, lambda: encode(recipe, renderer, stage, held_out))
    if not rows:
        raise DataError("train.no_rows", path=taught)
    with ExitStack() as stack:
        stack.enter_context(fenced())
        with enough_memory(stage):
            trainer = build(work, trainable_model(work), tokenizer, rows, validation, asked.drawn_from)
            choices = choose(trainer, stage, rows, work.precision, stack, untrained(work))
        trainer.halvings.tell = partial(run.event, "out_of_memory", stage=stage.name)
        run.event("stage_computed", stage=stage.name, **asdict(choices))

        def told() -> Told:
            now = replace(
                choices, tokens_per_pass=trainer.data_collator.tokens_per_pass, halved=trainer.halvings.tokens
            )
            return Told(trainer.tokens_seen, trainer.tokens_computed, asdict(now), asked.figures)

        yield Ready(trainer, tokenizer, asked.num_rows, told)


def build(
    work: Work,
    model: Any,
    tokenizer: Any,
    rows: Rows,
    validation: Rows,
    drawn_from: list[list[int]] | None = None,
) -> Any:
    """The trainer on rows that are already token ids; with `drawn_from` an epoch takes one of each row's places."""
    from datasets import Dataset
    from trl import SFTConfig

    from dadeum.training.prefix import StepCollator
    from dadeum.training.sft import AnswerTrainer

    stage = work.stage
    # Padding in validation is pure waste and its order means nothing: sorted once.
    validation = sorted(validation, key=lambda row: len(row["input_ids"]))
    ours = base_arguments(work, len(drawn_from or rows), bool(validation)) | {
        # One batch of the loader is one optimizer step; the collator cuts it into passes (training/prefix.py).
        "per_device_train_batch_size": stage.batch_size * stage.accumulation_steps,
        "gradient_accumulation_steps": 1,
        "max_length": None,
        "dataset_kwargs": {"skip_prepare_dataset": True},
    }
    trainer = AnswerTrainer(
        model=model,
        args=SFTConfig(**(ours | stage.trainer_args)),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(validation) if validation else None,
        data_collator=StepCollator(tokenizer.pad_token_id, tokens_per_pass(stage, rows)),
        processing_class=tokenizer,
        callbacks=stopping(stage, bool(validation)),
    )
    trainer.groups = prompt_groups([row["input_ids"] for row in rows], stage.batch_size)
    trainer.ways = drawn_from
    return trainer
