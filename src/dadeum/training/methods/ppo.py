"""Proximal policy optimization: our own module (training/ppo), because trl has none any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dadeum.models.load import load_tokenizer
from dadeum.models.render import Renderer, loss_on
from dadeum.training.arguments import base_arguments
from dadeum.training.online import Decoder, Probe, Prompts, prompts_per_step, read_prompts
from dadeum.training.work import Ready, Told, Work, enough_memory, trainable_model

CONFIG = ("transformers", "TrainingArguments")


@contextmanager
def ready(work: Work) -> Iterator[Ready]:
    """DataError for a split without usable rows, ModelError for what this machine cannot hold."""
    from dadeum.training.reference import policy_saver

    recipe = work.recipe
    tokenizer = load_tokenizer(recipe.model)
    renderer = Renderer(tokenizer, recipe.render, loss_on(recipe))
    prompts = read_prompts(work, renderer)
    probe = Probe(work, renderer, prompts.max_new_tokens)
    with enough_memory(work.stage):
        model = trainable_model(work)
        probe.look(model, "before")
        trainer = build(work, model, renderer, prompts)

    def told() -> Told:
        probe.look(trainer.model, "after")
        choices = {"prompts_per_step": prompts_per_step(work.stage), "max_new_tokens": prompts.max_new_tokens}
        figures = probe.told(trainer.state.log_history)
        return Told(trainer.state.num_input_tokens_seen, trainer.tokens_computed, choices, figures)

    yield Ready(trainer, tokenizer, len(prompts.rows), told, policy_saver(trainer))


def build(work: Work, model: Any, renderer: Renderer, prompts: Prompts) -> Any:
    """The trainer, its reference taken from `model` as it is now."""
    from transformers import TrainingArguments

    from dadeum.training.ppo.policy import add_value_head
    from dadeum.training.ppo.rollout import Writing
    from dadeum.training.ppo.trainer import PpoTrainer
    from dadeum.training.reference import Reference, without_dropout
    from dadeum.training.rewards.base import combined

    stage, decode = work.stage, Decoder(renderer)
    without_dropout(model)
    reference = Reference(model, is_new_adapter=work.before is None)
    add_value_head(model)
    if stage.gradient_checkpointing and hasattr(model, "peft_config"):
        model.enable_input_require_grads()
    # An epoch answers every prompt `generations` times.
    ours = base_arguments(work, len(prompts.rows) * stage.generations, has_validation=False) | {
        # One batch of the loader is one rollout; the trainer cuts it into passes of `batch_size` answers.
        "per_device_train_batch_size": prompts_per_step(stage),
        "gradient_accumulation_steps": 1,
    }

    def rate(rows: list[int], answers: list[list[int]]) -> Any:
        return combined(work, [prompts.rows[row] for row in rows], [decode(ids) for ids in answers])

    return PpoTrainer(
        model=model,
        stage=stage,
        prompts=prompts,
        reference=reference,
        writing=Writing(prompts.max_new_tokens, renderer.stop_ids, renderer.tokenizer.pad_token_id),
        rate=rate,
        args=TrainingArguments(**(ours | stage.trainer_args)),
    )
